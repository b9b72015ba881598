// entry/csk_update.c: the updates' arguments are checked once, then the current ISA's kernel runs.
#include "csk_update_internal.h"

csk_status csk_sgd_step(const csk_sgd *rule, float *values, const float *gradient, float *velocity,
                        int64_t count) {
  if (!rule || count < 0 || (count > 0 && (!values || !gradient)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->sgd_step(rule, values, gradient, velocity, count);
  return csk_status_ok;
}

csk_status csk_adam_step(const csk_adam *rule, float *values, const float *gradient,
                         float *first_moment, float *second_moment, int64_t count) {
  if (!rule || count < 0 ||
      (count > 0 && (!values || !gradient || !first_moment || !second_moment)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->adam_step(rule, values, gradient, first_moment, second_moment, count);
  return csk_status_ok;
}

int32_t csk_adam_settled_age(float beta1, float beta2) {
  int32_t least = 1, most = INT32_MAX;
  while (least < most) {
    const int32_t age = least + (most - least) / 2;
    float pair[2];
    csk_adam_compute_pair(beta1, beta2, age, pair);
    const bool is_settled = pair[0] == 1 && pair[1] == 1;
    if (is_settled)
      most = age;
    else
      least = age + 1;
  }
  return most;
}

csk_status csk_adam_fill_corrections(float beta1, float beta2, float *pairs, int32_t count) {
  if (count < 0 || (count > 0 && !pairs)) return csk_status_invalid_argument;
  if (count > 0) pairs[0] = pairs[1] = 1;
  for (int32_t age = 1; age < count; age++)
    csk_adam_compute_pair(beta1, beta2, age, pairs + 2 * (ptrdiff_t)age);
  return csk_status_ok;
}

csk_status csk_adam_age_step(const csk_adam *rule, const csk_adam_corrections *corrections,
                             int32_t number, const int32_t *births, float *values,
                             const float *gradient, float *first_moment, float *second_moment,
                             int64_t count) {
  if (!rule || !corrections || count < 0 ||
      (count > 0 && (!births || !values || !gradient || !first_moment || !second_moment)))
    return csk_status_invalid_argument;
  if (corrections->count < 0 || corrections->count > corrections->settled ||
      (corrections->count > 0 && !corrections->pairs))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->adam_age_step(rule, corrections, number, births, values, gradient, first_moment,
                         second_moment, count);
  return csk_status_ok;
}

csk_status csk_remap(const float *source, int64_t source_count, const int32_t *origins,
                     float *target, int64_t count) {
  if (source_count < 0 || count < 0 || (source_count > 0 && !source) ||
      (count > 0 && (!origins || !target)))
    return csk_status_invalid_argument;
  int32_t last = -1;
  for (int64_t i = 0; i < count; i++) last = origins[i] > last ? origins[i] : last;
  if (last >= source_count) return csk_status_invalid_argument;
  for (int64_t i = 0; i < count; i++) target[i] = origins[i] < 0 ? 0 : source[origins[i]];
  return csk_status_ok;
}

csk_status csk_gather(const float *source, int64_t source_count, const int32_t *indices,
                      float *target, int64_t count) {
  if (source_count < 0 || count < 0 || (count > 0 && (!source || !indices || !target)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->gather(source, indices, target, count);
  return csk_status_ok;
}

csk_status csk_sum_of_squares(const float *values, int64_t count, double *sum) {
  if (!sum || count < 0 || (count > 0 && !values)) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  *sum = kernels->sum_of_squares(values, count);
  return csk_status_ok;
}
