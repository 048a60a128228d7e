// AVX2 with FMA: eight floats or four doubles to a vector, sixteen registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace recurra::avx2 {

constexpr int registers = 16;

template <class Real>
struct Vec;

template <>
struct Vec<float> {
    using real = float;
    static constexpr int lanes = 8;
    __m256 v;

    static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static Vec load(const uint16_t* p) {  // bfloat16: the upper half of a float
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
        return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
    }
    static Vec load_first(const float* p, int n) { return {_mm256_maskload_ps(p, first(n))}; }
    static Vec all(float a) { return {_mm256_set1_ps(a)}; }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
    void store_first(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }

    friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
    friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    // Both give their second operand when one is NaN.
    friend Vec at_least(float low, Vec a) { return {_mm256_max_ps(_mm256_set1_ps(low), a.v)}; }
    friend Vec at_most(float high, Vec a) { return {_mm256_min_ps(_mm256_set1_ps(high), a.v)}; }
    // b where a is above 0 or NaN, else 0.
    friend Vec where_positive(Vec a, Vec b) {
        return {_mm256_and_ps(_mm256_cmp_ps(a.v, _mm256_setzero_ps(), _CMP_NLE_UQ), b.v)};
    }
    // 2^k where a is 1.5 * 2^23 + k.
    static Vec power_of_two(Vec a) {
        __m256i k = _mm256_slli_epi32(_mm256_castps_si256(a.v), 23);
        return {_mm256_castsi256_ps(_mm256_add_epi32(k, _mm256_set1_epi32(127 << 23)))};
    }

    // Columns of a square of lanes x lanes become rows.
    static void transpose(const float* from, int64_t from_row, float* to, int64_t to_row) {
        __m256 r[8], s[8];
        for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(from + i * from_row);
        for (int i = 0; i < 8; i += 2) {
            s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
            s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
        }
        for (int i = 0; i < 8; i += 4)
            for (int j = 0; j < 2; ++j) {
                r[i + 2 * j] = _mm256_shuffle_ps(s[i + j], s[i + 2 + j], 0x44);
                r[i + 2 * j + 1] = _mm256_shuffle_ps(s[i + j], s[i + 2 + j], 0xee);
            }
        for (int j = 0; j < 4; ++j) {
            _mm256_storeu_ps(to + j * to_row, _mm256_permute2f128_ps(r[j], r[4 + j], 0x20));
            _mm256_storeu_ps(to + (4 + j) * to_row, _mm256_permute2f128_ps(r[j], r[4 + j], 0x31));
        }
    }

   private:
    static __m256i first(int n) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
};

template <>
struct Vec<double> {
    using real = double;
    static constexpr int lanes = 4;
    __m256d v;

    static Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
    static Vec load_first(const double* p, int n) { return {_mm256_maskload_pd(p, first(n))}; }
    static Vec all(double a) { return {_mm256_set1_pd(a)}; }
    void store(double* p) const { _mm256_storeu_pd(p, v); }
    void store_first(double* p, int n) const { _mm256_maskstore_pd(p, first(n), v); }

    friend Vec operator+(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_pd(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm256_div_pd(a.v, b.v)}; }
    friend Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
    friend Vec at_least(double low, Vec a) { return {_mm256_max_pd(_mm256_set1_pd(low), a.v)}; }
    friend Vec at_most(double high, Vec a) { return {_mm256_min_pd(_mm256_set1_pd(high), a.v)}; }
    friend Vec where_positive(Vec a, Vec b) {
        return {_mm256_and_pd(_mm256_cmp_pd(a.v, _mm256_setzero_pd(), _CMP_NLE_UQ), b.v)};
    }
    // 2^k where a is 1.5 * 2^52 + k.
    static Vec power_of_two(Vec a) {
        __m256i k = _mm256_slli_epi64(_mm256_castpd_si256(a.v), 52);
        return {_mm256_castsi256_pd(_mm256_add_epi64(k, _mm256_set1_epi64x(1023LL << 52)))};
    }

    static void transpose(const double* from, int64_t from_row, double* to, int64_t to_row) {
        __m256d r[4], s[4];
        for (int i = 0; i < 4; ++i) r[i] = _mm256_loadu_pd(from + i * from_row);
        for (int i = 0; i < 4; i += 2) {
            s[i] = _mm256_unpacklo_pd(r[i], r[i + 1]);
            s[i + 1] = _mm256_unpackhi_pd(r[i], r[i + 1]);
        }
        for (int j = 0; j < 2; ++j) {
            _mm256_storeu_pd(to + j * to_row, _mm256_permute2f128_pd(s[j], s[2 + j], 0x20));
            _mm256_storeu_pd(to + (2 + j) * to_row, _mm256_permute2f128_pd(s[j], s[2 + j], 0x31));
        }
    }

   private:
    static __m256i first(int n) {
        return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
    }
};

}  // namespace recurra::avx2
