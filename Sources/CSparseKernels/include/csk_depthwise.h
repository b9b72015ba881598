// include/csk_depthwise.h: depthwise convolution on planes.
//
// Planes are stored [group][y][channel][x][lane] with 8 lanes a group, see csk_planes.h. Each
// function makes one row of results for one group.
#ifndef CSK_DEPTHWISE_H
#define CSK_DEPTHWISE_H

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

#ifdef __cplusplus
}
#endif
#endif
