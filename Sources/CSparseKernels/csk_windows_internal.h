// csk_windows_internal.h: what the window family's files share among themselves.
#ifndef CSK_WINDOWS_INTERNAL_H
#define CSK_WINDOWS_INTERNAL_H

#include "csk_internal.h"

/// A window's columns [first, end) that exist: its column q is the row's column origin + q.
typedef struct csk_window_span {
  int32_t origin, first, end;
} csk_window_span;

static inline csk_window_span csk_span_of_window(const csk_window *window, int32_t width,
                                                 int32_t out_column) {
  // The entry has checked that the last window begins before `width`: this fits.
  const int32_t origin = out_column * window->stride - window->padding;
  const int32_t left = width - origin;
  return (csk_window_span){origin, origin < 0 ? -origin : 0,
                           left < window->kernel ? left : window->kernel};
}

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

/// Whether the arguments describe windows of which each has an element.
bool csk_windows_are_valid(const void *rows, int32_t channels, int32_t width, int32_t out_width,
                           const csk_window *window);

#endif
