// avx2/csk_update_avx2.c: w = w - learning_rate * (...), eight weights at a time.
//
// Bound of each: the bytes read and written / the bandwidth of where they are. Only Adam in the
// second-level cache is bound by arithmetic, one square root and one division per eight weights.
//
// The last, partial eight go through the same instructions under a mask, so that where a caller
// cuts an array does not show in its bits.
#include "csk_update_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

CSK_TARGET_AVX2
static inline __m256i mask_of(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

typedef struct sgd_terms {
  __m256 kept, scale, weight_decay, momentum, learning_rate;
} sgd_terms;

// One step for eight weights; velocity is null without momentum.
CSK_TARGET_AVX2
static inline __m256 sgd_eight(const sgd_terms *rule, bool nesterov, __m256 w, __m256 gradient,
                               __m256 *velocity) {
  w = _mm256_mul_ps(rule->kept, w);
  const __m256 g = _mm256_fmadd_ps(rule->weight_decay, w, _mm256_mul_ps(rule->scale, gradient));
  __m256 step = g;
  if (velocity) {
    const __m256 v = _mm256_fmadd_ps(rule->momentum, *velocity, g);
    *velocity = v;
    step = nesterov ? _mm256_fmadd_ps(rule->momentum, v, g) : v;
  }
  return _mm256_fnmadd_ps(rule->learning_rate, step, w);
}

// Inlined with a constant null or nonnull velocity and a constant nesterov.
CSK_TARGET_AVX2
__attribute__((always_inline)) static inline void sgd_loop(const csk_sgd *rule, bool has_velocity,
                                                           bool nesterov, float *values,
                                                           const float *gradient, float *velocity,
                                                           int64_t count) {
  const sgd_terms terms = {
      .kept = _mm256_set1_ps(csk_decay_factor(rule->learning_rate, rule->decoupled_decay)),
      .scale = _mm256_set1_ps(rule->scale),
      .weight_decay = _mm256_set1_ps(rule->weight_decay),
      .momentum = _mm256_set1_ps(rule->momentum),
      .learning_rate = _mm256_set1_ps(rule->learning_rate),
  };
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 v = has_velocity ? _mm256_loadu_ps(velocity + i) : _mm256_setzero_ps();
    const __m256 w = sgd_eight(&terms, nesterov, _mm256_loadu_ps(values + i),
                               _mm256_loadu_ps(gradient + i), has_velocity ? &v : NULL);
    _mm256_storeu_ps(values + i, w);
    if (has_velocity) _mm256_storeu_ps(velocity + i, v);
  }
  if (i == count) return;
  const __m256i live = mask_of(count - i);
  __m256 v = has_velocity ? _mm256_maskload_ps(velocity + i, live) : _mm256_setzero_ps();
  const __m256 w = sgd_eight(&terms, nesterov, _mm256_maskload_ps(values + i, live),
                             _mm256_maskload_ps(gradient + i, live), has_velocity ? &v : NULL);
  _mm256_maskstore_ps(values + i, live, w);
  if (has_velocity) _mm256_maskstore_ps(velocity + i, live, v);
}

CSK_TARGET_AVX2
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
  __m256 kept, scale, weight_decay;
  __m256 beta1, rest1, beta2, rest2;  // rest = 1 - beta
  __m256 correction, epsilon, step_size;
} adam_terms;

CSK_TARGET_AVX2
static inline __m256 adam_eight(const adam_terms *rule, __m256 w, __m256 gradient,
                                __m256 *first_moment, __m256 *second_moment) {
  w = _mm256_mul_ps(rule->kept, w);
  const __m256 g = _mm256_fmadd_ps(rule->weight_decay, w, _mm256_mul_ps(rule->scale, gradient));
  const __m256 m = _mm256_fmadd_ps(rule->beta1, *first_moment, _mm256_mul_ps(rule->rest1, g));
  const __m256 s =
      _mm256_fmadd_ps(rule->beta2, *second_moment, _mm256_mul_ps(rule->rest2, _mm256_mul_ps(g, g)));
  *first_moment = m;
  *second_moment = s;
  const __m256 root = _mm256_fmadd_ps(_mm256_sqrt_ps(s), rule->correction, rule->epsilon);
  return _mm256_sub_ps(w, _mm256_div_ps(_mm256_mul_ps(rule->step_size, m), root));
}

CSK_TARGET_AVX2
static void adam_step(const csk_adam *rule, float *values, const float *gradient,
                      float *first_moment, float *second_moment, int64_t count) {
  const adam_terms terms = {
      .kept = _mm256_set1_ps(csk_decay_factor(rule->learning_rate, rule->decoupled_decay)),
      .scale = _mm256_set1_ps(rule->scale),
      .weight_decay = _mm256_set1_ps(rule->weight_decay),
      .beta1 = _mm256_set1_ps(rule->beta1),
      .rest1 = _mm256_set1_ps(1 - rule->beta1),
      .beta2 = _mm256_set1_ps(rule->beta2),
      .rest2 = _mm256_set1_ps(1 - rule->beta2),
      .correction = _mm256_set1_ps(rule->inverse_sqrt_correction2),
      .epsilon = _mm256_set1_ps(rule->epsilon),
      .step_size = _mm256_set1_ps(rule->step_size),
  };
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 m = _mm256_loadu_ps(first_moment + i), s = _mm256_loadu_ps(second_moment + i);
    const __m256 w =
        adam_eight(&terms, _mm256_loadu_ps(values + i), _mm256_loadu_ps(gradient + i), &m, &s);
    _mm256_storeu_ps(values + i, w);
    _mm256_storeu_ps(first_moment + i, m);
    _mm256_storeu_ps(second_moment + i, s);
  }
  if (i == count) return;
  const __m256i live = mask_of(count - i);
  __m256 m = _mm256_maskload_ps(first_moment + i, live);
  __m256 s = _mm256_maskload_ps(second_moment + i, live);
  const __m256 w = adam_eight(&terms, _mm256_maskload_ps(values + i, live),
                              _mm256_maskload_ps(gradient + i, live), &m, &s);
  _mm256_maskstore_ps(values + i, live, w);
  _mm256_maskstore_ps(first_moment + i, live, m);
  _mm256_maskstore_ps(second_moment + i, live, s);
}

CSK_TARGET_AVX2
static double sum_of_squares(const float *values, int64_t count) {
  __m256d sums[csk_square_lanes / 4];
  for (int v = 0; v < csk_square_lanes / 4; v++) sums[v] = _mm256_setzero_pd();
  int64_t i = 0;
  for (; i + csk_square_lanes <= count; i += csk_square_lanes) {
    for (int v = 0; v < csk_square_lanes / 4; v++) {
      const __m256d four = _mm256_cvtps_pd(_mm_loadu_ps(values + i + 4 * v));
      sums[v] = _mm256_fmadd_pd(four, four, sums[v]);
    }
  }
  double lanes[csk_square_lanes];
  for (int v = 0; v < csk_square_lanes / 4; v++) _mm256_storeu_pd(lanes + 4 * v, sums[v]);
  for (int lane = 0; i < count; i++, lane++) {
    const double value = values[i];
    lanes[lane] += value * value;
  }
  return csk_join_lanes(lanes);
}

void csk_update_avx2(csk_kernels *kernels) {
  kernels->sgd_step = sgd_step;
  kernels->adam_step = adam_step;
  kernels->sum_of_squares = sum_of_squares;
}
#endif
