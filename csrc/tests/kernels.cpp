// Every cell over time and step by step in slots, and products, called by several threads at once, each with a team of
// its own: the bits of a lone call.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "dispatch.h"
#include "expect.h"
#include "streams.h"

namespace recurra::tests {
namespace {

template <class Real>
using Values = std::vector<Real>;

// A ragged batch with resets and an initial state, and its gradients. Small, as sanitizers are slow.
template <class Real>
class Case {
 public:
    Case(Cell cell, Memory memory, bool reverse) : cell_(cell) {
        const bool lstm = cell == Cell::lstm || cell == Cell::lstm_peephole;
        const bool gru = cell == Cell::gru || cell == Cell::gru_reset_before;
        const int64_t G = lstm ? 4 : gru ? 3 : 1;
        p_.T = 9, p_.B = 21, p_.I = 5, p_.H = 19, p_.R = lstm ? 7 : 19;
        p_.reverse = reverse;
        p_.memory = memory;
        p_.x = {input(p_.T * p_.B * p_.I), p_.B * p_.I, p_.I};
        p_.weights[w_ih] = input(G * p_.H * p_.I);
        p_.weights[w_hh] = input(G * p_.H * p_.R);
        p_.weights[b_ih] = input(G * p_.H);
        p_.weights[b_hh] = input(G * p_.H);
        if (lstm) p_.weights[w_hr] = input(p_.R * p_.H);
        if (cell == Cell::lstm_peephole) p_.weights[peephole] = input(3 * p_.H);
        p_.h0 = input(p_.B * p_.R);
        p_.c0 = lstm ? input(p_.B * p_.H) : nullptr;
        p_.dy = {input(p_.T * p_.B * p_.R), p_.B * p_.R, p_.R};
        p_.dh_n = input(p_.B * p_.R);
        p_.dc_n = lstm ? input(p_.B * p_.H) : nullptr;

        reset_.resize(static_cast<std::size_t>(p_.T * p_.B));
        for (std::size_t i = 0; i < reset_.size(); i += 8) reset_[i] = 1;
        p_.reset = {reset_.data(), p_.B, 1};
        for (int64_t b = 0; b < p_.B; ++b) lengths_.push_back(b * 5 % (p_.T + 1));
    }

    // Three steps of all rows through two layers, their states in every other slot, backward.
    Values<Real> in_slots(int threads) const {
        const int64_t slots = 2 * p_.B;
        std::vector<LayerWeights<Real>> layers(2);
        Values<Real> second(static_cast<std::size_t>(4 * p_.H * p_.R), Real(0.1));
        for (LayerWeights<Real>& layer : layers) std::copy_n(p_.weights, static_cast<int>(n_weights), layer.arrays);
        layers[1].arrays[w_ih] = second.data();
        const ManySteps<Real> steps(cell_, p_.I, p_.H, p_.R, layers);
        std::vector<int64_t> which;
        for (int64_t b = 0; b < p_.B; ++b) which.push_back(slots - 1 - 2 * b);
        Values<Real> all(static_cast<std::size_t>(p_.B * p_.R + 2 * slots * (p_.R + p_.H)));
        Real* const h = all.data() + p_.B * p_.R;
        std::vector<SlotState<Real>> states;
        for (int64_t l = 0; l < 2; ++l) {
            Real* const of_layer = h + l * slots * (p_.R + p_.H);
            states.push_back({{of_layer, p_.R}, {p_.c0 ? of_layer + slots * p_.R : nullptr, p_.H}});
        }
        for (int64_t t = 0; t < 3; ++t)
            steps(p_.B, which.data(), slots, {p_.x.at(t, 0), p_.I}, states, {all.data(), p_.R}, threads);
        return all;
    }

