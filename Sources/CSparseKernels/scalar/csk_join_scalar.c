// scalar/csk_join_scalar.c: the ends of residual blocks, global averages, and their gradients.
#include "csk_planes_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written.
#pragma STDC FP_CONTRACT OFF

enum { lanes = csk_plane_lanes };

// y = relu((scale[c] x + shift[c]) + (shortcut_scale[c] r + shortcut_shift[c]))
static void join_row(const float *x, const float *scale, const float *shift, const float *r,
                     const float *shortcut_scale, const float *shortcut_shift, int32_t channels,
                     int32_t width, bool relu, float *y) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    const float p = csk_scale_of(shortcut_scale, c), q = csk_shift_of(shortcut_shift, c);
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    for (ptrdiff_t i = first; i < first + (ptrdiff_t)width * lanes; i++) {
      float v = fmaf(a, x[i], b) + fmaf(p, r[i], q);
      if (relu) v = 0 > v ? 0 : v;  // NaN stays
      y[i] = v;
    }
  }
}

// sums[c] += {sum result, sum result (x - mean[c])} for channel c of a row
static void add_sums(const float *result, const float *x, const float *mean, int32_t c,
                     int32_t width, double (*sums)[2]) {
  csk_row_sum sum = {0}, products = {0};
  for (int32_t j = 0; j < width; j++) {
    for (int32_t lane = 0; lane < lanes; lane++) {
      const ptrdiff_t at = ((ptrdiff_t)c * width + j) * lanes + lane;
      sum.partial[j % 2][lane] += result[at];
      float *product = &products.partial[j % 2][lane];
      *product = fmaf(result[at], x[at] - mean[c], *product);
    }
  }
  sums[c][0] += (double)csk_row_total(&sum);
  sums[c][1] += (double)csk_row_total(&products);
}

// result = gradient where y is not <= 0
static void join_gradient_row(const float *gradient, const float *y, const float *x,
                              const float *mean, double (*sums)[2], const float *r,
                              const float *shortcut_mean, double (*shortcut_sums)[2],
                              int32_t channels, int32_t width, float *result) {
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    for (ptrdiff_t i = first; i < first + (ptrdiff_t)width * lanes; i++)
      result[i] = y && y[i] <= 0 ? 0 : gradient[i];  // NaN is not <= 0: it passes
    if (sums) add_sums(result, x, mean, c, width, sums);
    if (shortcut_sums) add_sums(result, r, shortcut_mean, c, width, shortcut_sums);
  }
}

// y[c, lane] += factor sum_j relu(scale[c] x + shift[c]); even and odd columns are summed apart.
static void average_row(const float *x, const float *scale, const float *shift, bool relu,
                        int32_t channels, int32_t width, float factor, float *y) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    csk_row_sum sum = {0};
    for (int32_t j = 0; j < width; j++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        float v = fmaf(a, x[((ptrdiff_t)c * width + j) * lanes + lane], b);
        if (relu) v = 0 > v ? 0 : v;
        sum.partial[j % 2][lane] += v;
      }
    }
    float *yc = y + (ptrdiff_t)c * lanes;
    for (int32_t lane = 0; lane < lanes; lane++)
      yc[lane] = fmaf(factor, sum.partial[0][lane] + sum.partial[1][lane], yc[lane]);
  }
}

// result = factor gradient[c, lane] where scale[c] x + shift[c] is not <= 0
static void average_gradient_row(const float *gradient, const float *x, const float *scale,
                                 const float *shift, bool relu, const float *mean, int32_t channels,
                                 int32_t width, float factor, float *result, double (*sums)[2]) {
  for (int32_t c = 0; c < channels; c++) {
    const float a = csk_scale_of(scale, c), b = csk_shift_of(shift, c);
    for (int32_t j = 0; j < width; j++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        const ptrdiff_t at = ((ptrdiff_t)c * width + j) * lanes + lane;
        const float g = factor * gradient[(ptrdiff_t)c * lanes + lane];
        result[at] = relu && fmaf(a, x[at], b) <= 0 ? 0 : g;  // NaN passes
      }
    }
    if (sums) add_sums(result, x, mean, c, width, sums);
  }
}

void csk_join_scalar(csk_kernels *kernels) {
  kernels->join_row = join_row;
  kernels->join_gradient_row = join_gradient_row;
  kernels->average_row = average_row;
  kernels->average_gradient_row = average_gradient_row;
}
