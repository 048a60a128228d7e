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
    // The gates in torch.nn's order, and what is saved of them and of c.
    enum { input_gate, forget_gate, candidate, output_gate, c_saved, saved };
    static constexpr int inputs = 4, chains = 4, joined = 4;
    static constexpr int dgates = 4;
    static constexpr int x_first = 0, h_first = 0, h_count = 4;
    static constexpr int row_of[] = {0, 1, 2, 3};
    static constexpr bool second = false, has_c = true, peepholes = Peepholes;

    template <class V>
    static void forward(Point<V>& p) {
        V i = p.gate[input_gate], f = p.gate[forget_gate], o = p.gate[output_gate];
        if constexpr (Peepholes) i = fma(p.peephole[0], p.c, i), f = fma(p.peephole[1], p.c, f);
        i = sigmoid(i), f = sigmoid(f);
        V g = tanh(p.gate[candidate]), c = next(i, f, g, p.c);
        if constexpr (Peepholes) o = fma(p.peephole[2], c, o);
        o = sigmoid(o);
        p.saved[input_gate] = i, p.saved[forget_gate] = f, p.saved[candidate] = g, p.saved[output_gate] = o;
        p.saved[c_saved] = p.c;
        p.c = c;
        p.h = o * tanh(c);
    }

    // Makes of `operand` what the projection runs along, and leaves c' in `c`.
    template <class V>
    static void backward(Point<V>& p) {
        V i = p.saved[input_gate], f = p.saved[forget_gate], g = p.saved[candidate], o = p.saved[output_gate];
        V one = V::all(1);
        V c = next(i, f, g, p.saved[c_saved]), t = tanh(c);
        V d_o = p.dh * t * o * (one - o);
        V dc = fma(p.dh * o, one - t * t, p.dc);
        if constexpr (Peepholes) dc = fma(d_o, p.peephole[2], dc);
        p.dgate[input_gate] = dc * g * i * (one - i);
        p.dgate[forget_gate] = dc * p.saved[c_saved] * f * (one - f);
        p.dgate[candidate] = dc * i * (one - g * g);
        p.dgate[output_gate] = d_o;
        p.dc = dc * f;
        if constexpr (Peepholes)
            p.dc = fma(p.dgate[input_gate], p.peephole[0], fma(p.dgate[forget_gate], p.peephole[1], p.dc));
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
