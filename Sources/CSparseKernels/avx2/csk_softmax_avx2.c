// avx2/csk_softmax_avx2.c: softmax and cross-entropy, eight or sixteen lanes at a time.
//
// Bound: arithmetic, some 30 instructions an exponential of eight lanes; three passes over the
// logits of one block of lanes, which are in L1 or L2.
#include "csk_pack_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#define INLINE CSK_TARGET_AVX2 static inline __attribute__((always_inline))

/// exp(d) for d <= 0; 0 where the result would not be a normal number; NaN stays.
INLINE __m256 exp_8(__m256 d) {
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(d, _mm256_set1_ps(CSK_EXP_LOG2E)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(CSK_EXP_LN2_HIGH), d);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(CSK_EXP_LN2_LOW), r);
  __m256 q = _mm256_set1_ps(CSK_EXP_Q4);
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CSK_EXP_Q3));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CSK_EXP_Q2));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CSK_EXP_Q1));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(CSK_EXP_Q0));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(1));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(1));
  // 2^n by its exponent bits. For a NaN n this is some number, and NaN times it is NaN.
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  const __m256 power = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  const __m256 tiny = _mm256_cmp_ps(d, _mm256_set1_ps(CSK_EXP_LOWEST), _CMP_LT_OQ);
  return _mm256_andnot_ps(tiny, _mm256_mul_ps(q, power));
}

/// Up to sixteen lanes of the arguments: pointers are at the block's first lane.
typedef struct block {
  const float *logits;
  float *gradient;  // or null
  ptrdiff_t lanes;
  int32_t classes;
} block;

/// largest = max_c z_c and the first c that has it; a NaN is never larger.
INLINE void find_largest(const block *b, int vectors, float *largest, int32_t *best) {
  __m256 top[2];
  __m256i at[2];
  for (int v = 0; v < vectors; v++) {
    top[v] = _mm256_set1_ps(-INFINITY);
    at[v] = _mm256_setzero_si256();
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      const __m256 z = _mm256_loadu_ps(b->logits + c * b->lanes + 8 * v);
      const __m256 larger = _mm256_cmp_ps(z, top[v], _CMP_GT_OQ);
      top[v] = _mm256_blendv_ps(top[v], z, larger);
      at[v] = _mm256_blendv_epi8(at[v], _mm256_set1_epi32(c), _mm256_castps_si256(larger));
    }
  }
  for (int v = 0; v < vectors; v++) {
    _mm256_storeu_ps(largest + 8 * v, top[v]);
    _mm256_storeu_si256((__m256i *)(best + 8 * v), at[v]);
  }
}

INLINE void add_doubles(__m256d sum[2], __m256 v) {
  sum[0] = _mm256_add_pd(sum[0], _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
  sum[1] = _mm256_add_pd(sum[1], _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
}

/// The two sums of csk_softmax_lane, and every exponential into the gradient.
INLINE void exponentials(const block *b, int vectors, const float *largest, double *sum,
                         double *shifted_sum) {
  __m256d sums[2][2], shifted[2][2];
  __m256 top[2];
  for (int v = 0; v < vectors; v++) {
    top[v] = _mm256_loadu_ps(largest + 8 * v);
    for (int h = 0; h < 2; h++) sums[v][h] = shifted[v][h] = _mm256_setzero_pd();
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t at = c * b->lanes + 8 * v;
      const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(b->logits + at), top[v]);
      const __m256 e = exp_8(d);
      add_doubles(shifted[v], d);
      add_doubles(sums[v], e);
      if (b->gradient) _mm256_storeu_ps(b->gradient + at, e);
    }
  }
  for (int v = 0; v < vectors; v++) {
    for (int h = 0; h < 2; h++) {
      _mm256_storeu_pd(sum + 8 * v + 4 * h, sums[v][h]);
      _mm256_storeu_pd(shifted_sum + 8 * v + 4 * h, shifted[v][h]);
    }
  }
}

/// gradient = (e / sum - off) * scale in live lanes, 0 in dead ones. `reciprocal` is 1 / sum.
INLINE void gradients(const block *b, int vectors, const float *reciprocal, int32_t live, float off,
                      float scale) {
  const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256 r[2], alive[2];
  for (int v = 0; v < vectors; v++) {
    r[v] = _mm256_loadu_ps(reciprocal + 8 * v);
    alive[v] = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(live - 8 * v), numbers));
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      float *at = b->gradient + c * b->lanes + 8 * v;
      const __m256 p = _mm256_mul_ps(_mm256_loadu_ps(at), r[v]);
      const __m256 g = _mm256_mul_ps(_mm256_sub_ps(p, _mm256_set1_ps(off)), _mm256_set1_ps(scale));
      _mm256_storeu_ps(at, _mm256_and_ps(g, alive[v]));
    }
  }
}

