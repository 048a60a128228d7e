#include "dispatch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <stdexcept>

#include "kernels.h"
#include "parallel.h"

namespace recurra {

namespace {

enum class Instructions { avx512, avx2, portable };
constexpr const char* names[] = {"avx512", "avx2", "portable"};

bool has(Instructions which) {
#ifdef RECURRA_BUILT_AVX512
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    switch (which) {
        case Instructions::avx512:
            return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
        case Instructions::avx2:
            return avx2;
        case Instructions::portable:
            return true;
    }
#endif
    return which == Instructions::portable;
}

Instructions named(const std::string& name) {
    std::string known;
    for (Instructions each : {Instructions::avx512, Instructions::avx2, Instructions::portable}) {
        if (!has(each)) continue;
        if (name == names[static_cast<int>(each)]) return each;
        known += (known.empty() ? "'" : ", '") + std::string(names[static_cast<int>(each)]) + "'";
    }
    throw std::invalid_argument("Expected instructions that this processor has, one of " + known + ", got '" + name +
                                "'. Name one of these in RECURRA_INSTRUCTIONS, or none.");
}

Instructions first() {
    const char* given = std::getenv("RECURRA_INSTRUCTIONS");
    if (given && *given) return named(given);
    return has(Instructions::avx512) ? Instructions::avx512
                  : has(Instructions::avx2) ? Instructions::avx2
                                                                      : Instructions::portable;
}

std::atomic<Instructions>& chosen() {
    static std::atomic<Instructions> value{first()};
    return value;
}

}  // namespace

std::string instructions() { return names[static_cast<int>(chosen().load())]; }

std::vector<std::string> available() {
    std::vector<std::string> found;
    for (Instructions each : {Instructions::avx512, Instructions::avx2, Instructions::portable})
        if (has(each)) found.emplace_back(names[static_cast<int>(each)]);
    return found;
}

void use_instructions(const std::string& name) { chosen() = named(name); }

Cell cell_named(const std::string& name) {
    static constexpr const char* cells[] = {"rnn_tanh", "rnn_relu", "gru", "gru_reset_before", "lstm", "lstm_peephole"};
    for (int i = 0; i < static_cast<int>(Cell::count); ++i)
        if (name == cells[i]) return static_cast<Cell>(i);
    throw std::invalid_argument(
        "Expected a cell, one of 'rnn_tanh', 'rnn_relu', 'gru', 'gru_reset_before', 'lstm', 'lstm_peephole', got '" +
        name + "'. Name one of these.");
}

Memory memory_named(const std::string& name) {
    static constexpr const char* modes[] = {"none", "stored", "recomputed", "checkpointed"};
    for (int i = 0; i < 4; ++i)
        if (name == modes[i]) return static_cast<Memory>(i);
    throw std::invalid_argument(
        "Expected a memory mode, one of 'none', 'stored', 'recomputed', 'checkpointed', got '" + name +
        "'. Name one of these.");
}

template <class Real>
const Kernel<Real>& kernel_of(Cell cell) {
#ifdef RECURRA_BUILT_AVX512
    switch (chosen().load()) {
        case Instructions::avx512:
            return avx512::kernel_of<Real>(cell);
        case Instructions::avx2:
            return avx2::kernel_of<Real>(cell);
        case Instructions::portable:
            break;
    }
#endif
    return portable::kernel_of<Real>(cell);
}

double fma_peak(int threads, double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto work = kernel_of<float>(Cell::gru).multiply_adds;
    std::atomic<int64_t> operations{0};
    const auto start = Clock::now();
    auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    parallel(threads, [&](Team&) {
      while (passed() < seconds) operations += work(100'000);
    });
    return static_cast<double>(operations) / passed() / 1e9;
}

// What is saved begins with a line that says how the rest is laid out: each instruction set has vectors of its own.
template <class Real>
constexpr int64_t head = 64 / sizeof(Real);

template <class Real>
Real layout_of(Cell cell, Memory memory) {
    const int which = (static_cast<int>(chosen().load()) + 1) * 100 + static_cast<int>(memory) * 10;
    return static_cast<Real>(which + static_cast<int>(cell));
}

template <class Real>
int64_t saved_size(const Problem<Real>& problem, Cell cell, Memory memory, int64_t pairs) {
    return memory == Memory::none ? 0 : head<Real> + kernel_of<Real>(cell).saved(problem, memory, pairs);
}

Order::Order(const int64_t* lengths, int64_t T, int64_t B)
        : numbers_(2 * B + 2 * T + 1), T_(T), B_(B), steps_(lengths ? 0 : (B > 0 ? T : 0)), ragged_(false) {
    int64_t *row = numbers_.data(), *length = row + B, *active = length + B, *offset = active + T;
    std::iota(row, row + B, int64_t{0});
    if (lengths) {
        std::stable_sort(row, row + B, [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
        for (int64_t r = 0; r < B; ++r) length[r] = std::clamp<int64_t>(lengths[row[r]], 0, T);
        steps_ = B > 0 ? length[0] : 0;
        ragged_ = B > 0 && length[0] != length[B - 1];
    } else {
        std::fill(length, length + B, T);
    }
    for (int64_t t = 0, n = B; t < T; ++t) {
        while (n > 0 && length[n - 1] <= t) --n;
        active[t] = n;
    }
    offset[0] = 0;
    for (int64_t t = 0; t < steps_; ++t) offset[t + 1] = offset[t] + active[t];
}

Rows Order::rows() const {
    const int64_t *row = numbers_.data(), *length = row + B_, *active = length + B_, *offset = active + T_;
    return {row, length, active, offset, steps_, ragged_};
}

template <class Real>
void forward(Cell cell, Problem<Real> problem, const int64_t* lengths, int threads) {
    const Order order(lengths, problem.T, problem.B);
    problem.rows = order.rows();
    const Kernel<Real>& kernel = kernel_of<Real>(cell);
    threads = kernel.useful_threads(problem, threads);
    if (problem.saved) {
        *problem.saved = layout_of<Real>(cell, problem.memory);
        problem.saved += head<Real>;
    }
    const Scratch<Real> scratch(kernel.forward_scratch(problem, threads), true);
    parallel(threads, [&](Team& team) { kernel.forward(problem, scratch.data(), team); });
}

template <class Real>
void backward(Cell cell, Problem<Real> problem, const int64_t* lengths, int threads) {
    const Order order(lengths, problem.T, problem.B);
    problem.rows = order.rows();
    const Kernel<Real>& kernel = kernel_of<Real>(cell);
    threads = kernel.useful_threads(problem, threads);
    if (!problem.saved || *problem.saved != layout_of<Real>(cell, problem.memory))
        throw std::invalid_argument("Expected what the same cell saved in the same memory mode and on the same "
                                    "instructions, got another record. Change none of them before the backward pass.");
    problem.saved += head<Real>;
    const Scratch<Real> scratch(kernel.backward_scratch(problem, threads), true);
    parallel(threads, [&](Team& team) { kernel.backward(problem, scratch.data(), team); });
}

template <class Real>
void linear(const Linear<Real>& product, int threads) {
    constexpr int64_t worth_waking = 1 << 19;  // multiply-adds, some ten microseconds
    const int64_t most = product.N * product.I * product.O / worth_waking + 1;
    threads = static_cast<int>(std::min<int64_t>(std::max(threads, 1), most));
    const Kernel<Real>& kernel = kernel_of<Real>(Cell::gru);
    const Scratch<Real> scratch(static_cast<std::size_t>(kernel.linear_scratch(product, threads)), true);
    parallel(threads, [&](Team& team) { kernel.linear(product, scratch.data(), team); });
}

template const Kernel<float>& kernel_of(Cell);
template const Kernel<double>& kernel_of(Cell);
template int64_t saved_size(const Problem<float>&, Cell, Memory, int64_t);
template int64_t saved_size(const Problem<double>&, Cell, Memory, int64_t);
template void forward(Cell, Problem<float>, const int64_t*, int);
template void forward(Cell, Problem<double>, const int64_t*, int);
template void backward(Cell, Problem<float>, const int64_t*, int);
template void backward(Cell, Problem<double>, const int64_t*, int);
template void linear(const Linear<float>&, int);
template void linear(const Linear<double>&, int);

}  // namespace recurra
