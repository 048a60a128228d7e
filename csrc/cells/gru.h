// The gated recurrent unit, Cho et al. 2014:
//   r  = σ(W_ir·x + b_ir + W_hr·h + b_hr)
//   z  = σ(W_iz·x + b_iz + W_hz·h + b_hz)
//   n  = tanh(W_in·x + b_in + r∘u),  u = W_hn·h + b_hn          reset after the product (torch.nn, cuDNN)
//   n  = tanh(W_in·x + b_in + W_hn·(r∘h) + b_hn)                reset before it (the paper's first form)
//   h' = n + z∘(h - n)
#pragma once

#include "activations.h"
#include "cells/point.h"

namespace recurra::RECURRA_ISA {

struct Gru {
    static constexpr int inputs = 3;              // r, z, n
    static constexpr int chains = 3, joined = 2;  // r, z and, by itself, u
    static constexpr int saved = 4;               // r, z, n, u
    static constexpr int dgates = 4;              // n, r, z, u
    static constexpr int x_first = 0, h_first = 1, h_count = 3;
    static constexpr int row_of[] = {2, 0, 1, 2};
    static constexpr bool second = false, has_c = false, peepholes = false;

    template <class V>
    static void forward(Point<V>& p) {
        V r = sigmoid(p.gate[0]), z = sigmoid(p.gate[1]), u = p.gate[2];
        V n = tanh(fma(r, u, p.input));
        p.h = fma(z, p.h - n, n);
        p.saved[0] = r, p.saved[1] = z, p.saved[2] = n, p.saved[3] = u;
    }

    template <class V>
    static void backward(Point<V>& p) {
        V r = p.saved[0], z = p.saved[1], n = p.saved[2], u = p.saved[3], one = V::all(1);
        V dn = p.dh * (one - z) * (one - n * n);
        p.dgate[0] = dn;
        p.dgate[1] = dn * u * r * (one - r);
        p.dgate[2] = p.dh * (p.h - n) * z * (one - z);
        p.dgate[3] = dn * r;
        p.dh = p.dh * z;
    }
};

struct GruResetBefore {
    static constexpr int inputs = 3;
    static constexpr int chains = 2, joined = 2;  // r, z; n's comes second
    static constexpr int saved = 3;               // r, z, n
    static constexpr int dgates = 3;              // n, r, z
    static constexpr int x_first = 0, h_first = 1, h_count = 2;
    static constexpr int row_of[] = {2, 0, 1};
    static constexpr int second_gate = 2;  // n: its sum needs r∘h; among the sums and among what is saved
    static constexpr int late_dgate = 1;   // r: its gradient comes through that sum
    static constexpr bool second = true, has_c = false, peepholes = false;

    template <class V>
    static void forward(Point<V>& p) {
        V r = sigmoid(p.gate[0]);
        p.operand = r * p.h;
        p.saved[0] = r, p.saved[1] = sigmoid(p.gate[1]);
    }

    // gate[2] is W_in·x + b_in + W_hn·(r∘h) + b_hn.
    template <class V>
    static void forward_second(Point<V>& p) {
        V z = p.saved[1], n = tanh(p.gate[2]);
        p.h = fma(z, p.h - n, n);
        p.saved[2] = n;
    }

    template <class V>
    static void backward(Point<V>& p) {
        V r = p.saved[0], z = p.saved[1], n = p.saved[2], one = V::all(1);
        p.dgate[0] = p.dh * (one - z) * (one - n * n);
        p.dgate[2] = p.dh * (p.h - n) * z * (one - z);
        p.dh = p.dh * z;
        p.operand = r * p.h;
    }

    // operand is the gradient of r∘h.
    template <class V>
    static void backward_second(Point<V>& p) {
        V r = p.saved[0];
        p.dgate[1] = p.operand * p.h * r * (V::all(1) - r);
        p.dh = fma(p.operand, r, p.dh);
    }
};

}  // namespace recurra::RECURRA_ISA
