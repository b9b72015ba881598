// neon/csk_windows_neon.c: depthwise convolution; a column, 8 lanes, is two vectors.
//
//   y[c, x] = sum_t w[c, t] s[c, x + o_t]
//   dx[c, x] = sum_t w[c, t] dy[c, x - o_t],  dw[c, t] += sum_x in[c, x] dy[c, x - o_t]
//
// Taps go in chunks of at most nine, a 3 x 3 kernel in one: each number of taps has its own code,
// so that weights and sums stay in registers. A lane of y or dx is one chain of FMAs in the order
// of the taps, wherever its column lies.
//
// Bound, forward: one load an FMA. Backward: FMA peak, half as many loads.
#include "csk_windows_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#define CSK_INLINE static inline __attribute__((always_inline))

enum { lanes = csk_plane_lanes, half = lanes / 2, most_taps = csk_most_taps };

/// Columns [0, count) at y; those of s lie at s[tap] + x. `adds`: to what earlier taps have made.
CSK_INLINE void forward_columns(const int taps, const int count, const float *const *s,
                                const float32x4_t *w, const bool adds, float *y, ptrdiff_t x) {
  float32x4_t sums[8];
  CSK_UNROLL
  for (int i = 0; i < 2 * count; i++) sums[i] = adds ? vld1q_f32(y + i * half) : vdupq_n_f32(0);
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    CSK_UNROLL
    for (int i = 0; i < 2 * count; i++)
      sums[i] = vfmaq_f32(sums[i], w[t], vld1q_f32(s[t] + x + i * half));
  }
  CSK_UNROLL
  for (int i = 0; i < 2 * count; i++) vst1q_f32(y + i * half, sums[i]);
}

CSK_INLINE void forward_taps(const int taps, const csk_forward_taps *row, const bool adds) {
  const float *s[most_taps];
  CSK_UNROLL
  for (int t = 0; t < taps; t++) s[t] = row->s + row->offsets[t];
  for (int32_t c = 0; c < row->channels; c++) {
    float32x4_t w[most_taps];
    CSK_UNROLL
    for (int t = 0; t < taps; t++)
      w[t] = vdupq_n_f32(row->weights[c * row->weight_stride + row->indices[t]]);
    float *y = row->y + c * row->y_stride;
    ptrdiff_t x = c * row->s_stride;
    int32_t left = row->columns;
    for (; left >= 4; left -= 4, x += 4 * lanes, y += 4 * lanes)
      forward_columns(taps, 4, s, w, adds, y, x);
    for (; left > 0; left--, x += lanes, y += lanes) forward_columns(taps, 1, s, w, adds, y, x);
  }
}

typedef void forward_kernel(const csk_forward_taps *row);

#define FORWARD(taps)                                            \
  static void forward_##taps(const csk_forward_taps *row) {      \
    forward_taps(taps, row, false);                              \
  }                                                              \
  static void forward_more_##taps(const csk_forward_taps *row) { \
    forward_taps(taps, row, true);                               \
  }
FORWARD(1)
FORWARD(2)
FORWARD(3)
FORWARD(4)
FORWARD(5)
FORWARD(6)
FORWARD(7)
FORWARD(8)
FORWARD(9)

// By whether they add, and the number of taps.
static forward_kernel *const forward_kernels[2][most_taps + 1] = {
    {NULL, forward_1, forward_2, forward_3, forward_4, forward_5, forward_6, forward_7, forward_8,
     forward_9},
    {NULL, forward_more_1, forward_more_2, forward_more_3, forward_more_4, forward_more_5,
     forward_more_6, forward_more_7, forward_more_8, forward_more_9},
};

static void depthwise_forward_row(const float *s, ptrdiff_t s_channel_stride, const float *weights,
                                  int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                  const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                  float *y, ptrdiff_t y_channel_stride) {
  csk_forward_taps row = {.s = s,
                          .weights = weights,
                          .s_stride = s_channel_stride,
                          .weight_stride = weight_stride,
                          .y_stride = y_channel_stride,
                          .channels = channels,
                          .columns = columns,
                          .y = y};
  for (int32_t tap = 0; tap < taps; tap += most_taps) {
    row.indices = tap_indices + tap;
    row.offsets = tap_offsets + tap;
    forward_kernels[tap > 0][csk_some_taps(taps - tap)](&row);
  }
}

