// A product by itself: y = x·Wᵀ + b. Each output is one chain, b + w₀x₀ + w₁x₁ + …, as a gate's sum over x is.
//
// The outputs go in groups of blocks: a group's weights are packed, then all rows pass by in stretches. For few rows
// a group is small and packed piece by piece along the depth, so that nothing packed leaves the first cache.
#pragma once

#include "parallel.h"
#include "walk.h"

namespace recurra::RECURRA_ISA {

template <class V>
struct LinearPlan : RowPanels<V> {
    using Base = RowPanels<V>;
    using typename Base::Real;
    using Base::P;

    const Linear<Real>& p;
    const int64_t blocks = panels(p.O, P), row_threads, block_threads;
    const int64_t stretch;  // rows at once
    const bool piecewise = stretch >= p.N;
    const int64_t piece, group;  // depth that is packed at once; blocks in a group

    LinearPlan(const Linear<Real>& problem, int threads)
        : p(problem), row_threads(parts_of_rows(threads)), block_threads(threads / row_threads),
          stretch(rows_at_once()), piece(piecewise && p.I > depth_at_once ? depth_at_once : p.I),
          group(blocks_at_once()) {}

    // A thread packs what it needs by itself; packing costs it as much as so many rows.
    int64_t parts_of_rows(int threads) const {
        constexpr int64_t packing = 12;
        int64_t best = 1, least = 0;
        for (int64_t parts = 1; parts <= threads; ++parts) {
            if (threads % parts) continue;
            int64_t others = threads / parts;
            int64_t cost = (blocks + others - 1) / others * (packing + (p.N + parts - 1) / parts);
            if (parts == 1 || cost < least) best = parts, least = cost;
        }
        return best;
    }
    static constexpr int64_t depth_at_once = 64;
    int64_t rows_at_once() const {
        constexpr int64_t near = (int64_t{64} << 10) / sizeof(Real);  // values
        int64_t fit = near / (p.I + 1) / 8 * 8;
        return fit < 16 ? 16 : fit > 256 ? 256 : fit;
    }
    int64_t blocks_at_once() const {
        constexpr int64_t least = 6, near = (int64_t{256} << 10) / sizeof(Real);
        int64_t fit = piecewise ? least : near / (p.I * P + 1) / least * least;
        fit = fit < least ? least : fit;
        return fit < blocks ? fit : blocks;
    }

    struct Memory {
        Real *weights, *x, *sums;
    };
    Memory memory(Arena<Real>& arena) const {
        Memory m;
        m.weights = arena.take(group * piece * P);
        m.x = arena.take(panels(p.I, P) * stretch * P);
        m.sums = arena.take(group * stretch * P);
        arena.take(1024);  // a neighbour's prefetches should not reach in
        return m;
    }

    void run(const Memory& m, Range own, Range rows) const {
        for (int64_t b = own.begin; b < own.end; b += group) {
            Range some{b, b + group < own.end ? b + group : own.end};
            if (!piecewise) pack(some, 0, p.I, m.weights);
            for (int64_t r = rows.begin; r < rows.end; r += stretch)
                multiply(m, some, {r, r + stretch < rows.end ? r + stretch : rows.end});
        }
    }

    void multiply(const Memory& m, Range some, Range rows) const {
        const int64_t n = rows.end - rows.begin, count = some.end - some.begin;
        for (int64_t r = 0; r < n; ++r) Base::spread(p.x.at(rows.begin + r), p.I, m.x, n, r);
        for (int64_t b = 0; b < count; ++b) {
            V bias = p.b ? Base::get(p.b, some.begin + b, p.O) : V::all(0);
            for (int64_t r = 0; r < n; ++r) bias.store(m.sums + (b * n + r) * P);
        }
        for (int64_t k = 0; k < p.I; k += piece) {
            const int64_t depth = k + piece < p.I ? piece : p.I - k;
            if (piecewise) pack(some, k, depth, m.weights);
            multiply_panels<V>(m.x + k * n, n * P, {1, depth}, m.weights, {0, count}, {0, n}, m.sums, n, true);
        }
        for (int64_t r = 0; r < n; ++r)
            for (int64_t b = 0; b < count; ++b)
                Base::put(V::load(m.sums + (b * n + r) * P), p.y.at(rows.begin + r), some.begin + b, p.O);
    }

    void pack(Range some, int64_t k, int64_t depth, Real* to) const {
        const Real* from = p.w + k * p.w_column;
        for (int64_t b = some.begin; b < some.end; ++b, to += depth * P)
            if (p.w_column == 1) pack_rows<V>(from, p.w_row, depth, 0, 1, p.O, b, to);
            else pack_columns<V>(from, p.w_column, p.O, depth, b, to, [](int64_t i) { return i; });
    }
};

template <class V>
int64_t linear_scratch(const Linear<typename V::real>& p, int threads) {
    int64_t most = 0;
    for (int n = 1; n <= threads; ++n) {  // a team may turn out smaller than asked for
        Arena<typename V::real> counting(nullptr);
        LinearPlan<V>(p, n).memory(counting);
        most = counting.used() * n > most ? counting.used() * n : most;
    }
    return most;
}

template <class V>
void linear(const Linear<typename V::real>& p, typename V::real* scratch, Team& team) {
    using Real = typename V::real;
    const LinearPlan<V> plan(p, team.size());
    Arena<Real> counting(nullptr);
    plan.memory(counting);
    Arena<Real> arena(scratch + team.rank() * counting.used());
    plan.run(plan.memory(arena), share(plan.blocks, team.rank() % plan.block_threads, plan.block_threads),
             share(p.N, team.rank() / plan.block_threads, plan.row_threads));
}

}  // namespace recurra::RECURRA_ISA
