// scalar/csk_depthwise_scalar.c: depthwise convolution, one element at a time.
//
//   y[c, x] = sum_t w[c, t] s[c, x + o_t]
//   dx[c, x] = sum_t w[c, t] dy[c, x - o_t],  dw[c, t] += sum_x in[c, x] dy[c, x - o_t]
#include "csk_depthwise_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

static void depthwise_forward_row(const float *s, ptrdiff_t s_channel_stride, const float *weights,
                                  int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                  const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                  float *y, ptrdiff_t y_channel_stride) {
  for (int32_t c = 0; c < channels; c++) {
    const float *in = s + c * s_channel_stride, *w = weights + (ptrdiff_t)c * weight_stride;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)columns * lanes; i++) {
      float sum = 0;
      for (int32_t t = 0; t < taps; t++) sum += w[tap_indices[t]] * in[tap_offsets[t] + i];
      y[c * y_channel_stride + i] = sum;
    }
  }
}

static void depthwise_backward_row(const float *dy, ptrdiff_t dy_channel_stride, const float *in,
                                   ptrdiff_t in_channel_stride, const float *weights,
                                   int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                   const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                   float *dx, ptrdiff_t dx_channel_stride, float *dw) {
  for (int32_t c = 0; c < channels; c++) {
    const float *g = dy + c * dy_channel_stride, *x = in + c * in_channel_stride;
    const ptrdiff_t weight = (ptrdiff_t)c * weight_stride;
    for (ptrdiff_t i = 0; dx && i < (ptrdiff_t)columns * lanes; i++) {
      float sum = 0;
      for (int32_t t = 0; t < taps; t++)
        sum += weights[weight + tap_indices[t]] * g[i - tap_offsets[t]];
      dx[c * dx_channel_stride + i] = sum;
    }
    for (int32_t t = 0; t < taps; t++) {
      float sums[lanes] = {0};
      for (ptrdiff_t i = 0; i < (ptrdiff_t)columns * lanes; i++)
        sums[i % lanes] += x[i] * g[i - tap_offsets[t]];
      dw[weight + tap_indices[t]] += csk_lane_total(sums);
    }
  }
}

void csk_depthwise_scalar(csk_kernels *kernels) {
  kernels->depthwise_forward_row = depthwise_forward_row;
  kernels->depthwise_backward_row = depthwise_backward_row;
}
