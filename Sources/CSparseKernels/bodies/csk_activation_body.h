// bodies/csk_activation_body.h: activation functions and their gradients, a register of lanes at a
// time, in the operations of scalar/csk_activation_scalar.c.
//
// Bound: arithmetic, two divisions and an exponential at most; values in L1 or L2.
#include "../csk_activation_internal.h"
#include "csk_exp_body.h"

/// |v|; a NaN stays one.
CSK_TARGET CSK_INLINE csk_v magnitude(csk_v v) {
  return csk_larger(csk_minus(csk_zero(), v), v);
}
CSK_TARGET CSK_INLINE csk_mask is_negative(csk_v v) {
  return csk_is_greater(csk_zero(), v);
}
CSK_TARGET CSK_INLINE csk_v between(float least, float most, csk_v v) {
  return csk_smaller(csk_all(most), csk_larger(csk_all(least), v));
}

/// The sigmoid of v and of -v.
typedef struct sigmoids {
  csk_v plus, minus;
} sigmoids;

CSK_TARGET CSK_INLINE sigmoids sigmoids_of(csk_v v) {
  const csk_v e = csk_exp_of(csk_minus(csk_zero(), magnitude(v)));
  const csk_v large = csk_over(csk_all(1), csk_plus(csk_all(1), e)), small = csk_times(e, large);
  const csk_mask negative = is_negative(v);
  return (sigmoids){csk_choose(negative, small, large), csk_choose(negative, large, small)};
}
CSK_TARGET CSK_INLINE csk_v sigmoid_of(csk_v v, csk_v slope) {
  (void)slope;
  return sigmoids_of(v).plus;
}
CSK_TARGET CSK_INLINE csk_v sigmoid_back(csk_v g, csk_v y, csk_v slope) {
  (void)slope;
  const csk_v rest = csk_larger(csk_zero(), csk_minus(csk_all(1), y));
  return csk_times(g, csk_times(y, rest));
}

CSK_TARGET CSK_INLINE csk_v silu_of(csk_v v, csk_v slope) {
  (void)slope;
  return csk_times(csk_larger(csk_all(-CSK_SILU_MOST), v), sigmoids_of(v).plus);
}
// s + v s (1 - s)
CSK_TARGET CSK_INLINE csk_v silu_back(csk_v g, csk_v v, csk_v slope) {
  (void)slope;
  const sigmoids s = sigmoids_of(v);
  const csk_v factor = between(-CSK_SILU_MOST, CSK_SILU_MOST, v);
  return csk_times(g, csk_times(s.plus, csk_fused(factor, s.minus, csk_all(1))));
}

CSK_TARGET CSK_INLINE csk_v tanh_of(csk_v v, csk_v slope) {
  (void)slope;
  const csk_v t = magnitude(v), one = csk_all(1);
  const csk_v e = csk_exp_of(csk_times(csk_all(-2), t));
  const csk_v positive = csk_over(csk_minus(one, e), csk_plus(one, e));
  const csk_v large = csk_choose(is_negative(v), csk_minus(csk_zero(), positive), positive);
  const csk_v z = csk_times(v, v);
  csk_v p = csk_all(CSK_TANH_P5);
  p = csk_fused(p, z, csk_all(CSK_TANH_P4));
  p = csk_fused(p, z, csk_all(CSK_TANH_P3));
  p = csk_fused(p, z, csk_all(CSK_TANH_P2));
  p = csk_fused(p, z, csk_all(CSK_TANH_P1));
  p = csk_fused(p, z, csk_all(CSK_TANH_P0));
  const csk_v small = csk_fused(csk_times(p, z), v, v);
  return csk_choose(csk_is_greater(t, csk_all(CSK_TANH_SMALL)), large, small);
}
CSK_TARGET CSK_INLINE csk_v tanh_back(csk_v g, csk_v y, csk_v slope) {
  (void)slope;
  return csk_times(g, csk_larger(csk_zero(), csk_fused_from(y, y, csk_all(1))));
}

/// The normal distribution at v, and exp(-v^2 / 2).
typedef struct normal {
  csk_v below, exponential;
} normal;

