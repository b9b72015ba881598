// activation_fused_tests.c: kernels that apply an activation on the way, against the same kernel
// without one and csk_activate or its gradient after it.
#include "activation_cases.h"

// MARK: - Vectors

static void epilogue_case(csk_isa isa, csk_activation f, float keep, int32_t lanes, int32_t live) {
  enum { channels = 11 };
  const int64_t count = (int64_t)channels * lanes, first = 3 * (int64_t)lanes;
  const csk_epilogue fused = {f, keep, {1, 2}, 3, NULL};
  const csk_epilogue bias_only = {.keep = 1}, drop_only = {RELU(false), keep, {1, 2}, 3, NULL};
  float *start = planes_random(count, 1), *bias = planes_random(channels, 2);
  float *y = planes_canaries(count + 8), *input = planes_canaries(count + 8);
  float *before = planes_canaries(count), *expected = planes_canaries(count);
  memcpy(y, start, (size_t)count * sizeof *y);
  CSK_CHECK(CSK_ON(isa, csk_epilogue_forward(y, 0, channels, lanes, first, bias, &fused, input)) ==
                csk_status_ok,
            "forward");
  memcpy(before, start, (size_t)count * sizeof *y);
  csk_epilogue_forward(before, 0, channels, lanes, first, bias, &bias_only, NULL);
  memcpy(expected, before, (size_t)count * sizeof *y);
  csk_activate(f, expected, count);
  csk_epilogue_forward(expected, 0, channels, lanes, first, NULL, &drop_only, NULL);
  CSK_CHECK(activation_equal(y, expected, count), "%s activation %d, keep %g, lanes %d",
            csk_isa_name(isa), f.kind, (double)keep, lanes);
  const bool needs_input = csk_activation_needs_input(f);
  CSK_CHECK(needs_input ? memcmp(input, before, (size_t)count * sizeof *y) == 0
                        : csk_canary_intact(input, count),
            "activation %d: what was kept", f.kind);
  CSK_CHECK(csk_canary_intact(y + count, 8) && csk_canary_intact(input + count, 8), "beyond");
  // Back: the mask, then the slope at what the activation was applied to.
  float *g = planes_random(count, 4), *wanted = planes_canaries(count), db[channels] = {0};
  memcpy(wanted, g, (size_t)count * sizeof *g);
  CSK_CHECK(CSK_ON(isa, csk_epilogue_backward(g, needs_input ? input : y, 0, channels, lanes, live,
                                              first, &fused, db)) == csk_status_ok,
            "backward");
  csk_epilogue_backward(wanted, NULL, 0, channels, lanes, live, first, &drop_only, NULL);
  activation_back(f, wanted, before, count);
  for (int64_t i = 0; i < count; i++)
    CSK_CHECK(fabsf(g[i] - wanted[i]) <= 2e-6f * fabsf(wanted[i]) + 1e-6f / keep,
              "%s activation %d, keep %g: %g, not %g", csk_isa_name(isa), f.kind, (double)keep,
              (double)g[i], (double)wanted[i]);
  for (int32_t c = 0; c < channels; c++) {
    double sum = 0, magnitude = 0;
    for (int32_t lane = 0; lane < lanes; lane++) {
      const double v = (double)g[c * lanes + lane];
      CSK_CHECK(lane < live || v == 0, "a dead lane has a gradient");
      sum += v;
      magnitude += fabs(v);
    }
    CSK_CHECK(planes_close((double)db[c], sum, lanes, magnitude), "bias %g, not %g", (double)db[c],
              sum);
  }
  free(wanted), free(g), free(expected), free(before), free(input), free(y), free(bias),
      free(start);
}

static void in_the_epilogue(void) {
  static const float keeps[] = {1, 0.6f};
  FOR_EACH_ISA(isa) FOR_EACH_ACTIVATION(f) for (int k = 0; k < COUNT(keeps); k++) {
    epilogue_case((csk_isa)isa, *f, keeps[k], 8, 8);
    epilogue_case((csk_isa)isa, *f, keeps[k], 40, 21);
  }
}

// MARK: - Planes

/// Longer than what kernels work on at once.
static const plane_case long_row = {3, 70, {1, 1, 0, 70, 0, 560}, 3 * 560, "long row"};

