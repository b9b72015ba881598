// scalar/csk_activation_scalar.c: activation functions and their gradients, one element at a time.
#include <math.h>

#include "csk_activation_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written. A
// compiler that does not know the pragma finds no product that is added to anything.
#pragma STDC FP_CONTRACT OFF

/// exp(d) for d <= 0.
static float exp_of(float d) {
  if (isnan(d)) return d;
  if (d < CSK_EXP_LOWEST) return 0;
  const float n = nearbyintf(d * CSK_EXP_LOG2E);
  float r = fmaf(-n, CSK_EXP_LN2_HIGH, d);
  r = fmaf(-n, CSK_EXP_LN2_LOW, r);
  float q = CSK_EXP_Q4;
  q = fmaf(q, r, CSK_EXP_Q3);
  q = fmaf(q, r, CSK_EXP_Q2);
  q = fmaf(q, r, CSK_EXP_Q1);
  q = fmaf(q, r, CSK_EXP_Q0);
  q = fmaf(q, r, 1);
  q = fmaf(q, r, 1);
  return ldexpf(q, (int)n);
}

static float at_least(float least, float v) {
  return least > v ? least : v;  // NaN stays
}
static float at_most(float most, float v) {
  return most < v ? most : v;
}

/// The sigmoid of v and of -v.
typedef struct sigmoids {
  float plus, minus;
} sigmoids;

static sigmoids sigmoids_of(float v) {
  const float e = exp_of(-fabsf(v));
  const float large = 1 / (1 + e), small = e * large;
  return 0 > v ? (sigmoids){small, large} : (sigmoids){large, small};
}

static float silu(float v) {
  return at_least(-CSK_SILU_MOST, v) * sigmoids_of(v).plus;
}

// s + v s (1 - s)
static float silu_slope(float v) {
  const sigmoids s = sigmoids_of(v);
  const float factor = at_most(CSK_SILU_MOST, at_least(-CSK_SILU_MOST, v));
  return s.plus * fmaf(factor, s.minus, 1);
}

static float tanh_of(float v) {
  const float t = fabsf(v);
  if (t > CSK_TANH_SMALL) {
    const float e = exp_of(-2 * t), positive = (1 - e) / (1 + e);
    return 0 > v ? -positive : positive;
  }
  const float z = v * v;
  float p = CSK_TANH_P5;
  p = fmaf(p, z, CSK_TANH_P4);
  p = fmaf(p, z, CSK_TANH_P3);
  p = fmaf(p, z, CSK_TANH_P2);
  p = fmaf(p, z, CSK_TANH_P1);
  p = fmaf(p, z, CSK_TANH_P0);
  return fmaf(p * z, v, v);
}

/// The normal distribution at v, and exp(-v^2 / 2).
typedef struct normal {
  float below, exponential;
} normal;

static normal normal_of(float v) {
  const float t = at_most(CSK_TAIL_MOST, fabsf(v));
  const float u = 1 / fmaf(CSK_TAIL_C, t, 1);
  float q = CSK_TAIL_Q8;
  q = fmaf(q, u, CSK_TAIL_Q7);
  q = fmaf(q, u, CSK_TAIL_Q6);
  q = fmaf(q, u, CSK_TAIL_Q5);
  q = fmaf(q, u, CSK_TAIL_Q4);
  q = fmaf(q, u, CSK_TAIL_Q3);
  q = fmaf(q, u, CSK_TAIL_Q2);
  q = fmaf(q, u, CSK_TAIL_Q1);
  q = fmaf(q, u, CSK_TAIL_Q0);
  q = q * u;
  const float h = t * t, l = fmaf(t, t, -h);
  float e = exp_of(-0.5f * h);
  e = fmaf(-e, 0.5f * l, e);
  return (normal){0 > v ? e * q : fmaf(-e, q, 1), e};
}

static float gelu(float v) {
  return at_least(-CSK_TAIL_MOST, v) * normal_of(v).below;
}

// Phi(v) + v phi(v)
static float gelu_slope(float v) {
  const normal n = normal_of(v);
  const float factor = at_most(CSK_TAIL_MOST, at_least(-CSK_TAIL_MOST, v));
  return fmaf(factor, n.exponential * CSK_DENSITY, n.below);
}

float csk_activation_value(csk_activation activation, float v) {
  switch (activation.kind) {
    case csk_activation_identity:
      return v;
    case csk_activation_relu:
      return at_least(0, v);
    case csk_activation_leaky_relu:
      return v > 0 ? v : activation.slope * v;
    case csk_activation_gelu:
      return gelu(v);
    case csk_activation_silu:
      return silu(v);
    case csk_activation_tanh:
      return tanh_of(v);
    case csk_activation_sigmoid:
      return sigmoids_of(v).plus;
  }
  return v;
}

float csk_activation_product(csk_activation activation, float g, float value) {
  switch (activation.kind) {
    case csk_activation_identity:
      return g;
    case csk_activation_relu:
      return value <= 0 ? 0 : g;  // NaN is not <= 0: it passes
    case csk_activation_leaky_relu:
      return value > 0 ? g : activation.slope * g;
    case csk_activation_gelu:
      return g * gelu_slope(value);
    case csk_activation_silu:
      return g * silu_slope(value);
    case csk_activation_tanh:
      return g * at_least(0, fmaf(-value, value, 1));
    case csk_activation_sigmoid:
      return g * (value * at_least(0, 1 - value));
  }
  return g;
}

static void activate(csk_activation activation, float *values, int64_t count) {
  for (int64_t i = 0; i < count; i++) values[i] = csk_activation_value(activation, values[i]);
}

static void activate_gradient(csk_activation activation, float *gradient, const float *values,
                              int64_t count) {
  for (int64_t i = 0; i < count; i++)
    gradient[i] = csk_activation_product(activation, gradient[i], values[i]);
}

void csk_activation_scalar(csk_kernels *kernels) {
  kernels->activate = activate;
  kernels->activate_gradient = activate_gradient;
}
