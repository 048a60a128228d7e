// Backpropagation through time, for all cells: the walk of recurrence.h, backward.
//
// A chunk at a time: what was not kept is computed again; the steps turn gradients of the state into gradients of the
// gates' sums; then these give, in big products, the gradients of x and of the weights. A weight's gradient is one
// chain over all (step, row) pairs in backward order, so that neither chunks nor threads change a bit of it.
#pragma once

#include "recurrence.h"

namespace recurra::RECURRA_ISA {

template <class Cell, class V>
struct Backward : Walk<Cell, V> {
    using Base = Walk<Cell, V>;
    using typename Base::Real;
    using Base::P, Base::p, Base::UB, Base::RB, Base::IB, Base::projects, Base::by_units, Base::threads, Base::rank;
    using Record = Records<V, Cell::saved>;
    using Layer = Forward<Cell, V>;

    // What a chunk's products are made of; two, by turns, since threads may be a chunk apart.
    struct Chunk {
        Real *dgates, *x, *h, *operand, *dh, *records;
    };

    Layer& layer;  // runs again what was not kept
    Team* const team;
    const int64_t pairs = layer.pairs;
    const bool wants_x = p.dweights[w_ih], wants_h = p.dweights[w_hh], wants_hr = p.dweights[w_hr],
               wants_peephole = p.dweights[peephole], wants_bias = p.dweights[b_ih] || p.dweights[b_hh];
    const bool again = p.memory != Memory::stored && p.memory != Memory::checkpointed;
    Real *back_h, *back_x, *back_second;  // weights, packed for products with gradients
    Real *dh, *dc, *dm, *dx, *seconds;
    Chunk chunks[2];
    Real *sum_x, *sum_h, *sum_second, *sum_bias, *sum_peephole;

    Backward(const Problem<Real>& problem, Arena<Real>& arena, Layer& layer)
        : Base(problem, layer.threads, layer.rank), layer(layer), team(layer.team) {
        back_h = arena.take(RB * P * Cell::h_count * p.H);
        back_x = arena.take(p.dx ? IB * P * Cell::inputs * p.H : 0);
        back_second = arena.take(projects || Cell::second ? UB * P * (projects ? p.R : p.H) : 0);
        dh = arena.take(RB * p.B * P);
        dc = arena.take(Cell::has_c ? UB * p.B * P : 0);
        dm = arena.take(projects || Cell::second ? UB * p.B * P : 0);
        dx = arena.take(p.dx ? IB * pairs * P : 0);
        seconds = arena.take(Cell::second && again ? UB * pairs * P : 0);
        for (Chunk& chunk : chunks) {
            chunk.dgates = arena.take(Cell::dgates * UB * pairs * P);
            chunk.x = arena.take(wants_x || again ? IB * pairs * P : 0);
            chunk.h = arena.take(RB * pairs * P);
            chunk.operand = arena.take(projects || Cell::second ? UB * pairs * P : 0);
            chunk.dh = arena.take(projects ? RB * pairs * P : 0);
            chunk.records = arena.take(again ? UB * pairs * Cell::saved * P : 0);
        }
        sum_x = arena.take(wants_x ? Cell::inputs * UB * P * IB * P : 0);
        sum_h = arena.take(wants_h ? Cell::h_count * UB * P * RB * P : 0);
        sum_second = arena.take(Cell::second ? (wants_h ? UB * P * UB * P : 0) : wants_hr ? RB * P * UB * P : 0);
        sum_bias = arena.take(wants_bias ? Cell::dgates * UB * P : 0);
        sum_peephole = arena.take(wants_peephole ? 3 * UB * P : 0);
    }

