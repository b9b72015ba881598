// layer_norm_tests.c: normalization over features against the formula in double, and its gradient
// against differences of it.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack_cases.h"

enum { most_features = 70, most_lanes = 40, most = most_features * most_lanes };
static const float epsilon = 1e-5f;

typedef struct norm_case {
  int32_t features, lanes;
  float x[most], scale[most_features], shift[most_features], gradient[most];
} norm_case;

static void make_case(norm_case *n, int32_t features, int32_t lanes, float offset) {
  uint64_t seed = (uint64_t)(features * 100 + lanes);
  n->features = features;
  n->lanes = lanes;
  for (int32_t i = 0; i < features * lanes; i++) n->x[i] = offset + csk_test_uniform(&seed);
  for (int32_t i = 0; i < features * lanes; i++) n->gradient[i] = csk_test_uniform(&seed);
  for (int32_t c = 0; c < features; c++) n->scale[c] = 1 + csk_test_uniform(&seed) / 2;
  for (int32_t c = 0; c < features; c++) n->shift[c] = csk_test_uniform(&seed);
}

/// One sample's results in double.
static void exact(const norm_case *n, const double *x, double *y) {
  double mean = 0, variance = 0;
  for (int32_t c = 0; c < n->features; c++) mean += x[c] / n->features;
  for (int32_t c = 0; c < n->features; c++) variance += (x[c] - mean) * (x[c] - mean) / n->features;
  for (int32_t c = 0; c < n->features; c++)
    y[c] = (x[c] - mean) / sqrt(variance + (double)epsilon) * (double)n->scale[c] +
           (double)n->shift[c];
}

static void sample_of(const norm_case *n, int32_t lane, double *x) {
  for (int32_t c = 0; c < n->features; c++) x[c] = (double)n->x[c * n->lanes + lane];
}

static const struct {
  int32_t features, lanes;
  float offset;
} shapes[] = {{1, 8, 0}, {2, 8, 3}, {7, 16, 0}, {70, 32, 1}, {64, 40, 100}};
enum { shape_count = sizeof shapes / sizeof *shapes };

static void forward_matches_double(void) {
  static norm_case n;
  for (int shape = 0; shape < shape_count; shape++) {
    make_case(&n, shapes[shape].features, shapes[shape].lanes, shapes[shape].offset);
    FOR_EACH_ISA(isa) {
      float y[most + 8], mean[most_lanes], inverse[most_lanes];
      csk_canary_fill(y, most + 8);
      const int32_t count = n.features * n.lanes;
      const csk_status status =
          CSK_ON((csk_isa)isa, csk_layer_norm_forward(n.x, n.features, n.lanes, n.scale, n.shift,
                                                      epsilon, mean, inverse, y));
      CSK_CHECK(status == csk_status_ok && csk_canary_intact(y + count, 8), "%d features", count);
      for (int32_t lane = 0; lane < n.lanes; lane++) {
        double x[most_features] = {0}, expected[most_features];
        sample_of(&n, lane, x);
        exact(&n, x, expected);
        // The mean is rounded at its own size, and its error enlarged as x is.
        const double size = fabs((double)shapes[shape].offset) + 1;
        const double bound =
            (double)FLT_EPSILON * (4 + 2 * size * (double)inverse[lane]) * (1.5 + 1);
        for (int32_t c = 0; c < n.features; c++)
          CSK_CHECK(fabs((double)y[c * n.lanes + lane] - expected[c]) <= bound,
                    "%s feature %d lane %d: %g not %g", csk_isa_name((csk_isa)isa), c, lane,
                    (double)y[c * n.lanes + lane], expected[c]);
      }
    }
  }
}

/// The loss sum_c gradient y of one sample, with feature `moved` moved.
static double loss_of(const norm_case *n, int32_t lane, int32_t moved, double by) {
  double x[most_features] = {0}, y[most_features], loss = 0;
  sample_of(n, lane, x);
  x[moved] += by;
  exact(n, x, y);
  for (int32_t c = 0; c < n->features; c++) loss += (double)n->gradient[c * n->lanes + lane] * y[c];
  return loss;
}

