// planes_unpack_tests.c: rows out of scratch: outputs with statistics, gradients with sums.
#include "planes_cases.h"

/// y and the statistics against doubles; sums began as 0.5.
static void check_output(const plane_case *test, const float *product, ptrdiff_t stride,
                         const float *bias, const float *residual, int32_t live, const float *y,
                         const csk_row_statistics *statistics) {
  const int32_t row = test->width * 8;
  for (int32_t c = 0; c < test->channels; c++) {
    double sum = 0, squares = 0, magnitude = 0;
    for (int32_t i = 0; i < row; i++) {
      const double p = (double)product[c * stride + i], b = bias ? (double)bias[c] : 0;
      const double r = residual ? (double)residual[c * row + i] : 0;
      const float v = y[c * row + i];
      CSK_CHECK(planes_close((double)v, p + b + r, (bias != NULL) + (residual != NULL) - 1,
                             fabs(p) + fabs(b) + fabs(r)),
                "%s element (%d, %d): %g not %g", test->name, c, i, (double)v, p + b + r);
      if (i % 8 >= live || !statistics) continue;
      const double d = (double)v - (double)statistics->pivot[c];
      sum += d;
      squares += d * d;
      magnitude += fabs(d);
    }
    if (!statistics) continue;
    const int32_t roundings = planes_sum_roundings(test->width);
    CSK_CHECK(planes_close(statistics->sums[c][0], 0.5 + sum, roundings + 1, magnitude),
              "%s channel %d: %g not %g", test->name, c, statistics->sums[c][0], 0.5 + sum);
    CSK_CHECK(planes_close(statistics->sums[c][1], 0.5 + squares, roundings + 2, squares),
              "%s channel %d: %g not %g", test->name, c, statistics->sums[c][1], 0.5 + squares);
  }
}

static void unpack_output_variant(const plane_case *test, int variant) {
  static const int32_t lives[] = {8, 1, 5, 7};
  const int64_t count = planes_count(test);
  const ptrdiff_t stride = test->width * 8 + 8 * (variant % 3);
  const int32_t live = lives[(variant + test->width) % COUNT(lives)];
  // Nothing after the last channel's columns.
  const int64_t last = test->channels > 0 ? (test->channels - 1) * stride + test->width * 8 : 0;
  float *product = planes_random(last, 1), *bias = planes_random(test->channels, 2);
  float *residual = planes_random(count, 3), *pivot = planes_random(test->channels, 4);
  const float *b = variant & 1 ? bias : NULL, *r = variant & 2 ? residual : NULL;
  float *first = NULL;
  double sums[2][3][2];
  csk_row_statistics statistics = {pivot, sums[0], false};
  FOR_EACH_ISA(isa) {
    statistics.sums = sums[first != NULL];
    for (int i = 0; i < 6; i++) statistics.sums[i / 2][i % 2] = 0.5;
    float *y = planes_canaries(count);
    const bool in_place = (variant & 8) && r;
    if (in_place) memcpy(y, r, (size_t)count * sizeof *y);
    CSK_CHECK(CSK_ON((csk_isa)isa,
                     csk_unpack_output_row(product, stride, b, in_place ? y : r, test->channels,
                                           test->width, live, y, variant & 4 ? &statistics : NULL,
                                           variant & 16)) == csk_status_ok,
              "%s", test->name);
    if (first) {
      CSK_CHECK(memcmp(y, first, (size_t)count * sizeof *y) == 0 &&
                    memcmp(sums[0], sums[1], sizeof sums[0]) == 0,
                "%s variant %d: %s", csk_isa_name((csk_isa)isa), variant, test->name);
      free(y);
    } else {
      first = y;
    }
  }
  statistics.sums = sums[0];
  check_output(test, product, stride, b, r, live, first, variant & 4 ? &statistics : NULL);
  free(first);
  free(pivot);
  free(residual);
  free(bias);
  free(product);
}

static const int32_t widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 33};

void planes_unpack_output(void) {
  for (int w = 0; w < COUNT(widths); w++)
    for (int32_t channels = 0; channels <= 3; channels++)
      for (int variant = 0; variant < 32; variant++) {
        const plane_case test = {.channels = channels, .width = widths[w], .name = "output"};
        unpack_output_variant(&test, variant);
      }
}

