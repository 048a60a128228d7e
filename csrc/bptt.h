// Backpropagation through time, for all cells: the walk of recurrence.h, backward.
//
// A chunk at a time: what was not kept is computed again; the steps turn gradients of the state into gradients of the
// gates' sums; then these give, in big products, the gradients of x and of the weights. A weight's gradient is one
// chain over a block's (step, row) pairs in backward order, and the blocks' sums are added in order: neither chunks nor
// threads change a bit of it.
#pragma once

#include "recurrence.h"
#include "weight_gradients.h"

namespace recurra::RECURRA_ISA {

// A block of rows, backward through time.
template <class Cell, class V>
struct Backward : Walk<Cell, V> {
    using Base = Walk<Cell, V>;
    using typename Base::Real;
    using Base::P, Base::p, Base::UB, Base::RB, Base::IB, Base::projects;
    using Record = Records<V, Cell::saved>;

    // What a chunk's products are made of, pairs in backward order; two, by turns, since threads may be a chunk apart.
    struct Chunk {
        Real *dgates, *x, *h, *operand, *dh, *records;
    };

    const Gates<Cell, V>& cell;
    const WeightGradients<Cell, V>& weights;
    const typename WeightGradients<Cell, V>::Sums total;
    const Range ranks;
    const int64_t rows;
    const Crew crew;
    const int64_t pairs = this->chunk_pairs(rows);
    const bool again = p.memory != Memory::stored && p.memory != Memory::checkpointed;
    Chunk chunks[2];
    Real *dh, *dc, *dm, *dgates, *dx, *sums, *seconds;

    Backward(const Gates<Cell, V>& cell, const WeightGradients<Cell, V>& weights, Arena<Real>& arena, int64_t block,
             Crew crew)
        : Base(cell.p), cell(cell), weights(weights), total(weights.of(block)),
          ranks(Blocks(p.rows, p.B).at(block)), rows(ranks.end - ranks.begin), crew(crew) {
        for (Chunk& chunk : chunks) {
            if (&chunk != chunks && !crew.all) break;
            chunk.dgates = arena.take(Cell::dgates * UB * pairs * P);
            chunk.x = arena.take(weights.wants_x || again ? IB * pairs * P : 0);
            chunk.h = arena.take(RB * pairs * P);
            chunk.operand = arena.take(projects || Cell::second ? UB * pairs * P : 0);
            chunk.dh = arena.take(projects ? RB * pairs * P : 0);
            chunk.records = arena.take(again ? UB * pairs * Cell::saved * P : 0);
        }
        dh = arena.take(RB * rows * P);
        dc = arena.take(Cell::has_c ? UB * rows * P : 0);
        dm = arena.take(projects || Cell::second ? UB * rows * P : 0);
        dgates = arena.take(Cell::dgates * UB * rows * P);  // of the step at hand
        dx = arena.take(p.dx ? IB * pairs * P : 0);
        sums = arena.take(again ? UB * pairs * Cell::inputs * P : 0);
        seconds = arena.take(again && Cell::second ? UB * pairs * P : 0);
        arena.take(1024);  // a neighbour's prefetches should not reach in
    }

    int64_t running(int64_t s) const { return this->active(s, ranks); }

    // f(row in the block, row of the batch) for this thread's share of the rows.
    template <class F>
    void each_row(F f) const {
        Range some = crew.own(rows);
        for (int64_t r = some.begin; r < some.end; ++r) f(r, p.rows.row[ranks.begin + r]);
    }
    void load_gradients() const {
        each_row([&](int64_t r, int64_t row) {
            Base::spread(Base::row_of(p.dh_n, row, p.R), p.R, dh, rows, r);
            if constexpr (Cell::has_c) Base::spread(Base::row_of(p.dc_n, row, p.H), p.H, dc, rows, r);
        });
    }
    void store_gradients() const {
        each_row([&](int64_t r, int64_t row) {
            if (p.dh0) Base::gather(dh, rows, r, p.dh0 + row * p.R, p.R);
            if constexpr (Cell::has_c)
                if (p.dc0) Base::gather(dc, rows, r, p.dc0 + row * p.H, p.H);
        });
    }

    // ---- a chunk, walk steps [from, to), `count` pairs ----

