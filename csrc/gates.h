// A cell's gates: its packed weights, and the products and equations that all passes share.
#pragma once

#include "cells/point.h"
#include "walk.h"

namespace recurra::RECURRA_ISA {

template <class Cell, class V>
struct Gates : Walk<Cell, V> {
    using Base = Walk<Cell, V>;
    using typename Base::Real;
    using Base::P, Base::p, Base::UB, Base::RB, Base::projects;

    Real *weights_x, *weights_h, *weights_second, *bias, *bias_h, *peepholes;
    bool products;

    // products: whether its products are wanted, or only the equations.
    Gates(const Problem<Real>& problem, Arena<Real>& arena, bool products = true) : Base(problem) {
        weights_x = arena.take(products ? UB * block_x() : 0);
        weights_h = arena.take(products ? UB * block_h() : 0);
        weights_second = arena.take(products ? seconds() * block_second() : 0);
        bias = arena.take(UB * Cell::inputs * P);
        bias_h = arena.take(UB * P);
        peepholes = arena.take(Cell::peepholes ? UB * 3 * P : 0);
        this->products = products;
    }

    // Values in a block of packed weights, and how many blocks the second product has.
    int64_t block_x() const { return p.I * Cell::inputs * P; }
    int64_t block_h() const { return p.R * Cell::chains * P; }
    int64_t block_second() const { return p.H * P; }
    int64_t seconds() const { return projects ? RB : Cell::second ? UB : 0; }

    void pack(int rank, int threads) const {
        Range own = share(UB, rank, threads);
        for (int64_t b = own.begin; b < own.end; ++b) {
            pack_bias(b);
            pack_peepholes(b);
            if (!products) continue;
            pack_x(b, weights_x + b * block_x());
            pack_h(b, weights_h + b * block_h());
        }
        if (!products) return;
        own = share(seconds(), rank, threads);
        for (int64_t b = own.begin; b < own.end; ++b) pack_second(b, weights_second + b * block_second());
    }
    void pack_x(int64_t b, Real* to) const {
        pack_rows<V>(p.weights[w_ih], p.I, p.I, p.H, Cell::inputs, p.H, b, to);
    }
    void pack_h(int64_t b, Real* to) const {
        pack_rows<V>(p.weights[w_hh], p.R, p.R, p.H, Cell::chains, p.H, b, to);
    }
    void pack_second(int64_t b, Real* to) const {
        if constexpr (Cell::second)
            pack_rows<V>(p.weights[w_hh] + Cell::second_gate * p.H * p.H, p.H, p.H, p.H, 1, p.H, b, to);
        else pack_rows<V>(p.weights[w_hr], p.H, p.H, p.R, 1, p.R, b, to);
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
    }
    void pack_peepholes(int64_t b) const {
        if constexpr (Cell::peepholes)
            for (int k = 0; k < 3; ++k)
                Base::get(p.weights[peephole] + k * p.H, b, p.H).store(peepholes + (b * 3 + k) * P);
    }

    // sums = bias + W_ih·x for a run of pairs, as [block][pair][gate][lanes]; x and sums have room for `pairs`.
    // w is weights_x, or the like in W.
    template <class W>
    void inputs(const W* w, const Real* x, int64_t pairs, Range run, Real* sums) const {
        multiply_inputs<V, Cell::inputs>(x, pairs * P, {1, p.I}, w, {0, UB}, run, bias, sums, pairs);
    }

    // The gates of some rows. h lies in panels of h_rows; `from` is where inputs() put row 0's sums, of `pairs`.
    // w is weights_h, or the like in W. given(point, block, row) completes what the cell needs; done(point, block,
    // row) takes what it made.
    template <class W, class Given, class Done>
    [[gnu::always_inline]] void gates(const W* w, const Real* h, int64_t h_rows, const Real* from, int64_t pairs,
                                      Range blocks, Range rows, Given given, Done done) const {
        multiply<V, Cell::chains>(
            h, h_rows * P, {1, p.R}, w, blocks, rows,
            [&](auto& sums, int64_t block, int64_t) {
                each_sum(sums, [&](V& sum, int b, int, int g) {
                    sum = g < Cell::joined ? V::all(0) : V::load(bias_h + (block + b) * P);
                });
            },
            [&](auto& sums, int64_t block, int64_t row) {
                constexpr int tile_blocks = sizeof(sums) / sizeof(sums[0]);
                constexpr int tile_rows = sizeof(sums[0]) / sizeof(sums[0][0]);
                // Equations once in the code, not once for each row of a tile.
#pragma GCC unroll 1
                for (int b = 0; b < tile_blocks; ++b)
#pragma GCC unroll 1
                    for (int r = 0; r < tile_rows; ++r) {
                        Point<V> point;
                        const Real* over_x = from + ((block + b) * pairs + row + r) * Cell::inputs * P;
                        for (int g = 0; g < Cell::chains; ++g)
                            point.gate[g] = g < Cell::joined ? V::load(over_x + g * P) + sums[b][r][g] : sums[b][r][g];
                        if constexpr (Cell::chains > Cell::joined)
                            point.input = V::load(over_x + Cell::joined * P);
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
    void second_gates(const Real* product, const Real* h, int64_t h_rows, const Real* from, int64_t pairs,
                      Records<V, Cell::saved> record, Range blocks, Range rows, Done done) const {
        for (int64_t b = blocks.begin; b < blocks.end; ++b)
            for (int64_t r = rows.begin; r < rows.end; ++r) {
                Point<V> point;
                int64_t at = (b * h_rows + r) * P;
                const Real* over_x = from + ((b * pairs + r) * Cell::inputs + Cell::second_gate) * P;
                point.gate[Cell::second_gate] = V::load(over_x) + V::load(product + at);
                point.h = V::load(h + at);
                for (int k = 0; k < Cell::second_gate; ++k) point.saved[k] = V::load(record.at(b, r, k));
                Cell::forward_second(point);
                point.saved[Cell::second_gate].store(record.at(b, r, Cell::second_gate));
                done(point, b, r);
            }
    }
};

}  // namespace recurra::RECURRA_ISA
