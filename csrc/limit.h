// What the processor can do at most, for measuring: nothing but independent multiply-adds.
#pragma once

#include <cstdint>

namespace recurra::RECURRA_ISA {

template <class V>
[[gnu::noinline]] int64_t multiply_adds(int64_t rounds) {
    constexpr int chains = 12;
    using Real = typename V::real;
    V sums[chains], factor = V::all(Real(0.5)), term = V::all(Real(1));
    for (int i = 0; i < chains; ++i) sums[i] = V::all(Real(i));
    for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
        for (int i = 0; i < chains; ++i) sums[i] = fma(sums[i], factor, term);
    }
    Real out[V::lanes];
    for (int i = 0; i < chains; ++i) {
        sums[i].store(out);
        [[maybe_unused]] volatile Real seen = out[0];
    }
    return rounds * chains * V::lanes * 2;
}

}  // namespace recurra::RECURRA_ISA
