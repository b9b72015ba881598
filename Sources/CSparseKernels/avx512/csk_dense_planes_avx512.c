// avx512/csk_dense_planes_avx512.c: dense convolutions, a register being two columns of 8 lanes or
// sixteen input channels.
//
//   y[m, i] = sum_k,t copy[k, t, m] x[k, i + o_t]
//   dw[o, t, c] = sum_i y[o, i - o_t] x[i, c]
//
// Six channels by four registers are 24 sums that stay in registers over all channels and taps;
// each loaded register serves six FMAs, each broadcast weight four. An odd last column is half a
// register, which costs half an FMA.
//
// Bound: FMA peak, one 512-bit FMA a cycle (Zen 4): 24 cycles for 4 loads and 6 broadcasts.
#include "csk_dense_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

enum { wide_lanes = 16 };

CSK_TARGET_AVX512 CSK_INLINE void product_tile(const int channels, const int columns,
                                               const float *copy, const csk_dense_band *band,
                                               const float *x, float *y) {
  const int wide = columns / 2, is_odd = columns % 2;
  __m512 sums[csk_dense_block * 4];
  __m256 odd_sums[csk_dense_block];
  CSK_UNROLL
  for (int i = 0; i < channels * wide; i++) sums[i] = _mm512_setzero_ps();
  CSK_UNROLL
  for (int m = 0; m < channels; m++) odd_sums[m] = _mm256_setzero_ps();
  const int32_t taps = band->taps;
  for (int32_t k = 0; k < band->reduced; k++, x += band->x_channel_stride) {
    for (int32_t t = 0; t < taps; t++, copy += channels) {
      const float *xs = x + band->tap_offsets[t];
      __m512 values[4];
      __m256 odd = _mm256_setzero_ps();
      CSK_UNROLL
      for (int i = 0; i < wide; i++) values[i] = _mm512_loadu_ps(xs + i * wide_lanes);
      if (is_odd) odd = _mm256_loadu_ps(xs + wide * wide_lanes);
      CSK_UNROLL
      for (int m = 0; m < channels; m++) {
        const __m512 w = _mm512_set1_ps(copy[m]);
        CSK_UNROLL
        for (int i = 0; i < wide; i++)
          sums[m * wide + i] = _mm512_fmadd_ps(w, values[i], sums[m * wide + i]);
        if (is_odd) odd_sums[m] = _mm256_fmadd_ps(_mm512_castps512_ps256(w), odd, odd_sums[m]);
      }
    }
  }
  CSK_UNROLL
  for (int m = 0; m < channels; m++) {
    float *ys = y + m * band->y_channel_stride;
    CSK_UNROLL
    for (int i = 0; i < wide; i++) _mm512_storeu_ps(ys + i * wide_lanes, sums[m * wide + i]);
    if (is_odd) _mm256_storeu_ps(ys + wide * wide_lanes, odd_sums[m]);
  }
}

#define PRODUCT(m, n)                                                                            \
  CSK_TARGET_AVX512 static void product_##m##x##n(const float *copy, const csk_dense_band *band, \
                                                  const float *x, float *y) {                    \
    product_tile(m, n, copy, band, x, y);                                                        \
  }
CSK_DENSE_COLUMNS_8(PRODUCT, 1)
CSK_DENSE_COLUMNS_8(PRODUCT, 2)
CSK_DENSE_COLUMNS_8(PRODUCT, 3)
CSK_DENSE_COLUMNS_8(PRODUCT, 4)
CSK_DENSE_COLUMNS_8(PRODUCT, 5)
CSK_DENSE_COLUMNS_8(PRODUCT, 6)

#define PRODUCT_NAME(m, n) product_##m##x##n,
static const csk_dense_tiles product_tiles = {
    {CSK_DENSE_COLUMNS_8(PRODUCT_NAME, 1)}, {CSK_DENSE_COLUMNS_8(PRODUCT_NAME, 2)},
    {CSK_DENSE_COLUMNS_8(PRODUCT_NAME, 3)}, {CSK_DENSE_COLUMNS_8(PRODUCT_NAME, 4)},
    {CSK_DENSE_COLUMNS_8(PRODUCT_NAME, 5)}, {CSK_DENSE_COLUMNS_8(PRODUCT_NAME, 6)},
};

static void dense_product(const float *copy, const csk_dense_band *band, const float *x, float *y) {
  csk_walk_product(product_tiles, 8, copy, band, x, y);
}

CSK_TARGET_AVX512 CSK_INLINE void sum_tile(const int outputs, const int wide,
                                           const csk_dense_sum *sum) {
  __m512 sums[csk_dense_block * 4];
  CSK_UNROLL
  for (int i = 0; i < outputs * wide; i++) sums[i] = _mm512_setzero_ps();
  // Where there are many weights, they lie in memory by the time that they are added to.
  CSK_UNROLL
  for (int i = 0; i < outputs * wide; i++)
    __builtin_prefetch(sum->dw + i / wide * sum->dw_stride + i % wide * wide_lanes, 1);
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k++, x += sum->x_stride, y++) {
      __m512 values[4];
      CSK_UNROLL
      for (int i = 0; i < wide; i++) values[i] = _mm512_loadu_ps(x + i * wide_lanes);
      CSK_UNROLL
      for (int o = 0; o < outputs; o++) {
        const __m512 g = _mm512_set1_ps(y[o * sum->y_channel_stride]);
        CSK_UNROLL
        for (int i = 0; i < wide; i++)
          sums[o * wide + i] = _mm512_fmadd_ps(g, values[i], sums[o * wide + i]);
      }
    }
  }
  CSK_UNROLL
  for (int o = 0; o < outputs; o++) {
    CSK_UNROLL
    for (int i = 0; i < wide; i++) {
      const int32_t left = sum->inputs - i * wide_lanes;
      const __mmask16 live = left < wide_lanes ? (__mmask16)((1u << left) - 1) : 0xffff;
      float *dw = sum->dw + o * sum->dw_stride + i * wide_lanes;
      const __m512 old = _mm512_maskz_loadu_ps(sum->accumulate ? live : 0, dw);
      _mm512_mask_storeu_ps(dw, live, _mm512_add_ps(old, sums[o * wide + i]));
    }
  }
}