    void pack() const {
        auto columns = [&](const Real* w, int64_t size, int64_t depth, Real* to, auto row) {
            Range own = share(panels(size, P), rank, threads);
            for (int64_t b = own.begin; b < own.end; ++b)
                pack_columns<V>(w, size, depth, b, to + b * P * depth, row);
        };
        auto row_from = [&](int first) {
            return [this, first](int64_t k) { return Cell::row_of[first + k / p.H] * p.H + k % p.H; };
        };
        columns(p.weights[w_hh], p.R, Cell::h_count * p.H, back_h, row_from(Cell::h_first));
        if (p.dx) columns(p.weights[w_ih], p.I, Cell::inputs * p.H, back_x, row_from(Cell::x_first));
        auto as_it_is = [](int64_t k) { return k; };
        if constexpr (Cell::second)
            columns(p.weights[w_hh] + 2 * p.H * p.H, p.H, p.H, back_second, as_it_is);
        else if (projects) columns(p.weights[w_hr], p.H, p.R, back_second, as_it_is);
    }

    void load_gradients() const {
        Range own = share(p.B, rank, threads);
        for (int64_t r = own.begin; r < own.end; ++r) {
            int64_t row = p.rows.row[r];
            Base::spread(p.dh_n ? p.dh_n + row * p.R : nullptr, p.R, dh, p.B, r);
            if constexpr (Cell::has_c) Base::spread(p.dc_n ? p.dc_n + row * p.H : nullptr, p.H, dc, p.B, r);
        }
        team->barrier();
    }
    void store_gradients() const {
        Range own = share(p.B, rank, threads);
        for (int64_t r = own.begin; r < own.end; ++r) {
            int64_t row = p.rows.row[r];
            if (p.dh0) Base::gather(dh, p.B, r, p.dh0 + row * p.R, p.R);
            if constexpr (Cell::has_c)
                if (p.dc0) Base::gather(dc, p.B, r, p.dc0 + row * p.H, p.H);
        }
    }

    // ---- a chunk ----

    // The state that each pair of [from, to) began with, where a run that began with `begin` started from h0.
    void spread_h(int64_t begin, int64_t from, int64_t to, const Real* h0, Sequence<const Real> y, Real* out) const {
        this->own_pairs(from, to, true, [&](int64_t s, Range rows, int64_t pair) {
            for (int64_t r = rows.begin; r < rows.end; ++r, ++pair) {
                int64_t row = p.rows.row[r];
                bool starts = s == begin || r >= this->active(s - 1);
                const Real* h = starts ? h0 + row * p.R : y.at(this->time(s - 1), row);
                Base::spread(this->cut(s, r) ? nullptr : h, p.R, out, pairs, pair);
            }
        });
    }

    // All gates of [from, to) once more, from the states before: no step waits for another.
    void compute_again(const Chunk& chunk, int64_t from, int64_t to) const {
        Record records{chunk.records, pairs};
        if constexpr (Cell::has_c)
            this->own_pairs(from, to, true, [&](int64_t s, Range rows, int64_t pair) {
                Records<V, 1> carried{p.saved + p.rows.offset[s] * UB * P, this->active(s)};
                for (int64_t b = 0; b < UB; ++b)
                    for (int64_t r = rows.begin; r < rows.end; ++r)
                        V::load(carried.at(b, r)).store(records.at(b, pair + r - rows.begin, Cell::c_saved));
            });
        Real* sums = layer.pre[0];
        this->own_runs(from, to, true, [&](Range run) {
            layer.inputs(layer.weights_x, run, sums, chunk.x);
            layer.gates(
                layer.weights_h, chunk.h, pairs, sums, {0, UB}, run,
                [&](Point<V>& point, int64_t block, int64_t pair) {
                    if constexpr (Cell::has_c) point.c = V::load(records.at(block, pair, Cell::c_saved));
                    else point.h = V::load(chunk.h + (block * pairs + pair) * P);
                },
                [&](Point<V>& point, int64_t block, int64_t pair) {
                    for (int k = 0; k < Cell::saved; ++k) point.saved[k].store(records.at(block, pair, k));
                    if constexpr (Cell::second) point.operand.store(chunk.operand + (block * pairs + pair) * P);
                });
            if constexpr (Cell::second) {
                multiply_panels<V>(chunk.operand, pairs * P, {1, p.H}, layer.weights_second, {0, UB}, run, seconds,
                                   pairs, false);
                layer.second_gates(seconds, chunk.h, pairs, sums, records, {0, UB}, run,
                                   [](Point<V>&, int64_t, int64_t) {});
            }
        });
    }

