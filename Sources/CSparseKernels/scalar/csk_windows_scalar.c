// scalar/csk_windows_scalar.c: depthwise convolution and max-pooling, one element at a time.
//
//   y[c, x] = sum_t w[c, t] s[c, x + o_t]
//   dx[c, x] = sum_t w[c, t] dy[c, x - o_t],  dw[c, t] += sum_x in[c, x] dy[c, x - o_t]
#include <math.h>

#include "csk_windows_internal.h"

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

/// Whether v is chosen over the best so far.
static bool is_larger(float v, float best) {
  return v > best || (isnan(v) && !isnan(best));
}

/// The largest of one lane of a window; its index goes to `index`.
static float largest(const float *const *rows, ptrdiff_t place, csk_window_span span,
                     int32_t kernel, int32_t *index) {
  float best = 0;
  *index = -1;
  for (int32_t r = 0; r < kernel; r++) {
    for (int32_t q = span.first; rows[r] && q < span.end; q++) {
      const float v = rows[r][place + (ptrdiff_t)(span.origin + q) * lanes];
      if (*index >= 0 && !is_larger(v, best)) continue;
      best = v;
      *index = r * kernel + q;
    }
  }
  return best;
}

static void max_pool_row(const float *const *rows, int32_t channels, int32_t width,
                         int32_t out_width, const csk_window *window, float *y, uint8_t *indices) {
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++) {
      const csk_window_span span = csk_span_of_window(window, width, o);
      const ptrdiff_t result = ((ptrdiff_t)c * out_width + o) * lanes;
      for (int l = 0; l < lanes; l++) {
        int32_t index;
        y[result + l] =
            largest(rows, (ptrdiff_t)c * width * lanes + l, span, window->kernel, &index);
        if (indices) indices[result + l] = (uint8_t)index;
      }
    }
  }
}

void csk_windows_scalar(csk_kernels *kernels) {
  kernels->depthwise_forward_row = depthwise_forward_row;
  kernels->depthwise_backward_row = depthwise_backward_row;
  kernels->max_pool_row = max_pool_row;
}
