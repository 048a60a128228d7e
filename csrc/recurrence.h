// A cell over time, forward: the loop that all cells share.
//
// Time goes in chunks of some hundred (step, row) pairs. A chunk's products with x come first, all at once; then the
// steps, one after another, go on from them. Threads share rows, or units where rows are few and weights many; how
// they share, and where chunks end, changes no bit.
#pragma once

#include <cstring>

#include "gemm.h"
#include "cells/point.h"
#include "layer.h"
#include "parallel.h"

namespace recurra::RECURRA_ISA {

// Hands out parts of one piece of memory; without memory it only counts.
template <class Real>
class Arena {
   public:
    explicit Arena(Real* memory) : memory_(memory) {}
    Real* take(int64_t count) {
        constexpr int64_t line = 64 / sizeof(Real);
        Real* start = memory_ ? memory_ + used_ : nullptr;
        used_ += (count + line - 1) / line * line;
        return start;
    }
    int64_t used() const { return used_; }

   private:
    Real* memory_;
    int64_t used_ = 0;
};

// The sizes of a layer, its walk through time, and how threads share it.
template <class Cell, class V>
struct Walk {
    using Real = typename V::real;
    static constexpr int64_t P = V::lanes;

    const Problem<Real>& p;
    const int threads, rank;
    const int64_t UB = panels(p.H, P), RB = panels(p.R, P), IB = panels(p.I, P);
    const bool projects = p.weights[w_hr] != nullptr;
    const bool by_units = splits_units(p, threads);
    const int64_t block = row_block();

    Walk(const Problem<Real>& problem, int threads, int rank) : p(problem), threads(threads), rank(rank) {}

    // Chunks: enough pairs for full tiles and few barriers, few enough for the second cache. One step at least.
    int64_t chunk_pairs() const {
        int64_t fit = (int64_t{1} << 20) / (Cell::inputs * p.H * static_cast<int64_t>(sizeof(Real)) + 1);
        int64_t most = fit < 128 ? 128 : fit > 512 ? 512 : fit;
        int64_t total = p.rows.offset[p.rows.steps];
        most = most < total ? most : total;
        return most > p.B ? most : p.B;
    }
    int64_t chunk_end(int64_t s, int64_t end) const {
        int64_t most = chunk_pairs(), e = s + 1;
        while (e < end && p.rows.offset[e + 1] - p.rows.offset[s] <= most) ++e;
        return e;
    }
    int64_t chunk_begin(int64_t s, int64_t begin) const {  // of the chunk that ends with s
        int64_t most = chunk_pairs(), b = s - 1;
        while (b > begin && p.rows.offset[s] - p.rows.offset[b - 1] <= most) --b;
        return b;
    }

    int64_t time(int64_t s) const { return p.reverse ? p.rows.steps - 1 - s : s; }
    int64_t active(int64_t s) const { return p.rows.active[time(s)]; }

    // Whether nothing passes into walk step s of the row of this rank.
    bool cut(int64_t s, int64_t rank) const {
        if (!p.reset || s >= p.rows.steps || rank >= active(s)) return false;
        if (!p.reverse) return *p.reset.at(time(s), p.rows.row[rank]);
        bool begins = s == 0 || rank >= active(s - 1);
        return !begins && *p.reset.at(time(s) + 1, p.rows.row[rank]);
    }

    // ---- threads ----

    // Weights beyond what one core keeps close are better read in parts, even at the price of a barrier a step.
    static bool splits_units(const Problem<Real>& p, int threads) {
        int64_t bytes = Cell::chains * p.H * p.R * static_cast<int64_t>(sizeof(Real));
        if (threads == 1 || panels(p.H, P) < threads) return false;
        return (p.B < threads) ? bytes > (48 << 10) : (p.B < 4 * threads) && (bytes > (512 << 10));
    }

