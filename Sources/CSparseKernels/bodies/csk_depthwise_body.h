// bodies/csk_depthwise_body.h: depthwise convolution; a column is one vector.
//
//   y[c, x] = sum_t w[c, t] s[c, x + o_t]
//   dx[c, x] = sum_t w[c, t] dy[c, x - o_t],  dw[c, t] += sum_x in[c, x] dy[c, x - o_t]
//
// Taps go in chunks of at most nine, a 3 x 3 kernel in one: each number of taps has its own code,
// so that weights and sums stay in registers. A lane of y or dx is one chain of FMAs in the order
// of the taps, wherever its column lies.
//
// Bound: bytes over L2's bandwidth; forward, a 3 x 3 kernel reads 3 columns (with a stride of 2, 6)
// and writes 1 for 9 FMAs. Backward, 18 FMAs for those columns and one more are near FMA peak.
//
// Registers of 16 bytes hold half a column: forward, one load an FMA where taps are no neighbours.
//
// The file that includes this one says how many columns the backward loop takes at once
// (depthwise_columns, at most 2), and up to how many taps odd columns have their own sums
// (depthwise_apart_taps).
#include "../csk_depthwise_internal.h"

enum { most_taps = csk_most_taps };

/// Columns [0, count) at y; those of s lie at s[tap] + x. `adds`: to what earlier taps have made.
CSK_TARGET CSK_INLINE void forward_columns(const int taps, const int count, const float *const *s,
                                           const csk_v *w, const bool adds, float *y, ptrdiff_t x) {
  csk_v sums[4];
  CSK_UNROLL
  for (int i = 0; i < count; i++) sums[i] = adds ? csk_load(y + i * csk_lanes) : csk_zero();
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    CSK_UNROLL
    for (int i = 0; i < count; i++)
      sums[i] = csk_fused(w[t], csk_load(s[t] + x + i * csk_lanes), sums[i]);
  }
  CSK_UNROLL
  for (int i = 0; i < count; i++) csk_store(y + i * csk_lanes, sums[i]);
}

/// Four columns where taps are rows of three neighbours: a load serves up to three FMAs. Each sum
/// takes its taps in the same order as above.
CSK_TARGET CSK_INLINE void forward_neighbours(const float *const *s, const csk_v *w, float *y,
                                              ptrdiff_t x) {
  csk_v sums[4];
  CSK_UNROLL
  for (int i = 0; i < 4; i++) sums[i] = csk_zero();
  CSK_UNROLL
  for (int row = 0; row < 9; row += 3) {
    CSK_UNROLL
    for (int column = 0; column < 6; column++) {
      const csk_v v = csk_load(s[row] + x + column * csk_lanes);
      CSK_UNROLL
      for (int i = 0; i < 4; i++)
        if (column >= i && column - i < 3) sums[i] = csk_fused(w[row + column - i], v, sums[i]);
    }
  }
  CSK_UNROLL
  for (int i = 0; i < 4; i++) csk_store(y + i * csk_lanes, sums[i]);
}

CSK_TARGET CSK_INLINE void forward_taps(const int taps, const csk_forward_taps *row,
                                        const bool adds, const bool neighbours) {
  const float *s[most_taps];
  CSK_UNROLL
  for (int t = 0; t < taps; t++) s[t] = row->s + row->offsets[t];
  for (int32_t c = 0; c < row->channels; c++) {
    csk_v w[most_taps];
    CSK_UNROLL
    for (int t = 0; t < taps; t++)
      w[t] = csk_all(row->weights[c * row->weight_stride + row->indices[t]]);
    float *y = row->y + c * row->y_stride;
    ptrdiff_t x = c * row->s_stride;
    int32_t left = row->columns;
    for (; left >= 4; left -= 4, x += 4 * csk_lanes, y += 4 * csk_lanes) {
      if (neighbours)
        forward_neighbours(s, w, y, x);
      else
        forward_columns(taps, 4, s, w, adds, y, x);
    }
    for (; left > 0; left--, x += csk_lanes, y += csk_lanes)
      forward_columns(taps, 1, s, w, adds, y, x);
  }
}

typedef void forward_kernel(const csk_forward_taps *row);

#define FORWARD(taps)                                                       \
  CSK_TARGET static void forward_##taps(const csk_forward_taps *row) {      \
    forward_taps(taps, row, false, false);                                  \
  }                                                                         \
  CSK_TARGET static void forward_more_##taps(const csk_forward_taps *row) { \
    forward_taps(taps, row, true, false);                                   \
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

CSK_TARGET
static void forward_3x3(const csk_forward_taps *row) {
  forward_taps(9, row, false, true);
}