    // f(step, row, pair) for the pairs of a run.
    template <class F>
    void each_pair(Range run, int64_t to, F f) const {
        for (int64_t s = to - 1, first = 0; first < run.end; --s) {
            int64_t n = running(s), r = run.begin > first ? run.begin - first : 0;
            for (; r < n && first + r < run.end; ++r) f(s, r, first + r);
            first += n;
        }
    }

    // x, and the state that each pair began with, where a run that began with `begin` started from h0.
    void spread_inputs(const Chunk& chunk, int64_t begin, int64_t to, Range run, const Real* h0,
                       Sequence<const Real> y) const {
        each_pair(run, to, [&](int64_t s, int64_t r, int64_t pair) {
            int64_t row = p.rows.row[ranks.begin + r];
            bool starts = s == begin || ranks.begin + r >= this->active(s - 1);
            const Real* h = starts ? Base::row_of(h0, row, p.R) : y.at(this->time(s - 1), row);
            Base::spread(this->cut(s, ranks.begin + r) ? nullptr : h, p.R, chunk.h, pairs, pair);
            if (weights.wants_x || again) Base::spread(p.x.at(this->time(s), row), p.I, chunk.x, pairs, pair);
        });
    }

    // All gates once more, from the states before: no step waits for another.
    void compute_again(const Chunk& chunk, int64_t to, Range run) const {
        Record records{chunk.records, pairs};
        if constexpr (Cell::has_c)
            each_pair(run, to, [&](int64_t s, int64_t r, int64_t pair) {
                auto carried = records_at<Cell, V, 1>(*this, p.saved, s, ranks.begin + r);
                for (int64_t b = 0; b < UB; ++b)
                    V::load(carried.at(b, 0)).store(records.at(b, pair, Cell::c_saved));
            });
        if (run.begin == run.end) return;
        cell.inputs(cell.weights_x, chunk.x, pairs, run, sums);
        cell.gates(
            cell.weights_h, chunk.h, pairs, sums, pairs, {0, UB}, run,
            [&](Point<V>& point, int64_t block, int64_t pair) {
                if constexpr (Cell::has_c) point.c = V::load(records.at(block, pair, Cell::c_saved));
                else point.h = V::load(chunk.h + (block * pairs + pair) * P);
            },
            [&](Point<V>& point, int64_t block, int64_t pair) {
                for (int k = 0; k < Cell::saved; ++k) point.saved[k].store(records.at(block, pair, k));
                if constexpr (Cell::second) point.operand.store(chunk.operand + (block * pairs + pair) * P);
            });
        if constexpr (Cell::second) {
            multiply_panels<V>(chunk.operand, pairs * P, {1, p.H}, cell.weights_second, {0, UB}, run, seconds, pairs,
                               false);
            cell.second_gates(seconds, chunk.h, pairs, sums, pairs, records, {0, UB}, run,
                              [](Point<V>&, int64_t, int64_t) {});
        }
    }

    // ---- a step ----

