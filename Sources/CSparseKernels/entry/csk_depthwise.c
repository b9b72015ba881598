// entry/csk_depthwise.c: checks the arguments of depthwise convolution once, then dispatches.
#include <string.h>

#include "csk_depthwise_internal.h"

/// Columns of one channel must not be another's.
static bool stride_is_valid(ptrdiff_t channel_stride, int32_t channels, int32_t columns) {
  return channels <= 1 || channel_stride >= (ptrdiff_t)columns * csk_plane_lanes;
}

/// Weights of one channel must not be another's.
static bool taps_are_valid(const float *weights, int32_t weight_stride, int32_t taps,
                           const int32_t *tap_indices, const int32_t *tap_offsets,
                           int32_t channels) {
  if (taps < 0) return false;
  if (taps == 0 || channels == 0) return true;
  if (!weights || !tap_indices || !tap_offsets) return false;
  for (int32_t t = 0; t < taps; t++)
    if (tap_indices[t] < 0 || (channels > 1 && tap_indices[t] >= weight_stride)) return false;
  return true;
}

/// Without taps every sum is 0; kernels have at least one.
static void clear_rows(float *rows, ptrdiff_t channel_stride, int32_t channels, int32_t columns) {
  for (int32_t c = 0; c < channels; c++)
    memset(rows + c * channel_stride, 0, (size_t)columns * csk_plane_lanes * sizeof *rows);
}

csk_status csk_depthwise_forward_row(const float *s, ptrdiff_t s_channel_stride,
                                     const float *weights, int32_t weight_stride, int32_t taps,
                                     const int32_t *tap_indices, const int32_t *tap_offsets,
                                     int32_t channels, int32_t columns, float *y,
                                     ptrdiff_t y_channel_stride) {
  if (channels < 0 || columns < 0 || !stride_is_valid(y_channel_stride, channels, columns) ||
      !taps_are_valid(weights, weight_stride, taps, tap_indices, tap_offsets, channels))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (channels == 0 || columns == 0) return csk_status_ok;
  if (!y) return csk_status_invalid_argument;
  if (taps == 0) {
    clear_rows(y, y_channel_stride, channels, columns);
    return csk_status_ok;
  }
  if (!s || !stride_is_valid(s_channel_stride, channels, columns))
    return csk_status_invalid_argument;
  kernels->depthwise_forward_row(s, s_channel_stride, weights, weight_stride, taps, tap_indices,
                                 tap_offsets, channels, columns, y, y_channel_stride);
  return csk_status_ok;
}

csk_status csk_depthwise_backward_row(const float *dy, ptrdiff_t dy_channel_stride, const float *in,
                                      ptrdiff_t in_channel_stride, const float *weights,
                                      int32_t weight_stride, int32_t taps,
                                      const int32_t *tap_indices, const int32_t *tap_offsets,
                                      int32_t channels, int32_t columns, float *dx,
                                      ptrdiff_t dx_channel_stride, float *dw) {
  if (channels < 0 || columns < 0 ||
      (dx && !stride_is_valid(dx_channel_stride, channels, columns)) ||
      !taps_are_valid(weights, weight_stride, taps, tap_indices, tap_offsets, channels))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (channels == 0 || columns == 0) return csk_status_ok;
  if (taps == 0) {
    if (dx) clear_rows(dx, dx_channel_stride, channels, columns);
    return csk_status_ok;
  }
  if (!dy || !in || !dw || !stride_is_valid(dy_channel_stride, channels, columns) ||
      !stride_is_valid(in_channel_stride, channels, columns))
    return csk_status_invalid_argument;
  kernels->depthwise_backward_row(dy, dy_channel_stride, in, in_channel_stride, weights,
                                  weight_stride, taps, tap_indices, tap_offsets, channels, columns,
                                  dx, dx_channel_stride, dw);
  return csk_status_ok;
}