    int64_t row_block() const {
        if (threads == 1) return p.B > 0 ? p.B : 1;
        int64_t parts = p.rows.ragged ? 2 * threads : threads;
        int64_t rows = (p.B + parts - 1) / parts;
        if (rows > 8) rows = p.rows.ragged ? 8 : (rows + 3) / 4 * 4;
        return rows > 0 ? rows : 1;
    }
    Range own_blocks(int64_t blocks) const { return by_units ? share(blocks, rank, threads) : Range{0, blocks}; }

    // Call f(range) for the rows among the first n that are this thread's to step.
    template <class F>
    [[gnu::always_inline]] void own_rows(int64_t n, F f) const {
        if (by_units || threads == 1) {
            if (n > 0) f(Range{0, n});
            return;
        }
        for (int64_t turn = 0, first; (first = turn * threads * block) < n; ++turn) {
            // There and back, so that nobody always has the longest of ragged rows.
            int64_t j = turn * threads + (turn % 2 ? threads - 1 - rank : rank);
            int64_t begin = j * block, end = begin + block < n ? begin + block : n;
            if (begin < end) f(Range{begin, end});
        }
    }

    // Call f(s, rows, pair) for what this thread prepares of steps [begin, end): its own rows where they fill tiles,
    // else an even share of all pairs. `pair` counts from the first step, or in backward order from the last.
    template <class F>
    void own_pairs(int64_t begin, int64_t end, bool backward, F f) const {
        const int64_t* offset = p.rows.offset;
        bool own = threads > 1 && !by_units && block >= 8;
        Range part = own ? Range{} : share(offset[end] - offset[begin], rank, threads);
        for (int64_t k = begin; k < end; ++k) {
            int64_t s = backward ? end - 1 - (k - begin) : k, n = active(s);
            int64_t first = backward ? offset[end] - offset[s + 1] : offset[s] - offset[begin];
            if (own) {
                own_rows(n, [&](Range rows) { f(s, rows, first + rows.begin); });
                continue;
            }
            int64_t from = part.begin > first ? part.begin : first;
            int64_t to = part.end < first + n ? part.end : first + n;
            if (from < to) f(s, Range{from - first, to - first}, from);
        }
    }

    // The same, in runs of pairs that follow one another: f(range of pairs).
    template <class F>
    void own_runs(int64_t begin, int64_t end, bool backward, F f) const {
        Range run{0, 0};
        own_pairs(begin, end, backward, [&](int64_t, Range rows, int64_t pair) {
            if (pair != run.end) {
                if (run.end > run.begin) f(run);
                run = {pair, pair};
            }
            run.end += rows.end - rows.begin;
        });
        if (run.end > run.begin) f(run);
    }

    // ---- rows and panels ----

    // A row's values into panels of `rows` rows, at row `to`; zeros for a null row.
    static void spread(const Real* row, int64_t size, Real* panel, int64_t rows, int64_t to) {
        int64_t n = panels(size, P);
        for (int64_t q = 0; q < n; ++q) {
            int live = q + 1 < n ? static_cast<int>(P) : last_panel(size, P);
            V v = row ? (live == P ? V::load(row + q * P) : V::load_first(row + q * P, live)) : V::all(0);
            v.store(panel + (q * rows + to) * P);
        }
    }
    static void gather(const Real* panel, int64_t rows, int64_t from, Real* row, int64_t size) {
        int64_t n = panels(size, P);
        for (int64_t q = 0; q < n; ++q) put(V::load(panel + (q * rows + from) * P), row, q, size);
    }
    // A panel's vector into a row.
    static void put(V v, Real* row, int64_t panel, int64_t size) {
        int64_t left = size - panel * P;
        if (left >= P) v.store(row + panel * P);
        else v.store_first(row + panel * P, static_cast<int>(left));
    }
    static V get(const Real* row, int64_t panel, int64_t size) {
        int64_t left = size - panel * P;
        return left >= P ? V::load(row + panel * P) : V::load_first(row + panel * P, static_cast<int>(left));
    }

