// neon/csk_softmax_neon.c: softmax and cross-entropy, eight lanes at a time.
//
// Bound: arithmetic, some 30 instructions an exponential of four lanes; three passes over the
// logits of one block of lanes, which are in L1 or L2.
#include "csk_pack_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

/// exp(d) for d <= 0; 0 where the result would not be a normal number; NaN stays.
INLINE float32x4_t exp_4(float32x4_t d) {
  const float32x4_t n = vrndnq_f32(vmulq_f32(d, vdupq_n_f32(CSK_EXP_LOG2E)));
  float32x4_t r = vfmsq_f32(d, n, vdupq_n_f32(CSK_EXP_LN2_HIGH));
  r = vfmsq_f32(r, n, vdupq_n_f32(CSK_EXP_LN2_LOW));
  float32x4_t q = vdupq_n_f32(CSK_EXP_Q4);
  q = vfmaq_f32(vdupq_n_f32(CSK_EXP_Q3), q, r);
  q = vfmaq_f32(vdupq_n_f32(CSK_EXP_Q2), q, r);
  q = vfmaq_f32(vdupq_n_f32(CSK_EXP_Q1), q, r);
  q = vfmaq_f32(vdupq_n_f32(CSK_EXP_Q0), q, r);
  q = vfmaq_f32(vdupq_n_f32(1), q, r);
  q = vfmaq_f32(vdupq_n_f32(1), q, r);
  // 2^n by its exponent bits. For a NaN n this is some number, and NaN times it is NaN.
  const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
  const float32x4_t e = vmulq_f32(q, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
  const uint32x4_t tiny = vcltq_f32(d, vdupq_n_f32(CSK_EXP_LOWEST));
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(e), tiny));
}

/// Eight lanes of the arguments: pointers are at the block's first lane.
typedef struct block {
  const float *logits;
  float *gradient;  // or null
  ptrdiff_t lanes;
  int32_t classes;
} block;

/// largest = max_c z_c and the first c that has it; a NaN is never larger.
INLINE void find_largest(const block *b, float *largest, int32_t *best) {
  for (int h = 0; h < 8; h += 4) {
    float32x4_t top = vdupq_n_f32(-INFINITY);
    int32x4_t at = vdupq_n_s32(0);
    for (int32_t c = 0; c < b->classes; c++) {
      const float32x4_t z = vld1q_f32(b->logits + c * b->lanes + h);
      const uint32x4_t larger = vcgtq_f32(z, top);
      top = vbslq_f32(larger, z, top);
      at = vbslq_s32(larger, vdupq_n_s32(c), at);
    }
    vst1q_f32(largest + h, top);
    vst1q_s32(best + h, at);
  }
}

INLINE void add_doubles(float64x2_t sum[2], float32x4_t v) {
  sum[0] = vaddq_f64(sum[0], vcvt_f64_f32(vget_low_f32(v)));
  sum[1] = vaddq_f64(sum[1], vcvt_high_f64_f32(v));
}

/// The two sums of csk_softmax_lane, and every exponential into the gradient.
INLINE void exponentials(const block *b, const float *largest, double *sum, double *shifted_sum) {
  float64x2_t sums[2][2], shifted[2][2];
  float32x4_t top[2];
  for (int h = 0; h < 2; h++) {
    top[h] = vld1q_f32(largest + 4 * h);
    for (int i = 0; i < 2; i++) sums[h][i] = shifted[h][i] = vdupq_n_f64(0);
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int h = 0; h < 2; h++) {
      const ptrdiff_t at = c * b->lanes + 4 * h;
      const float32x4_t d = vsubq_f32(vld1q_f32(b->logits + at), top[h]);
      const float32x4_t e = exp_4(d);
      add_doubles(shifted[h], d);
      add_doubles(sums[h], e);
      if (b->gradient) vst1q_f32(b->gradient + at, e);
    }
  }
  for (int h = 0; h < 2; h++) {
    for (int i = 0; i < 2; i++) {
      vst1q_f64(sum + 4 * h + 2 * i, sums[h][i]);
      vst1q_f64(shifted_sum + 4 * h + 2 * i, shifted[h][i]);
    }
  }
}

