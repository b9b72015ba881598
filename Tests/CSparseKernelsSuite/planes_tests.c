// planes_tests.c: rows of planes into scratch. The scalar versions are checked against doubles, the
// others against scalar: all have the same bits, those of the sums too.
#include "planes_cases.h"

#include <stdio.h>

static void run_layouts(plane_case *test, void (*run)(const plane_case *test)) {
  static const int32_t befores[] = {0, 1, 2, 5};
  csk_row_layout *l = &test->layout;
  for (int b = 0; b < COUNT(befores); b++) {
    // Room for all, padding after, and the last column cut off.
    for (int32_t more = -1; more <= 2; more++) {
      l->before = befores[b];
      const int32_t all = (l->before + test->width + l->stride - 1) / l->stride;
      if (all + more < 0) continue;
      l->columns = all + more;
      for (int outer = 0; outer < 2; outer++) {
        const ptrdiff_t inner = l->columns * 8 + 8;
        l->channel_stride = outer == 0 ? l->phases * inner + 3 : inner;
        l->phase_stride = outer == 0 ? inner : test->channels * inner + 3;
        test->size = test->channels * l->channel_stride + l->phases * l->phase_stride;
        snprintf(test->name, sizeof test->name,
                 "%d channels, width %d, stride %d, %d phases, %d before, %d columns, outer %d",
                 test->channels, test->width, l->stride, l->phases, l->before, l->columns, outer);
        run(test);
      }
    }
  }
}

void planes_for_each_case(void (*run)(const plane_case *test)) {
  static const int32_t widths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 18};
  static const int32_t channel_cases[] = {0, 1, 3};
  plane_case test;
  for (int c = 0; c < COUNT(channel_cases); c++) {
    for (int w = 0; w < COUNT(widths); w++) {
      test.channels = channel_cases[c];
      test.width = widths[w];
      for (test.layout.stride = 1; test.layout.stride <= 3; test.layout.stride++)
        for (test.layout.phases = 1; test.layout.phases <= test.layout.stride; test.layout.phases++)
          run_layouts(&test, run);
    }
  }
}

/// What `target` must hold where no element lies: 0 in the phases' columns, else untouched. Clears
/// `target`'s elements.
static void check_padding(const plane_case *test, float *target) {
  const csk_row_layout *l = &test->layout;
  for (int32_t c = 0; c < test->channels; c++) {
    for (int32_t phase = 0; phase < l->phases; phase++) {
      for (int32_t column = 0; column < l->columns; column++) {
        const int32_t x = column * l->stride + phase - l->before;
        float *v = target + c * l->channel_stride + phase * l->phase_stride + column * 8;
        if (x < 0 || x >= test->width)
          for (int lane = 0; lane < 8; lane++)
            CSK_CHECK(v[lane] == 0 && !signbit(v[lane]), "%s: padding", test->name);
        csk_canary_fill(v, 8);
      }
    }
  }
  CSK_CHECK(csk_canary_intact(target, test->size), "%s: wrote between columns", test->name);
}

static void pack_activation_case(const plane_case *test) {
  const int64_t count = planes_count(test);
  float *x = planes_random(count, 1), *scale = planes_random(test->channels, 2);
  float *shift = planes_random(test->channels, 3);
  for (int variant = 0; variant < 4; variant++) {
    const bool relu = variant & 1, affine = variant & 2;
    float *first = NULL;
    FOR_EACH_ISA(isa) {
      float *target = planes_canaries(test->size);
      CSK_CHECK(CSK_ON((csk_isa)isa,
                       csk_pack_activation_row(x, test->channels, test->width,
                                               affine ? scale : NULL, affine ? shift : NULL,
                                               RELU(relu), &test->layout, target)) == csk_status_ok,
                "%s", test->name);
      if (first) {
        CSK_CHECK(memcmp(target, first, (size_t)test->size * sizeof *target) == 0, "%s: %s",
                  csk_isa_name((csk_isa)isa), test->name);
        free(target);
      } else {
        first = target;
      }
    }
    for (int64_t i = 0; i < count; i++) {
      const int32_t c = (int32_t)(i / (test->width * 8)), column = (int32_t)(i / 8 % test->width);
      const int64_t place = planes_place(test, c, column);
      if (place < 0) continue;
      const float v = first[place + i % 8];
      // A product of floats is exact in double: only the sum is rounded.
      double expected = affine ? (double)scale[c] * (double)x[i] + (double)shift[c] : (double)x[i];
      if (relu && expected < 0) expected = 0;
      CSK_CHECK(planes_close((double)v, expected, affine ? 1 : -1, fabs(expected)),
                "%s element %d: %g not %g", test->name, (int)i, (double)v, expected);
    }
    check_padding(test, first);
    free(first);
  }
  free(shift);
  free(scale);
  free(x);
}

