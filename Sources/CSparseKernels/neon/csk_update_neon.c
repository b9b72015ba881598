// neon/csk_update_neon.c: w = w - learning_rate * (...), four weights at a time. Bound of each: the
// bytes read and written / the bandwidth of where they are.
//
// The last, partial four go through the same instructions in a small copy, so that where a caller
// cuts an array does not show in its bits.
#include <string.h>

#include "csk_update_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

static inline float32x4_t load_part(const float *from, int64_t count) {
  float four[4] = {0};
  memcpy(four, from, (size_t)count * sizeof *from);
  return vld1q_f32(four);
}

static inline void store_part(float *to, float32x4_t values, int64_t count) {
  float four[4];
  vst1q_f32(four, values);
  memcpy(to, four, (size_t)count * sizeof *to);
}

typedef struct sgd_terms {
  float32x4_t kept, scale, weight_decay, momentum, learning_rate;
} sgd_terms;

// One step for four weights; velocity is null without momentum.
static inline float32x4_t sgd_four(const sgd_terms *rule, bool nesterov, float32x4_t w,
                                   float32x4_t gradient, float32x4_t *velocity) {
  w = vmulq_f32(rule->kept, w);
  const float32x4_t g = vfmaq_f32(vmulq_f32(rule->scale, gradient), rule->weight_decay, w);
  float32x4_t step = g;
  if (velocity) {
    const float32x4_t v = vfmaq_f32(g, rule->momentum, *velocity);
    *velocity = v;
    step = nesterov ? vfmaq_f32(g, rule->momentum, v) : v;
  }
  return vfmsq_f32(w, rule->learning_rate, step);
}

// Inlined with a constant has_velocity and a constant nesterov.
__attribute__((always_inline)) static inline void sgd_loop(const csk_sgd *rule, bool has_velocity,
                                                           bool nesterov, float *values,
                                                           const float *gradient, float *velocity,
                                                           int64_t count) {
  const sgd_terms terms = {
      .kept = vdupq_n_f32(csk_decay_factor(rule->learning_rate, rule->decoupled_decay)),
      .scale = vdupq_n_f32(rule->scale),
      .weight_decay = vdupq_n_f32(rule->weight_decay),
      .momentum = vdupq_n_f32(rule->momentum),
      .learning_rate = vdupq_n_f32(rule->learning_rate),
  };
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    float32x4_t v = has_velocity ? vld1q_f32(velocity + i) : vdupq_n_f32(0);
    const float32x4_t w = sgd_four(&terms, nesterov, vld1q_f32(values + i), vld1q_f32(gradient + i),
                                   has_velocity ? &v : NULL);
    vst1q_f32(values + i, w);
    if (has_velocity) vst1q_f32(velocity + i, v);
  }
  const int64_t rest = count - i;
  if (rest == 0) return;
  float32x4_t v = has_velocity ? load_part(velocity + i, rest) : vdupq_n_f32(0);
  const float32x4_t w = sgd_four(&terms, nesterov, load_part(values + i, rest),
                                 load_part(gradient + i, rest), has_velocity ? &v : NULL);
  store_part(values + i, w, rest);
  if (has_velocity) store_part(velocity + i, v, rest);
}

static void sgd_step(const csk_sgd *rule, float *values, const float *gradient, float *velocity,
                     int64_t count) {
  if (!velocity)
    sgd_loop(rule, false, false, values, gradient, NULL, count);
  else if (rule->nesterov)
    sgd_loop(rule, true, true, values, gradient, velocity, count);
  else
    sgd_loop(rule, true, false, values, gradient, velocity, count);
}

typedef struct adam_terms {
  float32x4_t kept, scale, weight_decay;
  float32x4_t beta1, rest1, beta2, rest2;  // rest = 1 - beta
  float32x4_t correction, epsilon, step_size;
} adam_terms;

static inline float32x4_t adam_four(const adam_terms *rule, float32x4_t w, float32x4_t gradient,
                                    float32x4_t *first_moment, float32x4_t *second_moment) {
  w = vmulq_f32(rule->kept, w);
  const float32x4_t g = vfmaq_f32(vmulq_f32(rule->scale, gradient), rule->weight_decay, w);
  const float32x4_t m = vfmaq_f32(vmulq_f32(rule->rest1, g), rule->beta1, *first_moment);
  const float32x4_t s =
      vfmaq_f32(vmulq_f32(rule->rest2, vmulq_f32(g, g)), rule->beta2, *second_moment);
  *first_moment = m;
  *second_moment = s;
  const float32x4_t root = vfmaq_f32(rule->epsilon, vsqrtq_f32(s), rule->correction);
  return vsubq_f32(w, vdivq_f32(vmulq_f32(rule->step_size, m), root));
}

static void adam_step(const csk_adam *rule, float *values, const float *gradient,
                      float *first_moment, float *second_moment, int64_t count) {
  const adam_terms terms = {
      .kept = vdupq_n_f32(csk_decay_factor(rule->learning_rate, rule->decoupled_decay)),
      .scale = vdupq_n_f32(rule->scale),
      .weight_decay = vdupq_n_f32(rule->weight_decay),
      .beta1 = vdupq_n_f32(rule->beta1),
      .rest1 = vdupq_n_f32(1 - rule->beta1),
      .beta2 = vdupq_n_f32(rule->beta2),
      .rest2 = vdupq_n_f32(1 - rule->beta2),
      .correction = vdupq_n_f32(rule->inverse_sqrt_correction2),
      .epsilon = vdupq_n_f32(rule->epsilon),
      .step_size = vdupq_n_f32(rule->step_size),
  };
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    float32x4_t m = vld1q_f32(first_moment + i), s = vld1q_f32(second_moment + i);
    const float32x4_t w = adam_four(&terms, vld1q_f32(values + i), vld1q_f32(gradient + i), &m, &s);
    vst1q_f32(values + i, w);
    vst1q_f32(first_moment + i, m);
    vst1q_f32(second_moment + i, s);
  }
  const int64_t rest = count - i;
  if (rest == 0) return;
  float32x4_t m = load_part(first_moment + i, rest), s = load_part(second_moment + i, rest);
  const float32x4_t w =
      adam_four(&terms, load_part(values + i, rest), load_part(gradient + i, rest), &m, &s);
  store_part(values + i, w, rest);
  store_part(first_moment + i, m, rest);
  store_part(second_moment + i, s, rest);
}

static double sum_of_squares(const float *values, int64_t count) {
  float64x2_t sums[csk_square_lanes / 2];
  for (int v = 0; v < csk_square_lanes / 2; v++) sums[v] = vdupq_n_f64(0);
  int64_t i = 0;
  for (; i + csk_square_lanes <= count; i += csk_square_lanes) {
    for (int v = 0; v < csk_square_lanes / 2; v++) {
      const float64x2_t two = vcvt_f64_f32(vld1_f32(values + i + 2 * v));
      sums[v] = vfmaq_f64(sums[v], two, two);
    }
  }
  double lanes[csk_square_lanes];
  for (int v = 0; v < csk_square_lanes / 2; v++) vst1q_f64(lanes + 2 * v, sums[v]);
  for (int lane = 0; i < count; i++, lane++) {
    const double value = values[i];
    lanes[lane] += value * value;
  }
  return csk_join_lanes(lanes);
}

void csk_update_neon(csk_kernels *kernels) {
  kernels->sgd_step = sgd_step;
  kernels->adam_step = adam_step;
  kernels->sum_of_squares = sum_of_squares;
}
#endif
