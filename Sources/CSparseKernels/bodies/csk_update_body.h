// bodies/csk_update_body.h: w = w - learning_rate * (...), eight weights at a time.
//
// Bound of each: the bytes read and written / the bandwidth of where they are. Only Adam in the
// second-level cache is bound by arithmetic, one square root and one division per eight weights.
//
// The last, partial eight go through the same instructions, so that where a caller cuts an array
// does not show in its bits.
#include "../csk_update_internal.h"

typedef struct sgd_terms {
  csk_v kept, scale, weight_decay, momentum, learning_rate;
} sgd_terms;

// One step for eight weights; velocity is null without momentum.
CSK_TARGET CSK_INLINE csk_v sgd_eight(const sgd_terms *rule, bool nesterov, csk_v w, csk_v gradient,
                                      csk_v *velocity) {
  w = csk_times(rule->kept, w);
  const csk_v g = csk_fused(rule->weight_decay, w, csk_times(rule->scale, gradient));
  csk_v step = g;
  if (velocity) {
    const csk_v v = csk_fused(rule->momentum, *velocity, g);
    *velocity = v;
    step = nesterov ? csk_fused(rule->momentum, v, g) : v;
  }
  return csk_fused_from(rule->learning_rate, step, w);
}

// Inlined with a constant null or nonnull velocity and a constant nesterov.
CSK_TARGET CSK_INLINE void sgd_loop(const csk_sgd *rule, bool has_velocity, bool nesterov,
                                    float *values, const float *gradient, float *velocity,
                                    int64_t count) {
  const sgd_terms terms = {
      .kept = csk_all(csk_decay_factor(rule->learning_rate, rule->decoupled_decay)),
      .scale = csk_all(rule->scale),
      .weight_decay = csk_all(rule->weight_decay),
      .momentum = csk_all(rule->momentum),
      .learning_rate = csk_all(rule->learning_rate),
  };
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    csk_v v = has_velocity ? csk_load(velocity + i) : csk_zero();
    const csk_v w = sgd_eight(&terms, nesterov, csk_load(values + i), csk_load(gradient + i),
                              has_velocity ? &v : NULL);
    csk_store(values + i, w);
    if (has_velocity) csk_store(velocity + i, v);
  }
  if (i == count) return;
  const csk_part rest = csk_part_of((int32_t)(count - i));
  csk_v v = has_velocity ? csk_load_part(velocity + i, rest) : csk_zero();
  const csk_v w = sgd_eight(&terms, nesterov, csk_load_part(values + i, rest),
                            csk_load_part(gradient + i, rest), has_velocity ? &v : NULL);
  csk_store_part(values + i, w, rest);
  if (has_velocity) csk_store_part(velocity + i, v, rest);
}

CSK_TARGET
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
  csk_v kept, scale, weight_decay;
  csk_v beta1, rest1, beta2, rest2;  // rest = 1 - beta
  csk_v epsilon;
} adam_terms;

CSK_TARGET CSK_INLINE csk_v adam_eight(const adam_terms *rule, csk_v step_size, csk_v correction,
                                       csk_v w, csk_v gradient, csk_v *first_moment,
                                       csk_v *second_moment) {
  w = csk_times(rule->kept, w);
  const csk_v g = csk_fused(rule->weight_decay, w, csk_times(rule->scale, gradient));
  const csk_v m = csk_fused(rule->beta1, *first_moment, csk_times(rule->rest1, g));
  const csk_v s = csk_fused(rule->beta2, *second_moment, csk_times(rule->rest2, csk_times(g, g)));
  *first_moment = m;
  *second_moment = s;
  const csk_v root = csk_fused(csk_root(s), correction, rule->epsilon);
  return csk_minus(w, csk_over(csk_times(step_size, m), root));
}

CSK_TARGET CSK_INLINE adam_terms adam_terms_of(const csk_adam *rule) {
  return (adam_terms){
      .kept = csk_all(csk_decay_factor(rule->learning_rate, rule->decoupled_decay)),
      .scale = csk_all(rule->scale),
      .weight_decay = csk_all(rule->weight_decay),
      .beta1 = csk_all(rule->beta1),
      .rest1 = csk_all(1 - rule->beta1),
      .beta2 = csk_all(rule->beta2),
      .rest2 = csk_all(1 - rule->beta2),
      .epsilon = csk_all(rule->epsilon),
  };
}