    // x of this thread's pairs into panels of `pairs` rows.
    void spread_x(int64_t begin, int64_t end, bool backward, Real* to, int64_t pairs) const {
        own_pairs(begin, end, backward, [&](int64_t s, Range rows, int64_t pair) {
            for (int64_t r = rows.begin; r < rows.end; ++r, ++pair)
                spread(p.x.at(time(s), p.rows.row[r]), p.I, to, pairs, pair);
        });
    }
};

// What the backward pass needs again of each (step, row) pair: [panel of units][rows][n][lanes].
template <class V, int N>
struct Records {
    typename V::real* data = nullptr;
    int64_t rows = 0;
    typename V::real* at(int64_t block, int64_t row, int64_t k = 0) const {
        return data + ((block * rows + row) * N + k) * V::lanes;
    }
    explicit operator bool() const { return data != nullptr; }
};

template <class Cell, class V>
struct Forward : Walk<Cell, V> {
    using Base = Walk<Cell, V>;
    using typename Base::Real;
    using Base::P, Base::p, Base::UB, Base::RB, Base::IB, Base::projects, Base::by_units, Base::threads, Base::rank;
    using Record = Records<V, Cell::saved>;

    Team* const team;  // none where only sizes are asked for
    int64_t pairs = this->chunk_pairs();
    Real *weights_x, *weights_h, *weights_second, *bias, *bias_h, *peepholes;
    Real *h[2], *c, *x, *pre[2], *operand, *seconds, *kept;

    Forward(const Problem<Real>& problem, Arena<Real>& arena, int threads, Team* team)
        : Base(problem, threads, team ? team->rank() : 0), team(team) {
        weights_x = arena.take(UB * p.I * Cell::inputs * P);
        weights_h = arena.take(UB * p.R * Cell::chains * P);
        weights_second = arena.take(projects ? RB * p.H * P : Cell::second ? UB * p.H * P : 0);
        bias = arena.take(UB * Cell::inputs * P);
        bias_h = arena.take(UB * P);
        peepholes = arena.take(Cell::peepholes ? UB * 3 * P : 0);
        for (Real*& state : h) state = arena.take(RB * p.B * P);
        c = arena.take(Cell::has_c ? UB * p.B * P : 0);
        x = arena.take(IB * pairs * P);
        for (Real*& sums : pre) sums = arena.take(UB * pairs * Cell::inputs * P);
        operand = arena.take(projects || Cell::second ? UB * p.B * P : 0);
        seconds = arena.take(Cell::second ? UB * p.B * P : 0);
        kept = arena.take(Cell::second ? UB * p.B * Cell::saved * P : 0);
    }

    void pack() const {
        Range own = share(UB, rank, threads);
        for (int64_t b = own.begin; b < own.end; ++b) {
            pack_rows<V>(p.weights[w_ih], p.I, p.H, Cell::inputs, p.H, b, weights_x + b * p.I * Cell::inputs * P);
            pack_rows<V>(p.weights[w_hh], p.R, p.H, Cell::chains, p.H, b, weights_h + b * p.R * Cell::chains * P);
            if constexpr (Cell::second)
                pack_rows<V>(p.weights[w_hh] + 2 * p.H * p.H, p.H, p.H, 1, p.H, b, weights_second + b * p.H * P);
            pack_bias(b);
        }
        if (projects) {
            own = share(RB, rank, threads);
            for (int64_t b = own.begin; b < own.end; ++b)
                pack_rows<V>(p.weights[w_hr], p.H, p.R, 1, p.R, b, weights_second + b * p.H * P);
        }
    }

    // A gate's sum begins with both its biases, unless its sum over h stands by itself.
    void pack_bias(int64_t b) const {
        auto of = [&](Weight which, int gate) {
            return p.weights[which] ? Base::get(p.weights[which] + gate * p.H, b, p.H) : V::all(0);
        };
        for (int g = 0; g < Cell::inputs; ++g) {
            bool alone = g >= Cell::joined && !Cell::second;
            V sum = alone ? of(b_ih, g) : of(b_ih, g) + of(b_hh, g);
            sum.store(bias + (b * Cell::inputs + g) * P);
        }
        if constexpr (Cell::chains > Cell::joined) of(b_hh, Cell::joined).store(bias_h + b * P);
        if constexpr (Cell::peepholes)
            for (int k = 0; k < 3; ++k) Base::get(p.weights[peephole] + k * p.H, b, p.H).store(peepholes + (b * 3 + k) * P);
    }

