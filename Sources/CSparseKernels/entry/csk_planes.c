// entry/csk_planes.c: checks the arguments of rows into and out of scratch once, then dispatches.
#include "csk_internal.h"

static bool row_is_valid(int32_t channels, int32_t width) {
  return channels >= 0 && width >= 0;
}

/// Whether a pointer to the row's elements may be used: null only if there are none.
static bool is_usable(const void *values, int32_t channels, int32_t width) {
  return values || channels == 0 || width == 0;
}

/// Columns of one phase of one channel must not be another's.
static bool layout_is_valid(const csk_row_layout *layout, int32_t channels) {
  if (!layout || layout->stride < 1 || layout->phases < 1 || layout->phases > layout->stride ||
      layout->before < 0 || layout->columns < 0)
    return false;
  const ptrdiff_t size = (ptrdiff_t)layout->columns * csk_plane_lanes;
  return (channels == 0 || layout->phases == 1 || layout->phase_stride >= size) &&
         (channels <= 1 || layout->channel_stride >= size);
}

/// Whether every element of a row has its place in scratch.
static bool stores_all(const csk_row_layout *layout, int32_t width) {
  return layout->phases == layout->stride &&
         (int64_t)layout->before + width <= (int64_t)layout->columns * layout->stride;
}

csk_status csk_pack_activation_row(const float *x, int32_t channels, int32_t width,
                                   const float *scale, const float *shift,
                                   csk_activation activation, const csk_row_layout *layout,
                                   float *target) {
  if (!row_is_valid(channels, width) || !layout_is_valid(layout, channels) || !scale != !shift ||
      !csk_activation_is_valid(activation) || !is_usable(x, channels, width) ||
      !is_usable(target, channels, layout->columns))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->pack_activation_row(x, channels, width, scale, shift, activation, layout, target);
  return csk_status_ok;
}

csk_status csk_pack_gradient_row(const float *gradient, const float *y, const float *addend,
                                 int32_t channels, int32_t width, int32_t live,
                                 const csk_gradient_affine *affine, const csk_row_layout *layout,
                                 float *target, double *sums) {
  if (!row_is_valid(channels, width) || !layout_is_valid(layout, channels) || live < 1 ||
      live > csk_plane_lanes || !is_usable(gradient, channels, width) ||
      !is_usable(target, channels, layout->columns))
    return csk_status_invalid_argument;
  if (affine && channels > 0 &&
      !(is_usable(y, channels, width) && affine->a && affine->b && affine->c))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->pack_gradient_row(gradient, y, addend, channels, width, live, affine, layout, target,
                             sums);
  return csk_status_ok;
}

/// Whole vectors of 32 bytes can go past the caches.
static bool can_stream(const float *row) {
  return (uintptr_t)row % 32 == 0;
}

csk_status csk_unpack_output_row(const float *product, ptrdiff_t product_channel_stride,
                                 const float *bias, const float *residual, int32_t channels,
                                 int32_t width, int32_t live, float *y,
                                 csk_row_statistics *statistics, bool streams) {
  if (!row_is_valid(channels, width) || live < 1 || live > csk_plane_lanes ||
      !is_usable(product, channels, width) || !is_usable(y, channels, width))
    return csk_status_invalid_argument;
  if (channels > 1 && product_channel_stride < (ptrdiff_t)width * csk_plane_lanes)
    return csk_status_invalid_argument;
  if (statistics && channels > 0 && !(statistics->pivot && statistics->sums))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (width == 0) product_channel_stride = 0;  // the product may be null
  kernels->unpack_output_row(product, product_channel_stride, bias, residual, channels, width, live,
                             y, statistics, streams && can_stream(y));
  return csk_status_ok;
}

/// Whether what the activation's gradient needs is given: its input, or its result; and its input,
/// too, for addends of elements that have no place in scratch.
static bool activation_is_given(csk_activation activation, const float *packed, const float *x,
                                const float *addend, int32_t channels, int32_t width,
                                const csk_row_layout *layout) {
  if (!csk_activation_is_valid(activation)) return false;
  if (activation.kind == csk_activation_identity) return true;
  if (csk_activation_needs_input(activation)) return is_usable(x, channels, width);
  if (!is_usable(packed, channels, width)) return false;
  return !addend || stores_all(layout, width) || is_usable(x, channels, width);
}

csk_status csk_unpack_gradient_row(const float *d, csk_activation activation, const float *packed,
                                   const float *x, const float *mean, const float *addend,
                                   int32_t channels, int32_t width, const csk_row_layout *layout,
                                   const float *scale, const float *shift, float *result,
                                   double (*sums)[2], bool streams) {
  if (!row_is_valid(channels, width) || !layout_is_valid(layout, channels) || !scale != !shift ||
      !is_usable(d, channels, width) || !is_usable(result, channels, width))
    return csk_status_invalid_argument;
  if (sums && !(is_usable(x, channels, width) && is_usable(mean, channels, width)))
    return csk_status_invalid_argument;
  if (!activation_is_given(activation, packed, x, addend, channels, width, layout))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (width == 0) return csk_status_ok;
  kernels->unpack_gradient_row(d, activation, packed, x, mean, addend, channels, width, layout,
                               scale, shift, result, sums, streams && can_stream(result));
  return csk_status_ok;
}

csk_status csk_shift_lanes_row(float *target, int32_t channels, const csk_row_layout *layout,
                               int32_t shift, int32_t live, float fill) {
  enum { lanes = csk_plane_lanes };
  if (channels < 0 || !layout_is_valid(layout, channels) || live < 0 || live > lanes ||
      shift <= -lanes || shift >= lanes || !is_usable(target, channels, layout->columns))
    return csk_status_invalid_argument;
  // Lanes [first, end) have a source among the live ones.
  const int32_t first = -shift, end = live - shift;
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t phase = 0; phase < layout->phases; phase++) {
      float *column = target + c * layout->channel_stride + phase * layout->phase_stride;
      for (int32_t j = 0; j < layout->columns; j++, column += lanes) {
        // With fills on both sides every source exists, and the copy has a fixed length.
        float padded[3 * lanes];
        for (int l = 0; l < lanes; l++) padded[l] = padded[2 * lanes + l] = fill;
        for (int l = 0; l < lanes; l++) padded[lanes + l] = column[l];
        for (int l = 0; l < lanes; l++)
          column[l] = l >= first && l < end ? padded[lanes + shift + l] : fill;
      }
    }
  }
  return csk_status_ok;
}
