// Any processor: plain C++ on arrays of 16 bytes, which compilers turn into NEON and the like.
// Without fused multiply-adds in hardware std::fma is exact all the same, and slow.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace recurra::portable {

#if defined(__aarch64__) || defined(_M_ARM64)
constexpr int registers = 32;
#else
constexpr int registers = 16;
#endif

template <class Real>
struct Vec {
    using real = Real;
    static constexpr int lanes = 16 / sizeof(Real);
    Real v[lanes];

    static Vec load(const Real* p) {
        return each([=](int i) { return p[i]; });
    }
    static Vec load(const uint16_t* p) {  // bfloat16: the upper half of a float
        return each([=](int i) { return as<float>(static_cast<uint32_t>(p[i]) << 16); });
    }
    static Vec load_first(const Real* p, int n) {
        return each([=](int i) { return i < n ? p[i] : Real(0); });
    }
    static Vec all(Real a) {
        return each([=](int) { return a; });
    }
    void store(Real* p) const { std::memcpy(p, v, sizeof v); }
    void store_first(Real* p, int n) const {
        for (int i = 0; i < n; ++i) p[i] = v[i];
    }

    friend Vec operator+(Vec a, Vec b) {
        return each([=](int i) { return a.v[i] + b.v[i]; });
    }
    friend Vec operator-(Vec a, Vec b) {
        return each([=](int i) { return a.v[i] - b.v[i]; });
    }
    friend Vec operator*(Vec a, Vec b) {
        return each([=](int i) { return a.v[i] * b.v[i]; });
    }
    friend Vec operator/(Vec a, Vec b) {
        return each([=](int i) { return a.v[i] / b.v[i]; });
    }
    friend Vec fma(Vec a, Vec b, Vec c) {
        return each([=](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
    }
    // Both keep a NaN.
    friend Vec at_least(Real low, Vec a) {
        return each([=](int i) { return a.v[i] < low ? low : a.v[i]; });
    }
    friend Vec at_most(Real high, Vec a) {
        return each([=](int i) { return a.v[i] > high ? high : a.v[i]; });
    }
    // b where a is above 0 or NaN, else 0.
    friend Vec where_positive(Vec a, Vec b) {
        return each([=](int i) { return a.v[i] <= 0 ? Real(0) : b.v[i]; });
    }
    // 2^k where a is 1.5 * 2^mantissa + k.
    static Vec power_of_two(Vec a) {
        using Bits = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;
        constexpr int mantissa = sizeof(Real) == 4 ? 23 : 52;
        constexpr Bits bias = sizeof(Real) == 4 ? 127 : 1023;
        return each([=](int i) { return as<Real>((as<Bits>(a.v[i]) << mantissa) + (bias << mantissa)); });
    }

    // Columns of a square of lanes x lanes become rows.
    static void transpose(const Real* from, int64_t from_row, Real* to, int64_t to_row) {
        for (int i = 0; i < lanes; ++i)
            for (int j = 0; j < lanes; ++j) to[j * to_row + i] = from[i * from_row + j];
    }

   private:
    template <class F>
    static Vec each(F f) {
        Vec out;
        for (int i = 0; i < lanes; ++i) out.v[i] = f(i);
        return out;
    }
    template <class To, class From>
    static To as(From from) {
        To to;
        std::memcpy(&to, &from, sizeof to);
        return to;
    }
};

}  // namespace recurra::portable