static void pack_activation(void) {
  planes_for_each_case(pack_activation_case);
}

typedef struct gradient_input {
  float *gradient, *y, *addend, *a, *b, *c;
} gradient_input;

static gradient_input make_gradient_input(const plane_case *test) {
  const int64_t count = planes_count(test);
  return (gradient_input){
      planes_random(count, 4),          planes_random(count, 5),
      planes_random(count, 6),          planes_random(test->channels, 7),
      planes_random(test->channels, 8), planes_random(test->channels, 9),
  };
}

static void free_gradient_input(gradient_input *in) {
  float *all[] = {in->gradient, in->y, in->addend, in->a, in->b, in->c};
  for (int i = 0; i < COUNT(all); i++) free(all[i]);
}

/// Against doubles; sums began as 0.5.
static void check_gradient(const plane_case *test, const gradient_input *in, bool affine,
                           bool addend, int32_t live, const float *target, const double *sums) {
  const int32_t row = test->width * 8;
  for (int32_t c = 0; c < test->channels; c++) {
    double sum = 0, sum_magnitude = 0;
    for (int32_t i = 0; i < row; i++) {
      const int64_t at = (int64_t)c * row + i, place = planes_place(test, c, i / 8);
      if (place < 0) continue;
      const double g = (double)in->gradient[at], more = addend ? (double)in->addend[at] : 0;
      double expected = g, magnitude = fabs(g);
      if (affine) {
        const double first = (double)in->a[c] * g, second = (double)in->b[c] * (double)in->y[at];
        expected = first + second + (double)in->c[c];
        magnitude = fabs(first) + fabs(second) + fabs((double)in->c[c]);
      }
      expected += more;
      magnitude += fabs(more);
      const float v = target[place + i % 8];
      if (i % 8 >= live) {
        CSK_CHECK(v == 0 && !signbit(v), "%s: a dead lane", test->name);
      } else {
        CSK_CHECK(planes_close((double)v, expected, affine + affine + addend - 1, magnitude),
                  "%s element %d: %g not %g", test->name, (int)at, (double)v, expected);
      }
      sum += (double)v;
      sum_magnitude += fabs((double)v);
    }
    if (sums)
      CSK_CHECK(planes_close(sums[c], 0.5 + sum, planes_sum_roundings(test->width), sum_magnitude),
                "%s channel %d: %g not %g", test->name, c, sums[c], 0.5 + sum);
  }
}

static void pack_gradient_variant(const plane_case *test, const gradient_input *in, int variant) {
  static const int32_t lives[] = {8, 1, 5, 7};
  const csk_gradient_affine affine = {in->a, in->b, in->c};
  const bool with_affine = variant & 1, with_addend = variant & 2, with_sums = variant & 4;
  const int32_t live = lives[(variant + test->width) % COUNT(lives)];
  float *first = NULL;
  double sums[2][3];
  FOR_EACH_ISA(isa) {
    float *target = planes_canaries(test->size);
    double *own = sums[first != NULL];
    for (int c = 0; c < 3; c++) own[c] = 0.5;
    CSK_CHECK(CSK_ON((csk_isa)isa,
                     csk_pack_gradient_row(
                         in->gradient, with_affine ? in->y : NULL, with_addend ? in->addend : NULL,
                         test->channels, test->width, live, with_affine ? &affine : NULL,
                         &test->layout, target, with_sums ? own : NULL)) == csk_status_ok,
              "%s", test->name);
    if (first) {
      CSK_CHECK(memcmp(target, first, (size_t)test->size * sizeof *target) == 0 &&
                    memcmp(sums[0], sums[1], sizeof sums[0]) == 0,
                "%s variant %d: %s", csk_isa_name((csk_isa)isa), variant, test->name);
      free(target);
    } else {
      first = target;
    }
  }
  check_gradient(test, in, with_affine, with_addend, live, first, with_sums ? sums[0] : NULL);
  check_padding(test, first);
  free(first);
}

