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

// Rows of values, `row` values from one to the next.
template <class Real>
struct Matrix {
    Real* data = nullptr;
    int64_t row = 0;
    Real* at(int64_t r) const { return data + r * row; }
    explicit operator bool() const { return data != nullptr; }
};

// One step of some streams in one layer; the state of row r lies in slot which[r], and no slot is named twice.
template <class Real>
struct Streams {
    int64_t rows, ahead;    // how many, and how many more will follow
    const int64_t* which;   // (rows + ahead)
    Matrix<const Real> x;   // (rows, I)
    const Real* below;      // the layer below's output, in panels, in place of x; or null
    Matrix<Real> h;         // (slots, R)
    Matrix<Real> c;         // (slots, H), or null
    Matrix<Real> y;         // (rows, R), or null
};

// One layer's packed weights, for many streams.
template <class Real>
struct PackedLayer {
    int64_t bytes;     // how much memory it needs, where none was given,
    int64_t scratch;   // how many values a block of `B` rows needs while it goes one step,
    int64_t per_row;   // and how many multiply-adds a row takes
    void* self;
    const Real* (*step)(const void* self, const Streams<Real>&, Real* scratch);  // returns its output in panels
};

// y = x·Wᵀ + b. One of the strides of w is 1.
template <class Real>
struct Linear {
    int64_t N, I, O;
    Matrix<const Real> x;       // (N, I)
    const Real* w;              // (O, I)
    int64_t w_row, w_column;    // its strides
    const Real* b;              // (O), or null
    Matrix<Real> y;             // (N, O)
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
    // For blocks of at most B rows; reads what `p.rows` says of B rows of one step. Without memory it counts bytes.
    PackedLayer<Real> (*packed)(const Problem<Real>&, void* memory);
    // The same for all cells.
    int64_t (*linear_scratch)(const Linear<Real>&, int threads);
    void (*linear)(const Linear<Real>&, Real* scratch, Team&);
    // What the processor can do at most, for measuring: `rounds` of independent multiply-adds; returns operations.
    int64_t (*multiply_adds)(int64_t rounds);
};

enum class Cell { rnn_tanh, rnn_relu, gru, gru_reset_before, lstm, lstm_peephole, count };

}  // namespace recurra
