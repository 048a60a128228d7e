// Many streams through all layers, one step a call; their states are the caller's, in slots.
#pragma once

#include <cstdint>
#include <vector>

#include "layer.h"
#include "memory.h"
#include "step.h"

namespace recurra {

// One layer's states: (slots, R) and (slots, H), c null where the cell has none.
template <class Real>
struct SlotState {
    Matrix<Real> h, c;
};

// Holds packed weights, made once, and no state: calls from several threads are fine for slots of their own.
template <class Real>
class ManySteps {
 public:
    // The first layer has I inputs, the others R.
    ManySteps(Cell cell, int64_t I, int64_t H, int64_t R, const std::vector<LayerWeights<Real>>& layers);
    ManySteps(const ManySteps&) = delete;
    ManySteps& operator=(const ManySteps&) = delete;

    // Row r of x (B, I) is the input of the stream in slot which[r]; y (B, R) may be null.
    // Throws std::invalid_argument, before anything is written, unless all slots are there and different.
    void operator()(int64_t B, const int64_t* which, int64_t slots, Matrix<const Real> x,
                    const std::vector<SlotState<Real>>& states, Matrix<Real> y, int threads) const;

 private:
    // Rows at once: full tiles of every height, enough to read the weights seldom, few enough for the second cache.
    static constexpr int64_t block = 96;

    std::vector<int64_t> numbers_;
    std::vector<Problem<Real>> problems_;
    std::vector<Scratch<char>> memory_;
    std::vector<PackedLayer<Real>> layers_;
    int64_t scratch_ = 0, per_row_ = 0;
};

}  // namespace recurra
