// avx2/csk_dense_planes_avx2.c: dense convolutions; a column, 8 lanes, or eight input channels are
// one register.
//
//   y[m, i] = sum_k,t copy[k, t, m] x[k, i + o_t]
//   dw[o, t, c] = sum_i y[o, i - o_t] x[i, c]
//
// Six channels by two registers are 12 of the 16 registers; they stay over all channels and taps.
//
// Bound: FMA peak, two 256-bit FMAs a cycle: 6 cycles for 2 loads and 6 broadcasts.
#include "csk_dense_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

enum { lanes = 8, most_columns = 2 };

CSK_TARGET_AVX2 CSK_INLINE void product_tile(const int channels, const int columns,
                                             const float *copy, const csk_dense_band *band,
                                             const float *x, float *y) {
  __m256 sums[csk_dense_block * most_columns];
  CSK_UNROLL
  for (int i = 0; i < channels * columns; i++) sums[i] = _mm256_setzero_ps();
  const int32_t taps = band->taps;
  for (int32_t k = 0; k < band->reduced; k++, x += band->x_channel_stride) {
    for (int32_t t = 0; t < taps; t++, copy += channels) {
      const float *xs = x + band->tap_offsets[t];
      __m256 values[most_columns];
      CSK_UNROLL
      for (int i = 0; i < columns; i++) values[i] = _mm256_loadu_ps(xs + i * lanes);
      CSK_UNROLL
      for (int m = 0; m < channels; m++) {
        const __m256 w = _mm256_broadcast_ss(copy + m);
        CSK_UNROLL
        for (int i = 0; i < columns; i++)
          sums[m * columns + i] = _mm256_fmadd_ps(w, values[i], sums[m * columns + i]);
      }
    }
  }
  CSK_UNROLL
  for (int m = 0; m < channels; m++) {
    CSK_UNROLL
    for (int i = 0; i < columns; i++)
      _mm256_storeu_ps(y + m * band->y_channel_stride + i * lanes, sums[m * columns + i]);
  }
}

#define PRODUCT(m, n)                                                                          \
  CSK_TARGET_AVX2 static void product_##m##x##n(const float *copy, const csk_dense_band *band, \
                                                const float *x, float *y) {                    \
    product_tile(m, n, copy, band, x, y);                                                      \
  }
CSK_DENSE_COLUMNS_2(PRODUCT, 1)
CSK_DENSE_COLUMNS_2(PRODUCT, 2)
CSK_DENSE_COLUMNS_2(PRODUCT, 3)
CSK_DENSE_COLUMNS_2(PRODUCT, 4)
CSK_DENSE_COLUMNS_2(PRODUCT, 5)
CSK_DENSE_COLUMNS_2(PRODUCT, 6)

#define PRODUCT_NAME(m, n) product_##m##x##n,
static const csk_dense_tiles product_tiles = {
    {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 1)}, {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 2)},
    {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 3)}, {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 4)},
    {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 5)}, {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 6)},
};

static void dense_product(const float *copy, const csk_dense_band *band, const float *x, float *y) {
  csk_walk_product(product_tiles, most_columns, copy, band, x, y);
}

/// Element i of eight channels becomes channel c of eight elements; of `channels`, the others 0.
CSK_TARGET_AVX2 CSK_INLINE void transpose_column(const float *x, ptrdiff_t stride, int channels,
                                                 float *target, ptrdiff_t width) {
  __m256 rows[8], pairs[8], quads[8];
  CSK_UNROLL
  for (int c = 0; c < 8; c++)
    rows[c] = c < channels ? _mm256_loadu_ps(x + c * stride) : _mm256_setzero_ps();
  CSK_UNROLL
  for (int c = 0; c < 8; c += 2) {
    pairs[c] = _mm256_unpacklo_ps(rows[c], rows[c + 1]);
    pairs[c + 1] = _mm256_unpackhi_ps(rows[c], rows[c + 1]);
  }
  CSK_UNROLL
  for (int c = 0; c < 8; c += 4) {
    CSK_UNROLL
    for (int i = 0; i < 2; i++) {
      quads[c + 2 * i] = _mm256_shuffle_ps(pairs[c + i], pairs[c + i + 2], 0x44);
      quads[c + 2 * i + 1] = _mm256_shuffle_ps(pairs[c + i], pairs[c + i + 2], 0xEE);
    }
  }
  CSK_UNROLL
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(target + i * width, _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20));
    _mm256_storeu_ps(target + (i + 4) * width,
                     _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31));
  }
}

CSK_TARGET_AVX2
static void dense_transpose_row(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                                int32_t columns, float *target) {
  const int32_t width = csk_parts(channels, csk_dense_width) * csk_dense_width;
  for (int32_t column = 0; column < columns; column++) {
    const float *xs = x + (ptrdiff_t)column * lanes;
    float *place = target + (ptrdiff_t)column * lanes * width;
    int32_t c = 0;
    for (; c + 8 <= channels; c += 8)
      transpose_column(xs + c * x_channel_stride, x_channel_stride, 8, place + c, width);
    for (; c < width; c += 8)
      transpose_column(xs + c * x_channel_stride, x_channel_stride, channels - c, place + c, width);
  }
}

