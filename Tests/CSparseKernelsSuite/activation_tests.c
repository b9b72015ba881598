// activation_tests.c: activation functions against doubles, and their gradients against
// differences.
#include "activation_cases.h"

/// f(v) in double.
static double exact(csk_activation f, double v) {
  switch (f.kind) {
    case csk_activation_identity:
      return v;
    case csk_activation_relu:
      return v > 0 ? v : 0;
    case csk_activation_leaky_relu:
      return v > 0 ? v : (double)f.slope * v;
    case csk_activation_gelu:
      return v * erfc(-v / sqrt(2)) / 2;
    case csk_activation_silu:
      return v / (1 + exp(-v));
    case csk_activation_tanh:
      return tanh(v);
    case csk_activation_sigmoid:
      return 1 / (1 + exp(-v));
  }
  return NAN;
}

static float value_of(csk_isa isa, csk_activation f, float v) {
  CSK_ON(isa, csk_activate(f, &v, 1));
  return v;
}

static float slope_of(csk_isa isa, csk_activation f, float v) {
  float slope = 1, value = csk_activation_needs_input(f) ? v : value_of(isa, f, v);
  CSK_ON(isa, csk_activate_gradient(f, &slope, &value, 1));
  return slope;
}

/// Floats of both signs and every exponent up to v's largest that the functions tell apart.
static void check_values(csk_isa isa, csk_activation f) {
  for (uint32_t bits = 0; bits < 0x7f800000u; bits += 40009) {
    for (uint32_t sign = 0; sign < 2; sign++) {
      const uint32_t all = bits | sign << 31;
      float v;
      memcpy(&v, &all, sizeof v);
      const double result = (double)value_of(isa, f, v), expected = exact(f, (double)v);
      const double error = fabs(result - expected);
      const bool is_right =
          fabs(expected) > 1e-36 ? error <= 7e-7 * fabs(expected) : error <= 2e-36;
      CSK_CHECK(is_right, "%s activation %d of %g: %.9g, not %.9g", csk_isa_name(isa), f.kind,
                (double)v, result, expected);
    }
  }
}

static void values_match_double(void) {
  FOR_EACH_ISA(isa) FOR_EACH_ACTIVATION(f) check_values((csk_isa)isa, *f);
}

static void gradients_match_differences(void) {
  FOR_EACH_ISA(isa) {
    FOR_EACH_ACTIVATION(f) {
      for (int i = -4000; i <= 4000; i++) {
        const float v = (float)i * 0.005f + 0.0013f;  // no corner is closer than a step
        const double h = 1e-5, z = (double)v;
        const double expected = (exact(*f, z + h) - exact(*f, z - h)) / (2 * h);
        const float slope = slope_of((csk_isa)isa, *f, v);
        CSK_CHECK(fabs((double)slope - expected) <= 4e-7, "%s activation %d at %g: %.9g, not %.9g",
                  csk_isa_name((csk_isa)isa), f->kind, z, (double)slope, expected);
      }
    }
  }
}

static void limits_and_not_a_number(void) {
  static const struct {
    csk_activation_kind kind;
    float low, high, slope_low, slope_high;  // at -infinity and infinity, and their like
  } limits[] = {
      {csk_activation_relu, 0, INFINITY, 0, 1}, {csk_activation_gelu, 0, INFINITY, 0, 1},
      {csk_activation_silu, 0, INFINITY, 0, 1}, {csk_activation_tanh, -1, 1, 0, 0},
      {csk_activation_sigmoid, 0, 1, 0, 0},
  };
  static const float large[] = {INFINITY, 3e38f, 1e30f, 1e5f, 200};
  FOR_EACH_ISA(number) {
    const csk_isa isa = (csk_isa)number;
    for (int i = 0; i < COUNT(limits); i++) {
      const csk_activation f = {limits[i].kind, 0};
      for (int k = 0; k < COUNT(large); k++) {
        const float v = large[k], high = limits[i].high == INFINITY ? v : limits[i].high;
        CSK_CHECK(value_of(isa, f, v) == high, "activation %d of %g", f.kind, (double)v);
        CSK_CHECK(value_of(isa, f, -v) == limits[i].low, "activation %d of %g", f.kind, (double)-v);
        CSK_CHECK(slope_of(isa, f, v) == limits[i].slope_high, "activation %d's slope at %g",
                  f.kind, (double)v);
        CSK_CHECK(slope_of(isa, f, -v) == limits[i].slope_low, "activation %d's slope at %g",
                  f.kind, (double)-v);
      }
    }
    FOR_EACH_ACTIVATION(f) CSK_CHECK(isnan(value_of(isa, *f, NAN)), "NaN is lost by %d", f->kind);
  }
}

