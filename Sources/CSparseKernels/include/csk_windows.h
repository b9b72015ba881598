// include/csk_windows.h: depthwise convolution and pooling on planes.
//
// Planes are stored [group][y][channel][x][lane] with 8 lanes a group, see csk_planes.h. Each
// function makes one row of results for one group.
#ifndef CSK_WINDOWS_H
#define CSK_WINDOWS_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// y[c, x] = sum over taps t of weights[c * weight_stride + tap_indices[t]] *
/// s[c * s_channel_stride + tap_offsets[t] + x * 8], for a row.
///
///   s            a band in scratch, with its halo
///   tap_indices  (taps) which weight of the channel
///   tap_offsets  (taps) element offsets into s
///   y            column x of channel c at y + c * y_channel_stride + x * 8; overwritten
/// Every tap must be readable for all columns; a lane of y is one sum in the order of the taps. s
/// and y must not overlap. Without taps y is 0. Nine taps in three rows of neighbouring columns are
/// fastest. Bound: bytes over L2's bandwidth, s once for each kernel row, y once.
csk_status csk_depthwise_forward_row(const float *s, ptrdiff_t s_channel_stride,
                                     const float *weights, int32_t weight_stride, int32_t taps,
                                     const int32_t *tap_indices, const int32_t *tap_offsets,
                                     int32_t channels, int32_t columns, float *y,
                                     ptrdiff_t y_channel_stride);
csk_status csk_depthwise_forward_row_on(csk_isa isa, const float *s, ptrdiff_t s_channel_stride,
                                        const float *weights, int32_t weight_stride, int32_t taps,
                                        const int32_t *tap_indices, const int32_t *tap_offsets,
                                        int32_t channels, int32_t columns, float *y,
                                        ptrdiff_t y_channel_stride);

/// Both gradients, for a row of the input (of one phase, where there is a stride):
///   dx[c, x] = sum over t of weights[c, tap_indices[t]] * dy[c, x * 8 - tap_offsets[t]]
///   dw[c, tap_indices[t]] += sum over x and lanes of in[c, x] * dy[c, x * 8 - tap_offsets[t]]
///
///   dy      a band of the output's gradient in scratch, with its halo
///   in, dx  (channels, columns, 8) with channel strides; dx null: not wanted
///   dw      like the weights: channel c's at dw + c * weight_stride; lanes by a fixed tree
/// dw does not depend on whether dx is wanted; other weights' elements stay as they are. dx must
/// not overlap dy or in. Without taps dx is 0 and dw stays. Bound: FMA peak, 2 FMAs for a load.
csk_status csk_depthwise_backward_row(const float *dy, ptrdiff_t dy_channel_stride, const float *in,
                                      ptrdiff_t in_channel_stride, const float *weights,
                                      int32_t weight_stride, int32_t taps,
                                      const int32_t *tap_indices, const int32_t *tap_offsets,
                                      int32_t channels, int32_t columns, float *dx,
                                      ptrdiff_t dx_channel_stride, float *dw);
csk_status csk_depthwise_backward_row_on(csk_isa isa, const float *dy, ptrdiff_t dy_channel_stride,
                                         const float *in, ptrdiff_t in_channel_stride,
                                         const float *weights, int32_t weight_stride, int32_t taps,
                                         const int32_t *tap_indices, const int32_t *tap_offsets,
                                         int32_t channels, int32_t columns, float *dx,
                                         ptrdiff_t dx_channel_stride, float *dw);

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
csk_status csk_max_pool_row_on(csk_isa isa, const float *const *rows, int32_t channels,
                               int32_t width, int32_t out_width, const csk_window *window, float *y,
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
