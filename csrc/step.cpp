#include "step.h"

#include <algorithm>

#include "dispatch.h"

namespace recurra {

namespace {

// A batch of one row and one step.
constexpr int64_t only_row[] = {0}, one[] = {1}, none_then_one[] = {0, 1};
constexpr Rows one_row{only_row, one, one, none_then_one, 1, false};

constexpr std::size_t most_lanes = 16;  // x is read in full vectors

}  // namespace

template <class Real>
Step<Real>::Step(Cell cell, bool narrow, int64_t I, int64_t H, int64_t R,
                 const std::vector<LayerWeights<Real>>& layers)
        : x_(static_cast<std::size_t>(I) + most_lanes), problems_(layers.size()) {
    std::fill_n(x_.data(), x_.size(), Real{0});
    const Kernel<Real>& kernel = kernel_of<Real>(cell);
    for (std::size_t l = 0; l < layers.size(); ++l) {
        Problem<Real>& p = problems_[l];
        p.T = p.B = 1;
        p.I = l == 0 ? I : R;
        p.H = H;
        p.R = R;
        p.rows = one_row;
        p.x.data = l == 0 ? x_.data() : layers_.back().h;
        std::copy_n(layers[l].arrays, static_cast<std::size_t>(n_weights), p.weights);
        memory_.emplace_back(static_cast<std::size_t>(kernel.single(p, narrow, nullptr).bytes));
        layers_.push_back(kernel.single(p, narrow, memory_.back().data()));
    }
}

template class Step<float>;
template class Step<double>;

}  // namespace recurra