static void backward_matches_differences(void) {
  static norm_case n;
  for (int shape = 1; shape < shape_count - 1; shape++) {
    make_case(&n, shapes[shape].features, shapes[shape].lanes, shapes[shape].offset);
    const int32_t live = n.lanes - 3;
    FOR_EACH_ISA(isa) {
      const char *name = csk_isa_name((csk_isa)isa);
      float y[most], dx[most], mean[most_lanes], inverse[most_lanes];
      float of_scale[most_features + 8], of_shift[most_features + 8];
      csk_canary_fill(of_scale, most_features + 8);
      csk_canary_fill(of_shift, most_features + 8);
      for (int32_t c = 0; c < n.features; c++) of_scale[c] = of_shift[c] = 2;
      CSK_ON((csk_isa)isa, csk_layer_norm_forward(n.x, n.features, n.lanes, n.scale, n.shift,
                                                  epsilon, mean, inverse, y));
      memcpy(dx, n.gradient, sizeof dx);  // in place
      CSK_ON((csk_isa)isa, csk_layer_norm_backward(dx, n.x, n.features, n.lanes, live, n.scale,
                                                   mean, inverse, dx, of_scale, of_shift));
      for (int32_t c = 0; c < n.features; c++) {
        double scale_sum = 2, shift_sum = 2;
        for (int32_t lane = 0; lane < n.lanes; lane++) {
          const int32_t i = c * n.lanes + lane;
          if (lane >= live) {
            CSK_CHECK(dx[i] == 0, "%s dead lane %d", name, lane);
            continue;
          }
          const double step = 1e-5;
          const double expected =
              (loss_of(&n, lane, c, step) - loss_of(&n, lane, c, -step)) / (2 * step);
          const double bound = 3e-6 * (1 + (double)inverse[lane]) * (double)inverse[lane];
          CSK_CHECK(fabs((double)dx[i] - expected) <= bound, "%s feature %d lane %d: %g not %g",
                    name, c, lane, (double)dx[i], expected);
          shift_sum += (double)n.gradient[i];
          scale_sum +=
              (double)n.gradient[i] * ((double)y[i] - (double)n.shift[c]) / (double)n.scale[c];
        }
        CSK_CHECK(fabs((double)of_shift[c] - shift_sum) <= 1e-5, "%s shift %d", name, c);
        CSK_CHECK(fabs((double)of_scale[c] - scale_sum) <= 5e-5, "%s scale %d: %g not %g", name, c,
                  (double)of_scale[c], scale_sum);
      }
      CSK_CHECK(csk_canary_intact(of_scale + n.features, 8) &&
                    csk_canary_intact(of_shift + n.features, 8),
                "%s wrote past the parameters", name);
    }
  }
}

static void same_bits(void) {
  static norm_case n;
  for (int shape = 0; shape < shape_count; shape++) {
    make_case(&n, shapes[shape].features, shapes[shape].lanes, shapes[shape].offset);
    const int32_t count = n.features * n.lanes;
    float first[4][most], own[4][most];
    FOR_EACH_ISA(isa) {
      float(*to)[most] = isa == 0 ? first : own;
      float mean[most_lanes], inverse[most_lanes];
      memcpy(to[0], n.x, sizeof n.x);  // in place
      memset(to[2], 0, 2 * sizeof *to);
      CSK_ON((csk_isa)isa, csk_layer_norm_forward(to[0], n.features, n.lanes, n.scale, n.shift,
                                                  epsilon, mean, inverse, to[0]));
      CSK_ON((csk_isa)isa,
             csk_layer_norm_backward(n.gradient, n.x, n.features, n.lanes, n.lanes - 5, n.scale,
                                     mean, inverse, to[1], to[2], to[3]));
      for (int i = 0; i < 4; i++)
        CSK_CHECK(memcmp(to[i], first[i], (size_t)(i < 2 ? count : n.features) * 4) == 0,
                  "%s result %d", csk_isa_name((csk_isa)isa), i);
    }
  }
}

static void layer_norm_rejects_invalid_arguments(void) {
  float v[8] = {0}, e = epsilon;
  INVALID(csk_layer_norm_forward(v, 0, 8, v, v, e, v, v, v));
  INVALID(csk_layer_norm_forward(v, 1, 4, v, v, e, v, v, v));
  INVALID(csk_layer_norm_forward(v, 1, 8, v, v, 0, v, v, v));
  INVALID(csk_layer_norm_forward(v, 1, 8, v, v, NAN, v, v, v));
  INVALID(csk_layer_norm_backward(v, v, 1, 8, 9, v, v, v, v, v, v));
  INVALID(csk_layer_norm_backward(v, v, 1, 8, -1, v, v, v, v, v, v));
  INVALID(csk_layer_norm_backward(v, v, 0, 8, 8, v, v, v, v, v, v));
  for (int null = 0; null < 8; null++) {
    float *a[8] = {v, v, v, v, v, v, v, v};
    a[null] = NULL;
    if (null < 6) INVALID(csk_layer_norm_forward(a[0], 1, 8, a[1], a[2], e, a[3], a[4], a[5]));
    INVALID(csk_layer_norm_backward(a[0], a[1], 1, 8, 8, a[2], a[3], a[4], a[5], a[6], a[7]));
  }
}

const csk_test csk_tests_layer_norm[] = {
    {"layer_norm_forward_matches_double", forward_matches_double},
    {"layer_norm_backward_matches_differences", backward_matches_differences},
    {"layer_norm_same_bits", same_bits},
    {"layer_norm_rejects_invalid_arguments", layer_norm_rejects_invalid_arguments},
    {NULL, NULL},
};
