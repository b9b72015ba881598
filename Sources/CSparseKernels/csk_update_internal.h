// csk_update_internal.h: what the versions of the updates must do alike.
#ifndef CSK_UPDATE_INTERNAL_H
#define CSK_UPDATE_INTERNAL_H

#include "csk_internal.h"

/// What decoupled decay leaves of a weight: 1 - learning_rate * decoupled_decay, rounded once.
static inline float csk_decay_factor(float learning_rate, float decoupled_decay) {
  return (float)(1 - (double)learning_rate * (double)decoupled_decay);
}

enum { csk_square_lanes = 32 };

/// The sum of a sum of squares' lanes: halves are added until one is left.
static inline double csk_join_lanes(double lanes[csk_square_lanes]) {
  for (int half = csk_square_lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

#endif
