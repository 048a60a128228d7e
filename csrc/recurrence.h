// A cell over time, forward: the loop that all cells share.
//
// Each thread takes blocks of rows through all of time, in memory of its own; where blocks are too few, all threads
// take one together. Time goes in chunks of some hundred (step, row) pairs: a chunk's products with x come
// first, all at once; then the steps, one after another, go on from them.
#pragma once

#include "gates.h"

namespace recurra::RECURRA_ISA {

template <class Cell, class V>
struct Forward : Walk<Cell, V> {
    using Base = Walk<Cell, V>;
    using typename Base::Real;
    using Base::P, Base::p, Base::UB, Base::RB, Base::IB, Base::projects;
    using Record = Records<V, Cell::saved>;

    const Gates<Cell, V>& cell;
    const Range ranks;   // the rows of this block
    const int64_t rows;  // and how many they are
    const Crew crew;
    const int64_t pairs = this->chunk_pairs(rows);
    Real *h[2], *c, *x, *pre, *operand, *seconds, *kept;

    Forward(const Gates<Cell, V>& cell, Arena<Real>& arena, Range ranks, Crew crew)
        : Base(cell.p), cell(cell), ranks(ranks), rows(ranks.end - ranks.begin), crew(crew) {
        for (Real*& state : h) state = arena.take(RB * rows * P);
        c = arena.take(Cell::has_c ? UB * rows * P : 0);
        x = arena.take(IB * pairs * P);
        pre = arena.take(UB * pairs * Cell::inputs * P);
        operand = arena.take(projects || Cell::second ? UB * rows * P : 0);
        seconds = arena.take(Cell::second ? UB * rows * P : 0);
        kept = arena.take(Cell::second ? UB * rows * Cell::saved * P : 0);
        arena.take(1024);  // a neighbour's prefetches should not reach in
    }

    int64_t running(int64_t s) const { return this->active(s, ranks); }
    // ---- state ----

    // Both buffers, since a row that has ended, or not begun, has its state in either.
    void load_state(const Real* h0, const Real* c0, int64_t s) const {
        Range some = crew.own(rows);
        for (int64_t r = some.begin; r < some.end; ++r) {
            int64_t row = p.rows.row[ranks.begin + r];
            for (Real* state : h) Base::spread(Base::row_of(h0, row, p.R), p.R, state, rows, r);
            if constexpr (Cell::has_c) Base::spread(Base::row_of(c0, row, p.H), p.H, c, rows, r);
            if (this->cut(s, ranks.begin + r)) clear(r, h[0], {0, RB}, {0, UB});
        }
        crew.meet();
    }
    // The state before walk step `end`, of a run that began with `begin`.
    void store_state(int64_t begin, int64_t end, Real* h_to, Real* c_to) const {
        Range some = crew.own(rows);
        for (int64_t r = some.begin; r < some.end; ++r) {
            int64_t row = p.rows.row[ranks.begin + r], length = p.rows.length[ranks.begin + r], last = end;
            if (!p.reverse && length < end) last = length > begin ? length : begin;
            Base::gather(h[(last - begin) % 2], rows, r, h_to + row * p.R, p.R);
            if constexpr (Cell::has_c) Base::gather(c, rows, r, c_to + row * p.H, p.H);
        }
    }
    void clear(int64_t r, Real* state, Range h_blocks, Range c_blocks) const {
        for (int64_t b = h_blocks.begin; b < h_blocks.end; ++b) V::all(0).store(state + (b * rows + r) * P);
        if constexpr (Cell::has_c)
            for (int64_t b = c_blocks.begin; b < c_blocks.end; ++b) V::all(0).store(c + (b * rows + r) * P);
    }

    // ---- time ----

