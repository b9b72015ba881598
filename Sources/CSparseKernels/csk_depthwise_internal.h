// csk_depthwise_internal.h: what the depthwise family's files share among themselves.
#ifndef CSK_DEPTHWISE_INTERNAL_H
#define CSK_DEPTHWISE_INTERNAL_H

#include "csk_internal.h"

/// Lanes as ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
static inline float csk_lane_total(float lanes[csk_plane_lanes]) {
  for (int half = csk_plane_lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

// Kernels have code of their own for each number of taps up to this: their loops over taps must
// vanish, or weights and sums live in memory.
enum { csk_most_taps = 9 };

/// Some of the taps of a row of depthwise convolution.
typedef struct csk_forward_taps {
  const float *s, *weights;
  ptrdiff_t s_stride, weight_stride, y_stride;  // of channels
  const int32_t *indices, *offsets;
  int32_t channels, columns;
  float *y;
} csk_forward_taps;

/// Some of the taps of a row; dw is laid out like weights.
typedef struct csk_backward_taps {
  const float *dy, *in, *weights;
  ptrdiff_t dy_stride, in_stride, weight_stride, dx_stride;  // of channels
  const int32_t *indices, *offsets;
  int32_t channels, columns;
  float *dx, *dw;
} csk_backward_taps;

/// Whether a kernel makes dx, or adds to what earlier taps have made.
typedef enum csk_dx_use { csk_no_dx, csk_new_dx, csk_more_dx } csk_dx_use;

static inline int32_t csk_some_taps(int32_t left) {
  return left < csk_most_taps ? left : csk_most_taps;
}

#endif
