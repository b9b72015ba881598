// neon/csk_dense_planes_neon.c: dense convolutions; a column, 8 lanes, is two registers, sixteen
// input channels are four.
//
//   y[m, i] = sum_k,t copy[k, t, m] x[k, i + o_t]
//   dw[o, t, c] = sum_i y[o, i - o_t] x[i, c]
//
// Six channels by four registers are 24 of the 32 registers; they stay over all channels and taps.
//
// Bound: FMA peak: 24 FMAs for 4 loads and 6 broadcasts.
#include "csk_dense_walk.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

enum { lanes = csk_plane_lanes, half = lanes / 2, most_columns = 2 };

CSK_INLINE void product_tile(const int channels, const int columns, const float *copy,
                             const csk_dense_band *band, const float *x, float *y) {
  const int halves = 2 * columns;
  float32x4_t sums[csk_dense_block * 2 * most_columns];
  CSK_UNROLL
  for (int i = 0; i < channels * halves; i++) sums[i] = vdupq_n_f32(0);
  const int32_t taps = band->taps;
  for (int32_t k = 0; k < band->reduced; k++, x += band->x_channel_stride) {
    for (int32_t t = 0; t < taps; t++, copy += channels) {
      const float *xs = x + band->tap_offsets[t];
      float32x4_t values[2 * most_columns];
      CSK_UNROLL
      for (int i = 0; i < halves; i++) values[i] = vld1q_f32(xs + i * half);
      CSK_UNROLL
      for (int m = 0; m < channels; m++) {
        const float32x4_t w = vld1q_dup_f32(copy + m);
        CSK_UNROLL
        for (int i = 0; i < halves; i++)
          sums[m * halves + i] = vfmaq_f32(sums[m * halves + i], w, values[i]);
      }
    }
  }
  CSK_UNROLL
  for (int m = 0; m < channels; m++) {
    CSK_UNROLL
    for (int i = 0; i < halves; i++)
      vst1q_f32(y + m * band->y_channel_stride + i * half, sums[m * halves + i]);
  }
}

#define PRODUCT(m, n)                                                                          \
  static void product_##m##x##n(const float *copy, const csk_dense_band *band, const float *x, \
                                float *y) {                                                    \
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

/// Element i of four channels becomes channel c of four elements; of `channels`, the others 0.
CSK_INLINE void transpose_quarter(const float *x, ptrdiff_t stride, int channels, float *target,
                                  ptrdiff_t width) {
  float32x4_t rows[4];
  CSK_UNROLL
  for (int c = 0; c < 4; c++) rows[c] = c < channels ? vld1q_f32(x + c * stride) : vdupq_n_f32(0);
  const float32x4x2_t low = vtrnq_f32(rows[0], rows[1]), high = vtrnq_f32(rows[2], rows[3]);
  CSK_UNROLL
  for (int i = 0; i < 2; i++) {
    const float32x4_t a = low.val[i], b = high.val[i];
    vst1q_f32(target + i * width, vcombine_f32(vget_low_f32(a), vget_low_f32(b)));
    vst1q_f32(target + (i + 2) * width, vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
  }
}

static void dense_transpose_row(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                                int32_t columns, float *target) {
  const int32_t width = csk_parts(channels, csk_dense_width) * csk_dense_width;
  for (int32_t i = 0; i < columns * lanes; i += 4) {
    float *place = target + (ptrdiff_t)i * width;
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4)
      transpose_quarter(x + c * x_channel_stride + i, x_channel_stride, 4, place + c, width);
    for (; c < width; c += 4)
      transpose_quarter(x + c * x_channel_stride + i, x_channel_stride, channels - c, place + c,
                        width);
  }
}

/// Adds or stores the inputs that exist, all but always all.
CSK_INLINE void store_sums(const csk_dense_sum *sum, float32x4_t value, int32_t input, float *dw) {
  const int32_t left = sum->inputs - input;
  if (left >= 4) {
    vst1q_f32(dw, sum->accumulate ? vaddq_f32(vld1q_f32(dw), value) : value);
    return;
  }
  float values[4];
  vst1q_f32(values, value);
  for (int32_t c = 0; c < left; c++) dw[c] = sum->accumulate ? dw[c] + values[c] : values[c];
}

CSK_INLINE void sum_tile(const int outputs, const csk_dense_sum *sum) {
  float32x4_t sums[csk_dense_block * 4];
  CSK_UNROLL
  for (int i = 0; i < 4 * outputs; i++) sums[i] = vdupq_n_f32(0);
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k++, x += sum->x_stride, y++) {
      float32x4_t values[4];
      CSK_UNROLL
      for (int i = 0; i < 4; i++) values[i] = vld1q_f32(x + 4 * i);
      CSK_UNROLL
      for (int o = 0; o < outputs; o++) {
        const float32x4_t g = vld1q_dup_f32(y + o * sum->y_channel_stride);
        CSK_UNROLL
        for (int i = 0; i < 4; i++) sums[4 * o + i] = vfmaq_f32(sums[4 * o + i], g, values[i]);
      }
    }
  }
  CSK_UNROLL
  for (int o = 0; o < outputs; o++) {
    CSK_UNROLL
    for (int i = 0; i < 4; i++)
      store_sums(sum, sums[4 * o + i], 4 * i, sum->dw + o * sum->dw_stride + 4 * i);
  }
}