    // ---- a step ----

    // Gradients of the state after step s become those before it, in place; gates' go to the chunk, from `pair` on.
    void step(int64_t s, const Chunk& chunk, Record record, int64_t pair) const {
        int64_t n = this->active(s);
        auto dgate = [&](int k, int64_t block, int64_t row) {
            return chunk.dgates + ((k * UB + block) * pairs + pair + row) * P;
        };
        if (projects) {
            add_dy(s, chunk, pair);
            if (by_units) team->barrier();
            back_through_projection(n);
        }
        this->own_rows(n, [&](Range rows) {
            Range own = this->own_blocks(UB);
            for (int64_t b = own.begin; b < own.end; ++b)
                for (int64_t r = rows.begin; r < rows.end; ++r) {
                    Point<V> point = load_point(s, chunk, record, pair, b, r);
                    Cell::backward(point);
                    for (int k = 0; k < Cell::dgates; ++k)
                        if (!Cell::second || k != 1) point.dgate[k].store(dgate(k, b, r));
                    if constexpr (Cell::has_c) point.dc.store(dc + (b * p.B + r) * P);
                    if (projects || Cell::second)
                        point.operand.store(chunk.operand + (b * pairs + pair + r) * P);
                    if (!projects) point.dh.store(dh + (b * p.B + r) * P);
                }
        });
        if (by_units) team->barrier();
        if constexpr (Cell::second) {
            this->own_rows(n, [&](Range rows) { back_through_second(chunk, record, pair, rows, dgate); });
            if (by_units) team->barrier();
        }
        this->own_rows(n, [&](Range rows) {
            multiply_panels<V>(dgate(Cell::h_first, 0, 0), pairs * P, {Cell::h_count, p.H}, back_h,
                               this->own_blocks(RB), rows, dh, p.B, !projects);
        });
        if (by_units && p.reset) team->barrier();
        if (p.reset)
            this->own_rows(n, [&](Range rows) {
                for (int64_t r = rows.begin; r < rows.end; ++r)
                    if (this->cut(s, r)) clear(r);
            });
        if (by_units) team->barrier();
    }

    Point<V> load_point(int64_t s, const Chunk& chunk, Record record, int64_t pair, int64_t b, int64_t r) const {
        Point<V> point;
        for (int k = 0; k < Cell::saved; ++k) point.saved[k] = V::load(record.at(b, r, k));
        if (projects) {
            point.dh = V::load(dm + (b * p.B + r) * P);
        } else {
            point.dh = V::load(dh + (b * p.B + r) * P);
            if (p.dy) point.dh = point.dh + Base::get(p.dy.at(this->time(s), p.rows.row[r]), b, p.H);
        }
        if constexpr (Cell::has_c) point.dc = V::load(dc + (b * p.B + r) * P);
        else point.h = V::load(chunk.h + (b * pairs + pair + r) * P);
        if constexpr (Cell::peepholes)
            for (int k = 0; k < 3; ++k) point.peephole[k] = V::load(layer.peepholes + (b * 3 + k) * P);
        return point;
    }

    void clear(int64_t r) const {
        Range h_own = this->own_blocks(RB), c_own = this->own_blocks(UB);
        for (int64_t b = h_own.begin; b < h_own.end; ++b) V::all(0).store(dh + (b * p.B + r) * P);
        if constexpr (Cell::has_c)
            for (int64_t b = c_own.begin; b < c_own.end; ++b) V::all(0).store(dc + (b * p.B + r) * P);
    }