// Values far from 0: about the pivot their small variance is not lost.
static void starts_statistics(bool with_residual) {
  enum { channels = 2, width = 7, row = width * 8 };
  FOR_EACH_ISA(isa) {
    float product[channels * row], y[channels * row], pivot[channels] = {7, 7};
    float values[channels * row], *residual = with_residual ? values : NULL;
    uint64_t state = 5;
    for (int i = 0; i < channels * row; i++)
      product[i] = 1e6f + (values[i] = csk_test_uniform(&state));
    double sums[channels][2] = {{7, 7}, {7, 7}};
    const float bias[channels] = {1, -2e6f};
    csk_row_statistics statistics = {pivot, sums, true};
    CSK_ON((csk_isa)isa, csk_unpack_output_row(product, row, bias, residual, channels, width, 6, y,
                                               &statistics, false));
    CSK_CHECK(statistics.starts, "the caller's");
    statistics.starts = false;
    CSK_ON((csk_isa)isa, csk_unpack_output_row(product, row, bias, residual, channels, width, 6, y,
                                               &statistics, false));
    for (int c = 0; c < channels; c++) {
      double sum = 0, squares = 0, magnitude = 0;
      for (int i = 0; i < row; i++) {
        if (i % 8 >= 6) continue;
        const double d = (double)y[c * row + i] - (double)y[c * row];
        sum += 2 * d;
        squares += 2 * d * d;
        magnitude += 2 * fabs(d);
      }
      CSK_CHECK(pivot[c] == y[c * row], "%s: the first value", csk_isa_name((csk_isa)isa));
      const int32_t roundings = planes_sum_roundings(width);
      CSK_CHECK(planes_close(sums[c][0], sum, roundings, magnitude), "%g", sums[c][0]);
      CSK_CHECK(planes_close(sums[c][1], squares, roundings + 1, squares), "%g", sums[c][1]);
    }
    statistics.starts = true;
    CSK_ON((csk_isa)isa,
           csk_unpack_output_row(NULL, 0, bias, NULL, channels, 0, 6, NULL, &statistics, false));
    CSK_CHECK(pivot[0] == 0 && sums[1][0] == 0 && sums[1][1] == 0, "a row without columns");
  }
}

void planes_unpack_output_starts_statistics(void) {
  starts_statistics(false);
  starts_statistics(true);
}

void planes_unpack_output_dead_lanes(void) {
  FOR_EACH_ISA(isa) {
    const float product[16] = {1, 2, 3, NAN, NAN, NAN, NAN, NAN, 4, 5, 6, INFINITY, NAN, 0, 0, 0};
    float y[16], pivot[1];
    double sums[1][2];
    csk_row_statistics statistics = {pivot, sums, true};
    CSK_ON((csk_isa)isa,
           csk_unpack_output_row(product, 16, NULL, NULL, 1, 2, 3, y, &statistics, false));
    CSK_CHECK(pivot[0] == 1 && sums[0][0] == 15 && sums[0][1] == 55, "%s: %g %g",
              csk_isa_name((csk_isa)isa), sums[0][0], sums[0][1]);
    CSK_ON((csk_isa)isa,
           csk_unpack_output_row(product, 16, NULL, NULL, 1, 2, 4, y, &statistics, false));
    CSK_CHECK(isnan(sums[0][0]) && isnan(sums[0][1]), "a live NaN must show");
  }
}

typedef struct gradient_input {
  float *d, *activation, *x, *mean, *addend, *scale, *shift;
} gradient_input;

static void check_gradient(const plane_case *test, const gradient_input *in, bool relu, bool addend,
                           bool affine, const float *result) {
  const int32_t row = test->width * 8;
  for (int32_t c = 0; c < test->channels; c++) {
    for (int32_t i = 0; i < row; i++) {
      const int64_t at = (int64_t)c * row + i, place = planes_place(test, c, i / 8);
      // One addition, or none: the same float; a product of floats is exact in double.
      double v =
          (place < 0 ? 0 : (double)in->d[place + i % 8]) + (addend ? (double)in->addend[at] : 0);
      const double activation =
          place >= 0 ? (double)in->activation[place + i % 8]
          : affine   ? (double)in->scale[c] * (double)in->x[at] + (double)in->shift[c]
                     : (double)in->x[at];
      if (relu && !(activation > 0)) v = 0;
      CSK_CHECK(result[at] == (float)v, "%s element (%d, %d): %g not %g", test->name, c, i,
                (double)result[at], v);
    }
  }
}