/// gradient = (e / sum - off) * scale in live lanes, 0 in dead ones. `reciprocal` is 1 / sum.
INLINE void gradients(const block *b, const float *reciprocal, int32_t live, float off,
                      float scale) {
  const int32_t zero_to_three[4] = {0, 1, 2, 3};
  for (int h = 0; h < 8; h += 4) {
    const float32x4_t r = vld1q_f32(reciprocal + h);
    const uint32x4_t alive = vcltq_s32(vld1q_s32(zero_to_three), vdupq_n_s32(live - h));
    for (int32_t c = 0; c < b->classes; c++) {
      float *at = b->gradient + c * b->lanes + h;
      const float32x4_t p = vmulq_f32(vld1q_f32(at), r);
      const float32x4_t g = vmulq_f32(vsubq_f32(p, vdupq_n_f32(off)), vdupq_n_f32(scale));
      vst1q_f32(at, vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(g), alive)));
    }
  }
}

/// The order of ranks: NaN below everything.
INLINE float32x4_t ordered(float32x4_t z) {
  const float32x4_t lowest = vdupq_n_f32(-INFINITY);
  return vbslq_f32(vcgtq_f32(z, lowest), z, lowest);
}

/// The ranks of csk_softmax_cross_entropy for `live` of the block's lanes.
INLINE void count_ranks(const block *b, int32_t live, const int32_t *labels, int32_t *ranks) {
  float own_logits[8] = {0};
  int32_t own_labels[8] = {0};
  uint32_t counts[8];
  for (int32_t i = 0; i < live; i++) {
    own_labels[i] = labels[i];
    own_logits[i] = b->logits[labels[i] * b->lanes + i];
  }
  for (int h = 0; h < 8; h += 4) {
    const float32x4_t own = ordered(vld1q_f32(own_logits + h));
    const int32x4_t label = vld1q_s32(own_labels + h);
    uint32x4_t count = vdupq_n_u32(0);
    for (int32_t c = 0; c < b->classes; c++) {
      const float32x4_t z = ordered(vld1q_f32(b->logits + c * b->lanes + h));
      const uint32x4_t lower = vcltq_s32(vdupq_n_s32(c), label);
      const uint32x4_t before = vorrq_u32(vcgtq_f32(z, own), vandq_u32(vceqq_f32(z, own), lower));
      count = vsubq_u32(count, before);
    }
    vst1q_u32(counts + h, count);
  }
  for (int32_t i = 0; i < live; i++) ranks[i] = (int32_t)counts[i];
}

/// Eight lanes, of which `live` are samples; labels, predictions and ranks begin there too.
static void softmax_block(const block *b, int32_t live, const int32_t *labels, float smoothing,
                          float scale, double *loss, int32_t *predictions, int32_t *ranks) {
  float largest[8], reciprocal[8], label_e[8];
  int32_t best[8];
  double sum[8], shifted_sum[8];
  find_largest(b, largest, best);
  exponentials(b, largest, sum, shifted_sum);
  if (ranks) count_ranks(b, live, labels, ranks);
  for (int32_t i = 0; i < live; i++) {
    const csk_softmax_lane lane = {largest[i], sum[i], shifted_sum[i]};
    const ptrdiff_t at = labels[i] * b->lanes + i;
    *loss += csk_softmax_loss(&lane, b->logits[at], smoothing, b->classes);
    predictions[i] = best[i];
    if (b->gradient) label_e[i] = b->gradient[at];
  }
  if (!b->gradient) return;
  for (int i = 0; i < 8; i++) reciprocal[i] = (float)(1 / sum[i]);
  gradients(b, reciprocal, live, csk_target_off(smoothing, b->classes), scale);
  const float on = csk_target_on(smoothing, b->classes);
  for (int32_t i = 0; i < live; i++)
    b->gradient[labels[i] * b->lanes + i] = (label_e[i] * reciprocal[i] - on) * scale;
}

static void softmax_cross_entropy(const float *logits, int32_t classes, int32_t lanes, int32_t live,
                                  const int32_t *labels, float label_smoothing,
                                  float gradient_scale, float *gradient, double *loss,
                                  int32_t *predictions, int32_t *ranks) {
  int32_t lane = 0;
  for (; lane < live; lane += 8) {
    const block b = {logits + lane, gradient ? gradient + lane : NULL, lanes, classes};
    const int32_t rest = live - lane;
    softmax_block(&b, rest < 8 ? rest : 8, labels + lane, label_smoothing, gradient_scale, loss,
                  predictions + lane, ranks ? ranks + lane : NULL);
  }
  for (int32_t c = 0; gradient && c < classes; c++)
    for (int32_t dead = lane; dead < lanes; dead += 4)
      vst1q_f32(gradient + (ptrdiff_t)c * lanes + dead, vdupq_n_f32(0));
}

void csk_softmax_neon(csk_kernels *kernels) {
  kernels->softmax_cross_entropy = softmax_cross_entropy;
}

#endif