/// The column at in and dx: one load of dy serves both gradients. Eighteen sums for dw are as many
/// chains of FMAs as the units need.
CSK_INLINE void backward_column(const int taps, const float *const *dy, const float *in,
                                const float32x4_t *w, float32x4_t *sums, const csk_dx_use use,
                                float *dx, ptrdiff_t x) {
  float32x4_t inputs[2], results[2];
  CSK_UNROLL
  for (int i = 0; i < 2; i++) {
    inputs[i] = vld1q_f32(in + i * half);
    results[i] = use == csk_more_dx ? vld1q_f32(dx + i * half) : vdupq_n_f32(0);
  }
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    CSK_UNROLL
    for (int i = 0; i < 2; i++) {
      const float32x4_t g = vld1q_f32(dy[t] + x + i * half);
      sums[2 * t + i] = vfmaq_f32(sums[2 * t + i], inputs[i], g);
      if (use != csk_no_dx) results[i] = vfmaq_f32(results[i], w[t], g);
    }
  }
  CSK_UNROLL
  for (int i = 0; use != csk_no_dx && i < 2; i++) vst1q_f32(dx + i * half, results[i]);
}

/// csk_lane_total's tree.
CSK_INLINE float total(float32x4_t low, float32x4_t high) {
  const float32x4_t four = vaddq_f32(low, high);
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}

CSK_INLINE void backward_taps(const int taps, const csk_backward_taps *row, const csk_dx_use use) {
  const float *dy[most_taps];
  CSK_UNROLL
  for (int t = 0; t < taps; t++) dy[t] = row->dy - row->offsets[t];
  for (int32_t c = 0; c < row->channels; c++) {
    float32x4_t w[most_taps], sums[2 * most_taps];
    CSK_UNROLL
    for (int t = 0; t < taps; t++) {
      w[t] = vdupq_n_f32(row->weights[c * row->weight_stride + row->indices[t]]);
      sums[2 * t] = sums[2 * t + 1] = vdupq_n_f32(0);
    }
    const float *in = row->in + c * row->in_stride;
    float *dx = use == csk_no_dx ? NULL : row->dx + c * row->dx_stride;
    ptrdiff_t x = c * row->dy_stride;
    for (int32_t left = row->columns; left > 0; left--, x += lanes, in += lanes) {
      backward_column(taps, dy, in, w, sums, use, dx, x);
      if (use != csk_no_dx) dx += lanes;
    }
    float *dw = row->dw + c * row->weight_stride;
    CSK_UNROLL
    for (int t = 0; t < taps; t++) dw[row->indices[t]] += total(sums[2 * t], sums[2 * t + 1]);
  }
}

typedef void backward_kernel(const csk_backward_taps *row);

#define BACKWARD(taps)                                              \
  static void backward_no_dx_##taps(const csk_backward_taps *row) { \
    backward_taps(taps, row, csk_no_dx);                            \
  }                                                                 \
  static void backward_##taps(const csk_backward_taps *row) {       \
    backward_taps(taps, row, csk_new_dx);                           \
  }                                                                 \
  static void backward_more_##taps(const csk_backward_taps *row) {  \
    backward_taps(taps, row, csk_more_dx);                          \
  }
BACKWARD(1)
BACKWARD(2)
BACKWARD(3)
BACKWARD(4)
BACKWARD(5)
BACKWARD(6)
BACKWARD(7)
BACKWARD(8)
BACKWARD(9)

// By what becomes of dx, and the number of taps.
static backward_kernel *const backward_kernels[3][most_taps + 1] = {
    {NULL, backward_no_dx_1, backward_no_dx_2, backward_no_dx_3, backward_no_dx_4, backward_no_dx_5,
     backward_no_dx_6, backward_no_dx_7, backward_no_dx_8, backward_no_dx_9},
    {NULL, backward_1, backward_2, backward_3, backward_4, backward_5, backward_6, backward_7,
     backward_8, backward_9},
    {NULL, backward_more_1, backward_more_2, backward_more_3, backward_more_4, backward_more_5,
     backward_more_6, backward_more_7, backward_more_8, backward_more_9},
};

static void depthwise_backward_row(const float *dy, ptrdiff_t dy_channel_stride, const float *in,
                                   ptrdiff_t in_channel_stride, const float *weights,
                                   int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                   const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                   float *dx, ptrdiff_t dx_channel_stride, float *dw) {
  csk_backward_taps row = {.dy = dy,
                           .in = in,
                           .weights = weights,
                           .dy_stride = dy_channel_stride,
                           .in_stride = in_channel_stride,
                           .weight_stride = weight_stride,
                           .dx_stride = dx_channel_stride,
                           .channels = channels,
                           .columns = columns,
                           .dx = dx,
                           .dw = dw};
  for (int32_t tap = 0; tap < taps; tap += most_taps) {
    row.indices = tap_indices + tap;
    row.offsets = tap_offsets + tap;
    const csk_dx_use use = !dx ? csk_no_dx : tap == 0 ? csk_new_dx : csk_more_dx;
    backward_kernels[use][csk_some_taps(taps - tap)](&row);
  }
}

void csk_windows_neon(csk_kernels *kernels) {
  kernels->depthwise_forward_row = depthwise_forward_row;
  kernels->depthwise_backward_row = depthwise_backward_row;
  csk_max_pool_neon(kernels);
}
#endif