    // With a projection the whole gradient of h is needed before anything else.
    void add_dy(int64_t s, const Chunk& chunk, int64_t pair) const {
        this->own_rows(this->active(s), [&](Range rows) {
            Range own = this->own_blocks(RB);
            for (int64_t b = own.begin; b < own.end; ++b)
                for (int64_t r = rows.begin; r < rows.end; ++r) {
                    V sum = V::load(dh + (b * p.B + r) * P);
                    if (p.dy) sum = sum + Base::get(p.dy.at(this->time(s), p.rows.row[r]), b, p.R);
                    sum.store(dh + (b * p.B + r) * P);
                    sum.store(chunk.dh + (b * pairs + pair + r) * P);
                }
        });
    }
    void back_through_projection(int64_t n) const {
        this->own_rows(n, [&](Range rows) {
            multiply_panels<V>(dh, p.B * P, {1, p.R}, back_second, this->own_blocks(UB), rows, dm, p.B, false);
        });
        if (by_units) team->barrier();
    }
    // The last gate's gradient, through its product, gives that of r∘h.
    template <class Dgate>
    void back_through_second(const Chunk& chunk, Record record, int64_t pair, Range rows, Dgate dgate) const {
        Range own = this->own_blocks(UB);
        multiply_panels<V>(dgate(0, 0, 0), pairs * P, {1, p.H}, back_second, own, rows, dm, p.B, false);
        for (int64_t b = own.begin; b < own.end; ++b)
            for (int64_t r = rows.begin; r < rows.end; ++r) {
                Point<V> point;
                for (int k = 0; k < Cell::saved; ++k) point.saved[k] = V::load(record.at(b, r, k));
                point.h = V::load(chunk.h + (b * pairs + pair + r) * P);
                point.dh = V::load(dh + (b * p.B + r) * P);
                point.operand = V::load(dm + (b * p.B + r) * P);
                Cell::backward_second(point);
                point.dgate[1].store(dgate(1, b, r));
                point.dh.store(dh + (b * p.B + r) * P);
            }
    }

    // ---- sums over pairs ----

    void input_gradients(const Chunk& chunk, int64_t from, int64_t to) const {
        Range run = share(p.rows.offset[to] - p.rows.offset[from], rank, threads);
        multiply_panels<V>(chunk.dgates + Cell::x_first * UB * pairs * P, pairs * P, {Cell::inputs, p.H}, back_x,
                           {0, IB}, run, dx, pairs, false);
        for (int64_t s = to - 1, pair = 0; s >= from && pair < run.end; --s)
            for (int64_t r = 0, n = this->active(s); r < n; ++r, ++pair) {
                if (pair < run.begin || pair >= run.end) continue;
                Real* row = p.dx.at(this->time(s), p.rows.row[r]);
                for (int64_t b = 0; b < IB; ++b) {
                    V sum = V::load(dx + (b * pairs + pair) * P);
                    Base::put(p.dx_accumulates ? Base::get(row, b, p.I) + sum : sum, row, b, p.I);
                }
            }
    }

    void weight_gradients(const Chunk& chunk, int64_t from, int64_t to, bool fresh) const {
        int64_t count = p.rows.offset[to] - p.rows.offset[from], stride = pairs * P;
        auto add = [&](const Real* a, int64_t a_panels, const Real* b, int64_t b_panels, Real* sum) {
            outer<V>(a, share(a_panels, rank, threads), b, b_panels, stride, count, sum, fresh);
        };
        const Real* dgates = chunk.dgates;
        if (wants_x) add(dgates + Cell::x_first * UB * stride, Cell::inputs * UB, chunk.x, IB, sum_x);
        if (wants_h) {
            add(dgates + Cell::h_first * UB * stride, Cell::h_count * UB, chunk.h, RB, sum_h);
            if constexpr (Cell::second) add(dgates, UB, chunk.operand, UB, sum_second);
        }
        if (wants_hr) add(chunk.dh, RB, chunk.operand, UB, sum_second);
        if (wants_bias)
            sum_rows<V>(dgates, share(Cell::dgates * UB, rank, threads), stride, count, sum_bias, fresh);
    }

