// scalar/csk_planes_scalar.c: rows of planes into and out of scratch.
#include "csk_activation_internal.h"
#include "csk_planes_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

/// Columns without an element, of one channel.
static void clear_padding(const csk_row_layout *layout, int32_t width, float *target) {
  for (int32_t phase = 0; phase < layout->phases; phase++) {
    const csk_phase_span span = csk_span_of_phase(layout, width, phase);
    float *columns = target + phase * layout->phase_stride;
    for (int32_t j = 0; j < layout->columns; j++) {
      if (j >= span.first && j < span.end) continue;
      for (int32_t lane = 0; lane < lanes; lane++) columns[(ptrdiff_t)j * lanes + lane] = 0;
    }
  }
}

// target = f(scale[c] x + shift[c])
static void pack_activation_row(const float *x, int32_t channels, int32_t width, const float *scale,
                                const float *shift, csk_activation activation,
                                const csk_row_layout *layout, float *target) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    float *channel = target + c * layout->channel_stride;
    clear_padding(layout, width, channel);
    csk_layout_walk walk = csk_walk_start(layout);
    for (int32_t j = 0; j < width; j++, x += lanes, csk_walk_on(&walk, layout)) {
      if (!csk_is_stored(&walk, layout)) continue;
      for (int32_t lane = 0; lane < lanes; lane++) {
        channel[walk.offset + lane] = csk_activation_value(activation, fmaf(a, x[lane], b));
      }
    }
  }
}

// target = a[c] gradient + (b[c] y + c[c]) + addend;  sums[c] += sum target
static void pack_gradient_row(const float *gradient, const float *y, const float *addend,
                              int32_t channels, int32_t width, int32_t live,
                              const csk_gradient_affine *affine, const csk_row_layout *layout,
                              float *target, double *sums) {
  for (int32_t c = 0; c < channels; c++) {
    float *channel = target + c * layout->channel_stride;
    clear_padding(layout, width, channel);
    csk_row_sum sum = {0};
    csk_layout_walk walk = csk_walk_start(layout);
    for (int32_t j = 0; j < width; j++, csk_walk_on(&walk, layout)) {
      if (!csk_is_stored(&walk, layout)) continue;
      for (int32_t lane = 0; lane < lanes; lane++) {
        const ptrdiff_t at = ((ptrdiff_t)c * width + j) * lanes + lane;
        float v = gradient[at];
        if (affine) v = fmaf(affine->a[c], v, fmaf(affine->b[c], y[at], affine->c[c]));
        if (addend) v += addend[at];
        if (lane >= live) v = 0;
        channel[walk.offset + lane] = v;
        sum.partial[j % 2][lane] += v;
      }
    }
    if (sums) sums[c] += (double)csk_row_total(&sum);
  }
}

// y = product + bias[c] + residual;  sums[c] += {sum d, sum d^2} with d = y - pivot[c]
static void unpack_output_row(const float *product, ptrdiff_t product_channel_stride,
                              const float *bias, const float *residual, int32_t channels,
                              int32_t width, int32_t live, float *y, csk_row_statistics *statistics,
                              bool streams) {
  (void)streams;
  for (int32_t c = 0; c < channels; c++) {
    const float *p = product + c * product_channel_stride;
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    csk_row_sum sum = {0}, squares = {0};
    float pivot = statistics && !statistics->starts ? statistics->pivot[c] : 0;
    for (int32_t j = 0; j < width; j++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        const ptrdiff_t at = (ptrdiff_t)j * lanes + lane;
        float v = p[at];
        if (bias) v += bias[c];
        if (residual) v += residual[first + at];
        y[first + at] = v;
        if (at == 0 && statistics && statistics->starts) pivot = v;
        const float d = lane < live ? v - pivot : 0;
        sum.partial[j % 2][lane] += d;
        squares.partial[j % 2][lane] = fmaf(d, d, squares.partial[j % 2][lane]);
      }
    }
    if (!statistics) continue;
    if (statistics->starts) {
      statistics->pivot[c] = pivot;
      statistics->sums[c][0] = statistics->sums[c][1] = 0;
    }
    statistics->sums[c][0] += (double)csk_row_total(&sum);
    statistics->sums[c][1] += (double)csk_row_total(&squares);
  }
}

// result = (d + addend) f'(scale[c] x + shift[c]);
// sums[c] += {sum result, sum result (x - mean[c])}
static void unpack_gradient_row(const float *d, csk_activation activation, const float *packed,
                                const float *x, const float *mean, const float *addend,
                                int32_t channels, int32_t width, const csk_row_layout *layout,
                                const float *scale, const float *shift, float *result,
                                double (*sums)[2], bool streams) {
  (void)streams;
  const bool has_activation = activation.kind != csk_activation_identity;
  const bool needs_input = csk_activation_needs_input(activation);
  for (int32_t c = 0; c < channels; c++) {
    csk_row_sum sum = {0}, products = {0};
    csk_layout_walk walk = csk_walk_start(layout);
    for (int32_t j = 0; j < width; j++, csk_walk_on(&walk, layout)) {
      const bool stored = csk_is_stored(&walk, layout);
      for (int32_t lane = 0; lane < lanes; lane++) {
        const ptrdiff_t at = ((ptrdiff_t)c * width + j) * lanes + lane;
        const ptrdiff_t inside = c * layout->channel_stride + walk.offset + lane;
        float v = 0;
        if (stored) v = addend ? d[inside] + addend[at] : d[inside];
        if (!stored && addend) v = addend[at];
        if (has_activation && (stored || addend)) {
          float value;
          if (stored && !needs_input) {
            value = packed[inside];
          } else {
            value = fmaf(csk_scale_of(scale, c), x[at], csk_shift_of(shift, c));
            if (!needs_input) value = csk_activation_value(activation, value);
          }
          v = csk_activation_product(activation, v, value);
        }
        result[at] = v;
        if (!sums) continue;
        sum.partial[j % 2][lane] += v;
        float *product = &products.partial[j % 2][lane];
        *product = fmaf(v, x[at] - mean[c], *product);
      }
    }
    if (!sums) continue;
    sums[c][0] += (double)csk_row_total(&sum);
    sums[c][1] += (double)csk_row_total(&products);
  }
}

void csk_planes_scalar(csk_kernels *kernels) {
  kernels->pack_activation_row = pack_activation_row;
  kernels->pack_gradient_row = pack_gradient_row;
  kernels->unpack_output_row = unpack_output_row;
  kernels->unpack_gradient_row = unpack_gradient_row;
}
