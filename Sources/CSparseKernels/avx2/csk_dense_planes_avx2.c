// avx2/csk_dense_planes_avx2.c: what dense convolutions do in a way of their own: transposing
// columns, and the gradient for few inputs, whose sums fill the registers.
#include "csk_dense_walk.h"

#if CSK_ARCH_X86_64
#include "vector/csk_vector_avx2.h"

/// Element i of eight channels becomes channel c of eight elements; of `channels`, the others 0.
CSK_TARGET CSK_INLINE void transpose_column(const float *x, ptrdiff_t stride, int channels,
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

CSK_TARGET
static void dense_transpose_row(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                                int32_t columns, float *target) {
  const int32_t width = csk_parts(channels, csk_dense_width) * csk_dense_width;
  for (int32_t column = 0; column < columns; column++) {
    const float *xs = x + (ptrdiff_t)column * csk_lanes;
    float *place = target + (ptrdiff_t)column * csk_lanes * width;
    int32_t c = 0;
    for (; c + 8 <= channels; c += 8)
      transpose_column(xs + c * x_channel_stride, x_channel_stride, 8, place + c, width);
    for (; c < width; c += 8)
      transpose_column(xs + c * x_channel_stride, x_channel_stride, channels - c, place + c, width);
  }
}

CSK_TARGET CSK_INLINE void narrow_tile(const int inputs, const int taps, const csk_dense_sum *sum,
                                       const int32_t *indices, const int32_t *offsets,
                                       ptrdiff_t tap_stride) {
  __m256 sums[csk_narrow_inputs * csk_narrow_taps];
  CSK_UNROLL
  for (int i = 0; i < inputs * taps; i++) sums[i] = _mm256_setzero_ps();
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k += csk_lanes) {
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
      const float value = csk_total(sums[t * inputs + c]);
      dw[c] = sum->accumulate ? dw[c] + value : value;
    }
  }
}

#define NARROW(m, n)                                                                        \
  CSK_TARGET static void narrow_##m##x##n(const csk_dense_sum *sum, const int32_t *indices, \
                                          const int32_t *offsets, ptrdiff_t stride) {       \
    narrow_tile(m, n, sum, indices, offsets, stride);                                       \
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
  kernels->dense_transpose_row = dense_transpose_row;
  kernels->dense_gradient_narrow = dense_gradient_narrow;
}
#endif
