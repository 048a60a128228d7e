// All cells in one precision on one instruction set; compiled once for each pair of the two.
#include "simd/vec.h"

#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/rnn.h"

#include "backward.h"
#include "kernels.h"
#include "limit.h"
#include "linear.h"
#include "single.h"
#include "slots.h"

namespace recurra::RECURRA_ISA {

namespace {

template <class C, class Real>
constexpr Kernel<Real> kernel() {
    using V = Vec<Real>;
    return {useful_threads<C, V>,   saved_values<C, V>, forward_scratch<C, V>,
            backward_scratch<C, V>, forward<C, V>,      backward<C, V>,
            single<C, V>,           packed<C, V>,       linear_scratch<V>,
            linear<V>,              multiply_adds<V>};
}

}  // namespace

template <>
const Kernel<RECURRA_REAL>& kernel_of<RECURRA_REAL>(recurra::Cell cell) {
    using Real = RECURRA_REAL;
    // In the order of recurra::Cell.
    static constexpr Kernel<Real> kernels[] = {
        kernel<Rnn<false>, Real>(), kernel<Rnn<true>, Real>(),   kernel<Gru, Real>(),
        kernel<GruResetBefore, Real>(), kernel<Lstm<false>, Real>(), kernel<Lstm<true>, Real>(),
    };
    return kernels[static_cast<int>(cell)];
}

}  // namespace recurra::RECURRA_ISA
