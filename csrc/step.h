// One stream through all layers, one step at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "layer.h"
#include "memory.h"

namespace recurra {

template <class Real>
struct LayerWeights {
    const Real* arrays[n_weights];
};

// Holds packed weights, made once, and the states; the addresses of x and of the states stay for its life.
template <class Real>
class Step {
 public:
    // The first layer has I inputs, the others R. narrow: weights rounded to bfloat16, for float only.
    Step(Cell cell, bool narrow, int64_t I, int64_t H, int64_t R, const std::vector<LayerWeights<Real>>& layers);

    void operator()() {
        for (const Stepper<Real>& layer : layers_) layer.step(layer.self);
    }

    Real* x() const { return x_.data(); }                            // (I)
    Real* h(std::size_t layer) const { return layers_.at(layer).h; }  // (R)
    Real* c(std::size_t layer) const { return layers_.at(layer).c; }  // (H), or null

 private:
    Scratch<Real> x_;
    std::vector<Problem<Real>> problems_;
    std::vector<Scratch<char>> memory_;
    std::vector<Stepper<Real>> layers_;
};

}  // namespace recurra
