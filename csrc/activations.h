// tanh and the logistic function, the same operations on every instruction set.
//
// e^x = 2^k (1 + p), k the nearest integer to x / ln 2, p = expm1(x - k ln 2) by its Taylor series: on |r| <= ln(2)/2
// seven terms (thirteen in double precision) are exact to the last bit or two.
#pragma once

#include <cstdint>
#include <utility>

namespace recurra::RECURRA_ISA {

template <class Real>
struct Exponential;

template <>
struct Exponential<float> {
    static constexpr float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr int terms = 7;
    static constexpr float largest = 87.0f;   // e^87 is finite, and its reciprocal normal
    static constexpr float saturated = 10.0f;  // tanh rounds to 1 from 9.02
};

template <>
struct Exponential<double> {
    static constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr int terms = 13;
    static constexpr double largest = 708.0;
    static constexpr double saturated = 20.0;  // tanh rounds to 1 from 19.07
};

constexpr double reciprocal_factorial(int n) { return n < 2 ? 1.0 : reciprocal_factorial(n - 1) / n; }

template <class V>
struct Power {
    V scale, rest;  // e^x = scale * (1 + rest)
};

template <class V>
inline Power<V> exponential(V x) {
    using Real = typename V::real;
    using E = Exponential<Real>;
    constexpr Real log2e = Real(1.44269504088896340736);
    V shifted = fma(x, V::all(log2e), V::all(E::shift));
    V k = shifted - V::all(E::shift);
    V r = fma(k, V::all(-E::ln2_high), x);
    r = fma(k, V::all(-E::ln2_low), r);
    V series = V::all(Real(reciprocal_factorial(E::terms)));
#pragma GCC unroll 16
    for (int n = E::terms - 1; n >= 2; --n)
        series = fma(series, r, V::all(Real(reciprocal_factorial(n))));
    return {V::power_of_two(shifted), fma(r * r, series, r)};
}

template <class V>
inline V sigmoid(V x) {
    constexpr auto bound = Exponential<typename V::real>::largest;
    auto [scale, rest] = exponential(V::all(0) - at_most(bound, at_least(-bound, x)));
    V one = V::all(1);
    return one / (one + fma(scale, rest, scale));
}

template <class V>
inline V tanh(V x) {
    constexpr auto bound = Exponential<typename V::real>::saturated;
    V y = at_most(bound, at_least(-bound, x));
    auto [scale, rest] = exponential(y + y);
    V e = fma(scale, rest, scale - V::all(1));  // expm1(2x), exact near 0 too
    return e / (e + V::all(2));
}

}  // namespace recurra::RECURRA_ISA
