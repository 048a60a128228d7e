// The Python module recurra._core: addresses and numbers in, nothing out. recurra.engines.cpu checks what it passes.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <tuple>

#include "dispatch.h"
#include "step.h"
#include "streams.h"

namespace nb = nanobind;

namespace {

using namespace recurra;

using Address = uintptr_t;
using Sizes = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t>;  // T, B, I, H, R
using Strides = std::tuple<Address, int64_t, int64_t>;                  // address, and strides of T and B in values
using Accumulated = std::tuple<Address, int64_t, int64_t, bool>;
using Weights = std::tuple<Address, Address, Address, Address, Address, Address>;
using State = std::tuple<Address, Address>;
using Strided = std::tuple<Address, int64_t>;                           // address, and values from row to row
using InSlots = std::tuple<Address, int64_t, Address, int64_t>;         // h and c, each with values from slot to slot

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

template <class T>
Sequence<T> sequence(Address data, int64_t step, int64_t row) {
    return {at<T>(data), step, row};
}

template <class T>
Sequence<T> sequence(const Strides& s) {
    return sequence<T>(std::get<0>(s), std::get<1>(s), std::get<2>(s));
}

template <class T>
Matrix<T> matrix(const Strided& m) {
    return {at<T>(std::get<0>(m)), std::get<1>(m)};
}

template <class Real>
void put_weights(const Weights& w, Real* (&to)[n_weights]) {
    std::apply([&](auto... each) { int i = 0; ((to[i++] = at<Real>(each)), ...); }, w);
}

template <class Real>
Problem<Real> problem(bool reverse, const std::string& memory, const Sizes& sizes, const Strides& x,
                      const Strides& reset, const Weights& weights, const State& state) {
    Problem<Real> p{};
    std::tie(p.T, p.B, p.I, p.H, p.R) = sizes;
    p.reverse = reverse;
    p.memory = memory_named(memory);
    p.x = sequence<const Real>(x);
    p.reset = sequence<const uint8_t>(reset);
    put_weights<const Real>(weights, p.weights);
    p.h0 = at<const Real>(std::get<0>(state));
    p.c0 = at<const Real>(std::get<1>(state));
    return p;
}

template <class Real>
void run_forward(Cell cell, bool reverse, int threads, const std::string& memory, const Sizes& sizes, const Strides& x,
                 Address lengths, const Strides& reset, const Weights& weights, const State& state, const Strides& y,
                 const State& final, Address saved) {
    auto p = problem<Real>(reverse, memory, sizes, x, reset, weights, state);
    p.y = sequence<Real>(y);
    p.h_n = at<Real>(std::get<0>(final));
    p.c_n = at<Real>(std::get<1>(final));
    p.saved = at<Real>(saved);
    nb::gil_scoped_release released;
    forward(cell, p, at<const int64_t>(lengths), threads);
}

template <class Real>
void run_backward(Cell cell, bool reverse, int threads, const std::string& memory, const Sizes& sizes,
                  const Strides& x, Address lengths, const Strides& reset, const Weights& weights, const State& state,
                  const Strides& y, Address saved, const Strides& dy, const State& dfinal, const Accumulated& dx,
                  const Weights& dweights, const State& dstate) {
    auto p = problem<Real>(reverse, memory, sizes, x, reset, weights, state);
    p.y = sequence<Real>(y);
    p.saved = at<Real>(saved);
    p.dy = sequence<const Real>(dy);
    p.dh_n = at<const Real>(std::get<0>(dfinal));
    p.dc_n = at<const Real>(std::get<1>(dfinal));
    p.dx = sequence<Real>(std::get<0>(dx), std::get<1>(dx), std::get<2>(dx));
    p.dx_accumulates = std::get<3>(dx);
    put_weights<Real>(dweights, p.dweights);
    p.dh0 = at<Real>(std::get<0>(dstate));
    p.dc0 = at<Real>(std::get<1>(dstate));
    nb::gil_scoped_release released;
    backward(cell, p, at<const int64_t>(lengths), threads);
}

template <class Real>
int64_t size_saved(const std::string& cell, const std::string& memory, const Sizes& sizes, int64_t pairs) {
    Problem<Real> p{};
    std::tie(p.T, p.B, p.I, p.H, p.R) = sizes;
    p.rows.steps = p.T;
    return saved_size(p, cell_named(cell), memory_named(memory), pairs);
}

// Memory from the free list, as bytes to Python.
struct Buffer {
    explicit Buffer(size_t bytes) : bytes(bytes) {}
    Scratch<unsigned char> bytes;
};

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
    const auto& bytes = nb::inst_ptr<Buffer>(nb::handle(self))->bytes;
    return PyBuffer_FillInfo(view, self, bytes.data(), static_cast<Py_ssize_t>(bytes.size()), 0, flags);
}

