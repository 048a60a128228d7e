// Products with packed weights.
//
// A matrix of activations lies in panels: [D / lanes][rows][lanes], so that a row's values stand together and rows
// stand one vector apart, whatever D is. A matrix of weights is packed as [blocks][depth][N][lanes]: N vectors of
// outputs for each step of depth. Every output is one chain of fused multiply-adds, depth ascending: how rows and
// blocks are grouped into tiles changes no bit.
#pragma once

#include <cstdint>

namespace recurra::RECURRA_ISA {

inline int64_t panels(int64_t size, int64_t lanes) { return (size + lanes - 1) / lanes; }

// What a product runs along: `groups` times `size` values, each group in panels of its own.
struct Depth {
    int64_t groups, size;
};

// The part of `count` things that falls to one of `size` threads.
struct Range {
    int64_t begin, end;
};

inline Range share(int64_t count, int64_t rank, int64_t size) {
    return {count * rank / size, count * (rank + 1) / size};
}

template <int N>
struct Vectors {
    static constexpr int value = N;
};

// Call f(sum, block, row, vector) for each sum of a tile.
template <class V, int Blocks, int Rows, int N, class F>
[[gnu::always_inline]] inline void each_sum(V (&sums)[Blocks][Rows][N], F f) {
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b)
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) f(sums[b][r][n], b, r, n);
}

// ---- tiles -----------------------------------------------------------------------------------------------------

// sums[b][r][n] += a[r][k] * w[b][k][n], k ascending; a is the first of `Rows` rows in its first panel.
template <class V, int Rows, int N, int Blocks, int First, int Count, class W>
[[gnu::always_inline]] inline void accumulate_part(V (&sums)[Blocks][Rows][N], const typename V::real* a,
                                                   int64_t panel_stride, Depth depth, const W* w,
                                                   int64_t block_stride) {
    constexpr int P = V::lanes;
    [[maybe_unused]] constexpr int64_t ahead = 1024;  // values; 16 steps of depth
    V c[Blocks][Rows][Count];
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b)
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
            for (int n = 0; n < Count; ++n) c[b][r][n] = sums[b][r][First + n];

    int64_t in_group = panels(depth.size, P);
    for (int64_t g = 0; g < depth.groups; ++g)
        for (int64_t q = 0; q < in_group; ++q, a += panel_stride) {
            int64_t width = q + 1 < in_group ? P : depth.size - q * P;
#pragma GCC unroll 4
            for (int64_t k = 0; k < width; ++k, w += N * P) {
                // Two full lines a step: the processor's own prefetches keep up with less; these would be in the way.
                if constexpr (sizeof(W) < sizeof(typename V::real) && N == 4)
#pragma GCC unroll 8
                    for (int b = 0; b < Blocks; ++b)
#pragma GCC unroll 8
                        for (int n = 0; n < Count; n += 2)
                            __builtin_prefetch(w + b * block_stride + (First + n) * P + ahead);
                V row[Blocks][Count];
#pragma GCC unroll 8
                for (int b = 0; b < Blocks; ++b)
#pragma GCC unroll 8
                    for (int n = 0; n < Count; ++n) row[b][n] = V::load(w + b * block_stride + (First + n) * P);
#pragma GCC unroll 8
                for (int r = 0; r < Rows; ++r) {
                    V x = V::all(a[r * P + k]);
#pragma GCC unroll 8
                    for (int b = 0; b < Blocks; ++b)
#pragma GCC unroll 8
                        for (int n = 0; n < Count; ++n) c[b][r][n] = fma(x, row[b][n], c[b][r][n]);
                }
            }
        }
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b)
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
            for (int n = 0; n < Count; ++n) sums[b][r][First + n] = c[b][r][n];
}

template <class V, int Rows, int N, int Blocks, class W>
[[gnu::always_inline]] inline void accumulate(V (&sums)[Blocks][Rows][N], const typename V::real* a,
                                              int64_t panel_stride, Depth depth, const W* w, int64_t block_stride) {
    // A tile that would not fit the registers goes in two halves of its vectors.
    if constexpr (N == 4 && Blocks * (Rows + 1) * N >= registers) {
        accumulate_part<V, Rows, N, Blocks, 0, 2>(sums, a, panel_stride, depth, w, block_stride);
        accumulate_part<V, Rows, N, Blocks, 2, 2>(sums, a, panel_stride, depth, w, block_stride);
    } else {
        accumulate_part<V, Rows, N, Blocks, 0, N>(sums, a, panel_stride, depth, w, block_stride);
    }
}

