// include/csk_pool2d.h: max and average pooling on planes.
//
// Planes are stored [group][y][channel][x][lane] with 8 lanes a group, see csk_planes.h. Each
// function makes one row of results for one group.
#ifndef CSK_POOL2D_H
#define CSK_POOL2D_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The windows of a pooling layer, square; they are clipped at the borders, never padded.
typedef struct csk_window {
  int32_t kernel, stride, padding;  // kernel 1...15, padding < kernel
} csk_window;

/// One row of max-pooling: for output column x the largest of the window's elements in the given
/// rows; ties to the first in row order; NaN is larger than everything.
///
///   rows     (kernel) input rows (channels, width, 8), null where the window is clipped
///   y        (channels, out_width, 8)
///   indices  (channels, out_width, 8) or null: row * kernel + column within the window of the
///            element that was chosen
/// Every window must have an element: one row at least is not null, and
/// (out_width - 1) * stride - padding < width. The same on every instruction set. Bound: bytes over
/// the bandwidth of memory.
csk_status csk_max_pool_row(const float *const *rows, int32_t channels, int32_t width,
                            int32_t out_width, const csk_window *window, float *y,
                            uint8_t *indices);

/// Adds a row's gradient to that of the elements that were chosen: dx rows (channels, width, 8),
/// null where clipped. The indices are csk_max_pool_row's for the same window and rows: they are
/// not checked.
csk_status csk_max_pool_gradient_row(const float *gradient, const uint8_t *indices,
                                     int32_t channels, int32_t width, int32_t out_width,
                                     const csk_window *window, float *const *rows);

/// One row of average pooling: the mean of the window's elements that exist.
csk_status csk_average_pool_row(const float *const *rows, int32_t channels, int32_t width,
                                int32_t out_width, const csk_window *window, float *y);
/// Adds its gradient to the rows'.
csk_status csk_average_pool_gradient_row(const float *gradient, int32_t channels, int32_t width,
                                         int32_t out_width, const csk_window *window,
                                         float *const *rows);

#ifdef __cplusplus
}
#endif
#endif
