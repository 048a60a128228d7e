// What all blocks share on the way back: packed weights, and how the blocks' sums become the weights' gradients.
//
// Each block's sum is a chain of its own, in memory of the thread that makes it: two threads at one array would go at
// half speed. The sums are added in the blocks' order, whichever thread made them, and no more of them are kept than
// there are threads to make them.
#pragma once

#include "walk.h"

namespace recurra::RECURRA_ISA {

// Weights packed for products with gradients, and the sums over pairs, block by block.
template <class Cell, class V>
struct WeightGradients : Walk<Cell, V> {
    using Base = Walk<Cell, V>;
    using typename Base::Real;
    using Base::P, Base::p, Base::UB, Base::RB, Base::IB, Base::projects;

    const bool wants_x = p.dweights[w_ih], wants_h = p.dweights[w_hh], wants_hr = p.dweights[w_hr],
               wants_peephole = p.dweights[peephole], wants_bias = p.dweights[b_ih] || p.dweights[b_hh];
    Real *back_h, *back_x, *back_second;
    struct Sums {
        Real *x, *h, *second, *bias, *peephole;
    };
    const Blocks blocks{p.rows, p.B};
    const int threads;
    const bool all = together<Cell, V>(p, threads);
    // Places for the sums of blocks. A thread that adds its blocks' in their turn needs one; where rows differ in
    // length two, so that it need not wait for a longer block of another thread.
    const int64_t each = p.rows.ragged ? 2 : 1, places = all ? 1 : smaller(blocks.count, each * threads);
    const bool at_the_end = !all && places == blocks.count;  // all are kept, and added by all threads at once
    Real* memory;
    int64_t size;  // of a block's sums

    WeightGradients(const Problem<Real>& problem, Arena<Real>& arena, int threads) : Base(problem), threads(threads) {
        back_h = arena.take(RB * P * Cell::h_count * p.H);
        back_x = arena.take(p.dx ? IB * P * Cell::inputs * p.H : 0);
        back_second = arena.take(projects || Cell::second ? UB * P * (projects ? p.R : p.H) : 0);
        Arena<Real> one(nullptr);
        take(one);
        size = one.used();
        memory = arena.take(size * places);
    }
    static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

    Sums take(Arena<Real>& arena) const {
        Sums sums;
        sums.x = arena.take(wants_x ? Cell::inputs * UB * P * IB * P : 0);
        sums.h = arena.take(wants_h ? Cell::h_count * UB * P * RB * P : 0);
        sums.second = arena.take(Cell::second ? (wants_h ? UB * P * UB * P : 0) : wants_hr ? RB * P * UB * P : 0);
        sums.bias = arena.take(wants_bias ? Cell::dgates * UB * P : 0);
        sums.peephole = arena.take(wants_peephole ? 3 * UB * P : 0);
        arena.take(1024);  // a neighbour's prefetches should not reach in
        return sums;
    }
    Sums of(int64_t block) const {
        const int64_t own = Blocks::owner(block, threads) * each + block / threads % each;
        Arena<Real> arena(memory ? memory + (at_the_end ? block : all ? 0 : own) * size : nullptr);
        return take(arena);
    }

    void pack(int rank, int threads) const {
        auto columns = [&](const Real* w, int64_t size, int64_t depth, Real* to, auto row) {
            Range own = share(panels(size, P), rank, threads);
            for (int64_t b = own.begin; b < own.end; ++b)
                pack_columns<V>(w, size, size, depth, b, to + b * P * depth, row);
        };
        auto row_from = [&](int first) {
            return [this, first](int64_t k) { return Cell::row_of[first + k / p.H] * p.H + k % p.H; };
        };
        columns(p.weights[w_hh], p.R, Cell::h_count * p.H, back_h, row_from(Cell::h_first));
        if (p.dx) columns(p.weights[w_ih], p.I, Cell::inputs * p.H, back_x, row_from(Cell::x_first));
        auto as_it_is = [](int64_t k) { return k; };
        if constexpr (Cell::second)
            columns(p.weights[w_hh] + Cell::second_gate * p.H * p.H, p.H, p.H, back_second, as_it_is);
        else if (projects) columns(p.weights[w_hr], p.H, p.R, back_second, as_it_is);
    }

    // A thread's blocks, of which the first `added` have been added.
    struct Turns {
        int64_t added = 0;
    };