// Rows in a full tile of N vectors, and blocks at once: enough chains to hide the latency of one, no more than there
// are registers for.
constexpr int tile_rows(int n) { return n == 4 ? 6 : registers == 32 ? 8 : 4; }
constexpr int tile_blocks(int rows, int n) {
    constexpr int chains = registers == 32 ? 24 : 12;
    int most = chains / (rows * n), at_most = n == 1 ? 6 : 4;
    if (most >= at_most) return at_most;
    return n == 1 ? (most >= 3 ? 3 : 1) : (most >= 2 ? 2 : 1);
}

// Go through blocks x rows in tiles: each calls start(sums, block, row) for its first values and, once the products
// are in, finish(sums, block, row).
template <class V, int N, class W, class Start, class Finish>
struct Tiles {
    using Real = typename V::real;
    const Real* a;
    int64_t panel_stride;
    Depth depth;
    const W* w;  // of block 0
    int64_t block_stride;
    Start start;
    Finish finish;

    template <int Rows, int Blocks>
    [[gnu::always_inline]] void tile(int64_t block, int64_t row) const {
        V sums[Blocks][Rows][N];
        start(sums, block, row);
        accumulate(sums, a + row * V::lanes, panel_stride, depth, w + block * block_stride, block_stride);
        finish(sums, block, row);
    }

    // `Rows` rows of some blocks, as many blocks at once as make a good tile.
    template <int Rows, int Blocks = tile_blocks(Rows, N)>
    [[gnu::always_inline]] void few(int64_t block, int64_t blocks_end, int64_t row) const {
        for (; block + Blocks <= blocks_end; block += Blocks) tile<Rows, Blocks>(block, row);
        if constexpr (Blocks > 1)
            if (block < blocks_end) few<Rows, Blocks / 2>(block, blocks_end, row);
    }

    void run(Range blocks, Range rows) const {
        constexpr int most = tile_rows(N), at_once = N == 1 ? 6 : 4;
        int64_t full = rows.begin + (rows.end - rows.begin) / most * most;
        for (int64_t b = blocks.begin; b < blocks.end; b += at_once) {
            int64_t b_end = b + at_once < blocks.end ? b + at_once : blocks.end;
            if (full > rows.begin)
                for (int64_t one = b; one < b_end; one += tile_blocks(most, N)) {
                    int64_t one_end = one + tile_blocks(most, N) < b_end ? one + tile_blocks(most, N) : b_end;
                    for (int64_t row = rows.begin; row < full; row += most) few<most>(one, one_end, row);
                }
            int64_t row = full;
            if constexpr (most > 4)
                if (row + 4 <= rows.end) few<4>(b, b_end, row), row += 4;
            if (row + 2 <= rows.end) few<2>(b, b_end, row), row += 2;
            if (row < rows.end) few<1>(b, b_end, row);
        }
    }
};

template <class V, int N, class W, class Start, class Finish>
[[gnu::always_inline]] inline void multiply(const typename V::real* a, int64_t panel_stride, Depth depth, const W* w,
                                            Range blocks, Range rows, Start start, Finish finish) {
    int64_t block_stride = depth.groups * depth.size * N * V::lanes;
    Tiles<V, N, W, Start, Finish>{a, panel_stride, depth, w, block_stride, start, finish}.run(blocks, rows);
}

// A product from panels to panels: out = a · w, or out + a · w, in panels of out_rows rows. N = 1.
template <class V, class W>
[[gnu::noinline]] void multiply_panels(const typename V::real* a, int64_t panel_stride, Depth depth, const W* w,
                                       Range blocks, Range rows, typename V::real* out, int64_t out_rows, bool adds) {
    constexpr int64_t P = V::lanes;
    multiply<V, 1>(
        a, panel_stride, depth, w, blocks, rows,
        [=](auto& sums, int64_t block, int64_t row) {
            each_sum(sums, [=](V& sum, int b, int r, int) {
                sum = adds ? V::load(out + ((block + b) * out_rows + row + r) * P) : V::all(0);
            });
        },
        [=](auto& sums, int64_t block, int64_t row) {
            each_sum(sums, [=](V& sum, int b, int r, int) {
                sum.store(out + ((block + b) * out_rows + row + r) * P);
            });
        });
}

