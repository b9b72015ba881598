// planes_cases.h: what the plane family's test files share: shapes, layouts, data and tolerances.
#ifndef CSK_PLANES_CASES_H
#define CSK_PLANES_CASES_H

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "CSparseKernels.h"
#include "csk_suite.h"

// Each file's tests, listed in planes_tests.c.
void planes_unpack_output(void);
void planes_unpack_output_starts_statistics(void);
void planes_unpack_output_dead_lanes(void);
void planes_unpack_gradient(void);
void planes_unpack_gradient_not_a_number(void);
void planes_unpack_past_caches_anywhere(void);
void planes_unpack_rejects_invalid_arguments(void);
void planes_residual(void);
void planes_residual_gradient(void);
void planes_average(void);
void planes_average_gradient(void);
void planes_residual_not_a_number(void);
void planes_residual_rejects_invalid_arguments(void);

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

/// Calls `body` for each supported instruction set; the first is scalar.
static inline int planes_supported_isa(int isa) {
  while (isa <= csk_isa_neon && !csk_isa_is_supported((csk_isa)isa)) isa++;
  return isa <= csk_isa_neon ? isa : -1;
}
#define FOR_EACH_ISA(isa) \
  for (int isa = planes_supported_isa(0); isa >= 0; isa = planes_supported_isa(isa + 1))

static inline csk_isa planes_missing_isa(void) {
  return csk_isa_is_supported(csk_isa_neon) ? csk_isa_avx2 : csk_isa_neon;
}

/// A row and its place in scratch. `size` elements hold the layout and gaps between its columns.
typedef struct plane_case {
  int32_t channels, width;
  csk_row_layout layout;
  int64_t size;
  char name[96];
} plane_case;

/// Every edge of width, phases, padding and cut-off columns, with either of phase and channel
/// outermost.
void planes_for_each_case(void (*run)(const plane_case *test));

static inline int64_t planes_count(const plane_case *test) {
  return (int64_t)test->channels * test->width * 8;
}

/// Where element x of channel c lies, or -1 if it is not stored.
static inline int64_t planes_place(const plane_case *test, int32_t c, int32_t x) {
  const csk_row_layout *l = &test->layout;
  const int32_t phase = (x + l->before) % l->stride, column = (x + l->before) / l->stride;
  if (phase >= l->phases || column >= l->columns) return -1;
  return c * l->channel_stride + phase * l->phase_stride + column * 8;
}

// Arrays end where their elements do, so that sanitizers see reads beyond.

/// In [-1, 1), some 0 and some -0.
static inline float *planes_random(int64_t count, uint64_t seed) {
  float *values = malloc((size_t)count * sizeof *values + (count == 0));
  for (int64_t i = 0; i < count; i++) {
    values[i] = csk_test_uniform(&seed);
    if (i % 11 == 3) values[i] = i % 2 == 0 ? 0 : -0.0f;
  }
  return values;
}

static inline float *planes_canaries(int64_t count) {
  void *values = NULL;
  // As tensors are: whole vectors can go past the caches.
  if (posix_memalign(&values, 64, (size_t)count * sizeof(float) + (count == 0)) != 0) abort();
  csk_canary_fill(values, count);
  return values;
}

static inline bool planes_is_canary(float value) {
  return csk_canary_intact(&value, 1);
}

/// |value - expected| <= roundings * eps / 2 * magnitude, where magnitude is a sum of |terms|. One
/// rounding more than the kernels do covers those of second order.
static inline bool planes_close(double value, double expected, int32_t roundings,
                                double magnitude) {
  return fabs(value - expected) <= (roundings + 1) * (double)FLT_EPSILON / 2 * magnitude;
}

/// Roundings on the way of one of a row's terms into its sum: the columns of its parity, even with
/// odd, three for lanes.
static inline int32_t planes_sum_roundings(int32_t width) {
  return (width + 1) / 2 + 4;
}

/// Checks channel c's {sum v, sum v (x - mean)} against doubles; v (channels, width, 8).
static inline void planes_check_sums(const plane_case *test, const float *v, const float *x,
                                     const float *mean, double old, double (*sums)[2]) {
  for (int32_t c = 0; c < test->channels; c++) {
    double sum = 0, products = 0, magnitude = 0, product_magnitude = 0;
    for (int64_t i = (int64_t)c * test->width * 8; i < (int64_t)(c + 1) * test->width * 8; i++) {
      const double product = (double)v[i] * ((double)x[i] - (double)mean[c]);
      sum += (double)v[i];
      products += product;
      magnitude += fabs((double)v[i]);
      product_magnitude += fabs(product);
    }
    const int32_t roundings = planes_sum_roundings(test->width);
    CSK_CHECK(planes_close(sums[c][0], old + sum, roundings, magnitude), "%s channel %d: %g not %g",
              test->name, c, sums[c][0], old + sum);
    CSK_CHECK(planes_close(sums[c][1], old + products, roundings + 1, product_magnitude),
              "%s channel %d: %g not %g", test->name, c, sums[c][1], old + products);
  }
}

#endif
