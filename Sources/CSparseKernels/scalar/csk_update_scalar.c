// scalar/csk_update_scalar.c: w = w - learning_rate * (...), the rules of SGD and Adam as they are
// defined, and the sums around them.
#include <math.h>

#include "csk_update_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

static void sgd_step(const csk_sgd *rule, float *values, const float *gradient, float *velocity,
                     int64_t count) {
  const float kept = csk_decay_factor(rule->learning_rate, rule->decoupled_decay);
  for (int64_t i = 0; i < count; i++) {
    const float w = kept * values[i];
    const float g = rule->scale * gradient[i] + rule->weight_decay * w;
    float step = g;
    if (velocity) {
      const float v = rule->momentum * velocity[i] + g;
      velocity[i] = v;
      step = rule->nesterov ? g + rule->momentum * v : v;
    }
    values[i] = w - rule->learning_rate * step;
  }
}

// One step for one weight, with the corrections that are its own.
static void adam_one(const csk_adam *rule, float kept, float step_size, float correction,
                     float *value, float gradient, float *first_moment, float *second_moment) {
  const float w = kept * *value;
  const float g = rule->scale * gradient + rule->weight_decay * w;
  const float m = rule->beta1 * *first_moment + (1 - rule->beta1) * g;
  const float s = rule->beta2 * *second_moment + (1 - rule->beta2) * (g * g);
  *first_moment = m;
  *second_moment = s;
  const float root = sqrtf(s) * correction;
  *value = w - step_size * m / (root + rule->epsilon);
}

static void adam_step(const csk_adam *rule, float *values, const float *gradient,
                      float *first_moment, float *second_moment, int64_t count) {
  const float kept = csk_decay_factor(rule->learning_rate, rule->decoupled_decay);
  for (int64_t i = 0; i < count; i++)
    adam_one(rule, kept, rule->step_size, rule->inverse_sqrt_correction2, values + i, gradient[i],
             first_moment + i, second_moment + i);
}

static void adam_age_step(const csk_adam *rule, const csk_adam_corrections *corrections,
                          int32_t number, const int32_t *births, float *values,
                          const float *gradient, float *first_moment, float *second_moment,
                          int64_t count) {
  const float kept = csk_decay_factor(rule->learning_rate, rule->decoupled_decay);
  for (int64_t i = 0; i < count; i++) {
    float pair[2];
    csk_adam_find_pair(corrections, number, births[i], pair);
    adam_one(rule, kept, rule->learning_rate * pair[0], pair[1], values + i, gradient[i],
             first_moment + i, second_moment + i);
  }
}

static void gather(const float *source, const int32_t *indices, float *target, int64_t count) {
  for (int64_t i = 0; i < count; i++) target[i] = source[indices[i]];
}

static double sum_of_squares(const float *values, int64_t count) {
  double lanes[csk_square_lanes] = {0};
  for (int64_t i = 0; i < count; i++) {
    const double value = values[i];
    lanes[i % csk_square_lanes] += value * value;
  }
  return csk_join_lanes(lanes);
}

void csk_update_scalar(csk_kernels *kernels) {
  kernels->sgd_step = sgd_step;
  kernels->adam_step = adam_step;
  kernels->adam_age_step = adam_age_step;
  kernels->gather = gather;
  kernels->sum_of_squares = sum_of_squares;
}