    // Gradients of the state after step s become those before it, in place; the gates' also go to the chunk, from
    // `pair` on.
    void step(int64_t s, const Chunk& chunk, Record record, int64_t pair) const {
        const int64_t n = running(s);
        if (n == 0) return;
        auto dgate = [&](int k, int64_t b, int64_t r) { return dgates + ((k * UB + b) * rows + r) * P; };
        auto keep = [&](const Point<V>& point, int k, int64_t b, int64_t r) {
            point.dgate[k].store(dgate(k, b, r));
            point.dgate[k].store(chunk.dgates + ((k * UB + b) * pairs + pair + r) * P);
        };
        const Range units = crew.own(UB), outputs = crew.own(RB);
        if (projects) {
            add_dy(s, chunk, pair, outputs, n);
            crew.meet();
            multiply_panels<V>(dh, rows * P, {1, p.R}, weights.back_second, units, {0, n}, dm, rows, false);
            crew.meet();
        }
        for (int64_t b = units.begin; b < units.end; ++b)
            for (int64_t r = 0; r < n; ++r) {
                Point<V> point = load_point(s, chunk, record, pair, b, r);
                Cell::backward(point);
                for (int k = 0; k < Cell::dgates; ++k)
                    if (!late(k)) keep(point, k, b, r);
                if constexpr (Cell::has_c) point.dc.store(dc + (b * rows + r) * P);
                if (projects || Cell::second) point.operand.store(chunk.operand + (b * pairs + pair + r) * P);
                if (!projects) point.dh.store(dh + (b * rows + r) * P);
            }
        crew.meet();
        if constexpr (Cell::second) {  // the last gate's gradient, through its product, gives that of r∘h
            multiply_panels<V>(dgate(0, 0, 0), rows * P, {1, p.H}, weights.back_second, units, {0, n}, dm, rows, false);
            for (int64_t b = units.begin; b < units.end; ++b)
                for (int64_t r = 0; r < n; ++r) {
                    Point<V> point = load_point(s, chunk, record, pair, b, r);
                    point.dh = V::load(dh + (b * rows + r) * P);
                    point.operand = V::load(dm + (b * rows + r) * P);
                    Cell::backward_second(point);
                    keep(point, Cell::late_dgate, b, r);
                    point.dh.store(dh + (b * rows + r) * P);
                }
            crew.meet();
        }
        multiply_panels<V>(dgate(Cell::h_first, 0, 0), rows * P, {Cell::h_count, p.H}, weights.back_h, outputs, {0, n},
                           dh, rows, !projects);
        if (p.reset)
            for (int64_t r = 0; r < n; ++r)
                if (this->cut(s, ranks.begin + r)) clear(r, outputs, units);
        crew.meet();
    }

    // Whether this gradient waits for a product.
    static constexpr bool late(int k) {
        if constexpr (Cell::second) return k == Cell::late_dgate;
        return false;
    }

    Point<V> load_point(int64_t s, const Chunk& chunk, Record record, int64_t pair, int64_t b,
                        int64_t r) const {
        Point<V> point;
        for (int k = 0; k < Cell::saved; ++k) point.saved[k] = V::load(record.at(b, r, k));
        if (projects) {
            point.dh = V::load(dm + (b * rows + r) * P);
        } else {
            point.dh = V::load(dh + (b * rows + r) * P);
            if (p.dy)
                point.dh = point.dh + Base::get(p.dy.at(this->time(s), p.rows.row[ranks.begin + r]), b, p.H);
        }
        if constexpr (Cell::has_c) point.dc = V::load(dc + (b * rows + r) * P);
        else point.h = V::load(chunk.h + (b * pairs + pair + r) * P);
        if constexpr (Cell::peepholes)
            for (int k = 0; k < 3; ++k) point.peephole[k] = V::load(cell.peepholes + (b * 3 + k) * P);
        return point;
    }

    void clear(int64_t r, Range outputs, Range units) const {
        for (int64_t b = outputs.begin; b < outputs.end; ++b) V::all(0).store(dh + (b * rows + r) * P);
        if constexpr (Cell::has_c)
            for (int64_t b = units.begin; b < units.end; ++b) V::all(0).store(dc + (b * rows + r) * P);
    }

    // With a projection the whole gradient of h is needed before anything else.
    void add_dy(int64_t s, const Chunk& chunk, int64_t pair, Range outputs, int64_t n) const {
        for (int64_t b = outputs.begin; b < outputs.end; ++b)
            for (int64_t r = 0; r < n; ++r) {
                V sum = V::load(dh + (b * rows + r) * P);
                if (p.dy) sum = sum + Base::get(p.dy.at(this->time(s), p.rows.row[ranks.begin + r]), b, p.R);
                sum.store(dh + (b * rows + r) * P);
                sum.store(chunk.dh + (b * pairs + pair + r) * P);
            }
    }

    // ---- sums over pairs ----

    void input_gradients(const Chunk& chunk, int64_t to, Range run) const {
        multiply_panels<V>(chunk.dgates + Cell::x_first * UB * pairs * P, pairs * P, {Cell::inputs, p.H},
                           weights.back_x, {0, IB}, run, dx, pairs, false);
        each_pair(run, to, [&](int64_t s, int64_t r, int64_t pair) {
            Real* row = p.dx.at(this->time(s), p.rows.row[ranks.begin + r]);
            for (int64_t b = 0; b < IB; ++b) {
                V sum = V::load(dx + (b * pairs + pair) * P);
                Base::put(p.dx_accumulates ? Base::get(row, b, p.I) + sum : sum, row, b, p.I);
            }
        });
    }

