#include "streams.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "dispatch.h"
#include "parallel.h"

namespace recurra {

namespace {

[[noreturn]] void refuse(int64_t slots, const std::string& got) {
    throw std::invalid_argument("Expected slots from 0 to " + std::to_string(slots - 1) + ", all different, got " +
                                got + ". Name each stream once.");
}

void check(int64_t B, const int64_t* which, int64_t slots) {
    const auto outside = [&](int64_t slot) { return static_cast<uint64_t>(slot) >= static_cast<uint64_t>(slots); };
    bool wrong = false, ascending = true;
    for (int64_t r = 0; r < B; ++r) wrong |= outside(which[r]);
    if (wrong) {
        const int64_t* found = std::find_if(which, which + B, outside);
        refuse(slots, std::to_string(*found) + " in row " + std::to_string(found - which));
    }
    for (int64_t r = 1; r < B; ++r) ascending &= which[r] > which[r - 1];
    if (ascending) return;
    constexpr int64_t bits = 64;
    const Scratch<uint64_t> seen(static_cast<std::size_t>(slots / bits + 1), true);
    std::fill_n(seen.data(), slots / bits + 1, uint64_t{0});
    for (int64_t r = 0; r < B; ++r) {
        uint64_t &word = seen.data()[which[r] / bits], bit = uint64_t{1} << which[r] % bits;
        if (word & bit) refuse(slots, std::to_string(which[r]) + " again in row " + std::to_string(r));
        word |= bit;
    }
}

}  // namespace

template <class Real>
ManySteps<Real>::ManySteps(Cell cell, int64_t I, int64_t H, int64_t R, const std::vector<LayerWeights<Real>>& layers)
        : numbers_(static_cast<std::size_t>(2 * block + 3)), problems_(layers.size()) {
    // A batch of a block's rows and one step.
    int64_t *row = numbers_.data(), *length = row + block, *active = length + block, *offset = active + 1;
    std::iota(row, row + block, int64_t{0});
    std::fill_n(length, block, int64_t{1});
    active[0] = offset[1] = block;
    const Kernel<Real>& kernel = kernel_of<Real>(cell);
    for (std::size_t l = 0; l < layers.size(); ++l) {
        Problem<Real>& p = problems_[l];
        p.T = 1;
        p.B = block;
        p.I = l == 0 ? I : R;
        p.H = H;
        p.R = R;
        p.rows = {row, length, active, offset, 1, false};
        std::copy_n(layers[l].arrays, static_cast<std::size_t>(n_weights), p.weights);
        const PackedLayer<Real> counted = kernel.packed(p, nullptr);
        memory_.emplace_back(static_cast<std::size_t>(counted.bytes));
        layers_.push_back(kernel.packed(p, memory_.back().data()));
        scratch_ = std::max(scratch_, counted.scratch);
        per_row_ += counted.per_row;
    }
}

template <class Real>
void ManySteps<Real>::operator()(int64_t B, const int64_t* which, int64_t slots, Matrix<const Real> x,
                                 const std::vector<SlotState<Real>>& states, Matrix<Real> y, int threads) const {
    check(B, which, slots);
    constexpr int64_t worth_waking = 1 << 19;  // multiply-adds, some ten microseconds
    constexpr int64_t tile = 8;                // rows
    const int64_t tiles = (B + tile - 1) / tile;
    threads = static_cast<int>(std::min({int64_t{threads}, tiles, B * per_row_ / worth_waking + 1}));
    // A layer's output is read by the next one: two take turns.
    const Scratch<Real> scratch(static_cast<std::size_t>(2 * scratch_ * std::max(threads, 1)), true);
    parallel(threads, [&](Team& team) {
        Real* const own = scratch.data() + 2 * scratch_ * team.rank();
        const int64_t begin = tiles * team.rank() / team.size() * tile;
        const int64_t end = std::min(tiles * (team.rank() + 1) / team.size() * tile, B);
        for (int64_t from = begin; from < end; from += block) {
            const Real* below = nullptr;
            for (std::size_t l = 0; l < layers_.size(); ++l) {
                const int64_t rows = std::min(block, end - from);
                Streams<Real> some{rows,  end - from - rows, which + from, {},
                                   below, states[l].h,       states[l].c,  {}};
                if (l == 0) some.x = {x.at(from), x.row};
                if (y && l + 1 == layers_.size()) some.y = {y.at(from), y.row};
                below = layers_[l].step(layers_[l].self, some, own + l % 2 * scratch_);
            }
        }
    });
}

template class ManySteps<float>;
template class ManySteps<double>;

}  // namespace recurra
