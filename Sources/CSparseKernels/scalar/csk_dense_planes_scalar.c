// scalar/csk_dense_planes_scalar.c: dense convolutions on bands, one element at a time.
//
//   y[m, i] = sum_k,t copy[k, t, m] x[k, i + o_t]
//   dw[o, t, c] = sum_i y[o, i - o_t] x[i, c]
#include "csk_dense_walk.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

static void dense_product(const float *copy, const csk_dense_band *band, const float *x, float *y) {
  const ptrdiff_t reach = (ptrdiff_t)band->reduced * band->taps;
  for (int32_t m = 0; m < band->results; m++) {
    const int32_t block = m - m % csk_dense_block;  // its first channel
    const int32_t channels = csk_min_i32(band->results - block, csk_dense_block);
    const float *weights = copy + block * reach + m % csk_dense_block;
    for (int32_t row = 0; row < band->rows; row++) {
      for (ptrdiff_t i = 0; i < (ptrdiff_t)band->columns * lanes; i++) {
        const float *xs = x + row * band->x_row_stride + i;
        float sum = 0;
        for (ptrdiff_t j = 0; j < reach; j++)
          sum += weights[j * channels] *
                 xs[j / band->taps * band->x_channel_stride + band->tap_offsets[j % band->taps]];
        y[m * band->y_channel_stride + row * band->y_row_stride + i] = sum;
      }
    }
  }
}

static void dense_transpose_row(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                                int32_t columns, float *target) {
  const int32_t width = csk_parts(channels, csk_dense_width) * csk_dense_width;
  for (ptrdiff_t i = 0; i < (ptrdiff_t)columns * lanes; i++)
    for (int32_t c = 0; c < width; c++)
      target[i * width + c] = c < channels ? x[c * x_channel_stride + i] : 0;
}

/// Both gradients: element i of input c lies at x[i * x_stride + c * channel_stride].
static void gradient(const csk_dense_sums *sums, const float *y, const float *x, ptrdiff_t x_stride,
                     ptrdiff_t channel_stride, bool accumulate, float *dw) {
  for (int32_t o = 0; o < sums->outputs; o++) {
    for (int32_t t = 0; t < sums->taps; t++) {
      for (int32_t c = 0; c < sums->inputs; c++) {
        float sum = 0;
        for (int32_t row = 0; row < sums->rows; row++) {
          const float *ys =
              y + o * sums->y_channel_stride + row * sums->y_row_stride - sums->tap_offsets[t];
          const float *xs = x + c * channel_stride + row * sums->x_row_stride;
          for (ptrdiff_t i = 0; i < (ptrdiff_t)sums->columns * lanes; i++)
            sum += ys[i] * xs[i * x_stride];
        }
        float *place = dw + o * sums->output_stride + sums->tap_indices[t] * sums->tap_stride + c;
        *place = accumulate ? *place + sum : sum;
      }
    }
  }
}

static void dense_gradient(const csk_dense_sums *sums, const float *y, const float *x,
                           bool accumulate, float *dw) {
  const int32_t width = csk_parts(sums->inputs, csk_dense_width) * csk_dense_width;
  gradient(sums, y, x, width, 1, accumulate, dw);
}

static void dense_gradient_narrow(const csk_dense_sums *sums, const float *y, const float *x,
                                  bool accumulate, float *dw) {
  gradient(sums, y, x, 1, sums->x_channel_stride, accumulate, dw);
}

void csk_dense_planes_scalar(csk_kernels *kernels) {
  kernels->dense_product = dense_product;
  kernels->dense_transpose_row = dense_transpose_row;
  kernels->dense_gradient = dense_gradient;
  kernels->dense_gradient_narrow = dense_gradient_narrow;
}