    // Once a thread, or all together, have been through a block: add what must be, and what can without waiting.
    void finish(int64_t block, Team& team, Turns& turns) const {
        if (at_the_end) return;
        if (all) {
            team.barrier();
            store({block, block + 1}, team.rank(), threads);
            return;
        }
        for (const int64_t done = block / threads + 1; turns.added < done; ++turns.added) {
            const int64_t next = of_thread(turns.added, team.rank());
            if (turns.added + each > done && !team.has_come(Team::places - 1, next)) break;
            add(next, team);
        }
    }
    // Once a thread, or all together, have been through all blocks that fall to them.
    void finish_all(Team& team, Turns& turns) const {
        if (at_the_end) {
            team.barrier();
            store({0, blocks.count}, team.rank(), threads);
        } else if (!all) {
            for (int64_t next; (next = of_thread(turns.added, team.rank())) < blocks.count; ++turns.added)
                add(next, team);
        }
    }
    int64_t of_thread(int64_t turn, int rank) const {
        return turn * threads + (turn % 2 ? threads - 1 - rank : rank);  // what Blocks::owner says, the other way round
    }
    // Part by part, so that several threads can be at it.
    void add(int64_t block, Team& team) const {
        for (int place = 0; place < Team::places; ++place) {
            team.await(place, block);
            store({block, block + 1}, place, Team::places);
            team.end(place, block);
        }
    }

    // The sums of some blocks, in their order, in torch.nn's order of gates: one of `parts` parts of them.
    void store(Range some, int64_t part, int64_t parts) const {
        auto total = [&](Real* Sums::*which, int64_t at, int64_t n, Real* to) {
            for (int64_t j = some.begin; j < some.end; ++j) {
                const Real* from = of(j).*which + at;
                for (int64_t i = 0; i < n; ++i) to[i] = j == 0 ? from[i] : to[i] + from[i];
            }
            if (blocks.count == 0) std::memset(to, 0, n * sizeof(Real));
        };
        // f(group, unit of it, padded row) for rows in `groups` of `height`.
        auto each_row = [&](int64_t groups, int64_t height, auto f) {
            Range own = share(groups * height, part, parts);
            for (int64_t i = own.begin; i < own.end; ++i)
                f(i / height, i % height, i / height * panels(height, P) * P + i % height);
        };
        if (wants_x)
            each_row(Cell::inputs, p.H, [&](int64_t g, int64_t u, int64_t i) {
                int64_t row = Cell::row_of[Cell::x_first + g] * p.H + u;
                total(&Sums::x, i * IB * P, p.I, p.dweights[w_ih] + row * p.I);
            });
        if (wants_h)
            each_row(Cell::h_count, p.H, [&](int64_t g, int64_t u, int64_t i) {
                int64_t row = Cell::row_of[Cell::h_first + g] * p.H + u;
                total(&Sums::h, i * RB * P, p.R, p.dweights[w_hh] + row * p.R);
            });
        if constexpr (Cell::second)
            if (wants_h)
                each_row(1, p.H, [&](int64_t, int64_t u, int64_t i) {
                    total(&Sums::second, i * UB * P, p.H, p.dweights[w_hh] + (Cell::second_gate * p.H + u) * p.H);
                });
        if (wants_hr)
            each_row(1, p.R, [&](int64_t, int64_t r, int64_t i) {
                total(&Sums::second, i * UB * P, p.H, p.dweights[w_hr] + r * p.H);
            });
        for (int g = 0; g < Cell::dgates && wants_bias && part == 0; ++g) {
            const bool of_x = g < Cell::x_first + Cell::inputs, of_h = Cell::second || g >= Cell::h_first;
            const int64_t to = Cell::row_of[g] * p.H;
            if (p.dweights[b_ih] && of_x) total(&Sums::bias, g * UB * P, p.H, p.dweights[b_ih] + to);
            if (p.dweights[b_hh] && of_h) total(&Sums::bias, g * UB * P, p.H, p.dweights[b_hh] + to);
        }
        for (int k = 0; k < 3 && wants_peephole && part == 0; ++k)
            total(&Sums::peephole, k * UB * P, p.H, p.dweights[peephole] + k * p.H);
    }
};

}  // namespace recurra::RECURRA_ISA