CSK_TARGET
static void adam_step(const csk_adam *rule, float *values, const float *gradient,
                      float *first_moment, float *second_moment, int64_t count) {
  const adam_terms terms = adam_terms_of(rule);
  const csk_v step_size = csk_all(rule->step_size);
  const csk_v correction = csk_all(rule->inverse_sqrt_correction2);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    csk_v m = csk_load(first_moment + i), s = csk_load(second_moment + i);
    const csk_v w = adam_eight(&terms, step_size, correction, csk_load(values + i),
                               csk_load(gradient + i), &m, &s);
    csk_store(values + i, w);
    csk_store(first_moment + i, m);
    csk_store(second_moment + i, s);
  }
  if (i == count) return;
  const csk_part rest = csk_part_of((int32_t)(count - i));
  csk_v m = csk_load_part(first_moment + i, rest);
  csk_v s = csk_load_part(second_moment + i, rest);
  const csk_v w = adam_eight(&terms, step_size, correction, csk_load_part(values + i, rest),
                             csk_load_part(gradient + i, rest), &m, &s);
  csk_store_part(values + i, w, rest);
  csk_store_part(first_moment + i, m, rest);
  csk_store_part(second_moment + i, s, rest);
}

// One step for eight weights with their own corrections.
CSK_TARGET CSK_INLINE void adam_age_eight(const adam_terms *terms, csk_v learning_rate,
                                          const float *pairs, const int32_t entries[8],
                                          float *values, const float *gradient, float *first_moment,
                                          float *second_moment) {
  csk_v first, second;
  csk_load_pairs(pairs, entries, &first, &second);
  csk_v m = csk_load(first_moment), s = csk_load(second_moment);
  const csk_v w = adam_eight(terms, csk_times(learning_rate, first), second, csk_load(values),
                             csk_load(gradient), &m, &s);
  csk_store(values, w);
  csk_store(first_moment, m);
  csk_store(second_moment, s);
}

// Steps for up to eight weights, whose corrections are found one by one.
CSK_TARGET static __attribute__((noinline)) void adam_age_rest(
    const csk_adam *rule, const csk_adam_corrections *corrections, int32_t number,
    const int32_t *births, float *values, const float *gradient, float *first_moment,
    float *second_moment, int32_t count) {
  static const int32_t entries[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  float pairs[16] = {0}, eight[4][8] = {{0}};
  for (int32_t i = 0; i < count; i++) {
    csk_adam_find_pair(corrections, number, births[i], pairs + 2 * i);
    eight[0][i] = values[i];
    eight[1][i] = gradient[i];
    eight[2][i] = first_moment[i];
    eight[3][i] = second_moment[i];
  }
  const adam_terms terms = adam_terms_of(rule);
  adam_age_eight(&terms, csk_all(rule->learning_rate), pairs, entries, eight[0], eight[1], eight[2],
                 eight[3]);
  for (int32_t i = 0; i < count; i++) {
    values[i] = eight[0][i];
    first_moment[i] = eight[2][i];
    second_moment[i] = eight[3][i];
  }
}

// Looking the corrections up takes as long again as the rest, or less where memory binds that.
CSK_TARGET
static void adam_age_step(const csk_adam *rule, const csk_adam_corrections *corrections,
                          int32_t number, const int32_t *births, float *values,
                          const float *gradient, float *first_moment, float *second_moment,
                          int64_t count) {
  const adam_terms terms = adam_terms_of(rule);
  const csk_v learning_rate = csk_all(rule->learning_rate);
  const float *pairs = corrections->pairs;
  const int32_t settled = corrections->settled;
  int64_t i = 0;
  // Every age is in the table, or settled.
  if (corrections->count == settled) {
    for (; i + 8 <= count; i += 8) {
      int32_t entries[8];
      CSK_UNROLL for (int32_t lane = 0; lane < 8; lane++) {
        const int32_t age = csk_adam_age(number, births[i + lane]);
        entries[lane] = age < settled ? age : 0;
      }
      adam_age_eight(&terms, learning_rate, pairs, entries, values + i, gradient + i,
                     first_moment + i, second_moment + i);
    }
  }
  for (; i < count; i += 8)
    adam_age_rest(rule, corrections, number, births + i, values + i, gradient + i, first_moment + i,
                  second_moment + i, (int32_t)(count - i < 8 ? count - i : 8));
}

CSK_TARGET
static double sum_of_squares(const float *values, int64_t count) {
  enum { vectors = csk_square_lanes / csk_lanes };
  csk_wide sums[vectors];
  for (int v = 0; v < vectors; v++) sums[v] = csk_no_wide();
  int64_t i = 0;
  for (; i + csk_square_lanes <= count; i += csk_square_lanes) {
    for (int v = 0; v < vectors; v++) {
      const csk_wide eight = csk_load_wide(values + i + csk_lanes * v);
      sums[v] = csk_fused_wide(eight, eight, sums[v]);
    }
  }
  double lanes[csk_square_lanes];
  for (int v = 0; v < vectors; v++) csk_store_wide(lanes + csk_lanes * v, sums[v]);
  for (int lane = 0; i < count; i++, lane++) {
    const double value = values[i];
    lanes[lane] += value * value;
  }
  return csk_join_lanes(lanes);
}

static void register_update(csk_kernels *kernels) {
  kernels->sgd_step = sgd_step;
  kernels->adam_step = adam_step;
  kernels->adam_age_step = adam_age_step;
  kernels->sum_of_squares = sum_of_squares;
}
