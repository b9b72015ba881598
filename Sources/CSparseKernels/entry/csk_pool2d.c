// entry/csk_pool2d.c: checks the arguments of max-pooling once, then dispatches; and its gradient
// and average pooling, in one version for every instruction set: a network has one such layer, and
// its bound is the bandwidth of memory.
#include "csk_pool2d_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

enum { largest_kernel = 15 };  // indices within a window fit a byte

/// Whether the arguments describe windows of which each has an element.
static bool windows_are_valid(const void *rows, int32_t channels, int32_t width, int32_t out_width,
                              const csk_window *window) {
  if (channels < 0 || width < 0 || out_width < 0 || !window || window->kernel < 1 ||
      window->kernel > largest_kernel || window->stride < 1 || window->padding < 0 ||
      window->padding >= window->kernel)
    return false;
  if (channels == 0 || out_width == 0) return true;
  const int64_t last = (int64_t)(out_width - 1) * window->stride - window->padding;
  if (!rows || width == 0 || last >= width) return false;
  const float *const *some = rows;
  for (int32_t r = 0; r < window->kernel; r++)
    if (some[r]) return true;
  return false;
}

csk_status csk_max_pool_row(const float *const *rows, int32_t channels, int32_t width,
                            int32_t out_width, const csk_window *window, float *y,
                            uint8_t *indices) {
  if (!windows_are_valid(rows, channels, width, out_width, window))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (channels == 0 || out_width == 0) return csk_status_ok;
  if (!y) return csk_status_invalid_argument;
  kernels->max_pool_row(rows, channels, width, out_width, window, y, indices);
  return csk_status_ok;
}

csk_status csk_max_pool_gradient_row(const float *gradient, const uint8_t *indices,
                                     int32_t channels, int32_t width, int32_t out_width,
                                     const csk_window *window, float *const *rows) {
  if (!windows_are_valid(rows, channels, width, out_width, window))
    return csk_status_invalid_argument;
  if (channels == 0 || out_width == 0) return csk_status_ok;
  if (!gradient || !indices) return csk_status_invalid_argument;
  // Where each index lies: a division by a variable for each element would cost more than the rest.
  struct {
    float *row;
    ptrdiff_t column;
  } places[1 << 8];
  const int32_t kernel = window->kernel;
  for (int32_t r = 0; r < kernel; r++)
    for (int32_t q = 0; q < kernel; q++) {
      places[r * kernel + q].row = rows[r];
      places[r * kernel + q].column = q;
    }
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++, gradient += lanes, indices += lanes) {
      const ptrdiff_t origin = (ptrdiff_t)o * window->stride - window->padding;
      for (int l = 0; l < lanes; l++) {
        const ptrdiff_t x = origin + places[indices[l]].column;
        places[indices[l]].row[((ptrdiff_t)c * width + x) * lanes + l] += gradient[l];
      }
    }
  }
  return csk_status_ok;
}

/// How many of the window's rows exist: at least one.
static int32_t count_rows(const void *rows, int32_t kernel) {
  const float *const *some = rows;
  int32_t count = 0;
  for (int32_t r = 0; r < kernel; r++) count += some[r] != NULL;
  return count;
}

csk_status csk_average_pool_row(const float *const *rows, int32_t channels, int32_t width,
                                int32_t out_width, const csk_window *window, float *y) {
  if (!windows_are_valid(rows, channels, width, out_width, window))
    return csk_status_invalid_argument;
  if (channels == 0 || out_width == 0) return csk_status_ok;
  if (!y) return csk_status_invalid_argument;
  const int32_t row_count = count_rows(rows, window->kernel);
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++, y += lanes) {
      const csk_window_span span = csk_span_of_window(window, width, o);
      float sums[lanes] = {0};
      for (int32_t r = 0; r < window->kernel; r++) {
        for (int32_t q = span.first; rows[r] && q < span.end; q++) {
          const float *x = rows[r] + ((ptrdiff_t)c * width + span.origin + q) * lanes;
          for (int l = 0; l < lanes; l++) sums[l] += x[l];
        }
      }
      const float count = (float)(row_count * (span.end - span.first));
      for (int l = 0; l < lanes; l++) y[l] = sums[l] / count;
    }
  }
  return csk_status_ok;
}

csk_status csk_average_pool_gradient_row(const float *gradient, int32_t channels, int32_t width,
                                         int32_t out_width, const csk_window *window,
                                         float *const *rows) {
  if (!windows_are_valid(rows, channels, width, out_width, window))
    return csk_status_invalid_argument;
  if (channels == 0 || out_width == 0) return csk_status_ok;
  if (!gradient) return csk_status_invalid_argument;
  const int32_t row_count = count_rows(rows, window->kernel);
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++, gradient += lanes) {
      const csk_window_span span = csk_span_of_window(window, width, o);
      const float count = (float)(row_count * (span.end - span.first));
      float shares[lanes];
      for (int l = 0; l < lanes; l++) shares[l] = gradient[l] / count;
      for (int32_t r = 0; r < window->kernel; r++) {
        for (int32_t q = span.first; rows[r] && q < span.end; q++) {
          float *dx = rows[r] + ((ptrdiff_t)c * width + span.origin + q) * lanes;
          for (int l = 0; l < lanes; l++) dx[l] += shares[l];
        }
      }
    }
  }
  return csk_status_ok;
}
