// What both passes over time share: sizes, the order of steps, and how threads divide the work.
#pragma once

#include <cstring>

#include "gemm.h"
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

// How a batch is cut into blocks of rows. It follows from the batch alone: weights' gradients are summed block by
// block, and must not depend on the number of threads.
struct Blocks {
    int64_t B, rows, count;

    explicit Blocks(const Rows& batch, int64_t B) : B(B) {
        // Full tiles, few sums of gradients, and for ragged rows more blocks than threads, to even out their work.
        constexpr int64_t full = 16, most = 16;
        const int64_t parts = batch.ragged ? 4 : 2, wanted = batch.ragged ? full / 2 : full;
        rows = B >= parts * wanted ? wanted : (B + parts - 1) / parts;
        if (rows * most < B) rows = ((B + most - 1) / most + 7) / 8 * 8;
        if (rows < 1) rows = 1;
        count = (B + rows - 1) / rows;
    }
    Range at(int64_t j) const { return {j * rows, (j + 1) * rows < B ? (j + 1) * rows : B}; }
    // The thread that a block falls to: there and back, so that none has all the longest rows.
    static int owner(int64_t j, int threads) {
        int64_t turn = j / threads, place = j % threads;
        return static_cast<int>(turn % 2 ? threads - 1 - place : place);
    }
};

// Whether all threads take one block after the other together, each some of the units, rather than each blocks of its
// own. No result depends on it: it pays where blocks are fewer than threads and the weights more than one core keeps
// close, even at the price of a barrier a step.
template <class Cell, class V>
bool together(const Problem<typename V::real>& p, int threads) {
    constexpr int64_t heavy = 256 << 10;
    const int64_t bytes = Cell::chains * p.H * p.R * static_cast<int64_t>(sizeof(typename V::real));
    return Blocks(p.rows, p.B).count < threads && panels(p.H, V::lanes) >= threads && bytes > heavy;
}

// Threads that have something to do: as many as there are blocks, and one where waking another takes longer.
template <class Cell, class V>
int useful_threads(const Problem<typename V::real>& p, int asked) {
    constexpr int64_t worth_waking = 1 << 19;  // multiply-adds, some ten microseconds
    if (p.rows.offset[p.rows.steps] * (p.I + p.R) * p.H * Cell::chains < worth_waking) return 1;
    const int64_t blocks = Blocks(p.rows, p.B).count;
    return together<Cell, V>(p, asked) || blocks >= asked ? asked : blocks > 1 ? static_cast<int>(blocks) : 1;
}

// The threads at one block: a team, or one that works alone.
struct Crew {
    Team* team = nullptr;
    bool all = team != nullptr;

    Range own(int64_t count) const { return team ? share(count, team->rank(), team->size()) : Range{0, count}; }
    void meet() const {
        if (team) team->barrier();
    }
};

// Call f(block, crew, memory) for each block that falls to this thread, in memory of `size` that is the crew's.
template <class Cell, class V, class F>
void each_block(const Problem<typename V::real>& p, typename V::real* memory, int64_t size, Team& team, F f) {
    const bool all = together<Cell, V>(p, team.size());
    const Blocks blocks(p.rows, p.B);
    for (int64_t j = 0; j < blocks.count; ++j) {
        if (all) {
            f(j, Crew{&team}, memory);
            team.barrier();  // the next block has the same memory
        } else if (Blocks::owner(j, team.size()) == team.rank()) {
            f(j, Crew{}, memory + team.rank() * size);
        }
    }
}

// Values that all crews need, where a thread alone needs `one`, and all of them at one block `all`.
template <class Cell, class V>
int64_t crews_values(const Problem<typename V::real>& p, int threads, int64_t one, int64_t all) {
    int64_t most = 0;
    for (int n = 1; n <= threads; ++n) {  // a team may turn out smaller than asked for
        int64_t values = together<Cell, V>(p, n) ? all : one * n;
        most = values > most ? values : most;
    }
    return most;
}

// A layer's sizes and its walk through time.
template <class Cell, class V>
struct Walk : RowPanels<V> {
    using Real = typename V::real;
    static constexpr int64_t P = V::lanes;

    const Problem<Real>& p;
    const int64_t UB = panels(p.H, P), RB = panels(p.R, P), IB = panels(p.I, P);
    const bool projects = p.weights[w_hr] != nullptr;

    explicit Walk(const Problem<Real>& problem) : p(problem) {}

    int64_t time(int64_t s) const { return p.reverse ? p.rows.steps - 1 - s : s; }
    int64_t active(int64_t s) const { return p.rows.active[time(s)]; }
    // Rows of a block that have walk step s.
    int64_t active(int64_t s, Range ranks) const {
        int64_t n = active(s);
        return n <= ranks.begin ? 0 : (n < ranks.end ? n : ranks.end) - ranks.begin;
    }
    // Pairs in a chunk of time: enough for full tiles and few barriers, few enough for the second cache.
    int64_t chunk_pairs(int64_t rows) const {
        int64_t fit = (int64_t{1} << 20) / (Cell::inputs * p.H * static_cast<int64_t>(sizeof(Real)) + 1);
        int64_t most = fit < 128 ? 128 : fit > 512 ? 512 : fit;
        int64_t total = rows * p.rows.steps;
        most = most < total ? most : total;
        return most > rows ? most : rows;
    }

    // Whether nothing passes into walk step s of the row of this rank.
    bool cut(int64_t s, int64_t rank) const {
        if (!p.reset || s >= p.rows.steps || rank >= active(s)) return false;
        if (!p.reverse) return *p.reset.at(time(s), p.rows.row[rank]);
        bool begins = s == 0 || rank >= active(s - 1);
        return !begins && *p.reset.at(time(s) + 1, p.rows.row[rank]);
    }

    // ---- rows and panels ----

    // A row of a matrix of `size` columns, or null for an absent one, which stands for zeros.
    static const Real* row_of(const Real* matrix, int64_t row, int64_t size) {
        return matrix ? matrix + row * size : nullptr;
    }
};

// What the backward pass needs again of each (step, row) pair: [panel of units][rows][N][lanes].
template <class V, int N>
struct Records {
    typename V::real* data = nullptr;
    int64_t rows = 0;
    typename V::real* at(int64_t block, int64_t row, int64_t k = 0) const {
        return data + ((block * rows + row) * N + k) * V::lanes;
    }
    Records from(int64_t row) const { return {data + row * N * V::lanes, rows}; }
    explicit operator bool() const { return data != nullptr; }
};

// A layer's output beyond each row's length is zero.
template <class V>
inline void zero_beyond(const Problem<typename V::real>& p, Sequence<typename V::real> y, int64_t size, Team& team) {
    Range own = share(p.B, team.rank(), team.size());
    for (int64_t r = own.begin; r < own.end; ++r)
        for (int64_t t = p.rows.length[r]; t < p.T; ++t)
            std::memset(y.at(t, p.rows.row[r]), 0, size * sizeof(typename V::real));
}

}  // namespace recurra::RECURRA_ISA
