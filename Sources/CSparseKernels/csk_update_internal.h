// csk_update_internal.h: what the versions of the updates must do alike.
#ifndef CSK_UPDATE_INTERNAL_H
#define CSK_UPDATE_INTERNAL_H

#include <math.h>

#include "csk_internal.h"

/// What decoupled decay leaves of a weight: 1 - learning_rate * decoupled_decay, rounded once.
static inline float csk_decay_factor(float learning_rate, float decoupled_decay) {
  return (float)(1 - (double)learning_rate * (double)decoupled_decay);
}

/// beta^age in double, by squaring: no math library, whose last bits differ from one to another.
static inline double csk_power(double beta, int32_t age) {
  double power = 1;
  for (; age > 0; age /= 2, beta *= beta)
    if (age % 2) power *= beta;
  return power;
}

/// Adam's corrections at an age, computed.
static inline void csk_adam_compute_pair(float beta1, float beta2, int32_t age, float pair[2]) {
  const double power1 = csk_power(beta1, age), power2 = csk_power(beta2, age);
  pair[0] = (float)(1 / (1 - power1));
  pair[1] = (float)(1 / sqrt(1 - power2));
}

/// The age of a connection in the step of a number.
static inline int32_t csk_adam_age(int32_t number, int32_t birth) {
  return birth < number ? number - birth : 1;
}

/// A connection's corrections.
static inline void csk_adam_find_pair(const csk_adam_corrections *corrections, int32_t number,
                                      int32_t birth, float pair[2]) {
  const int32_t age = csk_adam_age(number, birth);
  if (age >= corrections->settled) {
    pair[0] = pair[1] = 1;
  } else if (age < corrections->count) {
    pair[0] = corrections->pairs[2 * (ptrdiff_t)age];
    pair[1] = corrections->pairs[2 * (ptrdiff_t)age + 1];
  } else {
    csk_adam_compute_pair(corrections->beta1, corrections->beta2, age, pair);
  }
}

enum { csk_square_lanes = 32 };

/// The sum of a sum of squares' lanes: halves are added until one is left.
static inline double csk_join_lanes(double lanes[csk_square_lanes]) {
  for (int half = csk_square_lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

#endif