    // Walk steps [begin, end) from the state in h[0] and c. y takes the output, record(s) what the backward pass needs
    // of all, carried(s) of c alone; all but the functions may be null.
    template <class RecordOf, class CarriedOf>
    void run(int64_t begin, int64_t end, Sequence<Real> y, RecordOf record, CarriedOf carried) const {
        for (int64_t from = begin, to; from < end; from = to) {
            int64_t count = running(from);
            for (to = from + 1; to < end && count + running(to) <= pairs; ++to) count += running(to);
            if (count == 0) continue;
            Range run = crew.own(count);
            spread_x(from, run);
            if (run.begin < run.end) cell.inputs(cell.weights_x, x, pairs, run, pre);
            crew.meet();
            for (int64_t s = from, pair = 0; s < to; pair += running(s), ++s)
                step(s, (s - begin) % 2, pre + pair * Cell::inputs * P, record(s), carried(s), y);
        }
        crew.meet();
    }

    void spread_x(int64_t from, Range run) const {
        for (int64_t s = from, pair = 0; pair < run.end; ++s)
            for (int64_t r = 0, n = running(s); r < n; ++r, ++pair)
                if (pair >= run.begin && pair < run.end)
                    Base::spread(p.x.at(this->time(s), p.rows.row[ranks.begin + r]), p.I, x, pairs, pair);
    }