    // ---- state ----

    // Both buffers, since a row that has ended, or not begun, has its state in either.
    void load_state(const Real* h0, const Real* c0, int64_t s) const {
        Range own = share(p.B, rank, threads);
        for (int64_t r = own.begin; r < own.end; ++r) {
            int64_t row = p.rows.row[r];
            for (Real* state : h) Base::spread(h0 + row * p.R, p.R, state, p.B, r);
            if constexpr (Cell::has_c) Base::spread(c0 + row * p.H, p.H, c, p.B, r);
            if (this->cut(s, r)) clear(r, h[0], {0, RB}, {0, UB});
        }
        team->barrier();
    }
    // The state before walk step `end`, of a run that began with `begin`.
    void store_state(int64_t begin, int64_t end, Real* h_to, Real* c_to) const {
        Range own = share(p.B, rank, threads);
        for (int64_t r = own.begin; r < own.end; ++r) {
            int64_t row = p.rows.row[r], last = end;
            if (!p.reverse && p.rows.length[r] < end) last = p.rows.length[r] > begin ? p.rows.length[r] : begin;
            Base::gather(h[(last - begin) % 2], p.B, r, h_to + row * p.R, p.R);
            if constexpr (Cell::has_c) Base::gather(c, p.B, r, c_to + row * p.H, p.H);
        }
    }
    void clear(int64_t r, Real* state, Range h_blocks, Range c_blocks) const {
        for (int64_t b = h_blocks.begin; b < h_blocks.end; ++b) V::all(0).store(state + (b * p.B + r) * P);
        if constexpr (Cell::has_c)
            for (int64_t b = c_blocks.begin; b < c_blocks.end; ++b) V::all(0).store(c + (b * p.B + r) * P);
    }

    // ---- products ----

    // sums = bias + W_ih·x for a run of pairs, as [block][pair][gate][lanes]; w is weights_x, or the like in W.
    template <class W>
    void inputs(const W* w, Range run, Real* sums, const Real* x_from) const {
        multiply_inputs<V, Cell::inputs>(x_from, pairs * P, {1, p.I}, w, {0, UB}, run, bias, sums, pairs);
    }

    // Gates of rows whose sums over x are at `from`, rows `first` and on, and whose h lies in panels of h_rows.
    // w is weights_h, or the like in W. given(point, block, row) completes what a cell needs; done(point, block, row) takes what it made.
    template <class W, class Given, class Done>
    [[gnu::always_inline]] void gates(const W* w, const Real* h_from, int64_t h_rows, const Real* from, Range blocks, Range rows,
                                      Given given, Done done) const {
        multiply<V, Cell::chains>(
            h_from, h_rows * P, {1, p.R}, w, blocks, rows,
            [&](auto& sums, int64_t block, int64_t row) {
                each_sum(sums, [&](V& sum, int b, int r, int g) {
                    if (g < Cell::joined)
                        sum = V::load(from + (((block + b) * pairs + row + r) * Cell::inputs + g) * P);
                    else sum = V::load(bias_h + (block + b) * P);
                });
            },
            [&](auto& sums, int64_t block, int64_t row) {
                constexpr int tile_blocks = sizeof(sums) / sizeof(sums[0]);
                constexpr int tile_rows = sizeof(sums[0]) / sizeof(sums[0][0]);
#pragma GCC unroll 1
                for (int b = 0; b < tile_blocks; ++b)
#pragma GCC unroll 1
                    for (int r = 0; r < tile_rows; ++r) {
                        Point<V> point;
                        for (int g = 0; g < Cell::chains; ++g) point.gate[g] = sums[b][r][g];
                        if constexpr (Cell::chains > Cell::joined)
                            point.input = V::load(
                                from + (((block + b) * pairs + row + r) * Cell::inputs + Cell::joined) * P);
                        if constexpr (Cell::peepholes)
                            for (int k = 0; k < 3; ++k)
                                point.peephole[k] = V::load(peepholes + ((block + b) * 3 + k) * P);
                        given(point, block + b, row + r);
                        Cell::forward(point);
                        done(point, block + b, row + r);
                    }
            });
    }