/// Adds or stores the inputs that exist, all but always all.
CSK_TARGET_AVX2 CSK_INLINE void store_sums(const csk_dense_sum *sum, __m256 value, int32_t input,
                                           float *dw) {
  if (sum->inputs >= input + lanes) {
    if (sum->accumulate) value = _mm256_add_ps(_mm256_loadu_ps(dw), value);
    _mm256_storeu_ps(dw, value);
    return;
  }
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i live = _mm256_cmpgt_epi32(_mm256_set1_epi32(sum->inputs - input), index);
  if (sum->accumulate) value = _mm256_add_ps(_mm256_maskload_ps(dw, live), value);
  _mm256_maskstore_ps(dw, live, value);
}

CSK_TARGET_AVX2 CSK_INLINE void sum_tile(const int outputs, const csk_dense_sum *sum) {
  __m256 sums[csk_dense_block * 2];
  CSK_UNROLL
  for (int i = 0; i < 2 * outputs; i++) sums[i] = _mm256_setzero_ps();
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k++, x += sum->x_stride, y++) {
      const __m256 low = _mm256_loadu_ps(x), high = _mm256_loadu_ps(x + lanes);
      CSK_UNROLL
      for (int o = 0; o < outputs; o++) {
        const __m256 g = _mm256_broadcast_ss(y + o * sum->y_channel_stride);
        sums[2 * o] = _mm256_fmadd_ps(g, low, sums[2 * o]);
        sums[2 * o + 1] = _mm256_fmadd_ps(g, high, sums[2 * o + 1]);
      }
    }
  }
  CSK_UNROLL
  for (int o = 0; o < outputs; o++) {
    store_sums(sum, sums[2 * o], 0, sum->dw + o * sum->dw_stride);
    store_sums(sum, sums[2 * o + 1], lanes, sum->dw + o * sum->dw_stride + lanes);
  }
}

#define SUM(m)                                                    \
  CSK_TARGET_AVX2 static void sum_##m(const csk_dense_sum *sum) { \
    sum_tile(m, sum);                                             \
  }
SUM(1)
SUM(2)
SUM(3)
SUM(4)
SUM(5)
SUM(6)

static void dense_gradient(const csk_dense_sums *sums, const float *y, const float *x,
                           bool accumulate, float *dw) {
  static const csk_dense_sum_tiles tiles = {{sum_1}, {sum_2}, {sum_3}, {sum_4}, {sum_5}, {sum_6}};
  csk_walk_gradient(tiles, 1, sums, y, x, accumulate, dw);
}

/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
CSK_TARGET_AVX2 CSK_INLINE float total(__m256 sum) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

CSK_TARGET_AVX2 CSK_INLINE void narrow_tile(const int inputs, const int taps,
                                            const csk_dense_sum *sum, const int32_t *indices,
                                            const int32_t *offsets, ptrdiff_t tap_stride) {
  __m256 sums[csk_narrow_inputs * csk_narrow_taps];
  CSK_UNROLL
  for (int i = 0; i < inputs * taps; i++) sums[i] = _mm256_setzero_ps();
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k += lanes) {
      __m256 values[csk_narrow_inputs];
      CSK_UNROLL
      for (int c = 0; c < inputs; c++) values[c] = _mm256_loadu_ps(x + c * sum->x_stride + k);
      CSK_UNROLL
      for (int t = 0; t < taps; t++) {
        const __m256 g = _mm256_loadu_ps(y + k - offsets[t]);
        CSK_UNROLL
        for (int c = 0; c < inputs; c++)
          sums[t * inputs + c] = _mm256_fmadd_ps(g, values[c], sums[t * inputs + c]);
      }
    }
  }
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    float *dw = sum->dw + indices[t] * tap_stride;
    CSK_UNROLL
    for (int c = 0; c < inputs; c++) {
      const float value = total(sums[t * inputs + c]);
      dw[c] = sum->accumulate ? dw[c] + value : value;
    }
  }
}

#define NARROW(m, n)                                                                             \
  CSK_TARGET_AVX2 static void narrow_##m##x##n(const csk_dense_sum *sum, const int32_t *indices, \
                                               const int32_t *offsets, ptrdiff_t stride) {       \
    narrow_tile(m, n, sum, indices, offsets, stride);                                            \
  }
CSK_DENSE_COLUMNS_6(NARROW, 1)
CSK_DENSE_COLUMNS_4(NARROW, 2)
CSK_DENSE_COLUMNS_4(NARROW, 3)
CSK_DENSE_COLUMNS_2(NARROW, 4)

static void dense_gradient_narrow(const csk_dense_sums *sums, const float *y, const float *x,
                                  bool accumulate, float *dw) {
#define NARROW_NAME(m, n) narrow_##m##x##n,
  static const csk_narrow_tiles tiles = {
      {CSK_DENSE_COLUMNS_6(NARROW_NAME, 1)},
      {CSK_DENSE_COLUMNS_4(NARROW_NAME, 2)},
      {CSK_DENSE_COLUMNS_4(NARROW_NAME, 3)},
      {CSK_DENSE_COLUMNS_2(NARROW_NAME, 4)},
  };
  static const int32_t most_taps[csk_narrow_inputs] = {6, 4, 4, 2};
  csk_walk_narrow(tiles, most_taps, sums, y, x, accumulate, dw);
}

void csk_dense_planes_avx2(csk_kernels *kernels) {
  kernels->dense_product = dense_product;
  kernels->dense_transpose_row = dense_transpose_row;
  kernels->dense_gradient = dense_gradient;
  kernels->dense_gradient_narrow = dense_gradient_narrow;
}
#endif