    // One step of rows whose sums over x are at `from` (row 0's): h[old] to h[1 - old], c in place.
    void step(int64_t s, int64_t old, const Real* from, Record record, Records<V, 1> carried, Sequence<Real> y) const {
        const Real* before = h[old];
        Real* after = h[1 - old];
        const int64_t n = running(s), t = this->time(s);
        if (n == 0) return;
        const int64_t* row_of = p.rows.row + ranks.begin;
        if (Cell::second && !record) record = {kept, rows};
        auto out = [&](V v, int64_t block, int64_t row) {
            v.store(after + (block * rows + row) * P);
            if (y) Base::put(v, y.at(t, row_of[row]), block, p.R);
        };
        cell.gates(
            cell.weights_h, before, rows, from, pairs, crew.own(UB), {0, n},
            [&](Point<V>& point, int64_t block, int64_t row) {
                if constexpr (Cell::has_c) point.c = V::load(c + (block * rows + row) * P);
                else point.h = V::load(before + (block * rows + row) * P);
            },
            [&](Point<V>& point, int64_t block, int64_t row) {
                if (record)
                    for (int k = 0; k < Cell::saved; ++k) point.saved[k].store(record.at(block, row, k));
                if constexpr (Cell::has_c) {
                    if (carried) point.saved[Cell::c_saved].store(carried.at(block, row));
                    point.c.store(c + (block * rows + row) * P);
                }
                if (Cell::second || projects)
                    (Cell::second ? point.operand : point.h).store(operand + (block * rows + row) * P);
                else out(point.h, block, row);
            });
        if (Cell::second || projects) {
            crew.meet();
            Range own = crew.own(Cell::second ? UB : RB);
            Real* product = Cell::second ? seconds : after;
            multiply_panels<V>(operand, rows * P, {1, p.H}, cell.weights_second, own, {0, n}, product, rows, false);
            if constexpr (Cell::second)
                cell.second_gates(product, before, rows, from, pairs, record, own, {0, n},
                                  [&](Point<V>& point, int64_t block, int64_t row) { out(point.h, block, row); });
            else if (y)
                for (int64_t b = own.begin; b < own.end; ++b)
                    for (int64_t r = 0; r < n; ++r)
                        Base::put(V::load(after + (b * rows + r) * P), y.at(t, row_of[r]), b, p.R);
        }
        if (p.reset)
            for (int64_t r = 0; r < n; ++r)
                if (this->cut(s + 1, ranks.begin + r)) clear(r, after, crew.own(RB), crew.own(UB));
        crew.meet();
    }
};

// ---- what the forward pass keeps ----

// Steps between two states that are kept, about the root of all: what is kept and what is run again are balanced.
template <class Real>
inline int64_t segment_steps(const Problem<Real>& p) {
    int64_t steps = 1;
    while (steps * steps < p.rows.steps) ++steps;
    return steps;
}

// Values in one state that is kept.
template <class Cell, class Real>
inline int64_t state_values(const Problem<Real>& p) {
    return p.B * (p.R + (Cell::has_c ? p.H : 0));
}

template <class Cell, class V>
int64_t saved_values(const Problem<typename V::real>& p, Memory memory, int64_t pairs) {
    int64_t unit = panels(p.H, V::lanes) * V::lanes;
    if (memory == Memory::stored) return pairs * unit * Cell::saved;
    if (memory == Memory::recomputed) return Cell::has_c ? pairs * unit : 0;
    if (memory == Memory::none || p.rows.steps == 0) return 0;
    int64_t segments = (p.rows.steps + segment_steps(p) - 1) / segment_steps(p);
    return segments * state_values<Cell>(p);
}

// The records of walk step s of rows from rank `first` on, in memory that has those of all steps by time.
template <class Cell, class V, int N>
Records<V, N> records_at(const Walk<Cell, V>& walk, typename V::real* memory, int64_t s, int64_t first) {
    const int64_t before = walk.p.rows.offset[walk.time(s)];
    return Records<V, N>{memory + before * walk.UB * N * V::lanes, walk.active(s)}.from(first);
}

template <class Cell, class V>
void run_block(const Forward<Cell, V>& layer) {
    const auto& p = layer.p;
    const int64_t steps = p.rows.steps, first = layer.ranks.begin;
    layer.load_state(p.h0, p.c0, 0);
    auto record = [&](int64_t s) -> Records<V, Cell::saved> {
        if (p.memory != Memory::stored) return {};
        return records_at<Cell, V, Cell::saved>(layer, p.saved, s, first);
    };
    auto carried = [&](int64_t s) -> Records<V, 1> {
        if (p.memory != Memory::recomputed || !Cell::has_c) return {};
        return records_at<Cell, V, 1>(layer, p.saved, s, first);
    };
    int64_t begin = 0;
    if (p.memory == Memory::checkpointed) {
        const int64_t length = segment_steps(p);
        for (int64_t s = 0; s < steps; begin = s, s += length) {
            auto* kept = p.saved + s / length * state_values<Cell>(p);
            layer.store_state(begin, s, kept, kept + p.B * p.R);
            if (s > 0) layer.load_state(kept, kept + p.B * p.R, s);
            layer.run(s, s + length < steps ? s + length : steps, p.y, record, carried);
        }
    } else {
        layer.run(0, steps, p.y, record, carried);
    }
    layer.store_state(begin, steps, p.h_n, p.c_n);
}

template <class Cell, class V>
int64_t block_values(const Gates<Cell, V>& gates) {
    Arena<typename V::real> counting(nullptr);
    Forward<Cell, V> layer(gates, counting, Blocks(gates.p.rows, gates.p.B).at(0), Crew{});
    return counting.used();
}

template <class Cell, class V>
void forward(const Problem<typename V::real>& p, typename V::real* scratch, Team& team) {
    using Real = typename V::real;
    Arena<Real> shared(scratch);
    const Gates<Cell, V> gates(p, shared);
    gates.pack(team.rank(), team.size());
    team.barrier();
    each_block<Cell, V>(p, scratch + shared.used(), block_values(gates), team,
                        [&](int64_t block, Crew crew, Real* memory) {
                            Arena<Real> arena(memory);
                            run_block(Forward<Cell, V>(gates, arena, Blocks(p.rows, p.B).at(block), crew));
                        });
    zero_beyond<V>(p, p.y, p.R, team);
}

template <class Cell, class V>
int64_t forward_scratch(const Problem<typename V::real>& p, int threads) {
    Arena<typename V::real> shared(nullptr);
    const Gates<Cell, V> gates(p, shared);
    const int64_t block = block_values(gates);
    return shared.used() + crews_values<Cell, V>(p, threads, block, block);
}

}  // namespace recurra::RECURRA_ISA