    template <class RecordOf>
    void peephole_gradients(const Chunk& chunk, int64_t from, int64_t to, RecordOf record, bool fresh) const {
        Range own = share(UB, rank, threads);
        for (int64_t b = own.begin; b < own.end; ++b) {
            V sums[3];
            for (int k = 0; k < 3; ++k) sums[k] = fresh ? V::all(0) : V::load(sum_peephole + (k * UB + b) * P);
            for (int64_t s = to - 1, pair = 0; s >= from; --s)
                for (int64_t r = 0, n = this->active(s); r < n; ++r, ++pair) {
                    auto saved = [&](int k) { return V::load(record(s).at(b, r, k)); };
                    auto dgate = [&](int k) { return V::load(chunk.dgates + ((k * UB + b) * pairs + pair) * P); };
                    V c = Cell::next(saved(0), saved(1), saved(2), saved(4));
                    sums[0] = fma(dgate(0), saved(4), sums[0]);
                    sums[1] = fma(dgate(1), saved(4), sums[1]);
                    sums[2] = fma(dgate(3), c, sums[2]);
                }
            for (int k = 0; k < 3; ++k) sums[k].store(sum_peephole + (k * UB + b) * P);
        }
    }

    // ---- out ----

    // Without a single step there is nothing to sum.
    void zero_weights() const {
        const int64_t gates = Cell::second ? 3 : Cell::chains;
        const int64_t sizes[] = {gates * p.H * p.I, gates * p.H * p.R, gates * p.H, gates * p.H, p.R * p.H, 3 * p.H};
        for (int w = 0; w < n_weights && rank == 0; ++w)
            if (p.dweights[w]) std::memset(p.dweights[w], 0, sizes[w] * sizeof(Real));
    }
    // The rows that this thread summed, in torch.nn's order of gates.
    void store_weights() const {
        auto rows = [&](int64_t n_panels, int64_t height, auto f) {
            Range own = share(n_panels, rank, threads);
            for (int64_t q = own.begin; q < own.end; ++q)
                for (int64_t i = 0; i < P; ++i) {
                    int64_t unit = q % panels(height, P) * P + i;
                    if (unit < height) f(q / panels(height, P), unit, q * P + i);
                }
        };
        auto copy = [&](const Real* from, int64_t size, Real* to) { std::memcpy(to, from, size * sizeof(Real)); };
        if (wants_x)
            rows(Cell::inputs * UB, p.H, [&](int64_t g, int64_t u, int64_t i) {
                copy(sum_x + i * IB * P, p.I, p.dweights[w_ih] + (Cell::row_of[Cell::x_first + g] * p.H + u) * p.I);
            });
        if (wants_h)
            rows(Cell::h_count * UB, p.H, [&](int64_t g, int64_t u, int64_t i) {
                copy(sum_h + i * RB * P, p.R, p.dweights[w_hh] + (Cell::row_of[Cell::h_first + g] * p.H + u) * p.R);
            });
        if (wants_h && Cell::second)
            rows(UB, p.H, [&](int64_t, int64_t u, int64_t i) {
                copy(sum_second + i * UB * P, p.H, p.dweights[w_hh] + (2 * p.H + u) * p.H);
            });
        if (wants_hr)
            rows(RB, p.R, [&](int64_t, int64_t r, int64_t i) {
                copy(sum_second + i * UB * P, p.H, p.dweights[w_hr] + r * p.H);
            });
        if (wants_bias)
            rows(Cell::dgates * UB, p.H, [&](int64_t g, int64_t u, int64_t i) {
                int64_t to = Cell::row_of[g] * p.H + u;
                if (p.dweights[b_ih] && g < Cell::x_first + Cell::inputs) p.dweights[b_ih][to] = sum_bias[i];
                bool of_h = Cell::second || g >= Cell::h_first;
                if (p.dweights[b_hh] && of_h) p.dweights[b_hh][to] = sum_bias[i];
            });
        if (wants_peephole) {
            Range own = share(UB, rank, threads);
            for (int k = 0; k < 3; ++k)
                for (int64_t b = own.begin; b < own.end; ++b)
                    Base::put(V::load(sum_peephole + (k * UB + b) * P), p.dweights[peephole] + k * p.H, b, p.H);
        }
    }
};

template <class Cell, class V>
struct Pass {  // all that a backward pass needs, laid out in one piece of memory
    using Real = typename V::real;
    Arena<Real> arena;
    Forward<Cell, V> layer;
    Backward<Cell, V> back;
    Real *segment, *segment_y;

