// csk_pool2d_internal.h: what the pooling family's files share among themselves.
#ifndef CSK_POOL2D_INTERNAL_H
#define CSK_POOL2D_INTERNAL_H

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

#endif
