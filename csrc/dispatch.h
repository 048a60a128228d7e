// From a problem to the kernel that solves it, with its memory and its threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layer.h"
#include "memory.h"

namespace recurra {

// What runs: "avx512", "avx2" or "portable". The best that this processor has, unless RECURRA_INSTRUCTIONS or
// use_instructions names another.
std::string instructions();
std::vector<std::string> available();  // the best first
void use_instructions(const std::string& name);  // throws std::invalid_argument

Cell cell_named(const std::string& name);  // throws std::invalid_argument
Memory memory_named(const std::string& name);

template <class Real>
const Kernel<Real>& kernel_of(Cell cell);

// Floating-point operations in a second that this many threads reach with nothing but multiply-adds, in 10^9.
double fma_peak(int threads, double seconds);

// Values that a forward pass keeps; `pairs` is the sum of all lengths.
template <class Real>
int64_t saved_size(const Problem<Real>& problem, Cell cell, Memory memory, int64_t pairs);

// Put the batch in order, longest first. lengths (B,), or null where all are T.
class Order {
 public:
    Order(const int64_t* lengths, int64_t T, int64_t B);
    Rows rows() const;

 private:
    Scratch<int64_t> numbers_;
    int64_t T_, B_, steps_;
    bool ragged_;
};

// `problem.rows` is filled in here.
template <class Real>
void forward(Cell cell, Problem<Real> problem, const int64_t* lengths, int threads);
template <class Real>
void backward(Cell cell, Problem<Real> problem, const int64_t* lengths, int threads);

template <class Real>
void linear(const Linear<Real>& product, int threads);

}  // namespace recurra