static void unpack_gradient_variant(const plane_case *test, const gradient_input *in, int variant) {
  const bool relu = variant & 1, addend = variant & 2, with_sums = variant & 4;
  const bool affine = (variant + test->width) % 2, in_place = addend && test->width % 3 == 0;
  const int64_t count = planes_count(test);
  // x is wanted by the sums, and by masks of what is not stored.
  const float *x = with_sums || (relu && addend) ? in->x : NULL;
  float *first = NULL;
  double sums[2][3][2];
  FOR_EACH_ISA(isa) {
    double(*own)[2] = sums[first != NULL];
    for (int i = 0; i < 6; i++) own[i / 2][i % 2] = 0.5;
    float *result = planes_canaries(count);
    if (in_place) memcpy(result, in->addend, (size_t)count * sizeof *result);
    CSK_CHECK(CSK_ON((csk_isa)isa, csk_unpack_gradient_row(
                                       in->d, RELU(relu), relu ? in->activation : NULL, x,
                                       with_sums ? in->mean : NULL,
                                       in_place ? result
                                       : addend ? in->addend
                                                : NULL,
                                       test->channels, test->width, &test->layout,
                                       affine ? in->scale : NULL, affine ? in->shift : NULL, result,
                                       with_sums ? own : NULL, variant & 8)) == csk_status_ok,
              "%s variant %d", test->name, variant);
    if (first) {
      CSK_CHECK(memcmp(result, first, (size_t)count * sizeof *result) == 0 &&
                    memcmp(sums[0], sums[1], sizeof sums[0]) == 0,
                "%s variant %d: %s", csk_isa_name((csk_isa)isa), variant, test->name);
      free(result);
    } else {
      first = result;
    }
  }
  check_gradient(test, in, relu, addend, affine, first);
  if (with_sums) planes_check_sums(test, first, in->x, in->mean, 0.5, sums[0]);
  free(first);
}

static void unpack_gradient_case(const plane_case *test) {
  const int64_t count = planes_count(test);
  gradient_input in = {
      planes_random(test->size, 1),     planes_random(test->size, 2),
      planes_random(count, 3),          planes_random(test->channels, 4),
      planes_random(count, 5),          planes_random(test->channels, 6),
      planes_random(test->channels, 7),
  };
  for (int variant = 0; variant < 16; variant++) unpack_gradient_variant(test, &in, variant);
  float *all[] = {in.d, in.activation, in.x, in.mean, in.addend, in.scale, in.shift};
  for (int i = 0; i < COUNT(all); i++) free(all[i]);
}

void planes_unpack_gradient(void) {
  planes_for_each_case(unpack_gradient_case);
}

/// A row that is asked to go past the caches may lie anywhere.
void planes_unpack_past_caches_anywhere(void) {
  enum { channels = 2, width = 5, count = channels * width * 8 };
  const csk_row_layout own = {1, 1, 0, width, 0, width * 8};
  float *product = planes_random(count, 1);
  FOR_EACH_ISA(isa) {
    for (int offset = 0; offset < 9; offset++) {
      float *room = planes_canaries(count + 16), *row = room + offset;
      CSK_CHECK(
          CSK_ON((csk_isa)isa, csk_unpack_output_row(product, width * 8, NULL, NULL, channels,
                                                     width, 8, row, NULL, true)) == csk_status_ok,
          "%d", offset);
      CSK_CHECK(memcmp(row, product, count * sizeof *row) == 0, "output, %d", offset);
      csk_canary_fill(row, count);
      CSK_CHECK(
          CSK_ON((csk_isa)isa, csk_unpack_gradient_row(product, RELU(false), NULL, NULL, NULL, NULL,
                                                       channels, width, &own, NULL, NULL, row, NULL,
                                                       true)) == csk_status_ok,
          "%d", offset);
      CSK_CHECK(memcmp(row, product, count * sizeof *row) == 0, "gradient, %d", offset);
      CSK_CHECK(csk_canary_intact(room, offset) && csk_canary_intact(row + count, 16 - offset),
                "around, %d", offset);
      free(room);
    }
  }
  free(product);
}

