// include/csk_dense_planes.h: dense convolutions on bands of planes.
//
// A band is a few rows of one group in scratch: element (channel, row, column, lane) lies at
// channel * channel_stride + row * row_stride + column * 8 + lane, 8 lanes a column. A convolution
// is a sum over channels and taps of shifted rows: nothing is copied for a tap.
#ifndef CSK_DENSE_PLANES_H
#define CSK_DENSE_PLANES_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Channels of a result that are made together; weights are stored for that.
enum { csk_dense_block = 6 };

/// Channels of a transposed row are filled up with zeros to a multiple of this.
enum { csk_dense_width = 16 };

/// How weights lie: that of result channel m, reduced channel k and tap t at m * result_stride +
/// k * reduced_stride + tap_indices[t] * tap_stride.
typedef struct csk_dense_order {
  int32_t results, reduced;  // channels
  int32_t taps;
  const int32_t *tap_indices;  // (taps)
  ptrdiff_t result_stride, reduced_stride, tap_stride;
} csk_dense_order;

/// Copies the weights of the blocks [block_begin, block_end) of result channels into the order in
/// which csk_dense_product reads them: block by block (k, t, channel of the block), where the last
/// block may have fewer channels. The whole copy has results * reduced * taps elements; `copy` is
/// its beginning. Bound: bytes over the bandwidth of memory.
csk_status csk_dense_copy_weights(const float *weights, const csk_dense_order *order,
                                  int32_t block_begin, int32_t block_end, float *copy);

/// The sizes of a product on a band.
typedef struct csk_dense_band {
  int32_t results, reduced;  // channels
  int32_t taps;
  int32_t rows, columns;
  const int32_t *tap_offsets;  // (taps) elements
  ptrdiff_t x_channel_stride, x_row_stride;
  ptrdiff_t y_channel_stride, y_row_stride;
} csk_dense_band;

/// y[m, row, i] = sum over k and t of copy[m, k, t] * x[k, row, i + tap_offsets[t]], for i in
/// 0 ..< columns * 8.
///
///   copy  of csk_dense_copy_weights
///   x     (reduced) at any place: every tap must be readable for all rows and columns
///   y     (results); overwritten, nothing between columns and rows is touched
/// A lane of y is one sum in the order (k, t), wherever it lies and whatever its neighbours. x and
/// y must not overlap. Without channels or taps to sum over, y is 0. Bound: FMA peak.
csk_status csk_dense_product(const float *copy, const csk_dense_band *band, const float *x,
                             float *y);

/// target[i, channel] = x[channel, i] for a row of `columns` * 8 elements; target (columns * 8,
/// width), its rows filled up with zeros to `width`, the next multiple of csk_dense_width.
/// Bound: bytes over L2's bandwidth.
csk_status csk_dense_transpose_row(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                                   int32_t columns, float *target);

/// The sizes of a weight gradient on a band: `y` is the output's gradient, `x` the input.
typedef struct csk_dense_sums {
  int32_t outputs, inputs;  // channels
  int32_t taps;
  int32_t rows, columns;
  const int32_t *tap_indices, *tap_offsets;  // (taps); offsets in elements
  ptrdiff_t y_channel_stride, y_row_stride;
  ptrdiff_t x_channel_stride, x_row_stride;  // transposed: no channel stride
  ptrdiff_t output_stride, tap_stride;       // of dw; its inputs are neighbours
} csk_dense_sums;

/// dw[o, tap_indices[t], c] (+)= sum over rows and i of y[o, row, i - tap_offsets[t]] * x[row, i,
/// c]
///
///   y   (outputs) readable for all taps
///   x   (rows; columns * 8, inputs filled up) of csk_dense_transpose_row, rows x_row_stride apart
///   dw  (outputs, taps, inputs) with strides; added to if `accumulate`, else overwritten; elements
///       of other taps stay
/// An element of dw is a sum in the order (row, i), cut into pieces of the band that depend on rows
/// and columns only. Bound: FMA peak.
csk_status csk_dense_gradient(const csk_dense_sums *sums, const float *y, const float *x,
                              bool accumulate, float *dw);

/// The same for few inputs, from x (inputs) as it is: each lane is summed apart, the lanes then by
/// a fixed tree. Bound: FMA peak for three inputs or more, else loads.
csk_status csk_dense_gradient_narrow(const csk_dense_sums *sums, const float *y, const float *x,
                                     bool accumulate, float *dw);

#ifdef __cplusplus
}
#endif
#endif