CSK_TARGET CSK_INLINE normal normal_of(csk_v v) {
  const csk_v t = csk_smaller(csk_all(CSK_TAIL_MOST), magnitude(v)), one = csk_all(1);
  const csk_v u = csk_over(one, csk_fused(csk_all(CSK_TAIL_C), t, one));
  csk_v q = csk_all(CSK_TAIL_Q8);
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q7));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q6));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q5));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q4));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q3));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q2));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q1));
  q = csk_fused(q, u, csk_all(CSK_TAIL_Q0));
  q = csk_times(q, u);
  const csk_v h = csk_times(t, t), l = csk_fused(t, t, csk_minus(csk_zero(), h));
  csk_v e = csk_exp_of(csk_times(csk_all(-0.5f), h));
  e = csk_fused_from(e, csk_times(csk_all(0.5f), l), e);
  const csk_v above = csk_fused_from(e, q, one);
  return (normal){csk_choose(is_negative(v), csk_times(e, q), above), e};
}
CSK_TARGET CSK_INLINE csk_v gelu_of(csk_v v, csk_v slope) {
  (void)slope;
  return csk_times(csk_larger(csk_all(-CSK_TAIL_MOST), v), normal_of(v).below);
}
// Phi(v) + v phi(v)
CSK_TARGET CSK_INLINE csk_v gelu_back(csk_v g, csk_v v, csk_v slope) {
  (void)slope;
  const normal n = normal_of(v);
  const csk_v density = csk_times(n.exponential, csk_all(CSK_DENSITY));
  const csk_v factor = between(-CSK_TAIL_MOST, CSK_TAIL_MOST, v);
  return csk_times(g, csk_fused(factor, density, n.below));
}

CSK_TARGET CSK_INLINE csk_v relu_of(csk_v v, csk_v slope) {
  (void)slope;
  return csk_relu(v);
}
CSK_TARGET CSK_INLINE csk_v relu_back(csk_v g, csk_v y, csk_v slope) {
  (void)slope;
  return csk_where_active(g, y);
}
CSK_TARGET CSK_INLINE csk_v leaky_relu_of(csk_v v, csk_v slope) {
  return csk_choose(csk_is_greater(v, csk_zero()), v, csk_times(slope, v));
}
CSK_TARGET CSK_INLINE csk_v leaky_relu_back(csk_v g, csk_v y, csk_v slope) {
  return csk_choose(csk_is_greater(y, csk_zero()), g, csk_times(slope, g));
}

#define CSK_ACTIVATION_LOOPS(name)                                                               \
  CSK_TARGET static void name##_all(csk_v slope, float *values, int64_t count) {                 \
    int64_t i = 0;                                                                               \
    for (; i + csk_lanes <= count; i += csk_lanes)                                               \
      csk_store(values + i, name##_of(csk_load(values + i), slope));                             \
    if (i == count) return;                                                                      \
    const csk_part part = csk_part_of((int32_t)(count - i));                                     \
    csk_store_part(values + i, name##_of(csk_load_part(values + i, part), slope), part);         \
  }                                                                                              \
  CSK_TARGET static void name##_all_back(csk_v slope, float *gradient, const float *values,      \
                                         int64_t count) {                                        \
    int64_t i = 0;                                                                               \
    for (; i + csk_lanes <= count; i += csk_lanes)                                               \
      csk_store(gradient + i, name##_back(csk_load(gradient + i), csk_load(values + i), slope)); \
    if (i == count) return;                                                                      \
    const csk_part part = csk_part_of((int32_t)(count - i));                                     \
    const csk_v g = csk_load_part(gradient + i, part), v = csk_load_part(values + i, part);      \
    csk_store_part(gradient + i, name##_back(g, v, slope), part);                                \
  }
CSK_ACTIVATION_LOOPS(relu)
CSK_ACTIVATION_LOOPS(leaky_relu)
CSK_ACTIVATION_LOOPS(gelu)
CSK_ACTIVATION_LOOPS(silu)
CSK_ACTIVATION_LOOPS(tanh)
CSK_ACTIVATION_LOOPS(sigmoid)

CSK_TARGET CSK_NOINLINE void activate(csk_activation activation, float *values, int64_t count) {
  const csk_v slope = csk_all(activation.slope);
  switch (activation.kind) {
    case csk_activation_identity:
      return;
    case csk_activation_relu:
      return relu_all(slope, values, count);
    case csk_activation_leaky_relu:
      return leaky_relu_all(slope, values, count);
    case csk_activation_gelu:
      return gelu_all(slope, values, count);
    case csk_activation_silu:
      return silu_all(slope, values, count);
    case csk_activation_tanh:
      return tanh_all(slope, values, count);
    case csk_activation_sigmoid:
      return sigmoid_all(slope, values, count);
  }
}

CSK_TARGET CSK_NOINLINE void activate_gradient(csk_activation activation, float *gradient,
                                               const float *values, int64_t count) {
  const csk_v slope = csk_all(activation.slope);
  switch (activation.kind) {
    case csk_activation_identity:
      return;
    case csk_activation_relu:
      return relu_all_back(slope, gradient, values, count);
    case csk_activation_leaky_relu:
      return leaky_relu_all_back(slope, gradient, values, count);
    case csk_activation_gelu:
      return gelu_all_back(slope, gradient, values, count);
    case csk_activation_silu:
      return silu_all_back(slope, gradient, values, count);
    case csk_activation_tanh:
      return tanh_all_back(slope, gradient, values, count);
    case csk_activation_sigmoid:
      return sigmoid_all_back(slope, gradient, values, count);
  }
}

static void register_activation(csk_kernels *kernels) {
  kernels->activate = activate;
  kernels->activate_gradient = activate_gradient;
}