void planes_unpack_gradient_not_a_number(void) {
  const csk_row_layout own = {1, 1, 0, 2, 16, 16}, half = {2, 1, 0, 1, 8, 8};
  const float d[16] = {1, 2, 3, NAN, NAN, 6, 7, 8}, x[16] = {0, 0, 0, 0, 0, 0, 0, 0, NAN, -1, 1};
  const float activation[16] = {NAN, 0, -0.0f, -1, 1, FLT_MIN, INFINITY, 0};
  const float addend[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  FOR_EACH_ISA(isa) {
    const char *name = csk_isa_name((csk_isa)isa);
    for (int stored = 0; stored < 2; stored++) {
      float v[16];
      CSK_ON((csk_isa)isa,
             csk_unpack_gradient_row(d, RELU(true), activation, x, NULL, addend, 1, 2,
                                     stored ? &own : &half, NULL, NULL, v, NULL, false));
      CSK_CHECK(v[0] == 1 && v[1] == 0 && v[2] == 0 && v[3] == 0 && isnan(v[4]) && v[5] == 6 &&
                    v[6] == 7 && v[7] == 0,
                "%s: NaN activations let the gradient pass", name);
      if (!stored) CSK_CHECK(v[8] == 1 && v[9] == 0 && v[10] == 1 && v[11] == 0, "%s: by x", name);
    }
  }
}

static void rejects_gradient_arguments(float *v) {
  const csk_row_layout own = {1, 1, 0, 2, 16, 16}, half = {2, 1, 0, 1, 8, 8};
  double sums[2][2];
  INVALID(csk_unpack_gradient_row(NULL, RELU(true), v, v, v, v, 2, 2, &own, v, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, NULL, v, v, 2, 2, &own, v, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, NULL, v, 2, 2, &own, v, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, v, v, -1, 2, &own, v, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, v, v, 2, -1, &own, v, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, v, v, 2, 2, NULL, v, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, v, v, 2, 2, &own, v, NULL, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, v, v, 2, 2, &own, NULL, v, v, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, v, v, v, 2, 2, &own, v, v, NULL, sums, false));
  INVALID(csk_unpack_gradient_row(v, RELU(true), v, NULL, NULL, v, 2, 2, &half, NULL, NULL, v, NULL,
                                  false));
  CSK_CHECK(csk_unpack_gradient_row(v, RELU(true), v, NULL, NULL, v, 1, 2, &own, NULL, NULL, v,
                                    NULL, false) == csk_status_ok,
            "all stored: without x");
  CSK_CHECK(csk_unpack_gradient_row(NULL, RELU(true), NULL, NULL, NULL, NULL, 2, 0, &own, NULL,
                                    NULL, NULL, sums, false) == csk_status_ok,
            "no columns");
  CSK_CHECK(csk_unpack_gradient_row(NULL, RELU(true), NULL, NULL, NULL, NULL, 0, 2, &own, NULL,
                                    NULL, NULL, NULL, false) == csk_status_ok,
            "no channels");
  CSK_CHECK(CSK_ON(planes_missing_isa(), csk_unpack_gradient_row(v, RELU(true), v, v, v, v, 1, 2,
                                                                 &own, v, v, v, NULL, false)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

void planes_unpack_rejects_invalid_arguments(void) {
  float v[64] = {0};
  double sums[2][2];
  csk_row_statistics statistics = {v, sums, true}, no_pivot = {NULL, sums, true};
  csk_row_statistics no_sums = {v, NULL, true};
  INVALID(csk_unpack_output_row(NULL, 16, v, v, 2, 2, 8, v, &statistics, false));
  INVALID(csk_unpack_output_row(v, 15, v, v, 2, 2, 8, v, &statistics, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, -1, 2, 8, v, &statistics, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, 2, -1, 8, v, &statistics, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, 2, 2, 0, v, &statistics, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, 2, 2, 9, v, &statistics, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, 2, 2, 8, NULL, &statistics, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, 2, 2, 8, v, &no_pivot, false));
  INVALID(csk_unpack_output_row(v, 16, v, v, 2, 2, 8, v, &no_sums, false));
  CSK_CHECK(csk_unpack_output_row(NULL, 0, NULL, NULL, 0, 2, 8, NULL, NULL, false) == csk_status_ok,
            "a row without channels");
  CSK_CHECK(csk_unpack_output_row(NULL, 8, NULL, NULL, 2, 0, 8, NULL, &statistics, false) ==
                csk_status_ok,
            "no columns");
  CSK_CHECK(
      CSK_ON(planes_missing_isa(), csk_unpack_output_row(v, 16, v, v, 1, 2, 8, v, NULL, false)) ==
          csk_status_unsupported_isa,
      "an instruction set that this CPU lacks");
  rejects_gradient_arguments(v);
}