/// Any number of values, in place and no further, with the bits of the specification.
static void same_bits_for_any_count(void) {
  enum { most = 37 };
  static const float special[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-30f, -1e-30f, 90, -90};
  FOR_EACH_ACTIVATION(f) {
    for (int32_t count = 0; count <= most; count++) {
      float *v = planes_random(count, 7), *g = planes_random(count, 8);
      for (int32_t i = 0; i < count; i++) v[i] = i % 5 == 4 ? special[i / 5 % 9] : 6 * v[i];
      float values[2][most + 8], gradients[2][most + 8];
      FOR_EACH_ISA(isa) {
        const int own = isa != 0;
        csk_canary_fill(values[own], most + 8);
        csk_canary_fill(gradients[own], most + 8);
        memcpy(values[own], v, (size_t)count * sizeof *v);
        memcpy(gradients[own], g, (size_t)count * sizeof *g);
        CSK_CHECK(CSK_ON((csk_isa)isa, csk_activate(*f, values[own], count)) == csk_status_ok,
                  "%d values", count);
        const float *needed = csk_activation_needs_input(*f) ? v : values[own];
        CSK_CHECK(CSK_ON((csk_isa)isa, csk_activate_gradient(*f, gradients[own], needed, count)) ==
                      csk_status_ok,
                  "%d gradients", count);
        CSK_CHECK(csk_canary_intact(values[own] + count, most + 8 - count) &&
                      csk_canary_intact(gradients[own] + count, most + 8 - count),
                  "%s wrote beyond %d", csk_isa_name((csk_isa)isa), count);
        for (int32_t i = 0; own && i < count; i++) {
          const bool nan = isnan(values[1][i]) && isnan(values[0][i]);
          CSK_CHECK(nan || memcmp(&values[1][i], &values[0][i], 4) == 0, "%s activation %d of %g",
                    csk_isa_name((csk_isa)isa), f->kind, (double)v[i]);
          const bool nan_gradient = isnan(gradients[1][i]) && isnan(gradients[0][i]);
          CSK_CHECK(nan_gradient || memcmp(&gradients[1][i], &gradients[0][i], 4) == 0,
                    "%s activation %d's gradient at %g", csk_isa_name((csk_isa)isa), f->kind,
                    (double)v[i]);
        }
      }
      free(g);
      free(v);
    }
  }
}

static void activation_rejects_invalid_arguments(void) {
  float v[8] = {0};
  static const csk_activation wrong[] = {
      {(csk_activation_kind)7, 0},           {(csk_activation_kind)-1, 0},
      {csk_activation_leaky_relu, -0.1f},    {csk_activation_leaky_relu, NAN},
      {csk_activation_leaky_relu, INFINITY},
  };
  csk_row_layout own = {1, 1, 0, 1, 0, 8};
  for (int i = 0; i < COUNT(wrong); i++) {
    const csk_epilogue epilogue = {.activation = wrong[i], .keep = 1};
    INVALID(csk_activate(wrong[i], v, 8));
    INVALID(csk_activate_gradient(wrong[i], v, v, 8));
    INVALID(csk_epilogue_forward(v, 0, 1, 8, 0, NULL, &epilogue, NULL));
    INVALID(csk_epilogue_backward(v, v, 0, 1, 8, 8, 0, &epilogue, NULL));
    INVALID(csk_pack_activation_row(v, 1, 1, NULL, NULL, wrong[i], &own, v));
    INVALID(csk_unpack_gradient_row(v, wrong[i], v, v, NULL, NULL, 1, 1, &own, NULL, NULL, v, NULL,
                                    false));
    INVALID(csk_residual_row(v, NULL, NULL, v, NULL, NULL, 1, 1, wrong[i], v));
    INVALID(csk_residual_gradient_row(v, wrong[i], v, NULL, NULL, NULL, NULL, NULL, NULL, 1, 1, v));
    INVALID(csk_global_average_row(v, NULL, NULL, wrong[i], 1, 1, 1, v));
    INVALID(csk_global_average_gradient_row(v, v, NULL, NULL, wrong[i], NULL, 1, 1, 1, v, NULL));
  }
  INVALID(csk_activate(activations[4], NULL, 1));
  INVALID(csk_activate(activations[4], v, -1));
  INVALID(csk_activate_gradient(activations[4], v, NULL, 1));
  INVALID(csk_activate_gradient(activations[4], NULL, v, 1));
  INVALID(csk_activate_gradient(activations[4], v, v, -1));
  // GELU's gradient is of x, whatever has been packed.
  INVALID(csk_unpack_gradient_row(v, activations[4], v, NULL, NULL, NULL, 1, 1, &own, NULL, NULL, v,
                                  NULL, false));
  CSK_CHECK(csk_activate(activations[4], NULL, 0) == csk_status_ok, "no values");
  CSK_CHECK(CSK_ON(planes_missing_isa(), csk_activate(activations[4], v, 8)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(CSK_ON(planes_missing_isa(), csk_activate_gradient(activations[4], v, v, 8)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

const csk_test csk_tests_activation[] = {
    {"activation_values_match_double", values_match_double},
    {"activation_gradients_match_differences", gradients_match_differences},
    {"activation_limits_and_not_a_number", limits_and_not_a_number},
    {"activation_same_bits_for_any_count", same_bits_for_any_count},
    {"activation_rejects_invalid_arguments", activation_rejects_invalid_arguments},
    {NULL, NULL},
};
