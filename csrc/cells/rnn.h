// h' = act(W_ih·x + b_ih + W_hh·h + b_hh), act = tanh or max(0, ·). Elman 1990.
#pragma once

#include "activations.h"
#include "cells/point.h"

namespace recurra::RECURRA_ISA {

template <bool Relu>
struct Rnn {
    static constexpr int inputs = 1;        // gates with a sum over x
    static constexpr int chains = 1;        // gates with a sum over h
    static constexpr int joined = 1;        // of these, how many are added to the sum over x
    static constexpr int saved = 1;         // h'
    static constexpr int dgates = 1;        // blocks of gradients that the backward pass makes
    static constexpr int x_first = 0;       // the first that x's weights take part in; `inputs` of them do
    static constexpr int h_first = 0;       // the first that h's weights take part in
    static constexpr int h_count = 1;
    static constexpr int row_of[] = {0};    // torch.nn's gate for each of them
    static constexpr bool second = false;   // whether h' needs a second product
    static constexpr bool has_c = false, peepholes = false;

    template <class V>
    static void forward(Point<V>& p) {
        if constexpr (Relu) p.h = at_least(0, p.gate[0]);
        else p.h = tanh(p.gate[0]);
        p.saved[0] = p.h;
    }

    template <class V>
    static void backward(Point<V>& p) {
        V h = p.saved[0];
        if constexpr (Relu) p.dgate[0] = where_positive(h, p.dh);
        else p.dgate[0] = p.dh * (V::all(1) - h * h);
        p.dh = V::all(0);
    }
};

}  // namespace recurra::RECURRA_ISA
