// include/csk_update.h: optimizer steps over arrays of parameters, and moving state between slots.
//
// All work on any contiguous range, so a caller may cut an array where it likes: every element is
// independent and the result does not depend on the cut. Results of scalar, AVX2 and NEON versions
// agree to rounding (FMA), and each is deterministic. Arrays must not overlap.
#ifndef CSK_UPDATE_H
#define CSK_UPDATE_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Plain, momentum and Nesterov SGD, PyTorch's rule:
///
///   g = scale * gradient + weight_decay * w
///   v = momentum * v + g                  (only if velocity is not null)
///   w = w - learning_rate * (nesterov ? g + momentum * v : v)      (g itself without velocity)
typedef struct csk_sgd {
  float learning_rate;
  float momentum;
  float weight_decay;     // L2, added to the gradient
  float decoupled_decay;  // w *= 1 - learning_rate * decoupled_decay, before the rest; 0: none
  float scale;            // of the gradient: clipping and 1/accumulation; 1: none
  bool nesterov;
} csk_sgd;

/// values, gradient (count); velocity (count) or null.
csk_status csk_sgd_step(const csk_sgd *rule, float *values, const float *gradient, float *velocity,
                        int64_t count);

/// Adam, and AdamW with decoupled decay, PyTorch's rule:
///
///   w = w - learning_rate * decoupled_decay * w        (AdamW)
///   g = scale * gradient + weight_decay * w            (Adam's L2)
///   m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g^2
///   w = w - step_size * m / (sqrt(s) * inverse_sqrt_correction2 + epsilon)
///
/// with step_size = learning_rate / (1 - beta1^t), inverse_sqrt_correction2 =
/// 1 / sqrt(1 - beta2^t), t from 1; the caller computes both in double, from the betas as rounded
/// to float: 1 - beta2 is formed from that one too, and 0.999 as a float is off by 1.3e-5 of it.
typedef struct csk_adam {
  float learning_rate;
  float beta1, beta2;
  float epsilon;
  float weight_decay;
  float decoupled_decay;
  float scale;
  float step_size;
  float inverse_sqrt_correction2;
} csk_adam;

/// values, gradient, first_moment, second_moment (count).
csk_status csk_adam_step(const csk_adam *rule, float *values, const float *gradient,
                         float *first_moment, float *second_moment, int64_t count);

/// Adam's corrections by a connection's own age a, its weight steps with this one: pairs[2 a] is
/// 1 / (1 - beta1^a), pairs[2 a + 1] 1 / sqrt(1 - beta2^a), both are 1 of a = 0. From `settled` on
/// both round to 1. Ages from `count` on, which the table does not have, are computed where they
/// are not settled: with the same bits, but slowly.
typedef struct csk_adam_corrections {
  const float *pairs;  // (count, 2)
  int32_t count;       // at most settled; 0: no age is in the table
  int32_t settled;     // what csk_adam_settled_age gives for these betas
  float beta1, beta2;
} csk_adam_corrections;

/// The age from which on both corrections round to 1; INT32_MAX if they never do before.
int32_t csk_adam_settled_age(float beta1, float beta2);

/// Writes a table of `count` pairs: computed in double, with the same bits on every CPU.
csk_status csk_adam_fill_corrections(float beta1, float beta2, float *pairs, int32_t count);

/// As csk_adam_step, but each connection is corrected by its own age: number - births[i], at least
/// 1, where number is the step's from 1 and births[i] the weight steps that were taken when i
/// began. The rule's step_size is then learning_rate * first[a], rounded, and
/// inverse_sqrt_correction2 second[a]; those that it has are not looked at.
csk_status csk_adam_age_step(const csk_adam *rule, const csk_adam_corrections *corrections,
                             int32_t number, const int32_t *births, float *values,
                             const float *gradient, float *first_moment, float *second_moment,
                             int64_t count);

/// target[i] = origins[i] < 0 ? 0 : source[origins[i]], i < count. Moves a slot array with its
/// connections; new ones start at zero. target and source must not overlap. An origin that is not
/// below source_count gives csk_status_invalid_argument.
csk_status csk_remap(const float *source, int64_t source_count, const int32_t *origins,
                     float *target, int64_t count);

/// target[i] = source[indices[i]], i < count; indices are trusted to lie in [0, source_count).
csk_status csk_gather(const float *source, int64_t source_count, const int32_t *indices,
                      float *target, int64_t count);

/// *sum = sum of values[i]^2 in double: 32 partial sums, of i modulo 32, joined by a fixed tree.
/// Every instruction set gives the same bits, because the square of a float is exact in double.
csk_status csk_sum_of_squares(const float *values, int64_t count, double *sum);

#ifdef __cplusplus
}
#endif
#endif