// sums[block][row][n] = bias[block][n] + a · w: what steps go on from, in blocks of sums_rows rows.
template <class V, int N, class W>
[[gnu::noinline]] void multiply_inputs(const typename V::real* a, int64_t panel_stride, Depth depth, const W* w,
                                       Range blocks, Range rows, const typename V::real* bias,
                                       typename V::real* sums_out, int64_t sums_rows) {
    constexpr int64_t P = V::lanes;
    multiply<V, N>(
        a, panel_stride, depth, w, blocks, rows,
        [=](auto& sums, int64_t block, int64_t) {
            each_sum(sums, [=](V& sum, int b, int, int n) { sum = V::load(bias + ((block + b) * N + n) * P); });
        },
        [=](auto& sums, int64_t block, int64_t row) {
            each_sum(sums, [=](V& sum, int b, int r, int n) {
                sum.store(sums_out + (((block + b) * sums_rows + row + r) * N + n) * P);
            });
        });
}

// ---- sums over rows --------------------------------------------------------------------------------------------

// c[i][j] += sum over rows p, ascending, of a[p][i] * b[p][j], for the lanes i of one panel of a, and blocks of
// columns j. c (lanes, c_row) with its columns padded to full vectors.
template <class V, int Columns>
[[gnu::always_inline]] inline void outer_tile(const typename V::real* a, const typename V::real* b,
                                              int64_t panel_stride, int64_t rows, typename V::real* c, int64_t c_row,
                                              bool fresh) {
    constexpr int P = V::lanes, most = registers == 32 ? 8 : 4, Lanes = P < most ? P : most;
    for (int first = 0; first < P; first += Lanes) {
        V sums[Lanes][Columns];
#pragma GCC unroll 8
        for (int i = 0; i < Lanes; ++i)
#pragma GCC unroll 8
            for (int j = 0; j < Columns; ++j)
                sums[i][j] = fresh ? V::all(0) : V::load(c + (first + i) * c_row + j * P);
#pragma GCC unroll 2
        for (int64_t p = 0; p < rows; ++p) {
            V column[Columns];
#pragma GCC unroll 8
            for (int j = 0; j < Columns; ++j) column[j] = V::load(b + j * panel_stride + p * P);
#pragma GCC unroll 8
            for (int i = 0; i < Lanes; ++i) {
                V x = V::all(a[p * P + first + i]);
#pragma GCC unroll 8
                for (int j = 0; j < Columns; ++j) sums[i][j] = fma(x, column[j], sums[i][j]);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < Lanes; ++i)
#pragma GCC unroll 8
            for (int j = 0; j < Columns; ++j) sums[i][j].store(c + (first + i) * c_row + j * P);
    }
}

// The same for the panels `own` of a, and all of b's. Panels of both are panel_stride apart.
template <class V>
[[gnu::noinline]] void outer(const typename V::real* a, Range own, const typename V::real* b, int64_t b_panels,
                  int64_t panel_stride, int64_t rows, typename V::real* c, bool fresh) {
    constexpr int64_t P = V::lanes, stretch = 128;  // rows whose three panels of b stay in the first cache
    int64_t c_row = b_panels * P;
    for (int64_t p = 0; p < rows; p += stretch) {
        int64_t count = p + stretch < rows ? stretch : rows - p;
        bool first = fresh && p == 0;
        for (int64_t j = 0; j < b_panels; j += 3)
            for (int64_t i = own.begin; i < own.end; ++i) {
                const auto* from = a + i * panel_stride + p * P;
                const auto* with = b + j * panel_stride + p * P;
                auto* to = c + i * P * c_row + j * P;
                if (j + 3 <= b_panels) outer_tile<V, 3>(from, with, panel_stride, count, to, c_row, first);
                else if (j + 2 == b_panels) outer_tile<V, 2>(from, with, panel_stride, count, to, c_row, first);
                else outer_tile<V, 1>(from, with, panel_stride, count, to, c_row, first);
            }
    }
}

// c[i] += sum over rows p, ascending, of a[p][i], for the panels `own` of a.
template <class V>
[[gnu::noinline]] void sum_rows(const typename V::real* a, Range own, int64_t panel_stride, int64_t rows,
                                typename V::real* c, bool fresh) {
    constexpr int64_t P = V::lanes;
    constexpr int most = 4;
    for (int64_t i = own.begin; i < own.end; i += most) {
        int count = static_cast<int>(i + most < own.end ? most : own.end - i);
        V sums[most];
#pragma GCC unroll 4
        for (int j = 0; j < most; ++j) sums[j] = fresh || j >= count ? V::all(0) : V::load(c + (i + j) * P);
        for (int64_t p = 0; p < rows; ++p)
#pragma GCC unroll 4
            for (int j = 0; j < most; ++j)
                sums[j] = sums[j] + V::load(a + (i + (j < count ? j : 0)) * panel_stride + p * P);
        for (int j = 0; j < count; ++j) sums[j].store(c + (i + j) * P);
    }
}

// ---- rows and panels -------------------------------------------------------------------------------------------

template <class V>
struct RowPanels {
    using Real = typename V::real;
    static constexpr int64_t P = V::lanes;

    // A row's values into panels of `rows` rows, at row `to`; zeros for a null row.
    static void spread(const Real* row, int64_t size, Real* panel, int64_t rows, int64_t to) {
        for (int64_t q = 0, n = panels(size, P); q < n; ++q)
            (row ? get(row, q, size) : V::all(0)).store(panel + (q * rows + to) * P);
    }
    static void gather(const Real* panel, int64_t rows, int64_t from, Real* row, int64_t size) {
        for (int64_t q = 0, n = panels(size, P); q < n; ++q)
            put(V::load(panel + (q * rows + from) * P), row, q, size);
    }
    // One panel's part of a row.
    static void put(V v, Real* row, int64_t panel, int64_t size) {
        int64_t left = size - panel * P;
        if (left >= P) v.store(row + panel * P);
        else v.store_first(row + panel * P, static_cast<int>(left));
    }
    static V get(const Real* row, int64_t panel, int64_t size) {
        int64_t left = size - panel * P;
        return left >= P ? V::load(row + panel * P) : V::load_first(row + panel * P, static_cast<int>(left));
    }
};

// ---- packing ---------------------------------------------------------------------------------------------------

// Outputs along rows of w, `stride` apart: to[k][n][lane] = w[n * group + unit + lane][k] for one block of units, zero
// beyond `units`.
template <class V>
inline void pack_rows(const typename V::real* w, int64_t stride, int64_t depth, int64_t group, int n_groups,
                      int64_t units, int64_t block, typename V::real* to) {
    using Real = typename V::real;
    constexpr int P = V::lanes;
    const int64_t live = units - block * P < P ? units - block * P : P;
    const int64_t to_step = n_groups * P;
    for (int n = 0; n < n_groups; ++n) {
        const Real* from = w + (n * group + block * P) * stride;
        Real* out = to + n * P;
        int64_t k = 0;
        if (live == P)
            for (; k + P <= depth; k += P) V::transpose(from + k, stride, out + k * to_step, to_step);
        for (; k < depth; k += P) {  // at an edge by way of whole squares
            const int width = static_cast<int>(depth - k < P ? depth - k : P);
            Real square[P * P], turned[P * P];
            for (int lane = 0; lane < P; ++lane)
                (lane < live ? V::load_first(from + lane * stride + k, width) : V::all(0)).store(square + lane * P);
            V::transpose(square, P, turned, P);
            for (int i = 0; i < width; ++i) V::load(turned + i * P).store(out + (k + i) * to_step);
        }
    }
}

// Outputs along columns of w, its rows `stride` apart: to[k][lane] = w[row(k)][block * P + lane] for one block of
// columns.
template <class V, class Row>
inline void pack_columns(const typename V::real* w, int64_t stride, int64_t columns, int64_t depth, int64_t block,
                         typename V::real* to, Row row) {
    constexpr int64_t P = V::lanes;
    int64_t left = columns - block * P;
    for (int64_t k = 0; k < depth; ++k, to += P) {
        const auto* from = w + row(k) * stride + block * P;
        (left >= P ? V::load(from) : V::load_first(from, static_cast<int>(left))).store(to);
    }
}

}  // namespace recurra::RECURRA_ISA