    // Where a cell's last gate needs a product of its own: `product` holds W_hn·(r∘h), in panels of h_rows like h.
    template <class Done>
    void second_gates(const Real* product, const Real* h_from, int64_t h_rows, const Real* from, Record record,
                      Range blocks, Range rows, Done done) const {
        for (int64_t b = blocks.begin; b < blocks.end; ++b)
            for (int64_t r = rows.begin; r < rows.end; ++r) {
                Point<V> point;
                int64_t at = (b * h_rows + r) * P;
                point.gate[2] = V::load(from + ((b * pairs + r) * Cell::inputs + 2) * P) + V::load(product + at);
                point.h = V::load(h_from + at);
                for (int k = 0; k < 2; ++k) point.saved[k] = V::load(record.at(b, r, k));
                Cell::forward_second(point);
                point.saved[2].store(record.at(b, r, 2));
                done(point, b, r);
            }
    }

    // ---- time ----

    // One step of rows whose sums over x are at `from` (row 0's): h[old] to h[new], c in place.
    // `record` takes what the backward pass needs of all; `carried` of c alone; y the output. All may be null.
    void step(int64_t s, int64_t old, const Real* from, Record record, Records<V, 1> carried, Sequence<Real> y) const {
        const Real* before = h[old];
        Real* after = h[1 - old];
        int64_t n = this->active(s), t = this->time(s);
        if (Cell::second && !record) record = {kept, p.B};
        auto out = [&](V v, int64_t block, int64_t row) {
            v.store(after + (block * p.B + row) * P);
            if (y) Base::put(v, y.at(t, p.rows.row[row]), block, p.R);
        };
        this->own_rows(n, [&](Range rows) {
            gates(
                weights_h, before, p.B, from, this->own_blocks(UB), rows,
                [&](Point<V>& point, int64_t block, int64_t row) {
                    if constexpr (Cell::has_c) point.c = V::load(c + (block * p.B + row) * P);
                    else point.h = V::load(before + (block * p.B + row) * P);
                },
                [&](Point<V>& point, int64_t block, int64_t row) {
                    if (record)
                        for (int k = 0; k < Cell::saved; ++k) point.saved[k].store(record.at(block, row, k));
                    if constexpr (Cell::has_c) {
                        if (carried) point.saved[Cell::c_saved].store(carried.at(block, row));
                        point.c.store(c + (block * p.B + row) * P);
                    }
                    if constexpr (Cell::second) point.operand.store(operand + (block * p.B + row) * P);
                    else if (projects) point.h.store(operand + (block * p.B + row) * P);
                    else out(point.h, block, row);
                });
        });
        if (projects || Cell::second) {
            if (by_units) team->barrier();
            this->own_rows(n, [&](Range rows) {
                Range own = this->own_blocks(Cell::second ? UB : RB);
                Real* product = Cell::second ? seconds : after;
                multiply_panels<V>(operand, p.B * P, {1, p.H}, weights_second, own, rows, product, p.B, false);
                if constexpr (Cell::second)
                    second_gates(product, before, p.B, from, record, own, rows,
                                 [&](Point<V>& point, int64_t block, int64_t row) { out(point.h, block, row); });
                else if (y)
                    for (int64_t b = own.begin; b < own.end; ++b)
                        for (int64_t r = rows.begin; r < rows.end; ++r)
                            Base::put(V::load(after + (b * p.B + r) * P), y.at(t, p.rows.row[r]), b, p.R);
            });
        }
        if (p.reset)
            this->own_rows(n, [&](Range rows) {
                for (int64_t r = rows.begin; r < rows.end; ++r)
                    if (this->cut(s + 1, r)) clear(r, after, this->own_blocks(RB), this->own_blocks(UB));
            });
        if (by_units) team->barrier();
    }

