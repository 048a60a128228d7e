// Long short-term memory, Hochreiter and Schmidhuber 1997, with peepholes as in Gers and Schmidhuber 2000:
//   i  = σ(W_ii·x + b_ii + W_hi·h + b_hi + p_i∘c)
//   f  = σ(W_if·x + b_if + W_hf·h + b_hf + p_f∘c)
//   g  = tanh(W_ig·x + b_ig + W_hg·h + b_hg)
//   c' = f∘c + i∘g
//   o  = σ(W_io·x + b_io + W_ho·h + b_ho + p_o∘c')
//   h' = o∘tanh(c'),  or W_hr·(o∘tanh(c')) with a projection (Sak et al. 2014)
#pragma once

#include "activations.h"
#include "cells/point.h"

namespace recurra::RECURRA_ISA {

template <bool Peepholes>
struct Lstm {
    static constexpr int inputs = 4, chains = 4, joined = 4;  // i, f, g, o
    static constexpr int saved = 5;                           // i, f, g, o, c
    static constexpr int c_saved = 4;
    static constexpr int dgates = 4;
    static constexpr int x_first = 0, h_first = 0, h_count = 4;
    static constexpr int row_of[] = {0, 1, 2, 3};
    static constexpr bool second = false, has_c = true, peepholes = Peepholes;

    template <class V>
    static void forward(Point<V>& p) {
        V i = p.gate[0], f = p.gate[1], o = p.gate[3];
        if constexpr (Peepholes) i = fma(p.peephole[0], p.c, i), f = fma(p.peephole[1], p.c, f);
        i = sigmoid(i), f = sigmoid(f);
        V g = tanh(p.gate[2]), c = next(i, f, g, p.c);
        if constexpr (Peepholes) o = fma(p.peephole[2], c, o);
        o = sigmoid(o);
        p.saved[0] = i, p.saved[1] = f, p.saved[2] = g, p.saved[3] = o, p.saved[4] = p.c;
        p.c = c;
        p.h = o * tanh(c);
    }

    // Makes of `operand` what the projection runs along, and leaves c' in `c`.
    template <class V>
    static void backward(Point<V>& p) {
        V i = p.saved[0], f = p.saved[1], g = p.saved[2], o = p.saved[3], one = V::all(1);
        V c = next(i, f, g, p.saved[4]), t = tanh(c);
        V d_o = p.dh * t * o * (one - o);
        V dc = fma(p.dh * o, one - t * t, p.dc);
        if constexpr (Peepholes) dc = fma(d_o, p.peephole[2], dc);
        p.dgate[0] = dc * g * i * (one - i);
        p.dgate[1] = dc * p.saved[4] * f * (one - f);
        p.dgate[2] = dc * i * (one - g * g);
        p.dgate[3] = d_o;
        p.dc = dc * f;
        if constexpr (Peepholes)
            p.dc = fma(p.dgate[0], p.peephole[0], fma(p.dgate[1], p.peephole[1], p.dc));
        p.operand = o * t;
        p.c = c;
        p.dh = V::all(0);
    }

    template <class V>
    static V next(V i, V f, V g, V c) {
        return fma(f, c, i * g);
    }
};

}  // namespace recurra::RECURRA_ISA
