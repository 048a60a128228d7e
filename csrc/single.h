// One row, one step at a time: the same products as recurrence.h, with weights that are packed once.
#pragma once

#include <algorithm>
#include <new>

#include "recurrence.h"

namespace recurra::RECURRA_ISA {

// W: Real, or uint16_t for weights rounded to bfloat16, which are read in half the time.
template <class Cell, class V, class W>
struct Single {
    using Real = typename V::real;
    static constexpr int64_t P = V::lanes;

    Gates<Cell, V> cell;
    Forward<Cell, V> layer;
    const Real* x;
    const W *weights_x, *weights_h, *weights_second;

    static constexpr bool narrow = sizeof(W) != sizeof(Real);

    Single(const Problem<Real>& p, Arena<Real>& arena, bool counts)
        : cell(p, arena, !narrow), layer(cell, arena, {0, 1}, Crew{}), x(p.x.data) {
        if constexpr (narrow) {
            const int64_t x_block = cell.block_x(), h_block = cell.block_h(), second_block = cell.block_second();
            Real* const one = arena.take(std::max({x_block, h_block, second_block}));
            weights_x = rounded_blocks(arena, layer.UB, x_block, one, counts, [&](int64_t b) { cell.pack_x(b, one); });
            weights_h = rounded_blocks(arena, layer.UB, h_block, one, counts, [&](int64_t b) { cell.pack_h(b, one); });
            weights_second = rounded_blocks(arena, cell.seconds(), second_block, one, counts,
                                            [&](int64_t b) { cell.pack_second(b, one); });
        } else {
            weights_x = cell.weights_x, weights_h = cell.weights_h, weights_second = cell.weights_second;
        }
        if (counts) return;
        cell.pack(0, 1);
        for (int64_t b = 0; b < layer.RB; ++b) V::all(0).store(layer.h[0] + b * P);
        if constexpr (Cell::has_c)
            for (int64_t b = 0; b < layer.UB; ++b) V::all(0).store(layer.c + b * P);
    }

    // Blocks of weights in bfloat16; pack(block) puts one into `one`.
    template <class Pack>
    static const W* rounded_blocks(Arena<Real>& arena, int64_t blocks, int64_t size, const Real* one, bool counts,
                                   Pack pack) {
        W* const all = reinterpret_cast<W*>(arena.take((blocks * size + 1) / 2));
        for (int64_t b = 0; b < blocks && !counts; ++b) {
            pack(b);
            for (int64_t i = 0; i < size; ++i) all[b * size + i] = rounded(one[i]);
        }
        return all;
    }
    // To the nearest bfloat16, ties to even.
    static uint16_t rounded(float value) {
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        if (value != value) return 0x7fc0;
        return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    void step() const {
        Real *before = layer.h[0], *after = layer.h[1], *sums = layer.pre;
        typename Forward<Cell, V>::Record record{};
        if constexpr (Cell::second) record = {layer.kept, 1};
        auto out = [&](V v, int64_t block) { v.store(after + block * P); };
        cell.inputs(weights_x, x, 1, {0, 1}, sums);
        cell.gates(
            weights_h, before, 1, sums, 1, {0, layer.UB}, {0, 1},
            [&](Point<V>& point, int64_t block, int64_t) {
                if constexpr (Cell::has_c) point.c = V::load(layer.c + block * P);
                else point.h = V::load(before + block * P);
            },
            [&](Point<V>& point, int64_t block, int64_t) {
                if constexpr (Cell::has_c) point.c.store(layer.c + block * P);
                if constexpr (Cell::second) {
                    for (int k = 0; k < Cell::second_gate; ++k) point.saved[k].store(record.at(block, 0, k));
                    point.operand.store(layer.operand + block * P);
                } else if (layer.projects) {
                    point.h.store(layer.operand + block * P);
                } else {
                    out(point.h, block);
                }
            });
        if constexpr (Cell::second) {
            multiply_panels<V>(layer.operand, P, {1, layer.p.H}, weights_second, {0, layer.UB}, {0, 1}, layer.seconds,
                               1, false);
            cell.second_gates(layer.seconds, before, 1, sums, 1, record, {0, layer.UB}, {0, 1},
                               [&](Point<V>& point, int64_t block, int64_t) { out(point.h, block); });
        } else if (layer.projects) {
            multiply_panels<V>(layer.operand, P, {1, layer.p.H}, weights_second, {0, layer.RB}, {0, 1}, after, 1,
                               false);
        }
        for (int64_t b = 0; b < layer.RB; ++b) V::load(after + b * P).store(before + b * P);
    }
};

template <class Cell, class V, class W>
inline Stepper<typename V::real> make_single(const Problem<typename V::real>& p, void* memory) {
    using Real = typename V::real;
    using Made = Single<Cell, V, W>;
    constexpr int64_t head = (sizeof(Made) + 63) / 64 * 64;
    Arena<Real> arena(memory ? reinterpret_cast<Real*>(static_cast<char*>(memory) + head) : nullptr);
    if (!memory) {
        Made counted(p, arena, true);
        return {head + arena.used() * static_cast<int64_t>(sizeof(Real)), nullptr, nullptr, nullptr, nullptr};
    }
    Made* made = new (memory) Made(p, arena, false);
    auto step = [](void* self) { static_cast<Made*>(self)->step(); };
    return {0, made, step, made->layer.h[0], made->layer.c};
}

template <class Cell, class V>
Stepper<typename V::real> single(const Problem<typename V::real>& p, bool narrow, void* memory) {
    if constexpr (sizeof(typename V::real) == 4)
        if (narrow) return make_single<Cell, V, uint16_t>(p, memory);
    return make_single<Cell, V, typename V::real>(p, memory);
}

}  // namespace recurra::RECURRA_ISA