#define SUM(m)                                    \
  static void sum_##m(const csk_dense_sum *sum) { \
    sum_tile(m, sum);                             \
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

CSK_INLINE void narrow_tile(const int inputs, const int taps, const csk_dense_sum *sum,
                            const int32_t *indices, const int32_t *offsets, ptrdiff_t tap_stride) {
  float32x4_t sums[csk_narrow_inputs * csk_narrow_taps];
  CSK_UNROLL
  for (int i = 0; i < inputs * taps; i++) sums[i] = vdupq_n_f32(0);
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k += half) {
      float32x4_t values[csk_narrow_inputs];
      CSK_UNROLL
      for (int c = 0; c < inputs; c++) values[c] = vld1q_f32(x + c * sum->x_stride + k);
      CSK_UNROLL
      for (int t = 0; t < taps; t++) {
        const float32x4_t g = vld1q_f32(y + k - offsets[t]);
        CSK_UNROLL
        for (int c = 0; c < inputs; c++)
          sums[t * inputs + c] = vfmaq_f32(sums[t * inputs + c], g, values[c]);
      }
    }
  }
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    float *dw = sum->dw + indices[t] * tap_stride;
    CSK_UNROLL
    for (int c = 0; c < inputs; c++) {
      const float value = vaddvq_f32(sums[t * inputs + c]);
      dw[c] = sum->accumulate ? dw[c] + value : value;
    }
  }
}

#define NARROW(m, n)                                                             \
  static void narrow_##m##x##n(const csk_dense_sum *sum, const int32_t *indices, \
                               const int32_t *offsets, ptrdiff_t stride) {       \
    narrow_tile(m, n, sum, indices, offsets, stride);                            \
  }
CSK_DENSE_COLUMNS_6(NARROW, 1)
CSK_DENSE_COLUMNS_6(NARROW, 2)
CSK_DENSE_COLUMNS_6(NARROW, 3)
CSK_DENSE_COLUMNS_6(NARROW, 4)

static void dense_gradient_narrow(const csk_dense_sums *sums, const float *y, const float *x,
                                  bool accumulate, float *dw) {
#define NARROW_NAME(m, n) narrow_##m##x##n,
  static const csk_narrow_tiles tiles = {
      {CSK_DENSE_COLUMNS_6(NARROW_NAME, 1)},
      {CSK_DENSE_COLUMNS_6(NARROW_NAME, 2)},
      {CSK_DENSE_COLUMNS_6(NARROW_NAME, 3)},
      {CSK_DENSE_COLUMNS_6(NARROW_NAME, 4)},
  };
  static const int32_t most_taps[csk_narrow_inputs] = {6, 6, 6, 6};
  csk_walk_narrow(tiles, most_taps, sums, y, x, accumulate, dw);
}

void csk_dense_planes_neon(csk_kernels *kernels) {
  kernels->dense_product = dense_product;
  kernels->dense_transpose_row = dense_transpose_row;
  kernels->dense_gradient = dense_gradient;
  kernels->dense_gradient_narrow = dense_gradient_narrow;
}
#endif
