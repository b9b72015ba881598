// include/csk_planes.h: what happens to planes (images) between the sparse products.
//
// Planes are stored [group][y][channel][x][lane], 8 lanes a group; a row is one y of one group,
// (channels, width, 8). A convolution works on a band of rows in scratch that fits L2: pack brings
// rows in and applies what lies between two convolutions (batch-norm and activation, or
// batch-norm's gradient), the sparse kernels read and write scratch only, and unpack takes rows
// out, adds and masks what belongs to them, and sums statistics. Batch-norm is thus never a pass of
// its own.
#ifndef CSK_PLANES_H
#define CSK_PLANES_H

#include "csk_activation.h"

#ifdef __cplusplus
extern "C" {
#endif

// Every result, sums included, has the same bits on every instruction set. A row's sums are taken
// in float, even and odd columns apart and each lane apart; then odd is added to even, lanes as
// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)), and the total to the caller's double. Activations let
// NaN through, and so does ReLU's gradient where the activation is NaN. Null scale and shift leave
// x as it is, -0 too.
enum { csk_plane_lanes = 8 };

/// How a row lies in scratch for a kernel of some stride: element x of a channel has the padded
/// column j = x + before and goes to phase j % stride, column j / stride. Phases from `phases` on
/// are not stored: a kernel narrower than its stride never reads them.
typedef struct csk_row_layout {
  int32_t stride;            // >= 1
  int32_t phases;            // 1...stride: stored column phases, min(kernel, stride)
  int32_t before;            // >= 0 padding columns before element 0
  int32_t columns;           // columns of each phase
  ptrdiff_t phase_stride;    // elements from one phase to the next, >= columns * 8
  ptrdiff_t channel_stride;  // >= columns * 8; either may be the outer one
} csk_row_layout;

/// target = f(scale[c] x + shift[c]) for a row: batch-norm and activation on the way into scratch.
/// Every column of every stored phase is written: those without an element become 0. Elements whose
/// column lies beyond `columns` are left out.
///
///   x       (channels, width, 8)
///   scale, shift  (channels), or both null: 1 and 0
///   target  the row in scratch, laid out by `layout`; may not overlap x
/// One rounding (a fused multiply-add). Bound: bytes moved over the bandwidth of memory.
csk_status csk_pack_activation_row(const float *x, int32_t channels, int32_t width,
                                   const float *scale, const float *shift,
                                   csk_activation activation, const csk_row_layout *layout,
                                   float *target);

/// A packed row in place, its lanes from other lanes: of each column, lane l takes what lane
/// l + shift held, or `fill` where that is not one of the first `live`. The lanes are strips of an
/// image, and the row is needed by the strip before or after.
/// Bound: a load and a store of each vector, in L2.
csk_status csk_shift_lanes_row(float *target, int32_t channels, const csk_row_layout *layout,
                               int32_t shift, int32_t live, float fill);

/// The gradient of batch-norm's input from that of its result, as coefficients that the layer above
/// has summed for: d = a[c] gradient + b[c] y + c[c], where y is batch-norm's input.
typedef struct csk_gradient_affine {
  const float *a, *b, *c;  // (channels) each
} csk_gradient_affine;

/// target = affine(gradient) + addend for a row, with dead lanes set to exactly 0:
/// fma(a, gradient, fma(b, y, c)) + addend. Padding is written as by csk_pack_activation_row.
///
///   gradient  (channels, width, 8)
///   affine    or null: d = gradient
///   y         (channels, width, 8), batch-norm's input; null without affine
///   addend    (channels, width, 8) or null: the gradient that came past the layer by a shortcut
///   live      1...8: lanes that are samples; the others become 0
///   sums      (channels) or null: += sum of target over columns and lanes, a bias's gradient;
///             elements that the layout leaves out do not count
///   target    as in csk_pack_activation_row; may be `gradient` or `addend` itself if the layout is
///             the row's own (stride 1, before 0, columns = width, channel_stride = width * 8)
csk_status csk_pack_gradient_row(const float *gradient, const float *y, const float *addend,
                                 int32_t channels, int32_t width, int32_t live,
                                 const csk_gradient_affine *affine, const csk_row_layout *layout,
                                 float *target, double *sums);

/// Sums of a channel's values about a pivot near them, so that a variance is never the small
/// difference of two large numbers: sums[c] = {sum (v - pivot[c]), sum (v - pivot[c])^2}.
typedef struct csk_row_statistics {
  float *pivot;       // (channels)
  double (*sums)[2];  // (channels)
  // Set each pivot to the row's first value (lane 0 of column 0), and sums to 0, before adding. It
  // is the caller's: kernels do not reset it.
  bool starts;
} csk_row_statistics;

/// y = (product + bias) + residual for a row out of scratch, with statistics over its live lanes.
/// Dead lanes of y are computed as the others, and hold the bias.
///
///   product     column x of channel c at product + c * product_channel_stride + x * 8
///   bias        (channels) or null
///   residual    (channels, width, 8) or null
///   y           (channels, width, 8); may be `residual`
///   statistics  or null
///   streams     y is not wanted in a cache: a hint, for rows of planes that the caches cannot hold
///               until they are read again
csk_status csk_unpack_output_row(const float *product, ptrdiff_t product_channel_stride,
                                 const float *bias, const float *residual, int32_t channels,
                                 int32_t width, int32_t live, float *y,
                                 csk_row_statistics *statistics, bool streams);

/// result = (d + addend) f'(scale x + shift) for a row out of scratch: csk_pack_activation_row's
/// gradient, as csk_activate_gradient has it; with the two sums from which batch-norm's gradient
/// follows.
///
///   d           in scratch, laid out by `layout`; columns of phases that are not stored count as 0
///   packed      in scratch, same layout, what csk_pack_activation_row made; or null (identity)
///   x           (channels, width, 8), batch-norm's input; or null without sums, but see below
///   mean        (channels), of x; null without sums
///   addend      (channels, width, 8) or null
///   result      (channels, width, 8); may be `addend`
///   sums        (channels) or null: += sum of result, sum of result * (x - mean[c])
///   streams     result is not wanted in a cache, as in csk_unpack_output_row
/// Dead lanes of d and addend are 0, so those of the result are. If csk_activation_needs_input, the
/// input is taken from x, and `packed` is not read. Other activations need x with an addend where
/// an element may not be stored, and so has no result in scratch.
csk_status csk_unpack_gradient_row(const float *d, csk_activation activation, const float *packed,
                                   const float *x, const float *mean, const float *addend,
                                   int32_t channels, int32_t width, const csk_row_layout *layout,
                                   const float *scale, const float *shift, float *result,
                                   double (*sums)[2], bool streams);

/// The end of a residual block: y = f(scale x + shift + shortcut) with
/// shortcut = shortcut_scale r + shortcut_shift, for a row: two fused multiply-adds and their sum.
///
///   x, r, y  (channels, width, 8); y may be x or r
///   scale, shift, shortcut_scale, shortcut_shift  (channels), each pair or null: 1 and 0
csk_status csk_residual_row(const float *x, const float *scale, const float *shift, const float *r,
                            const float *shortcut_scale, const float *shortcut_shift,
                            int32_t channels, int32_t width, csk_activation activation, float *y);

/// Its gradient: result = gradient f', as csk_activate_gradient has it, with each branch's sums as
/// in csk_unpack_gradient_row. x and mean, r and shortcut_mean, with their sums: null where the
/// branch has no batch-norm. y: the row, or, if csk_activation_needs_input, the row with the
/// identity for f; null without activation. result may be gradient.
csk_status csk_residual_gradient_row(const float *gradient, csk_activation activation,
                                     const float *y, const float *x, const float *mean,
                                     double (*sums)[2], const float *r, const float *shortcut_mean,
                                     double (*shortcut_sums)[2], int32_t channels, int32_t width,
                                     float *result);

/// Global average pooling of a row: y[c, lane] += factor * sum over x of f(scale x + shift).
///
///   x  (channels, width, 8);  y  (channels, 8);  scale, shift  or both null
csk_status csk_global_average_row(const float *x, const float *scale, const float *shift,
                                  csk_activation activation, int32_t channels, int32_t width,
                                  float factor, float *y);

/// Its gradient: result = factor * gradient[c, lane] f'(scale x + shift), with sums as in
/// csk_unpack_gradient_row. x may be null without activation and sums, mean without sums.
csk_status csk_global_average_gradient_row(const float *gradient, const float *x,
                                           const float *scale, const float *shift,
                                           csk_activation activation, const float *mean,
                                           int32_t channels, int32_t width, float factor,
                                           float *result, double (*sums)[2]);

#ifdef __cplusplus
}
#endif
#endif