static void pack_gradient_case(const plane_case *test) {
  gradient_input in = make_gradient_input(test);
  for (int variant = 0; variant < 8; variant++) pack_gradient_variant(test, &in, variant);
  free_gradient_input(&in);
}

static void pack_gradient(void) {
  planes_for_each_case(pack_gradient_case);
}

static void pack_gradient_in_place(void) {
  static const int32_t widths[] = {1, 3, 4, 5, 9, 16};
  for (int w = 0; w < COUNT(widths); w++) {
    const int32_t width = widths[w];
    const plane_case test = {3, width, {1, 1, 0, width, width * 8, width * 8}, width * 24, "place"};
    gradient_input in = make_gradient_input(&test);
    const csk_gradient_affine affine = {in.a, in.b, in.c};
    const size_t size = (size_t)test.size * sizeof(float);
    FOR_EACH_ISA(isa) {
      for (int which = 0; which < 2; which++) {
        float *expected = planes_canaries(test.size), *place = planes_canaries(test.size);
        memcpy(place, which ? in.addend : in.gradient, size);
        CSK_ON((csk_isa)isa, csk_pack_gradient_row(in.gradient, in.y, in.addend, 3, width, 6,
                                                   &affine, &test.layout, expected, NULL));
        CSK_ON((csk_isa)isa,
               csk_pack_gradient_row(which ? in.gradient : place, in.y, which ? place : in.addend,
                                     3, width, 6, &affine, &test.layout, place, NULL));
        CSK_CHECK(memcmp(place, expected, size) == 0, "%s width %d", csk_isa_name((csk_isa)isa),
                  width);
        free(place);
        free(expected);
      }
    }
    free_gradient_input(&in);
  }
}

static void pack_not_a_number(void) {
  const csk_row_layout own = {1, 1, 0, 1, 8, 8};
  const csk_gradient_affine affine = {(float[]){2}, (float[]){0}, (float[]){1}};
  const float x[8] = {NAN, -INFINITY, INFINITY, -1, -0.0f, FLT_MIN, NAN, NAN};
  FOR_EACH_ISA(isa) {
    const char *name = csk_isa_name((csk_isa)isa);
    float v[8];
    CSK_ON((csk_isa)isa, csk_pack_activation_row(x, 1, 1, NULL, NULL, RELU(true), &own, v));
    CSK_CHECK(isnan(v[0]) && v[1] == 0 && v[2] == INFINITY && v[3] == 0, "%s", name);
    CSK_CHECK(v[4] == 0 && signbit(v[4]) && v[5] == FLT_MIN && isnan(v[7]), "%s: as it is", name);
    CSK_ON((csk_isa)isa, csk_pack_activation_row(x, 1, 1, affine.a, affine.c, RELU(true), &own, v));
    CSK_CHECK(isnan(v[0]) && v[1] == 0 && v[3] == 0 && v[4] == 1, "%s", name);
    double sum = 0;
    const float ones[8] = {1, 1, 1, 1, 1, 1, NAN, NAN};
    CSK_ON((csk_isa)isa, csk_pack_gradient_row(ones, ones, x + 0, 1, 1, 6, NULL, &own, v, &sum));
    CSK_CHECK(v[6] == 0 && v[7] == 0 && isnan(sum), "%s: dead lanes are 0, live NaN stay", name);
    sum = 0;
    CSK_ON((csk_isa)isa, csk_pack_gradient_row(ones, ones, NULL, 1, 1, 6, &affine, &own, v, &sum));
    CSK_CHECK(v[0] == 3 && v[6] == 0 && v[7] == 0 && sum == 18, "%s: %g", name, sum);
  }
}

