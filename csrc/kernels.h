// Where kernels.cpp's builds are found: one namespace for each instruction set.
#pragma once

#include "layer.h"

namespace recurra {

namespace avx512 {
template <class Real>
const Kernel<Real>& kernel_of(Cell cell);
}
namespace avx2 {
template <class Real>
const Kernel<Real>& kernel_of(Cell cell);
}
namespace portable {
template <class Real>
const Kernel<Real>& kernel_of(Cell cell);
}

}  // namespace recurra
