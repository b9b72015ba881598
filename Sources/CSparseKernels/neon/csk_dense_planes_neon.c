// neon/csk_dense_planes_neon.c: what dense convolutions do in a way of their own: transposing
// columns, and the gradient for few inputs, whose sums fill the registers.
#include "csk_dense_walk.h"

#if CSK_ARCH_AARCH64
#include "vector/csk_vector_neon.h"

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
  for (int32_t i = 0; i < columns * csk_lanes; i += 4) {
    float *place = target + (ptrdiff_t)i * width;
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4)
      transpose_quarter(x + c * x_channel_stride + i, x_channel_stride, 4, place + c, width);
    for (; c < width; c += 4)
      transpose_quarter(x + c * x_channel_stride + i, x_channel_stride, channels - c, place + c,
                        width);
  }
}

enum { register_lanes = 4 };

CSK_INLINE void narrow_tile(const int inputs, const int taps, const csk_dense_sum *sum,
                            const int32_t *indices, const int32_t *offsets, ptrdiff_t tap_stride) {
  float32x4_t sums[csk_narrow_inputs * csk_narrow_taps];
  CSK_UNROLL
  for (int i = 0; i < inputs * taps; i++) sums[i] = vdupq_n_f32(0);
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k += register_lanes) {
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
  kernels->dense_transpose_row = dense_transpose_row;
  kernels->dense_gradient_narrow = dense_gradient_narrow;
}
#endif