typedef struct operands {
  float *x, *scale, *shift, *mean, *addend, *d, *z;
} operands;

static operands make_operands(const plane_case *test, bool affine) {
  const int64_t count = planes_count(test);
  operands o = {planes_random(count, 1),
                planes_random(test->channels, 2),
                planes_random(test->channels, 3),
                planes_random(test->channels, 4),
                planes_random(count, 5),
                planes_random(test->size, 6),
                planes_canaries(count)};
  const csk_row_layout own = {1, 1, 0, test->width, 0, test->width * 8};
  if (!affine) {
    free(o.scale), free(o.shift);
    o.scale = o.shift = NULL;
  }
  csk_pack_activation_row(o.x, test->channels, test->width, o.scale, o.shift, RELU(false), &own,
                          o.z);
  return o;
}

static void free_operands(operands *o) {
  free(o->x), free(o->scale), free(o->shift), free(o->mean), free(o->addend), free(o->d),
      free(o->z);
}

/// What a row packs to, and its padding, which stays 0 whatever f(0) is.
static float *check_packed(csk_isa isa, csk_activation f, const plane_case *test,
                           const operands *o) {
  const int64_t count = planes_count(test);
  float *packed = planes_canaries(test->size), *expected = planes_canaries(count);
  CSK_CHECK(
      CSK_ON(isa, csk_pack_activation_row(o->x, test->channels, test->width, o->scale, o->shift, f,
                                          &test->layout, packed)) == csk_status_ok,
      "pack");
  memcpy(expected, o->z, (size_t)count * sizeof *expected);
  csk_activate(f, expected, count);
  float *left = planes_canaries(test->size);
  csk_pack_activation_row(o->x, test->channels, test->width, NULL, NULL, RELU(false), &test->layout,
                          left);
  for (int32_t c = 0; c < test->channels; c++)
    for (int32_t x = 0; x < test->width; x++) {
      const int64_t at = planes_place(test, c, x);
      for (int l = 0; at >= 0 && l < 8; l++) {
        const float v = expected[((int64_t)c * test->width + x) * 8 + l];
        CSK_CHECK(packed[at + l] == v, "%s %s activation %d: %g, not %g", csk_isa_name(isa),
                  test->name, f.kind, (double)packed[at + l], (double)v);
        left[at + l] = packed[at + l];
      }
    }
  for (int64_t i = 0; i < test->size; i++)
    CSK_CHECK(memcmp(&packed[i], &left[i], 4) == 0 || packed[i] == left[i], "%s: padding",
              test->name);
  free(left), free(expected);
  return packed;
}

static void rows_case(csk_isa isa, csk_activation f, const plane_case *test, int variant) {
  const bool affine = variant & 1, with_addend = variant & 2, with_sums = variant & 4;
  const int64_t count = planes_count(test);
  operands o = make_operands(test, affine);
  float *packed = check_packed(isa, f, test, &o);
  const float *addend = with_addend ? o.addend : NULL;
  float *result = planes_canaries(count), *expected = planes_canaries(count);
  double sums[3][2] = {{0}};
  CSK_CHECK(
      CSK_ON(isa, csk_unpack_gradient_row(o.d, f, packed, o.x, o.mean, addend, test->channels,
                                          test->width, &test->layout, o.scale, o.shift, result,
                                          with_sums ? sums : NULL, variant & 8)) == csk_status_ok,
      "unpack");
  csk_unpack_gradient_row(o.d, RELU(false), NULL, NULL, NULL, addend, test->channels, test->width,
                          &test->layout, NULL, NULL, expected, NULL, false);
  activation_back(f, expected, o.z, count);
  CSK_CHECK(activation_equal(result, expected, count), "%s %s activation %d, variant %d",
            csk_isa_name(isa), test->name, f.kind, variant);
  if (with_sums) planes_check_sums(test, result, o.x, o.mean, 0, sums);
  free(expected), free(result), free(packed);
  free_operands(&o);
}

static void every_row_case(const plane_case *test) {
  FOR_EACH_ISA(isa)
  FOR_EACH_ACTIVATION(f)
  for (int variant = 0; variant < 8; variant++) rows_case((csk_isa)isa, *f, test, variant);
}

