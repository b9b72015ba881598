// planes_residual_tests.c: the ends of residual blocks, global averages, and their gradients.
#include "planes_cases.h"

static const int32_t widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 33};

static void for_each_row(void (*run)(const plane_case *test, int variant), int variants) {
  for (int w = 0; w < COUNT(widths); w++)
    for (int32_t channels = 0; channels <= 3; channels++)
      for (int variant = 0; variant < variants; variant++) {
        const plane_case test = {.channels = channels, .width = widths[w], .name = "row"};
        run(&test, variant);
      }
}

/// The first (scalar) result is kept, the others must have its bits.
static float *keep_or_compare(float *first, float *own, int64_t count, int isa, int variant) {
  if (!first) return own;
  CSK_CHECK(memcmp(first, own, (size_t)count * sizeof *own) == 0, "%s: %d elements, variant %d",
            csk_isa_name((csk_isa)isa), (int)count, variant);
  free(own);
  return first;
}

static void join_case(const plane_case *test, int variant) {
  const int64_t count = planes_count(test);
  const bool relu = variant & 1, affine = variant & 2, shortcut = variant & 4;
  float *x = planes_random(count, 1), *r = planes_random(count, 2);
  float *constants[4];
  for (int i = 0; i < 4; i++) constants[i] = planes_random(test->channels, 3 + (uint64_t)i);
  float *first = NULL;
  FOR_EACH_ISA(isa) {
    float *y = planes_canaries(count);
    const bool on_x = variant & 8, on_r = variant & 16;
    if (on_x || on_r) memcpy(y, on_x ? x : r, (size_t)count * sizeof *y);
    CSK_CHECK(
        CSK_ON((csk_isa)isa,
               csk_residual_row(on_x ? y : x, affine ? constants[0] : NULL,
                                affine ? constants[1] : NULL, on_r && !on_x ? y : r,
                                shortcut ? constants[2] : NULL, shortcut ? constants[3] : NULL,
                                test->channels, test->width, RELU(relu), y)) == csk_status_ok,
        "status");
    first = keep_or_compare(first, y, count, isa, variant);
  }
  for (int64_t i = 0; i < count; i++) {
    const int32_t c = (int32_t)(i / (test->width * 8));
    const double a = affine ? (double)constants[0][c] : 1, b = affine ? (double)constants[1][c] : 0;
    const double p = shortcut ? (double)constants[2][c] : 1;
    const double q = shortcut ? (double)constants[3][c] : 0;
    double expected = (a * (double)x[i] + b) + (p * (double)r[i] + q);
    const double magnitude = fabs(a * (double)x[i]) + fabs(b) + fabs(p * (double)r[i]) + fabs(q);
    if (relu && expected < 0) expected = 0;
    CSK_CHECK(planes_close((double)first[i], expected, 2, magnitude), "%g not %g", (double)first[i],
              expected);
  }
  free(first);
  for (int i = 0; i < 4; i++) free(constants[i]);
  free(r);
  free(x);
}

void planes_residual(void) {
  for_each_row(join_case, 32);
}