    Pass(const Problem<Real>& p, Real* scratch, int threads, Team* team)
        : arena(scratch), layer(p, arena, threads, team), back(p, arena, layer) {
        int64_t kept = p.memory == Memory::checkpointed ? segment_steps(p) * p.B : 0;
        segment = arena.take(kept * layer.UB * V::lanes * Cell::saved);
        segment_y = arena.take(kept * p.R);
    }
};

template <class Cell, class V>
void backward(const Problem<typename V::real>& p, typename V::real* scratch, Team& team) {
    using Real = typename V::real;
    Pass<Cell, V> pass(p, scratch, team.size(), &team);
    auto& [arena_, layer, back, segment, segment_y] = pass;
    const int64_t steps = p.rows.steps, unit = layer.UB * V::lanes;
    const bool checkpointed = p.memory == Memory::checkpointed;
    if (back.again || checkpointed) layer.pack();
    else if (Cell::peepholes)
        for (int64_t b = 0; b < layer.UB; ++b) layer.pack_bias(b);
    back.pack();
    back.load_gradients();

    const int64_t length = checkpointed ? segment_steps(p) : steps > 0 ? steps : 1;
    bool fresh = true;
    int64_t turn = 0;
    for (int64_t begin = (steps - 1) / length * length; begin >= 0 && steps > 0; begin -= length) {
        const int64_t end = begin + length < steps ? begin + length : steps;
        const Real* h0 = p.h0;
        Sequence<const Real> y{p.y.data, p.y.step, p.y.row};
        auto kept_record = [&](int64_t s) -> Records<V, Cell::saved> {
            int64_t before = p.rows.offset[s] - (checkpointed ? p.rows.offset[begin] : 0);
            return {(checkpointed ? segment : p.saved) + before * unit * Cell::saved, layer.active(s)};
        };
        if (checkpointed) {  // the segment once more, from the state that was kept
            h0 = p.saved + begin / length * p.B * (p.R + (Cell::has_c ? p.H : 0));
            int64_t first = p.reverse ? layer.time(end - 1) : begin;
            Sequence<Real> to{segment_y - first * p.B * p.R, p.B * p.R, p.R};
            layer.load_state(h0, h0 + p.B * p.R, begin);
            layer.run(begin, end, to, kept_record, [](int64_t) { return Records<V, 1>{}; });
            y = {to.data, to.step, to.row};
        }
        for (int64_t to = end, from; to > begin; to = from, ++turn, fresh = false) {
            from = layer.chunk_begin(to, begin);
            const auto& chunk = back.chunks[turn % 2];
            if (back.wants_x || back.again) layer.spread_x(from, to, true, chunk.x, back.pairs);
            back.spread_h(begin, from, to, h0, y, chunk.h);
            if (back.again) back.compute_again(chunk, from, to);
            team.barrier();

            auto pair = [&](int64_t s) { return p.rows.offset[to] - p.rows.offset[s + 1]; };
            auto record = [&](int64_t s) -> Records<V, Cell::saved> {
                if (!back.again) return kept_record(s);
                return {chunk.records + pair(s) * Cell::saved * V::lanes, back.pairs};
            };
            for (int64_t s = to - 1; s >= from; --s) back.step(s, chunk, record(s), pair(s));
            team.barrier();

            if (p.dx) back.input_gradients(chunk, from, to);
            back.weight_gradients(chunk, from, to, fresh);
            if constexpr (Cell::peepholes)
                if (back.wants_peephole) back.peephole_gradients(chunk, from, to, record, fresh);
        }
    }
    team.barrier();
    if (steps > 0) back.store_weights();
    else back.zero_weights();
    back.store_gradients();
    if (p.dx && !p.dx_accumulates) zero_beyond<V>(p, p.dx, p.I, team);
}

template <class Cell, class V>
int64_t forward_scratch(const Problem<typename V::real>& p, int threads) {
    Arena<typename V::real> arena(nullptr);
    Forward<Cell, V> layer(p, arena, threads, nullptr);
    return arena.used();
}

template <class Cell, class V>
int64_t backward_scratch(const Problem<typename V::real>& p, int threads) {
    return Pass<Cell, V>(p, nullptr, threads, nullptr).arena.used();
}

}  // namespace recurra::RECURRA_ISA