static void on_the_way_into_scratch(void) {
  planes_for_each_case(every_row_case);
  every_row_case(&long_row);
}

static void at_the_end_of_a_block(void) {
  const plane_case *test = &long_row;
  const int64_t count = planes_count(test);
  const size_t bytes = (size_t)count * sizeof(float);
  operands o = make_operands(test, true);
  float *r = planes_random(count, 8), *sum = planes_canaries(count), *y = planes_canaries(count);
  float *expected = planes_canaries(count), *g = planes_random(count, 9);
  csk_residual_row(o.x, o.scale, o.shift, r, NULL, NULL, test->channels, test->width, RELU(false),
                   sum);
  FOR_EACH_ISA(isa) FOR_EACH_ACTIVATION(f) {
    CSK_ON((csk_isa)isa, csk_residual_row(o.x, o.scale, o.shift, r, NULL, NULL, test->channels,
                                          test->width, *f, y));
    memcpy(expected, sum, bytes);
    csk_activate(*f, expected, count);
    CSK_CHECK(activation_equal(y, expected, count), "%s activation %d", csk_isa_name((csk_isa)isa),
              f->kind);
    double sums[3][2] = {{0}}, shortcut_sums[3][2] = {{0}};
    const float *needed = csk_activation_needs_input(*f) ? sum : y;
    float *result = planes_canaries(count);
    memcpy(result, g, bytes);
    CSK_ON((csk_isa)isa,
           csk_residual_gradient_row(result, *f, needed, o.x, o.mean, sums, r, o.mean,
                                     shortcut_sums, test->channels, test->width, result));
    memcpy(expected, g, bytes);
    activation_back(*f, expected, sum, count);
    CSK_CHECK(activation_equal(result, expected, count), "%s activation %d's gradient",
              csk_isa_name((csk_isa)isa), f->kind);
    planes_check_sums(test, result, o.x, o.mean, 0, sums);
    planes_check_sums(test, result, r, o.mean, 0, shortcut_sums);
    free(result);
  }
  free(g), free(expected), free(y), free(sum), free(r);
  free_operands(&o);
}

static void before_a_global_average(void) {
  const plane_case *test = &long_row;
  const int64_t count = planes_count(test);
  operands o = make_operands(test, true);
  float *values = planes_canaries(count), *result = planes_canaries(count);
  float *expected = planes_canaries(count), *g = planes_random(8 * test->channels, 9);
  FOR_EACH_ISA(isa) FOR_EACH_ACTIVATION(f) {
    float y[24] = {0}, wanted[24] = {0};
    CSK_ON((csk_isa)isa,
           csk_global_average_row(o.x, o.scale, o.shift, *f, test->channels, test->width, 0.2f, y));
    memcpy(values, o.z, (size_t)count * sizeof *values);
    csk_activate(*f, values, count);
    csk_global_average_row(values, NULL, NULL, RELU(false), test->channels, test->width, 0.2f,
                           wanted);
    CSK_CHECK(activation_equal(y, wanted, 24), "%s activation %d", csk_isa_name((csk_isa)isa),
              f->kind);
    double sums[3][2] = {{0}};
    CSK_ON((csk_isa)isa,
           csk_global_average_gradient_row(g, o.x, o.scale, o.shift, *f, o.mean, test->channels,
                                           test->width, 0.2f, result, sums));
    csk_global_average_gradient_row(g, NULL, NULL, NULL, RELU(false), NULL, test->channels,
                                    test->width, 0.2f, expected, NULL);
    activation_back(*f, expected, o.z, count);
    CSK_CHECK(activation_equal(result, expected, count), "%s activation %d's gradient",
              csk_isa_name((csk_isa)isa), f->kind);
    planes_check_sums(test, result, o.x, o.mean, 0, sums);
  }
  free(g), free(expected), free(result), free(values);
  free_operands(&o);
}

const csk_test csk_tests_activation_fused[] = {
    {"activation_in_the_epilogue", in_the_epilogue},
    {"activation_on_the_way_into_scratch", on_the_way_into_scratch},
    {"activation_at_the_end_of_a_block", at_the_end_of_a_block},
    {"activation_before_a_global_average", before_a_global_average},
    {NULL, NULL},
};
