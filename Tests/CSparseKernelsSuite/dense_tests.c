// dense_tests.c: csk_sgemm against the formula in double.
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "CSparseKernels.h"
#include "csk_suite.h"

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

typedef struct shape {
  int64_t m, n, k;
} shape;

static float *random_matrix(int64_t rows, int64_t stride, uint64_t seed) {
  float *values = malloc((size_t)(rows * stride) * sizeof *values + 1);
  for (int64_t i = 0; i < rows * stride; i++) values[i] = csk_test_uniform(&seed);
  return values;
}

static void product_case(shape s, bool transpose_a, bool transpose_b, float alpha, float beta) {
  const int64_t a_stride = (transpose_a ? s.m : s.k) + 3, b_stride = (transpose_b ? s.k : s.n) + 2;
  const int64_t c_stride = s.n + 5;
  float *a = random_matrix(transpose_a ? s.k : s.m, a_stride, 1);
  float *b = random_matrix(transpose_b ? s.n : s.k, b_stride, 2);
  float *before = random_matrix(s.m, c_stride, 3), *c = random_matrix(s.m, c_stride, 3);
  for (int64_t i = 0; i < s.m; i++) {
    csk_canary_fill(c + i * c_stride + s.n, c_stride - s.n);
    for (int64_t j = 0; j < s.n && beta == 0; j++) c[i * c_stride + j] = NAN;  // not to be read
  }
  const csk_status status = csk_sgemm(transpose_a, transpose_b, s.m, s.n, s.k, alpha, a, a_stride,
                                      b, b_stride, beta, c, c_stride);
  CSK_CHECK(status == csk_status_ok, "status %d", (int)status);
  for (int64_t i = 0; i < s.m; i++) {
    CSK_CHECK(csk_canary_intact(c + i * c_stride + s.n, c_stride - s.n), "wrote into the padding");
    for (int64_t j = 0; j < s.n; j++) {
      const double old = (double)beta * (beta == 0 ? 0 : (double)before[i * c_stride + j]);
      double sum = 0, magnitude = 0;
      for (int64_t p = 0; p < s.k; p++) {
        const double term = (double)(transpose_a ? a[p * a_stride + i] : a[i * a_stride + p]) *
                            (double)(transpose_b ? b[j * b_stride + p] : b[p * b_stride + j]);
        sum += term;
        magnitude += fabs(term);
      }
      // k products and additions, alpha, beta and their sum.
      const double bound =
          (double)(s.k + 3) * (double)FLT_EPSILON * (fabs((double)alpha) * magnitude + fabs(old));
      CSK_CHECK(fabs((double)c[i * c_stride + j] - ((double)alpha * sum + old)) <= bound,
                "%d %d, %d x %d x %d, alpha %g beta %g, (%d, %d): %g", transpose_a, transpose_b,
                (int)s.m, (int)s.n, (int)s.k, (double)alpha, (double)beta, (int)i, (int)j,
                (double)c[i * c_stride + j]);
    }
  }
  free(c);
  free(before);
  free(b);
  free(a);
}

static void matches_double(void) {
  static const shape shapes[] = {
      {0, 5, 5},   {5, 0, 5},   {5, 5, 0},    {1, 1, 1},     {1, 40, 7},     {40, 1, 7},
      {3, 5, 1},   {6, 16, 8},  {7, 17, 9},   {63, 64, 65},  {64, 65, 63},   {65, 63, 64},
      {1, 1, 300}, {2, 129, 4}, {33, 10, 77}, {128, 10, 31}, {130, 129, 131}};
  static const float factors[][2] = {{1, 0}, {1, 1}, {-0.5f, 2}, {0, 0.5f}, {0, 0}};
  for (int i = 0; i < COUNT(shapes); i++)
    for (int t = 0; t < 4; t++)
      for (int f = 0; f < COUNT(factors); f++)
        product_case(shapes[i], t & 1, t & 2, factors[f][0], factors[f][1]);
}

static void rejects_invalid_arguments(void) {
  float a[16] = {0}, b[16] = {0}, c[16] = {0};
#define STATUS(...) csk_sgemm(false, false, __VA_ARGS__)
  INVALID(STATUS(-1, 2, 3, 1, a, 3, b, 2, 0, c, 2));
  INVALID(STATUS(2, -1, 3, 1, a, 3, b, 2, 0, c, 2));
  INVALID(STATUS(2, 2, -1, 1, a, 3, b, 2, 0, c, 2));
  INVALID(STATUS(2, 2, 3, 1, NULL, 3, b, 2, 0, c, 2));
  INVALID(STATUS(2, 2, 3, 1, a, 3, NULL, 2, 0, c, 2));
  INVALID(STATUS(2, 2, 3, 1, a, 3, b, 2, 0, NULL, 2));
  INVALID(STATUS(2, 2, 3, 1, a, 2, b, 2, 0, c, 2));
  INVALID(STATUS(2, 2, 3, 1, a, 3, b, 1, 0, c, 2));
  INVALID(STATUS(2, 2, 3, 1, a, 3, b, 2, 0, c, 1));
  INVALID(csk_sgemm(true, false, 3, 2, 2, 1, a, 2, b, 2, 0, c, 2));
  INVALID(csk_sgemm(false, true, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2));
  CSK_CHECK(STATUS(0, 0, 0, 1, NULL, 0, NULL, 0, 0, NULL, 0) == csk_status_ok, "nothing");
  CSK_CHECK(STATUS(2, 2, 0, 1, NULL, 0, NULL, 2, 0, c, 2) == csk_status_ok, "k = 0");
}

const csk_test csk_tests_dense[] = {
    {"dense_sgemm_matches_double", matches_double},
    {"dense_sgemm_rejects_invalid_arguments", rejects_invalid_arguments},
    {NULL, NULL},
};
