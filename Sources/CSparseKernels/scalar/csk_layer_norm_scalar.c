// scalar/csk_layer_norm_scalar.c: normalization over a sample's features.
#include <math.h>

#include "csk_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written.
// (A product of two floats is exact in double.)
#pragma STDC FP_CONTRACT OFF

static void layer_norm_forward(const float *x, int32_t features, int32_t lanes, const float *scale,
                               const float *shift, float epsilon, float *mean, float *inverse,
                               float *y) {
  for (int32_t lane = 0; lane < lanes; lane++) {
    double sum = 0, squares = 0;
    for (int32_t c = 0; c < features; c++) sum += (double)x[(ptrdiff_t)c * lanes + lane];
    mean[lane] = (float)(sum / features);
    for (int32_t c = 0; c < features; c++) {
      const double d = (double)(x[(ptrdiff_t)c * lanes + lane] - mean[lane]);
      squares += d * d;
    }
    inverse[lane] = (float)(1 / sqrt(squares / features + (double)epsilon));
    for (int32_t c = 0; c < features; c++) {
      const ptrdiff_t i = (ptrdiff_t)c * lanes + lane;
      y[i] = fmaf((x[i] - mean[lane]) * inverse[lane], scale[c], shift[c]);
    }
  }
}

/// One sample's dx.
static void lane_backward(const float *gradient, const float *x, int32_t features, int32_t lanes,
                          const float *scale, float mean, float inverse, float *dx) {
  double sum = 0, products = 0;
  for (int32_t c = 0; c < features; c++) {
    const ptrdiff_t i = (ptrdiff_t)c * lanes;
    const float g = gradient[i] * scale[c], n = (x[i] - mean) * inverse;
    sum += (double)g;
    products += (double)g * (double)n;
  }
  const float a = (float)(sum / features), b = (float)(products / features);
  for (int32_t c = 0; c < features; c++) {
    const ptrdiff_t i = (ptrdiff_t)c * lanes;
    const float g = gradient[i] * scale[c], n = (x[i] - mean) * inverse;
    dx[i] = fmaf(-n, b, g - a) * inverse;
  }
}

static void layer_norm_backward(const float *gradient, const float *x, int32_t features,
                                int32_t lanes, int32_t live, const float *scale, const float *mean,
                                const float *inverse, float *dx, float *scale_gradient,
                                float *shift_gradient) {
  for (int32_t c = 0; c < features; c++) {
    float terms[2][8] = {0};
    for (int32_t lane = 0; lane < live; lane++) {
      const ptrdiff_t i = (ptrdiff_t)c * lanes + lane;
      const float n = (x[i] - mean[lane]) * inverse[lane];
      terms[0][lane % 8] = fmaf(gradient[i], n, terms[0][lane % 8]);
      terms[1][lane % 8] += gradient[i];
    }
    scale_gradient[c] += csk_sum_lanes(terms[0], 8);
    shift_gradient[c] += csk_sum_lanes(terms[1], 8);
  }
  for (int32_t lane = 0; lane < lanes; lane++) {
    if (lane < live) {
      lane_backward(gradient + lane, x + lane, features, lanes, scale, mean[lane], inverse[lane],
                    dx + lane);
    } else {
      for (int32_t c = 0; c < features; c++) dx[(ptrdiff_t)c * lanes + lane] = 0;
    }
  }
}

void csk_layer_norm_scalar(csk_kernels *kernels) {
  kernels->layer_norm_forward = layer_norm_forward;
  kernels->layer_norm_backward = layer_norm_backward;
}
