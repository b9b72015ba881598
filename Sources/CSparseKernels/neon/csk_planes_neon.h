// csk_planes_neon.h: a column, 8 lanes, is two vectors: what planes' kernels do with it.
#ifndef CSK_PLANES_NEON_H
#define CSK_PLANES_NEON_H

#include "../csk_planes_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#define CSK_INLINE static inline __attribute__((always_inline))

typedef struct csk_column {
  float32x4_t low, high;  // lanes 0-3 and 4-7
} csk_column;

CSK_INLINE csk_column csk_load(const float *from) {
  return (csk_column){vld1q_f32(from), vld1q_f32(from + 4)};
}
CSK_INLINE void csk_store(float *to, csk_column v) {
  vst1q_f32(to, v.low);
  vst1q_f32(to + 4, v.high);
}
CSK_INLINE csk_column csk_all(float v) {
  return (csk_column){vdupq_n_f32(v), vdupq_n_f32(v)};
}
CSK_INLINE csk_column csk_plus(csk_column a, csk_column b) {
  return (csk_column){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}
CSK_INLINE csk_column csk_minus(csk_column a, csk_column b) {
  return (csk_column){vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
}
CSK_INLINE csk_column csk_times(csk_column a, csk_column b) {
  return (csk_column){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
/// a b + c, one rounding.
CSK_INLINE csk_column csk_fused(csk_column a, csk_column b, csk_column c) {
  return (csk_column){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}

/// v where the bits are set, else 0.
CSK_INLINE float32x4_t csk_only(float32x4_t v, uint32x4_t bits) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), bits));
}
CSK_INLINE float32x4_t csk_except(float32x4_t v, uint32x4_t bits) {
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), bits));
}
/// Not vmaxq: it makes 0 of -0, and the other instruction sets do not.
CSK_INLINE csk_column csk_relu(csk_column v) {
  return (csk_column){csk_except(v.low, vcltzq_f32(v.low)), csk_except(v.high, vcltzq_f32(v.high))};
}
/// v where the activation is not <= 0, which NaN is not, else 0.
CSK_INLINE csk_column csk_masked(csk_column v, csk_column activation) {
  return (csk_column){csk_except(v.low, vclezq_f32(activation.low)),
                      csk_except(v.high, vclezq_f32(activation.high))};
}

/// The lanes that are samples.
typedef struct csk_alive {
  uint32x4_t low, high;
} csk_alive;

CSK_INLINE csk_alive csk_live(int32_t live) {
  const int32_t numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const int32x4_t count = vdupq_n_s32(live);
  return (csk_alive){vcltq_s32(vld1q_s32(numbers), count),
                     vcltq_s32(vld1q_s32(numbers + 4), count)};
}
CSK_INLINE csk_column csk_living(csk_column v, csk_alive alive) {
  return (csk_column){csk_only(v.low, alive.low), csk_only(v.high, alive.high)};
}

CSK_INLINE void csk_clear(float *columns, int32_t count) {
  for (int32_t j = 0; j < count; j++)
    csk_store(columns + (ptrdiff_t)j * csk_plane_lanes, csk_all(0));
}

/// Sums of even and odd columns: `next` is the one that the next column goes to. Whichever comes
/// last, their sum is the same.
typedef struct csk_sums {
  csk_column next, other;  // sums
  csk_column next_product, other_product;
} csk_sums;

CSK_INLINE csk_sums csk_no_sums(void) {
  return (csk_sums){csk_all(0), csk_all(0), csk_all(0), csk_all(0)};
}

CSK_INLINE void csk_swap(csk_sums *sums) {
  *sums = (csk_sums){sums->other, sums->next, sums->other_product, sums->next_product};
}

/// Adds v and v * factor, and turns to the other column's sums.
CSK_INLINE void csk_add_column(csk_sums *sums, csk_column v, csk_column factor) {
  sums->next = csk_plus(sums->next, v);
  sums->next_product = csk_fused(v, factor, sums->next_product);
  csk_swap(sums);
}

/// csk_row_total's tree: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
CSK_INLINE float csk_total(csk_column even, csk_column odd) {
  const csk_column v = csk_plus(even, odd);
  const float32x4_t s = vaddq_f32(v.low, v.high);
  const float32x2_t t = vadd_f32(vget_low_f32(s), vget_high_f32(s));
  return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
}

CSK_INLINE void csk_add_totals(const csk_sums *sums, double target[2]) {
  target[0] += (double)csk_total(sums->next, sums->other);
  target[1] += (double)csk_total(sums->next_product, sums->other_product);
}

/// STEP(j) for j in [begin, end), four at a time.
#define CSK_FOR_COLUMNS(begin, end, STEP)               \
  do {                                                  \
    int32_t column_ = (begin);                          \
    for (; column_ <= (int64_t)(end)-4; column_ += 4) { \
      STEP(column_);                                    \
      STEP(column_ + 1);                                \
      STEP(column_ + 2);                                \
      STEP(column_ + 3);                                \
    }                                                   \
    for (; column_ < (end); column_++) STEP(column_);   \
  } while (0)

#endif
#endif