/// The ranks of csk_softmax_cross_entropy for `live` of the block's lanes.
INLINE void count_ranks(const block *b, int vectors, int32_t live, const int32_t *labels,
                        int32_t *ranks) {
  const __m256 lowest = _mm256_set1_ps(-INFINITY);
  float own_logits[16] = {0};
  int32_t own_labels[16] = {0}, counts[16];
  __m256 own[2];
  __m256i label[2], count[2];
  for (int32_t i = 0; i < live; i++) {
    own_labels[i] = labels[i];
    own_logits[i] = b->logits[labels[i] * b->lanes + i];
  }
  for (int v = 0; v < vectors; v++) {
    own[v] = _mm256_max_ps(_mm256_loadu_ps(own_logits + 8 * v), lowest);  // NaN: -infinity
    label[v] = _mm256_loadu_si256((const __m256i *)(own_labels + 8 * v));
    count[v] = _mm256_setzero_si256();
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      const __m256 z = _mm256_max_ps(_mm256_loadu_ps(b->logits + c * b->lanes + 8 * v), lowest);
      const __m256 larger = _mm256_cmp_ps(z, own[v], _CMP_GT_OQ);
      const __m256 equal = _mm256_cmp_ps(z, own[v], _CMP_EQ_OQ);
      const __m256 lower = _mm256_castsi256_ps(_mm256_cmpgt_epi32(label[v], _mm256_set1_epi32(c)));
      const __m256 before = _mm256_or_ps(larger, _mm256_and_ps(equal, lower));
      count[v] = _mm256_sub_epi32(count[v], _mm256_castps_si256(before));
    }
  }
  for (int v = 0; v < vectors; v++) _mm256_storeu_si256((__m256i *)(counts + 8 * v), count[v]);
  for (int32_t i = 0; i < live; i++) ranks[i] = counts[i];
}

/// 8 * vectors lanes, of which `live` are samples; labels, predictions and ranks begin there too.
INLINE void softmax_block(const block *b, int vectors, int32_t live, const int32_t *labels,
                          float smoothing, float scale, double *loss, int32_t *predictions,
                          int32_t *ranks) {
  float largest[16], reciprocal[16], label_e[16];
  int32_t best[16];
  double sum[16], shifted_sum[16];
  find_largest(b, vectors, largest, best);
  exponentials(b, vectors, largest, sum, shifted_sum);
  if (ranks) count_ranks(b, vectors, live, labels, ranks);
  for (int32_t i = 0; i < live; i++) {
    const csk_softmax_lane lane = {largest[i], sum[i], shifted_sum[i]};
    const ptrdiff_t at = labels[i] * b->lanes + i;
    *loss += csk_softmax_loss(&lane, b->logits[at], smoothing, b->classes);
    predictions[i] = best[i];
    if (b->gradient) label_e[i] = b->gradient[at];
  }
  if (!b->gradient) return;
  for (int i = 0; i < 8 * vectors; i++) reciprocal[i] = (float)(1 / sum[i]);
  gradients(b, vectors, reciprocal, live, csk_target_off(smoothing, b->classes), scale);
  const float on = csk_target_on(smoothing, b->classes);
  for (int32_t i = 0; i < live; i++)
    b->gradient[labels[i] * b->lanes + i] = (label_e[i] * reciprocal[i] - on) * scale;
}

CSK_TARGET_AVX2
static void softmax_cross_entropy(const float *logits, int32_t classes, int32_t lanes, int32_t live,
                                  const int32_t *labels, float label_smoothing,
                                  float gradient_scale, float *gradient, double *loss,
                                  int32_t *predictions, int32_t *ranks) {
  int32_t lane = 0;
  while (lane < live) {
    const block b = {logits + lane, gradient ? gradient + lane : NULL, lanes, classes};
    const int32_t rest = live - lane;
    int32_t *r = ranks ? ranks + lane : NULL;
    if (lane + 16 <= lanes) {
      softmax_block(&b, 2, rest < 16 ? rest : 16, labels + lane, label_smoothing, gradient_scale,
                    loss, predictions + lane, r);
      lane += 16;
    } else {
      softmax_block(&b, 1, rest < 8 ? rest : 8, labels + lane, label_smoothing, gradient_scale,
                    loss, predictions + lane, r);
      lane += 8;
    }
  }
  for (int32_t c = 0; gradient && c < classes; c++)
    for (int32_t dead = lane; dead < lanes; dead += 8)
      _mm256_storeu_ps(gradient + (ptrdiff_t)c * lanes + dead, _mm256_setzero_ps());
}

void csk_softmax_avx2(csk_kernels *kernels) {
  kernels->softmax_cross_entropy = softmax_cross_entropy;
}

#endif