// By whether they add, and the number of taps.
static forward_kernel *const forward_kernels[2][most_taps + 1] = {
    {NULL, forward_1, forward_2, forward_3, forward_4, forward_5, forward_6, forward_7, forward_8,
     forward_9},
    {NULL, forward_more_1, forward_more_2, forward_more_3, forward_more_4, forward_more_5,
     forward_more_6, forward_more_7, forward_more_8, forward_more_9},
};

/// Whether nine taps are three rows of neighbouring columns.
static bool are_neighbours(const int32_t *offsets) {
  for (int t = 0; t < 9; t++)
    if (offsets[t] - (int64_t)offsets[t / 3 * 3] != t % 3 * csk_lanes) return false;
  return true;
}

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
    const int32_t some = csk_some_taps(taps - tap);
    if (tap == 0 && some == 9 && are_neighbours(tap_offsets))
      forward_3x3(&row);
    else
      forward_kernels[tap > 0][some](&row);
  }
}

/// Columns [0, count) at in and dx: one load of dy serves both gradients. `w` lies in memory, not
/// in registers, which hold the sums for dw: one load for all columns. `apart`: odd columns have
/// their own sums.
CSK_TARGET CSK_INLINE void backward_columns(const int taps, const int count, const bool apart,
                                            const float *const *dy, const float *in, const csk_v *w,
                                            csk_v *sums, const csk_dx_use use, float *dx,
                                            ptrdiff_t x) {
  csk_v inputs[2], results[2];
  CSK_UNROLL
  for (int i = 0; i < count; i++) {
    inputs[i] = csk_load(in + i * csk_lanes);
    results[i] = use == csk_more_dx ? csk_load(dx + i * csk_lanes) : csk_zero();
  }
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    CSK_UNROLL
    for (int i = 0; i < count; i++) {
      const csk_v g = csk_load(dy[t] + x + i * csk_lanes);
      const int sum = apart ? 2 * t + i : t;
      sums[sum] = csk_fused(inputs[i], g, sums[sum]);
      if (use != csk_no_dx) results[i] = csk_fused(w[t], g, results[i]);
    }
  }
  CSK_UNROLL
  for (int i = 0; use != csk_no_dx && i < count; i++) csk_store(dx + i * csk_lanes, results[i]);
}

CSK_TARGET CSK_INLINE void backward_taps(const int taps, const csk_backward_taps *row,
                                         const csk_dx_use use) {
  // With few taps, or each FMA of a sum would wait for the one before.
  const bool apart = taps <= depthwise_apart_taps;
  const int sum_count = apart ? 2 * taps : taps;
  const float *dy[most_taps];
  CSK_UNROLL
  for (int t = 0; t < taps; t++) dy[t] = row->dy - row->offsets[t];
  for (int32_t c = 0; c < row->channels; c++) {
    csk_v w[most_taps], sums[most_taps];
    CSK_UNROLL
    for (int t = 0; t < taps; t++)
      w[t] = csk_all(row->weights[c * row->weight_stride + row->indices[t]]);
    CSK_UNROLL
    for (int i = 0; i < sum_count; i++) sums[i] = csk_zero();
    const float *in = row->in + c * row->in_stride;
    float *dx = use == csk_no_dx ? NULL : row->dx + c * row->dx_stride;
    ptrdiff_t x = c * row->dy_stride;
    int32_t left = row->columns;
    enum { columns = depthwise_columns, step = columns * csk_lanes };
    for (; left >= columns; left -= columns, x += step, in += step) {
      backward_columns(taps, columns, apart, dy, in, w, sums, use, dx, x);
      if (use != csk_no_dx) dx += step;
    }
    if (columns > 1 && left > 0) backward_columns(taps, 1, apart, dy, in, w, sums, use, dx, x);
    float *dw = row->dw + c * row->weight_stride;
    CSK_UNROLL
    for (int t = 0; t < taps; t++)
      dw[row->indices[t]] += csk_total(apart ? csk_plus(sums[2 * t], sums[2 * t + 1]) : sums[t]);
  }
}

typedef void backward_kernel(const csk_backward_taps *row);

#define BACKWARD(taps)                                                         \
  CSK_TARGET static void backward_no_dx_##taps(const csk_backward_taps *row) { \
    backward_taps(taps, row, csk_no_dx);                                       \
  }                                                                            \
  CSK_TARGET static void backward_##taps(const csk_backward_taps *row) {       \
    backward_taps(taps, row, csk_new_dx);                                      \
  }                                                                            \
  CSK_TARGET static void backward_more_##taps(const csk_backward_taps *row) {  \
    backward_taps(taps, row, csk_more_dx);                                     \
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

static void register_depthwise(csk_kernels *kernels) {
  kernels->depthwise_forward_row = depthwise_forward_row;
  kernels->depthwise_backward_row = depthwise_backward_row;
}