PyType_Slot buffer_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)}, {0, nullptr}};

// A stream in either precision, as Python sees it.
class AnyStep {
 public:
    AnyStep(const std::string& cell, bool wide, bool narrow, int64_t I, int64_t H, int64_t R, size_t layers,
            const std::vector<Weights>& weights) {
        if (weights.size() != layers) throw std::invalid_argument("Expected weights for each layer.");
        if (wide) in_double_ = made<double>(cell, false, I, H, R, weights);
        else in_float_ = made<float>(cell, narrow, I, H, R, weights);
    }
    void step() { in_double_ ? (*in_double_)() : (*in_float_)(); }
    Address x() const { return in_double_ ? address(in_double_->x()) : address(in_float_->x()); }
    Address h(size_t layer) const { return in_double_ ? address(in_double_->h(layer)) : address(in_float_->h(layer)); }
    Address c(size_t layer) const { return in_double_ ? address(in_double_->c(layer)) : address(in_float_->c(layer)); }

 private:
    template <class Real>
    static std::unique_ptr<Step<Real>> made(const std::string& cell, bool narrow, int64_t I, int64_t H, int64_t R,
                                            const std::vector<Weights>& weights) {
        std::vector<LayerWeights<Real>> layers(weights.size());
        for (size_t l = 0; l < layers.size(); ++l) put_weights<const Real>(weights[l], layers[l].arrays);
        return std::make_unique<Step<Real>>(cell_named(cell), narrow, I, H, R, layers);
    }
    static Address address(const void* pointer) { return reinterpret_cast<Address>(pointer); }

    std::unique_ptr<Step<float>> in_float_;
    std::unique_ptr<Step<double>> in_double_;
};

// The same for many streams.
class AnyManySteps {
 public:
    AnyManySteps(const std::string& cell, bool wide, int64_t I, int64_t H, int64_t R,
                 const std::vector<Weights>& weights)
        : layers_(weights.size()) {
        if (wide) in_double_ = made<double>(cell, I, H, R, weights);
        else in_float_ = made<float>(cell, I, H, R, weights);
    }
    void step(int64_t B, Address which, int64_t slots, const Strided& x, const std::vector<InSlots>& states,
              const Strided& y, int threads) const {
        if (states.size() != layers_) throw std::invalid_argument("Expected states for each layer.");
        if (in_double_) run(*in_double_, B, which, slots, x, states, y, threads);
        else run(*in_float_, B, which, slots, x, states, y, threads);
    }

 private:
    template <class Real>
    static std::unique_ptr<ManySteps<Real>> made(const std::string& cell, int64_t I, int64_t H, int64_t R,
                                                 const std::vector<Weights>& weights) {
        std::vector<LayerWeights<Real>> layers(weights.size());
        for (size_t l = 0; l < layers.size(); ++l) put_weights<const Real>(weights[l], layers[l].arrays);
        return std::make_unique<ManySteps<Real>>(cell_named(cell), I, H, R, layers);
    }
    template <class Real>
    static void run(const ManySteps<Real>& steps, int64_t B, Address which, int64_t slots, const Strided& x,
                    const std::vector<InSlots>& states, const Strided& y, int threads) {
        std::vector<SlotState<Real>> in_slots;
        for (const auto& [h, h_slot, c, c_slot] : states)
            in_slots.push_back({matrix<Real>({h, h_slot}), matrix<Real>({c, c_slot})});
        nb::gil_scoped_release released;
        steps(B, at<const int64_t>(which), slots, matrix<const Real>(x), in_slots, matrix<Real>(y), threads);
    }

    size_t layers_;
    std::unique_ptr<ManySteps<float>> in_float_;
    std::unique_ptr<ManySteps<double>> in_double_;
};