    void weight_gradients(const Chunk& chunk, int64_t count, bool fresh) const {
        const int64_t stride = pairs * P;
        auto add = [&](const Real* a, int64_t a_panels, const Real* b, int64_t b_panels, Real* sum) {
            outer<V>(a, crew.own(a_panels), b, b_panels, stride, count, sum, fresh);
        };
        const Real* gates = chunk.dgates;
        if (weights.wants_x) add(gates + Cell::x_first * UB * stride, Cell::inputs * UB, chunk.x, IB, total.x);
        if (weights.wants_h) {
            add(gates + Cell::h_first * UB * stride, Cell::h_count * UB, chunk.h, RB, total.h);
            if constexpr (Cell::second) add(gates, UB, chunk.operand, UB, total.second);
        }
        if (weights.wants_hr) add(chunk.dh, RB, chunk.operand, UB, total.second);
        if (weights.wants_bias) sum_rows<V>(gates, crew.own(Cell::dgates * UB), stride, count, total.bias, fresh);
    }

    // record(s, pair) as in `run`.
    template <class RecordOf>
    void peephole_gradients(const Chunk& chunk, int64_t from, int64_t to, RecordOf record, bool fresh) const {
        Range own = crew.own(UB);
        for (int64_t b = own.begin; b < own.end; ++b) {
            V sum[3];
            for (int k = 0; k < 3; ++k) sum[k] = fresh ? V::all(0) : V::load(total.peephole + (k * UB + b) * P);
            for (int64_t s = to - 1, pair = 0; s >= from; --s) {
                Record saved = record(s, pair);
                for (int64_t r = 0, n = running(s); r < n; ++r, ++pair) {
                    auto kept = [&](int k) { return V::load(saved.at(b, r, k)); };
                    auto dgate = [&](int k) { return V::load(chunk.dgates + ((k * UB + b) * pairs + pair) * P); };
                    V i = kept(Cell::input_gate), f = kept(Cell::forget_gate), g = kept(Cell::candidate);
                    V c = kept(Cell::c_saved);
                    sum[0] = fma(dgate(Cell::input_gate), c, sum[0]);
                    sum[1] = fma(dgate(Cell::forget_gate), c, sum[1]);
                    sum[2] = fma(dgate(Cell::output_gate), Cell::next(i, f, g, c), sum[2]);
                }
            }
            for (int k = 0; k < 3; ++k) sum[k].store(total.peephole + (k * UB + b) * P);
        }
    }

    // ---- time ----

    // Walk steps [begin, end), which started from h0 and gave y; kept(s) are the records of step s, where kept.
    template <class Kept>
    void run(int64_t begin, int64_t end, const Real* h0, Sequence<const Real> y, Kept kept, int64_t& turn) const {
        for (int64_t to = end, from; to > begin; to = from) {
            int64_t count = running(to - 1);
            for (from = to - 1; from > begin && count + running(from - 1) <= pairs; --from) count += running(from - 1);
            if (count == 0) continue;
            const bool fresh = turn == 0;
            const Chunk& chunk = chunks[crew.all ? turn % 2 : 0];
            ++turn;
            const Range share = crew.own(count);
            spread_inputs(chunk, begin, to, share, h0, y);
            if (again) compute_again(chunk, to, share);
            crew.meet();

            auto record = [&](int64_t s, int64_t pair) -> Record {
                return again ? Record{chunk.records, pairs}.from(pair) : kept(s);
            };
            for (int64_t s = to - 1, pair = 0; s >= from; pair += running(s), --s)
                step(s, chunk, record(s, pair), pair);

            if (p.dx) input_gradients(chunk, to, share);
            weight_gradients(chunk, count, fresh);
            if constexpr (Cell::peepholes)
                if (weights.wants_peephole) peephole_gradients(chunk, from, to, record, fresh);
        }
        crew.meet();
    }

    // No pair at all: nothing was summed.
    void zero_sums() const {
        if (!crew.team || crew.team->rank() == 0) std::memset(total.x, 0, weights.size * sizeof(Real));
    }
};

}  // namespace recurra::RECURRA_ISA