#define SUM(m, n)                                                         \
  CSK_TARGET_AVX512 static void sum_##m##x##n(const csk_dense_sum *sum) { \
    sum_tile(m, n, sum);                                                  \
  }
CSK_DENSE_COLUMNS_4(SUM, 1)
CSK_DENSE_COLUMNS_4(SUM, 2)
CSK_DENSE_COLUMNS_4(SUM, 3)
CSK_DENSE_COLUMNS_4(SUM, 4)
CSK_DENSE_COLUMNS_4(SUM, 5)
CSK_DENSE_COLUMNS_4(SUM, 6)

#define SUM_NAME(m, n) sum_##m##x##n,
static const csk_dense_sum_tiles sum_tiles = {
    {CSK_DENSE_COLUMNS_4(SUM_NAME, 1)}, {CSK_DENSE_COLUMNS_4(SUM_NAME, 2)},
    {CSK_DENSE_COLUMNS_4(SUM_NAME, 3)}, {CSK_DENSE_COLUMNS_4(SUM_NAME, 4)},
    {CSK_DENSE_COLUMNS_4(SUM_NAME, 5)}, {CSK_DENSE_COLUMNS_4(SUM_NAME, 6)},
};

static void dense_gradient(const csk_dense_sums *sums, const float *y, const float *x,
                           bool accumulate, float *dw) {
  csk_walk_gradient(sum_tiles, 4, sums, y, x, accumulate, dw);
}

CSK_TARGET_AVX512 CSK_INLINE void narrow_tile(const int inputs, const int taps,
                                              const csk_dense_sum *sum, const int32_t *indices,
                                              const int32_t *offsets, ptrdiff_t tap_stride) {
  __m512 sums[csk_narrow_inputs * csk_narrow_taps];
  CSK_UNROLL
  for (int i = 0; i < inputs * taps; i++) sums[i] = _mm512_setzero_ps();
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k += wide_lanes) {
      // An odd last column is half a register.
      const __mmask16 live = sum->count - k < wide_lanes ? 0xff : 0xffff;
      __m512 values[csk_narrow_inputs];
      CSK_UNROLL
      for (int c = 0; c < inputs; c++)
        values[c] = _mm512_maskz_loadu_ps(live, x + c * sum->x_stride + k);
      CSK_UNROLL
      for (int t = 0; t < taps; t++) {
        const __m512 g = _mm512_maskz_loadu_ps(live, y + k - offsets[t]);
        CSK_UNROLL
        for (int c = 0; c < inputs; c++)
          sums[t * inputs + c] = _mm512_fmadd_ps(g, values[c], sums[t * inputs + c]);
      }
    }
  }
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    float *dw = sum->dw + indices[t] * tap_stride;
    CSK_UNROLL
    for (int c = 0; c < inputs; c++) {
      const float total = _mm512_reduce_add_ps(sums[t * inputs + c]);
      dw[c] = sum->accumulate ? dw[c] + total : total;
    }
  }
}

#define NARROW(m, n)                                                                               \
  CSK_TARGET_AVX512 static void narrow_##m##x##n(const csk_dense_sum *sum, const int32_t *indices, \
                                                 const int32_t *offsets, ptrdiff_t stride) {       \
    narrow_tile(m, n, sum, indices, offsets, stride);                                              \
  }
CSK_DENSE_COLUMNS_6(NARROW, 1)
CSK_DENSE_COLUMNS_6(NARROW, 2)
CSK_DENSE_COLUMNS_6(NARROW, 3)
CSK_DENSE_COLUMNS_6(NARROW, 4)

#define NARROW_NAME(m, n) narrow_##m##x##n,
static const csk_narrow_tiles narrow_tiles = {
    {CSK_DENSE_COLUMNS_6(NARROW_NAME, 1)},
    {CSK_DENSE_COLUMNS_6(NARROW_NAME, 2)},
    {CSK_DENSE_COLUMNS_6(NARROW_NAME, 3)},
    {CSK_DENSE_COLUMNS_6(NARROW_NAME, 4)},
};

static void dense_gradient_narrow(const csk_dense_sums *sums, const float *y, const float *x,
                                  bool accumulate, float *dw) {
  static const int32_t most_taps[csk_narrow_inputs] = {6, 6, 6, 6};
  csk_walk_narrow(narrow_tiles, most_taps, sums, y, x, accumulate, dw);
}

void csk_dense_planes_avx512(csk_kernels *kernels) {
  kernels->dense_product = dense_product;
  kernels->dense_gradient = dense_gradient;
  kernels->dense_gradient_narrow = dense_gradient_narrow;
}
#endif
