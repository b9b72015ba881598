// scalar/csk_residual_scalar.c: the ends of residual blocks, and their gradients.
#include "csk_activation_internal.h"
#include "csk_planes_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

// y = f((scale[c] x + shift[c]) + (shortcut_scale[c] r + shortcut_shift[c]))
static void residual_row(const float *x, const float *scale, const float *shift, const float *r,
                         const float *shortcut_scale, const float *shortcut_shift, int32_t channels,
                         int32_t width, csk_activation activation, float *y) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    const float p = csk_scale_of(shortcut_scale, c), q = csk_shift_of(shortcut_shift, c);
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    for (ptrdiff_t i = first; i < first + (ptrdiff_t)width * lanes; i++) {
      y[i] = csk_activation_value(activation, fmaf(a, x[i], b) + fmaf(p, r[i], q));
    }
  }
}

// result = gradient f'
static void residual_gradient_row(const float *gradient, csk_activation activation, const float *y,
                                  const float *x, const float *mean, double (*sums)[2],
                                  const float *r, const float *shortcut_mean,
                                  double (*shortcut_sums)[2], int32_t channels, int32_t width,
                                  float *result) {
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    for (ptrdiff_t i = first; i < first + (ptrdiff_t)width * lanes; i++)
      result[i] = activation.kind == csk_activation_identity
                      ? gradient[i]
                      : csk_activation_product(activation, gradient[i], y[i]);
    if (sums) csk_add_row_sums(result, x, mean, c, width, sums);
    if (shortcut_sums) csk_add_row_sums(result, r, shortcut_mean, c, width, shortcut_sums);
  }
}

void csk_residual_scalar(csk_kernels *kernels) {
  kernels->residual_row = residual_row;
  kernels->residual_gradient_row = residual_gradient_row;
}