static void join_gradient_case(const plane_case *test, int variant) {
  const int64_t count = planes_count(test);
  const bool relu = variant & 1, with_sums = variant & 2, shortcut_sums = variant & 4;
  float *gradient = planes_random(count, 1), *y = planes_random(count, 2);
  float *x = planes_random(count, 3), *r = planes_random(count, 4);
  float *mean = planes_random(test->channels, 5), *shortcut_mean = planes_random(test->channels, 6);
  double sums[2][2][3][2];
  float *first = NULL;
  FOR_EACH_ISA(isa) {
    double(*own)[3][2] = sums[first != NULL];
    for (int i = 0; i < 12; i++) own[i / 6][i % 6 / 2][i % 2] = 0.5;
    float *result = planes_canaries(count);
    const bool in_place = variant & 8;
    if (in_place) memcpy(result, gradient, (size_t)count * sizeof *result);
    CSK_CHECK(
        CSK_ON((csk_isa)isa,
               csk_residual_gradient_row(
                   in_place ? result : gradient, RELU(relu), relu ? y : NULL, with_sums ? x : NULL,
                   with_sums ? mean : NULL, with_sums ? own[0] : NULL, shortcut_sums ? r : NULL,
                   shortcut_sums ? shortcut_mean : NULL, shortcut_sums ? own[1] : NULL,
                   test->channels, test->width, result)) == csk_status_ok,
        "status");
    if (first)
      CSK_CHECK(memcmp(sums[0], sums[1], sizeof sums[0]) == 0, "%s: sums, width %d, variant %d",
                csk_isa_name((csk_isa)isa), test->width, variant);
    first = keep_or_compare(first, result, count, isa, variant);
  }
  for (int64_t i = 0; i < count; i++)
    CSK_CHECK(first[i] == (relu && !(y[i] > 0) ? 0 : gradient[i]), "element %d", (int)i);
  if (with_sums) planes_check_sums(test, first, x, mean, 0.5, sums[0][0]);
  if (shortcut_sums) planes_check_sums(test, first, r, shortcut_mean, 0.5, sums[0][1]);
  float *all[] = {first, shortcut_mean, mean, r, x, y, gradient};
  for (int i = 0; i < COUNT(all); i++) free(all[i]);
}

void planes_residual_gradient(void) {
  for_each_row(join_gradient_case, 16);
}

static void average_case(const plane_case *test, int variant) {
  const int64_t count = planes_count(test);
  const bool relu = variant & 1, affine = variant & 2;
  const int32_t row = test->width * 8;
  float *x = planes_random(count, 1), *scale = planes_random(test->channels, 2);
  float *shift = planes_random(test->channels, 3), *old = planes_random(test->channels * 8, 4);
  float *first = NULL;
  FOR_EACH_ISA(isa) {
    float *y = planes_canaries(test->channels * 8);
    memcpy(y, old, (size_t)test->channels * 8 * sizeof *y);
    CSK_CHECK(CSK_ON((csk_isa)isa, csk_global_average_row(
                                       x, affine ? scale : NULL, affine ? shift : NULL, RELU(relu),
                                       test->channels, test->width, 0.3f, y)) == csk_status_ok,
              "status");
    first = keep_or_compare(first, y, test->channels * 8, isa, variant);
  }
  for (int32_t i = 0; i < test->channels * 8; i++) {
    double sum = 0, magnitude = 0;
    for (int32_t j = 0; j < test->width; j++) {
      double v = (double)x[(ptrdiff_t)(i / 8) * row + j * 8 + i % 8];
      if (affine) v = (double)scale[i / 8] * v + (double)shift[i / 8];
      if (relu && v < 0) v = 0;
      sum += v;
      magnitude += fabs(v);
    }
    // A term: its own, the columns of its parity, even with odd, and the last.
    const int32_t roundings = 1 + (test->width + 1) / 2 + 2;
    const double factor = (double)0.3f, before = (double)old[i];
    CSK_CHECK(planes_close((double)first[i], before + factor * sum, roundings,
                           fabs(before) + factor * magnitude),
              "width %d: %g not %g", test->width, (double)first[i], before + factor * sum);
  }
  float *all[] = {first, old, shift, scale, x};
  for (int i = 0; i < COUNT(all); i++) free(all[i]);
}

void planes_average(void) {
  for_each_row(average_case, 4);
}

