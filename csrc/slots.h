// One layer for many streams, one step at a time, their states in slots: the same products as recurrence.h, with
// weights that are packed once.
#pragma once

#include <new>

#include "recurrence.h"

namespace recurra::RECURRA_ISA {

template <class Cell, class V>
struct Slots {
    using Real = typename V::real;
    using Layer = Forward<Cell, V>;

    Gates<Cell, V> cell;

    Slots(const Problem<Real>& p, Arena<Real>& arena) : cell(p, arena) {}

    // Slots come in any order, which the processor's own prefetches don't foresee.
    static constexpr int64_t soon = 8;  // rows
    void prefetch(const Streams<Real>& s, int64_t slot) const {
        constexpr int64_t line = 64 / sizeof(Real);
        for (int64_t i = 0; i < cell.p.R; i += line) __builtin_prefetch(s.h.at(slot) + i);
        if constexpr (Cell::has_c)
            for (int64_t i = 0; i < cell.p.H; i += line) __builtin_prefetch(s.c.at(slot) + i);
    }

    const Real* step(const Streams<Real>& s, Real* scratch) const {
        const Problem<Real>& p = cell.p;
        const int64_t n = s.rows;
        Arena<Real> arena(scratch);
        const Layer layer(cell, arena, {0, n}, Crew{});
        for (int64_t r = 0; r < n; ++r) {
            if (r + soon < n + s.ahead) prefetch(s, s.which[r + soon]);
            Layer::spread(s.h.at(s.which[r]), p.R, layer.h[0], n, r);
            if constexpr (Cell::has_c) Layer::spread(s.c.at(s.which[r]), p.H, layer.c, n, r);
            if (!s.below) Layer::spread(s.x.at(r), p.I, layer.x, n, r);
        }
        cell.inputs(cell.weights_x, s.below ? s.below : layer.x, n, {0, n}, layer.pre);
        layer.step(0, 0, layer.pre, {}, {}, {});
        for (int64_t r = 0; r < n; ++r) {
            Layer::gather(layer.h[1], n, r, s.h.at(s.which[r]), p.R);
            if constexpr (Cell::has_c) Layer::gather(layer.c, n, r, s.c.at(s.which[r]), p.H);
            if (s.y) Layer::gather(layer.h[1], n, r, s.y.at(r), p.R);
        }
        return layer.h[1];
    }
};

template <class Cell, class V>
PackedLayer<typename V::real> packed(const Problem<typename V::real>& p, void* memory) {
    using Real = typename V::real;
    using Made = Slots<Cell, V>;
    constexpr int64_t head = (sizeof(Made) + 63) / 64 * 64;
    Arena<Real> arena(memory ? reinterpret_cast<Real*>(static_cast<char*>(memory) + head) : nullptr);
    if (!memory) {
        const Made counted(p, arena);
        Arena<Real> counting(nullptr);
        const Forward<Cell, V> layer(counted.cell, counting, {0, p.B}, Crew{});
        return {head + arena.used() * static_cast<int64_t>(sizeof(Real)), counting.used(),
                p.H * (p.I + p.R) * Cell::inputs, nullptr, nullptr};
    }
    Made* made = new (memory) Made(p, arena);
    made->cell.pack(0, 1);
    auto step = [](const void* self, const Streams<Real>& streams, Real* scratch) {
        return static_cast<const Made*>(self)->step(streams, scratch);
    };
    return {0, 0, 0, made, step};
}

}  // namespace recurra::RECURRA_ISA