static void pack_rejects_invalid_arguments(void) {
  float v[64] = {0};
  const csk_row_layout good = {1, 1, 0, 2, 16, 16};
  const csk_gradient_affine affine = {v, v, v},
                            missing[] = {{NULL, v, v}, {v, NULL, v}, {v, v, NULL}};
  INVALID(csk_pack_activation_row(v, -1, 2, NULL, NULL, RELU(true), &good, v + 32));
  INVALID(csk_pack_activation_row(v, 1, -1, NULL, NULL, RELU(true), &good, v + 32));
  INVALID(csk_pack_activation_row(v, 1, 2, v, NULL, RELU(true), &good, v + 32));
  INVALID(csk_pack_activation_row(v, 1, 2, NULL, v, RELU(true), &good, v + 32));
  INVALID(csk_pack_activation_row(NULL, 1, 2, NULL, NULL, RELU(true), &good, v + 32));
  INVALID(csk_pack_activation_row(v, 1, 2, NULL, NULL, RELU(true), NULL, v + 32));
  INVALID(csk_pack_activation_row(v, 1, 2, NULL, NULL, RELU(true), &good, NULL));
  static const csk_row_layout bad[] = {
      {0, 1, 0, 2, 16, 16},  {1, 0, 0, 2, 16, 16}, {1, 2, 0, 2, 16, 32},  {2, 3, 0, 2, 16, 48},
      {1, 1, -1, 2, 16, 16}, {1, 1, 0, -1, 0, 0},  {2, 2, 0, 2, 15, 100}, {1, 1, 0, 2, 100, 15},
  };
  for (int i = 0; i < COUNT(bad); i++) {
    INVALID(csk_pack_activation_row(v, 2, 2, NULL, NULL, RELU(true), &bad[i], v + 32));
    INVALID(csk_pack_gradient_row(v, NULL, NULL, 2, 2, 8, NULL, &bad[i], v + 32, NULL));
  }
  INVALID(csk_pack_gradient_row(NULL, v, v, 2, 2, 8, &affine, &good, v + 32, NULL));
  INVALID(csk_pack_gradient_row(v, NULL, v, 2, 2, 8, &affine, &good, v + 32, NULL));
  INVALID(csk_pack_gradient_row(v, v, v, 2, 2, 0, &affine, &good, v + 32, NULL));
  INVALID(csk_pack_gradient_row(v, v, v, 2, 2, 9, &affine, &good, v + 32, NULL));
  INVALID(csk_pack_gradient_row(v, v, v, -2, 2, 8, &affine, &good, v + 32, NULL));
  INVALID(csk_pack_gradient_row(v, v, v, 2, -2, 8, &affine, &good, v + 32, NULL));
  INVALID(csk_pack_gradient_row(v, v, v, 2, 2, 8, &affine, &good, NULL, NULL));
  for (int i = 0; i < COUNT(missing); i++)
    INVALID(csk_pack_gradient_row(v, v, v, 2, 2, 8, &missing[i], &good, v + 32, NULL));
  CSK_CHECK(
      csk_pack_activation_row(NULL, 0, 2, NULL, NULL, RELU(true), &good, NULL) == csk_status_ok,
      "no channels");
  CSK_CHECK(
      csk_pack_gradient_row(NULL, NULL, NULL, 0, 2, 8, NULL, &good, NULL, NULL) == csk_status_ok,
      "no channels");
  CSK_CHECK(CSK_ON(planes_missing_isa(),
                   csk_pack_activation_row(v, 1, 2, NULL, NULL, RELU(true), &good, v + 32)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(CSK_ON(planes_missing_isa(),
                   csk_pack_gradient_row(v, v, v, 1, 2, 8, NULL, &good, v + 32, NULL)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

/// Lane l of a packed row takes what lane l + shift held; padding moves like elements.
static void shift_lanes_case(const plane_case *test) {
  static const int32_t shifts[] = {-7, -2, -1, 0, 1, 3, 7}, lives[] = {1, 5, 7, 8};
  float *row = planes_random(test->size, 1);
  const csk_row_layout *l = &test->layout;
  for (int s = 0; s < COUNT(shifts); s++) {
    for (int v = 0; v < COUNT(lives); v++) {
      const int32_t shift = shifts[s], live = lives[v];
      float *target = planes_canaries(test->size);
      for (int32_t c = 0; c < test->channels; c++)
        for (int32_t phase = 0; phase < l->phases; phase++)
          for (int32_t i = 0; i < l->columns * 8; i++) {
            const ptrdiff_t at = c * l->channel_stride + phase * l->phase_stride + i;
            target[at] = row[at];
          }
      CSK_CHECK(csk_shift_lanes_row(target, test->channels, l, shift, live, -2.5f) == csk_status_ok,
                "%s", test->name);
      for (int32_t c = 0; c < test->channels; c++)
        for (int32_t phase = 0; phase < l->phases; phase++)
          for (int32_t i = 0; i < l->columns * 8; i++) {
            const ptrdiff_t at = c * l->channel_stride + phase * l->phase_stride + i;
            const int32_t source = i % 8 + shift;
            const float expected = source >= 0 && source < live ? row[at + shift] : -2.5f;
            CSK_CHECK(target[at] == expected, "%s: shift %d of %d lanes: %g, expected %g",
                      test->name, shift, live, target[at], expected);
            csk_canary_fill(target + at, 1);
          }
      CSK_CHECK(csk_canary_intact(target, test->size), "%s: wrote between columns", test->name);
      free(target);
    }
  }
  free(row);
}

static void shift_lanes(void) {
  planes_for_each_case(shift_lanes_case);
}

static void shift_lanes_rejects_invalid_arguments(void) {
  const csk_row_layout layout = {
      .stride = 1, .phases = 1, .columns = 1, .phase_stride = 8, .channel_stride = 8};
  float row[8] = {0};
  CSK_CHECK(csk_shift_lanes_row(NULL, 1, &layout, 1, 8, 0) == csk_status_invalid_argument, "null");
  CSK_CHECK(csk_shift_lanes_row(row, 1, NULL, 1, 8, 0) == csk_status_invalid_argument, "layout");
  CSK_CHECK(csk_shift_lanes_row(row, -1, &layout, 1, 8, 0) == csk_status_invalid_argument, "rows");
  CSK_CHECK(csk_shift_lanes_row(row, 1, &layout, 8, 8, 0) == csk_status_invalid_argument, "shift");
  CSK_CHECK(csk_shift_lanes_row(row, 1, &layout, -8, 8, 0) == csk_status_invalid_argument, "shift");
  CSK_CHECK(csk_shift_lanes_row(row, 1, &layout, 1, 9, 0) == csk_status_invalid_argument, "live");
  CSK_CHECK(csk_shift_lanes_row(NULL, 0, &layout, 1, 8, 0) == csk_status_ok, "no channels");
}

const csk_test csk_tests_planes[] = {
    {"planes_shift_lanes", shift_lanes},
    {"planes_shift_lanes_rejects_invalid_arguments", shift_lanes_rejects_invalid_arguments},
    {"planes_pack_activation", pack_activation},
    {"planes_pack_gradient", pack_gradient},
    {"planes_pack_gradient_in_place", pack_gradient_in_place},
    {"planes_pack_not_a_number", pack_not_a_number},
    {"planes_pack_rejects_invalid_arguments", pack_rejects_invalid_arguments},
    {"planes_unpack_output", planes_unpack_output},
    {"planes_unpack_output_starts_statistics", planes_unpack_output_starts_statistics},
    {"planes_unpack_output_dead_lanes", planes_unpack_output_dead_lanes},
    {"planes_unpack_gradient", planes_unpack_gradient},
    {"planes_unpack_gradient_not_a_number", planes_unpack_gradient_not_a_number},
    {"planes_unpack_past_caches_anywhere", planes_unpack_past_caches_anywhere},
    {"planes_unpack_rejects_invalid_arguments", planes_unpack_rejects_invalid_arguments},
    {"planes_residual", planes_residual},
    {"planes_residual_gradient", planes_residual_gradient},
    {"planes_average", planes_average},
    {"planes_average_gradient", planes_average_gradient},
    {"planes_residual_not_a_number", planes_residual_not_a_number},
    {"planes_residual_rejects_invalid_arguments", planes_residual_rejects_invalid_arguments},
    {0},
};