static void average_gradient_case(const plane_case *test, int variant) {
  const int64_t count = planes_count(test);
  const bool relu = variant & 1, affine = variant & 2, with_sums = variant & 4;
  const int32_t row = test->width * 8;
  float *gradient = planes_random(test->channels * 8, 1), *x = planes_random(count, 2);
  float *scale = planes_random(test->channels, 3), *shift = planes_random(test->channels, 4);
  float *mean = planes_random(test->channels, 5);
  double sums[2][3][2];
  float *first = NULL;
  FOR_EACH_ISA(isa) {
    double(*own)[2] = sums[first != NULL];
    for (int i = 0; i < 6; i++) own[i / 2][i % 2] = 0.5;
    float *result = planes_canaries(count);
    CSK_CHECK(CSK_ON((csk_isa)isa,
                     csk_global_average_gradient_row(
                         gradient, relu || with_sums ? x : NULL, affine ? scale : NULL,
                         affine ? shift : NULL, RELU(relu), with_sums ? mean : NULL, test->channels,
                         test->width, 0.3f, result, with_sums ? own : NULL)) == csk_status_ok,
              "status");
    if (first)
      CSK_CHECK(memcmp(sums[0], sums[1], sizeof sums[0]) == 0, "%s: sums, width %d, variant %d",
                csk_isa_name((csk_isa)isa), test->width, variant);
    first = keep_or_compare(first, result, count, isa, variant);
  }
  for (int64_t i = 0; i < count; i++) {
    const int32_t c = (int32_t)(i / row);
    double v = (double)x[i];
    if (affine) v = (double)scale[c] * v + (double)shift[c];
    const float expected = relu && !(v > 0) ? 0 : 0.3f * gradient[c * 8 + i % 8];
    CSK_CHECK(first[i] == expected, "%g not %g", (double)first[i], (double)expected);
  }
  if (with_sums) planes_check_sums(test, first, x, mean, 0.5, sums[0]);
  float *all[] = {first, mean, shift, scale, x, gradient};
  for (int i = 0; i < COUNT(all); i++) free(all[i]);
}

void planes_average_gradient(void) {
  for_each_row(average_gradient_case, 8);
}

void planes_residual_not_a_number(void) {
  const float x[8] = {NAN, -INFINITY, INFINITY, -1, -0.0f, 1, 2, 3}, zero[8] = {0};
  const float ones[8] = {1, 1, 1, 1, 1, 1, 1, NAN};
  FOR_EACH_ISA(isa) {
    const char *name = csk_isa_name((csk_isa)isa);
    float v[8], sum[8] = {0};
    CSK_ON((csk_isa)isa, csk_residual_row(x, NULL, NULL, zero, NULL, NULL, 1, 1, RELU(true), v));
    CSK_CHECK(isnan(v[0]) && v[1] == 0 && v[2] == INFINITY && v[3] == 0 && v[7] == 3, "%s", name);
    CSK_ON((csk_isa)isa, csk_residual_row(zero, NULL, NULL, x, NULL, NULL, 1, 1, RELU(true), v));
    CSK_CHECK(isnan(v[0]) && v[1] == 0 && v[5] == 1, "%s: the shortcut", name);
    CSK_ON((csk_isa)isa, csk_residual_gradient_row(ones, RELU(true), x, NULL, NULL, NULL, NULL,
                                                   NULL, NULL, 1, 1, v));
    CSK_CHECK(v[0] == 1 && v[1] == 0 && v[2] == 1 && v[3] == 0 && v[4] == 0 && isnan(v[7]),
              "%s: NaN passes", name);
    CSK_ON((csk_isa)isa, csk_global_average_row(x, NULL, NULL, RELU(true), 1, 1, 2, sum));
    CSK_CHECK(isnan(sum[0]) && sum[1] == 0 && sum[7] == 6, "%s: %g", name, (double)sum[7]);
    CSK_ON((csk_isa)isa, csk_global_average_gradient_row(ones, x, NULL, NULL, RELU(true), NULL, 1,
                                                         1, 2, v, NULL));
    CSK_CHECK(v[0] == 2 && v[1] == 0 && v[2] == 2 && v[3] == 0 && v[4] == 0 && isnan(v[7]),
              "%s: NaN passes", name);
  }
}

