// AVX-512: sixteen floats or eight doubles to a vector, thirty-two registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace recurra::avx512 {

constexpr int registers = 32;

template <class Real>
struct Vec;

template <>
struct Vec<float> {
    using real = float;
    static constexpr int lanes = 16;
    __m512 v;

    static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static Vec load(const uint16_t* p) {  // bfloat16: the upper half of a float
        const __m512i twice = _mm512_srli_epi16(_mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
                                                                17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2,
                                                                1, 0), 1);
        __m512i half = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
        return {_mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, twice, half))};
    }
    static Vec load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
    static Vec all(float a) { return {_mm512_set1_ps(a)}; }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
    void store_first(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }

    friend Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
    friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    // Both give their second operand when one is NaN.
    friend Vec at_least(float low, Vec a) { return {_mm512_max_ps(_mm512_set1_ps(low), a.v)}; }
    friend Vec at_most(float high, Vec a) { return {_mm512_min_ps(_mm512_set1_ps(high), a.v)}; }
    // b where a is above 0 or NaN, else 0.
    friend Vec where_positive(Vec a, Vec b) {
        return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, _mm512_setzero_ps(), _CMP_NLE_UQ), b.v)};
    }
    // 2^k where a is 1.5 * 2^23 + k.
    static Vec power_of_two(Vec a) {
        __m512i k = _mm512_slli_epi32(_mm512_castps_si512(a.v), 23);
        return {_mm512_castsi512_ps(_mm512_add_epi32(k, _mm512_set1_epi32(127 << 23)))};
    }

    // Columns of a square of lanes x lanes become rows.
    static void transpose(const float* from, int64_t from_row, float* to, int64_t to_row) {
        __m512 r[16], s[16];
        for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(from + i * from_row);
        for (int i = 0; i < 16; i += 2) {
            s[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
            s[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
        }
        for (int i = 0; i < 16; i += 4)
            for (int j = 0; j < 2; ++j) {
                __m512d a = _mm512_castps_pd(s[i + j]), b = _mm512_castps_pd(s[i + 2 + j]);
                r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
            }
        for (int i = 0; i < 16; i += 8)
            for (int j = 0; j < 4; ++j) {
                s[i + j] = _mm512_shuffle_f32x4(r[i + j], r[i + 4 + j], 0x88);
                s[i + 4 + j] = _mm512_shuffle_f32x4(r[i + j], r[i + 4 + j], 0xdd);
            }
        for (int j = 0; j < 8; ++j) {
            _mm512_storeu_ps(to + j * to_row, _mm512_shuffle_f32x4(s[j], s[8 + j], 0x88));
            _mm512_storeu_ps(to + (8 + j) * to_row, _mm512_shuffle_f32x4(s[j], s[8 + j], 0xdd));
        }
    }

   private:
    static __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1); }
};

template <>
struct Vec<double> {
    using real = double;
    static constexpr int lanes = 8;
    __m512d v;

    static Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
    static Vec load_first(const double* p, int n) { return {_mm512_maskz_loadu_pd(first(n), p)}; }
    static Vec all(double a) { return {_mm512_set1_pd(a)}; }
    void store(double* p) const { _mm512_storeu_pd(p, v); }
    void store_first(double* p, int n) const { _mm512_mask_storeu_pd(p, first(n), v); }

    friend Vec operator+(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
    friend Vec operator-(Vec a, Vec b) { return {_mm512_sub_pd(a.v, b.v)}; }
    friend Vec operator*(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
    friend Vec operator/(Vec a, Vec b) { return {_mm512_div_pd(a.v, b.v)}; }
    friend Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
    friend Vec at_least(double low, Vec a) { return {_mm512_max_pd(_mm512_set1_pd(low), a.v)}; }
    friend Vec at_most(double high, Vec a) { return {_mm512_min_pd(_mm512_set1_pd(high), a.v)}; }
    friend Vec where_positive(Vec a, Vec b) {
        return {_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a.v, _mm512_setzero_pd(), _CMP_NLE_UQ), b.v)};
    }
    // 2^k where a is 1.5 * 2^52 + k.
    static Vec power_of_two(Vec a) {
        __m512i k = _mm512_slli_epi64(_mm512_castpd_si512(a.v), 52);
        return {_mm512_castsi512_pd(_mm512_add_epi64(k, _mm512_set1_epi64(1023LL << 52)))};
    }

    static void transpose(const double* from, int64_t from_row, double* to, int64_t to_row) {
        __m512d r[8], s[8];
        for (int i = 0; i < 8; ++i) r[i] = _mm512_loadu_pd(from + i * from_row);
        for (int i = 0; i < 8; i += 2) {
            s[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
            s[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
        }
        for (int i = 0; i < 8; i += 4)
            for (int j = 0; j < 2; ++j) {
                r[i + j] = _mm512_shuffle_f64x2(s[i + j], s[i + 2 + j], 0x88);
                r[i + 2 + j] = _mm512_shuffle_f64x2(s[i + j], s[i + 2 + j], 0xdd);
            }
        for (int j = 0; j < 4; ++j) {
            _mm512_storeu_pd(to + j * to_row, _mm512_shuffle_f64x2(r[j], r[4 + j], 0x88));
            _mm512_storeu_pd(to + (4 + j) * to_row, _mm512_shuffle_f64x2(r[j], r[4 + j], 0xdd));
        }
    }

   private:
    static __mmask8 first(int n) { return static_cast<__mmask8>((1u << n) - 1); }
};

}  // namespace recurra::avx512
