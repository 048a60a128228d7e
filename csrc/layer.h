// What a kernel is asked to do: one layer, in one direction, over a batch. Arrays and numbers only.
#pragma once

#include <cstdint>

namespace recurra {

class Team;

enum class Memory { none, stored, recomputed, checkpointed };

// T steps of B rows; the values of a row stand together. Strides in values.
template <class Real>
struct Sequence {
    Real* data = nullptr;
    int64_t step = 0, row = 0;
    int64_t first = 0;  // the time that data begins with
    Real* at(int64_t t, int64_t b) const { return data + (t - first) * step + b * row; }
    explicit operator bool() const { return data != nullptr; }
};

// The batch by rank: rows in order of their length, the longest first, so that those still running come first.
struct Rows {
    const int64_t* row;     // (B) where in the batch
    const int64_t* length;  // (B) of the row of each rank
    const int64_t* active;  // (T) rows that have a step at time t
    const int64_t* offset;  // (steps + 1) how many (time, row) pairs come before time t
    int64_t steps;          // the longest length
    bool ragged;
};

enum Weight { w_ih, w_hh, b_ih, b_hh, w_hr, peephole, n_weights };

// T steps, B rows, I inputs, H units, R outputs (H, or the projection's size), G gates. Absent arrays are null;
// absent states and gradients are zeros.
template <class Real>
struct Problem {
    int64_t T, B, I, H, R;
    bool reverse;
    Memory memory;
    Rows rows;
    Sequence<const Real> x;         // (T, B, I)
    Sequence<const uint8_t> reset;  // (T, B)
    const Real* weights[n_weights];  // (G·H, I) (G·H, R) (G·H) (G·H) (R, H) (3, H)
    const Real* h0;                 // (B, R)
    const Real* c0;                 // (B, H)
    Sequence<Real> y;               // (T, B, R); read by the backward pass
    Real* saved;                    // what the forward pass keeps for the backward pass

    Real* h_n;  // (B, R)
    Real* c_n;  // (B, H)

    Sequence<const Real> dy;    // (T, B, R)
    const Real* dh_n;           // (B, R)
    const Real* dc_n;           // (B, H)
    Sequence<Real> dx;          // (T, B, I)
    bool dx_accumulates;        // add to what is there
    Real* dweights[n_weights];
    Real* dh0;
    Real* dc0;
};

// One row that goes one step at a time, in memory of its own.
template <class Real>
struct Stepper {
    int64_t bytes;            // how much memory it needs, where none was given
    void* self;
    void (*step)(void* self);
    Real* h;                  // (R), in full vectors
    Real* c;                  // (H), or null
};

// One kind of cell, in one precision, on one instruction set. Sizes are in values.
template <class Real>
struct Kernel {
    int (*useful_threads)(const Problem<Real>&, int asked);
    int64_t (*saved)(const Problem<Real>&, Memory, int64_t pairs);
    int64_t (*forward_scratch)(const Problem<Real>&, int threads);
    int64_t (*backward_scratch)(const Problem<Real>&, int threads);
    void (*forward)(const Problem<Real>&, Real* scratch, Team&);
    void (*backward)(const Problem<Real>&, Real* scratch, Team&);
    // x.data stays where it is, (I) in full vectors; `narrow`: weights in bfloat16. Without memory it counts bytes.
    Stepper<Real> (*single)(const Problem<Real>&, bool narrow, void* memory);
    // What the processor can do at most, for measuring: `rounds` of independent multiply-adds; returns operations.
    int64_t (*multiply_adds)(int64_t rounds);
};

enum class Cell { rnn_tanh, rnn_relu, gru, gru_reset_before, lstm, lstm_peephole, count };

}  // namespace recurra