    // Walk steps [begin, end) from the state in h[0] and c. record(s) and carried(s) say where a step's go.
    template <class RecordOf, class CarriedOf>
    void run(int64_t begin, int64_t end, Sequence<Real> y, RecordOf record, CarriedOf carried) const {
        int64_t turn = 0;
        for (int64_t from = begin, to; from < end; from = to, ++turn) {
            to = this->chunk_end(from, end);
            Real* sums = pre[turn % 2];  // by turns: others may still step through the last chunk
            this->spread_x(from, to, false, x, pairs);
            this->own_runs(from, to, false, [&](Range run) { inputs(weights_x, run, sums, x); });
            team->barrier();
            for (int64_t s = from; s < to; ++s) {
                int64_t pair = p.rows.offset[s] - p.rows.offset[from];
                step(s, (s - begin) % 2, sums + pair * Cell::inputs * P, record(s), carried(s), y);
            }
        }
        team->barrier();
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

template <class Cell, class V>
int64_t saved_values(const Problem<typename V::real>& p, Memory memory, int64_t pairs) {
    int64_t unit = panels(p.H, V::lanes) * V::lanes;
    if (memory == Memory::stored) return pairs * unit * Cell::saved;
    if (memory == Memory::recomputed) return Cell::has_c ? pairs * unit : 0;
    if (memory == Memory::none || p.rows.steps == 0) return 0;
    int64_t segments = (p.rows.steps + segment_steps(p) - 1) / segment_steps(p);
    return segments * p.B * (p.R + (Cell::has_c ? p.H : 0));
}

// A layer's output beyond each row's length is zero.
template <class V>
inline void zero_beyond(const Problem<typename V::real>& p, Sequence<typename V::real> y, int64_t size, Team& team) {
    Range own = share(p.B, team.rank(), team.size());
    for (int64_t r = own.begin; r < own.end; ++r)
        for (int64_t t = p.rows.length[r]; t < p.T; ++t)
            std::memset(y.at(t, p.rows.row[r]), 0, size * sizeof(typename V::real));
}

template <class Cell, class V>
void forward(const Problem<typename V::real>& p, typename V::real* scratch, Team& team) {
    using Real = typename V::real;
    Arena<Real> arena(scratch);
    Forward<Cell, V> layer(p, arena, team.size(), &team);
    layer.pack();
    layer.load_state(p.h0, p.c0, 0);
    int64_t unit = layer.UB * V::lanes, steps = p.rows.steps;
    auto record = [&](int64_t s) -> typename Forward<Cell, V>::Record {
        if (p.memory != Memory::stored) return {};
        return {p.saved + p.rows.offset[s] * unit * Cell::saved, layer.active(s)};
    };
    auto carried = [&](int64_t s) -> Records<V, 1> {
        if (p.memory != Memory::recomputed || !Cell::has_c) return {};
        return {p.saved + p.rows.offset[s] * unit, layer.active(s)};
    };
    int64_t begin = 0;
    if (p.memory == Memory::checkpointed) {
        int64_t length = segment_steps(p), state = p.B * (p.R + (Cell::has_c ? p.H : 0));
        for (int64_t s = 0; s < steps; begin = s, s += length) {
            Real* kept = p.saved + s / length * state;
            layer.store_state(begin, s, kept, kept + p.B * p.R);
            if (s > 0) layer.load_state(kept, kept + p.B * p.R, s);
            layer.run(s, s + length < steps ? s + length : steps, p.y, record, carried);
        }
    } else {
        layer.run(0, steps, p.y, record, carried);
    }
    layer.store_state(begin, steps, p.h_n, p.c_n);
    zero_beyond<V>(p, p.y, p.R, team);
}

}  // namespace recurra::RECURRA_ISA
