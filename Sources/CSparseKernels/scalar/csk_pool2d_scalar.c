// scalar/csk_pool2d_scalar.c: max-pooling, one element at a time.
#include <math.h>

#include "csk_pool2d_internal.h"

enum { lanes = csk_plane_lanes };

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

void csk_pool2d_scalar(csk_kernels *kernels) {
  kernels->max_pool_row = max_pool_row;
}