static void rejects_average_arguments(float *v) {
  double sums[2][2];
  INVALID(csk_global_average_row(NULL, v, v, RELU(true), 2, 2, 1, v));
  INVALID(csk_global_average_row(v, NULL, v, RELU(true), 2, 2, 1, v));
  INVALID(csk_global_average_row(v, v, NULL, RELU(true), 2, 2, 1, v));
  INVALID(csk_global_average_row(v, v, v, RELU(true), -1, 2, 1, v));
  INVALID(csk_global_average_row(v, v, v, RELU(true), 2, -1, 1, v));
  INVALID(csk_global_average_row(v, v, v, RELU(true), 2, 2, 1, NULL));
  INVALID(csk_global_average_gradient_row(NULL, v, v, v, RELU(true), v, 2, 2, 1, v, sums));
  INVALID(csk_global_average_gradient_row(v, NULL, v, v, RELU(true), v, 2, 2, 1, v, NULL));
  INVALID(csk_global_average_gradient_row(v, NULL, v, v, RELU(false), v, 2, 2, 1, v, sums));
  INVALID(csk_global_average_gradient_row(v, v, NULL, v, RELU(true), v, 2, 2, 1, v, sums));
  INVALID(csk_global_average_gradient_row(v, v, v, v, RELU(true), NULL, 2, 2, 1, v, sums));
  INVALID(csk_global_average_gradient_row(v, v, v, v, RELU(true), v, -2, 2, 1, v, sums));
  INVALID(csk_global_average_gradient_row(v, v, v, v, RELU(true), v, 2, -2, 1, v, sums));
  INVALID(csk_global_average_gradient_row(v, v, v, v, RELU(true), v, 2, 2, 1, NULL, sums));
  CSK_CHECK(csk_global_average_row(NULL, NULL, NULL, RELU(true), 0, 2, 1, NULL) == csk_status_ok,
            "a row without channels");
  CSK_CHECK(csk_global_average_gradient_row(NULL, NULL, NULL, NULL, RELU(true), NULL, 0, 2, 1, NULL,
                                            NULL) == csk_status_ok,
            "a row without channels");
  const csk_isa isa = planes_missing_isa();
  CSK_CHECK(CSK_ON(isa, csk_global_average_row(v, v, v, RELU(true), 1, 1, 1, v)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(CSK_ON(isa, csk_global_average_gradient_row(v, v, v, v, RELU(true), v, 1, 1, 1, v,
                                                        sums)) == csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

void planes_residual_rejects_invalid_arguments(void) {
  float v[64] = {0};
  double sums[2][2];
  INVALID(csk_residual_row(NULL, v, v, v, v, v, 2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, NULL, v, v, v, v, 2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, v, NULL, v, v, v, 2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, v, v, NULL, v, v, 2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, v, v, v, NULL, v, 2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, v, v, v, v, NULL, 2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, v, v, v, v, v, -2, 2, RELU(true), v));
  INVALID(csk_residual_row(v, v, v, v, v, v, 2, -2, RELU(true), v));
  INVALID(csk_residual_row(v, v, v, v, v, v, 2, 2, RELU(true), NULL));
  INVALID(csk_residual_gradient_row(NULL, RELU(true), v, v, v, sums, v, v, sums, 2, 2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, NULL, v, sums, v, v, sums, 2, 2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, v, NULL, sums, v, v, sums, 2, 2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, v, v, sums, NULL, v, sums, 2, 2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, v, v, sums, v, NULL, sums, 2, 2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, v, v, sums, v, v, sums, -2, 2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, v, v, sums, v, v, sums, 2, -2, v));
  INVALID(csk_residual_gradient_row(v, RELU(true), v, v, v, sums, v, v, sums, 2, 2, NULL));
  CSK_CHECK(
      csk_residual_row(NULL, NULL, NULL, NULL, NULL, NULL, 0, 2, RELU(true), NULL) == csk_status_ok,
      "a row without channels");
  CSK_CHECK(csk_residual_gradient_row(NULL, RELU(true), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0,
                                      2, NULL) == csk_status_ok,
            "a row without channels");
  CSK_CHECK(csk_residual_gradient_row(NULL, RELU(true), NULL, NULL, NULL, sums, NULL, NULL, sums, 2,
                                      0, NULL) == csk_status_ok,
            "no columns");
  const csk_isa isa = planes_missing_isa();
  CSK_CHECK(CSK_ON(isa, csk_residual_row(v, v, v, v, v, v, 1, 1, RELU(true), v)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(CSK_ON(isa, csk_residual_gradient_row(v, RELU(true), v, v, v, sums, v, v, sums, 1, 1,
                                                  v)) == csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  rejects_average_arguments(v);
}