template <class Real>
void run_linear(int threads, const std::tuple<int64_t, int64_t, int64_t>& sizes, const Strided& x, const Strides& w,
                Address b, const Strided& y) {
    const auto [N, I, O] = sizes;
    const auto [from, row, column] = w;
    const Linear<Real> product{N,   I,      O,                  matrix<const Real>(x), at<const Real>(from),
                               row, column, at<const Real>(b), matrix<Real>(y)};
    nb::gil_scoped_release released;
    linear(product, threads);
}

}  // namespace

NB_MODULE(_core, m) {
    m.doc() = "Recurrences on the CPU. Arguments are addresses and sizes: use recurra.nn instead.";

    m.def("instructions", &instructions, "What runs: 'avx512', 'avx2' or 'portable'.");
    m.def("available", &available, "What this processor can run, the best first.");
    m.def("use_instructions", &use_instructions, nb::arg("name"), "Run this from now on; for tests.");

    m.def("fma_peak", &fma_peak, nb::arg("threads"), nb::arg("seconds"),
          "10^9 floating-point operations a second that multiply-adds alone reach, in single precision.");

    nb::class_<Buffer>(m, "Buffer", nb::type_slots(buffer_slots), "Memory that is used again once it is let go.");
    m.def("buffer", [](size_t bytes) { return new Buffer(bytes); }, nb::arg("bytes"), nb::rv_policy::take_ownership);

    m.def(
        "saved_size",
        [](const std::string& cell, bool wide, const std::string& memory, const Sizes& sizes, int64_t pairs) {
            return (wide ? size_saved<double> : size_saved<float>)(cell, memory, sizes, pairs);
        },
        "Values that a forward pass keeps; pairs is the sum of all lengths, T the longest.");

    m.def(
        "forward",
        [](const std::string& cell, bool wide, bool reverse, int threads, const std::string& memory, const Sizes& sizes,
           const Strides& x, Address lengths, const Strides& reset, const Weights& weights, const State& state,
           const Strides& y, const State& final, Address saved) {
            (wide ? run_forward<double> : run_forward<float>)(cell_named(cell), reverse, threads, memory, sizes, x,
                                                              lengths, reset, weights, state, y, final, saved);
        },
        "One layer in one direction over time.");

    m.def(
        "backward",
        [](const std::string& cell, bool wide, bool reverse, int threads, const std::string& memory, const Sizes& sizes,
           const Strides& x, Address lengths, const Strides& reset, const Weights& weights, const State& state,
           const Strides& y, Address saved, const Strides& dy, const State& dfinal, const Accumulated& dx,
           const Weights& dweights, const State& dstate) {
            (wide ? run_backward<double> : run_backward<float>)(cell_named(cell), reverse, threads, memory, sizes, x,
                                                                lengths, reset, weights, state, y, saved, dy,
                                                                dfinal, dx, dweights, dstate);
        },
        "Its gradients.");

    nb::class_<AnyStep>(m, "Step", "One stream, one step a call; it holds packed weights and the states.")
            .def(nb::init<const std::string&, bool, bool, int64_t, int64_t, int64_t, size_t,
                          const std::vector<Weights>&>(),
                 nb::arg("cell"), nb::arg("double"), nb::arg("bf16"), nb::arg("I"), nb::arg("H"), nb::arg("R"),
                 nb::arg("L"), nb::arg("weights"))
            .def("__call__", &AnyStep::step)
            .def_prop_ro("x", &AnyStep::x)
            .def("h", &AnyStep::h, nb::arg("layer"))
            .def("c", &AnyStep::c, nb::arg("layer"));

    nb::class_<AnyManySteps>(m, "ManySteps", "Many streams, one step a call; it holds packed weights and no state.")
            .def(nb::init<const std::string&, bool, int64_t, int64_t, int64_t, const std::vector<Weights>&>(),
                 nb::arg("cell"), nb::arg("double"), nb::arg("I"), nb::arg("H"), nb::arg("R"), nb::arg("weights"))
            .def("__call__", &AnyManySteps::step);

    m.def(
        "linear",
        [](bool wide, int threads, const std::tuple<int64_t, int64_t, int64_t>& sizes, const Strided& x,
           const Strides& w, Address b, const Strided& y) {
            (wide ? run_linear<double> : run_linear<float>)(threads, sizes, x, w, b, y);
        },
        "A product with a matrix of weights.");
}
