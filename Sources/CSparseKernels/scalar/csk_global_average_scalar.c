// scalar/csk_global_average_scalar.c: global average pooling, and its gradient.
#include "csk_activation_internal.h"
#include "csk_planes_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

// y[c, lane] += factor sum_j f(scale[c] x + shift[c]); even and odd columns are summed apart.
static void global_average_row(const float *x, const float *scale, const float *shift,
                               csk_activation activation, int32_t channels, int32_t width,
                               float factor, float *y) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    csk_row_sum sum = {0};
    for (int32_t j = 0; j < width; j++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        const float v = fmaf(a, x[((ptrdiff_t)c * width + j) * lanes + lane], b);
        sum.partial[j % 2][lane] += csk_activation_value(activation, v);
      }
    }
    float *yc = y + (ptrdiff_t)c * lanes;
    for (int32_t lane = 0; lane < lanes; lane++)
      yc[lane] = fmaf(factor, sum.partial[0][lane] + sum.partial[1][lane], yc[lane]);
  }
}

// result = factor gradient[c, lane] f'(scale[c] x + shift[c])
static void global_average_gradient_row(const float *gradient, const float *x, const float *scale,
                                        const float *shift, csk_activation activation,
                                        const float *mean, int32_t channels, int32_t width,
                                        float factor, float *result, double (*sums)[2]) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    for (int32_t j = 0; j < width; j++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        const ptrdiff_t at = ((ptrdiff_t)c * width + j) * lanes + lane;
        const float g = factor * gradient[(ptrdiff_t)c * lanes + lane];
        result[at] = g;
        if (activation.kind == csk_activation_identity) continue;
        float value = fmaf(a, x[at], b);
        if (!csk_activation_needs_input(activation))
          value = csk_activation_value(activation, value);
        result[at] = csk_activation_product(activation, g, value);
      }
    }
    if (sums) csk_add_row_sums(result, x, mean, c, width, sums);
  }
}

void csk_global_average_scalar(csk_kernels *kernels) {
  kernels->global_average_row = global_average_row;
  kernels->global_average_gradient_row = global_average_gradient_row;
}