    // All of x times one gate's weights.
    Values<Real> product(int threads) const {
        Values<Real> y(static_cast<std::size_t>(p_.T * p_.B * p_.H));
        linear<Real>({p_.T * p_.B, p_.I, p_.H, {p_.x.data, p_.I}, p_.weights[w_ih], p_.I, 1, p_.weights[b_ih],
                      {y.data(), p_.H}},
                     threads);
        return y;
    }

    // All that is written, forward and backward, one after another.
    Values<Real> run(int threads) const {
        Problem<Real> p = p_;
        Values<Values<Real>> outputs;
        const auto output = [&](int64_t count) {
            outputs.emplace_back(static_cast<std::size_t>(count), Real{99});
            return outputs.back().data();
        };
        int64_t pairs = 0;
        for (int64_t length : lengths_) pairs += length;
        p.rows.steps = p.T;
        const Scratch<Real> saved(static_cast<std::size_t>(saved_size(p, cell_, p.memory, pairs)));
        p.saved = saved.data();
        p.y = {output(p.T * p.B * p.R), p.B * p.R, p.R};
        p.h_n = output(p.B * p.R);
        p.c_n = p.c0 ? output(p.B * p.H) : nullptr;
        forward(cell_, p, lengths_.data(), threads);

        p.dx = {output(p.T * p.B * p.I), p.B * p.I, p.I};
        const int64_t G = p.c0 ? 4 : cell_ == Cell::gru || cell_ == Cell::gru_reset_before ? 3 : 1;
        const int64_t sizes[n_weights] = {G * p.H * p.I, G * p.H * p.R, G * p.H, G * p.H, p.R * p.H, 3 * p.H};
        for (int w = 0; w < n_weights; ++w) p.dweights[w] = p.weights[w] ? output(sizes[w]) : nullptr;
        p.dh0 = output(p.B * p.R);
        p.dc0 = p.c0 ? output(p.B * p.H) : nullptr;
        backward(cell_, p, lengths_.data(), threads);

        Values<Real> all;
        for (const Values<Real>& each : outputs) all.insert(all.end(), each.begin(), each.end());
        return all;
    }

 private:
    const Real* input(int64_t count) {
        Values<Real>& values = inputs_.emplace_back(static_cast<std::size_t>(count));
        std::uniform_real_distribution<Real> uniform(Real{-0.5}, Real{0.5});
        for (Real& value : values) value = uniform(dice_);
        return values.data();
    }

    Cell cell_;
    Problem<Real> p_{};
    std::mt19937 dice_{1};
    Values<Values<Real>> inputs_;  // growing moves these vectors, not their values
    Values<uint8_t> reset_;
    Values<int64_t> lengths_;
};

template <class Real>
void callers_at_once(Cell cell, Memory memory, bool reverse) {
    const Case<Real> batch(cell, memory, reverse);
    const auto all = [&](int threads) {
        return Values<Values<Real>>{batch.run(threads), batch.in_slots(threads), batch.product(threads)};
    };
    const Values<Values<Real>> alone = all(1);
    std::vector<std::thread> callers;
    for (int caller = 1; caller <= 3; ++caller)
        callers.emplace_back([&, caller] {
            for (int threads : {caller, 4, 1}) {
                const Values<Values<Real>> beside = all(threads);
                for (std::size_t i = 0; i < alone.size(); ++i) {
                    const std::size_t bytes = alone[i].size() * sizeof(Real);
                    const bool same = std::memcmp(beside[i].data(), alone[i].data(), bytes) == 0;
                    expect(same, "the bits of a lone call");
                }
            }
        });
    for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace recurra::tests

int main() {
    using namespace recurra;
    for (const std::string& name : available()) {
        use_instructions(name);
        for (int cell = 0; cell < static_cast<int>(Cell::count); ++cell)
            for (Memory memory : {Memory::stored, Memory::recomputed, Memory::checkpointed}) {
                tests::callers_at_once<float>(static_cast<Cell>(cell), memory, false);
                tests::callers_at_once<double>(static_cast<Cell>(cell), memory, true);
            }
    }
}
