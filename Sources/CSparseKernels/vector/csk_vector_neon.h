// vector/csk_vector_neon.h: what the bodies are written over; eight lanes are two registers. What
// the names mean stands in csk_vector_avx2.h.
#ifndef CSK_VECTOR_H
#define CSK_VECTOR_H

#include <arm_neon.h>

#include "../csk_internal.h"

#define CSK_TARGET

enum { csk_lanes = 8, csk_streams = false };

typedef struct csk_v {
  float32x4_t low, high;  // lanes 0-3 and 4-7
} csk_v;
/// All bits of a lane or none.
typedef struct csk_mask {
  uint32x4_t low, high;
} csk_mask;

// MARK: - Memory

CSK_TARGET CSK_INLINE csk_v csk_load(const float *from) {
  return (csk_v){vld1q_f32(from), vld1q_f32(from + 4)};
}
CSK_TARGET CSK_INLINE void csk_store(float *to, csk_v v) {
  vst1q_f32(to, v.low);
  vst1q_f32(to + 4, v.high);
}
/// There are no stores past the caches.
CSK_TARGET CSK_INLINE void csk_store_as(float *to, csk_v v, bool streams) {
  (void)streams;
  csk_store(to, v);
}
CSK_TARGET CSK_INLINE void csk_drain(void) {}
CSK_TARGET CSK_INLINE csk_v csk_all(float v) {
  return (csk_v){vdupq_n_f32(v), vdupq_n_f32(v)};
}
/// The number at `from` in all lanes.
CSK_TARGET CSK_INLINE csk_v csk_load_all(const float *from) {
  const float32x4_t v = vld1q_dup_f32(from);
  return (csk_v){v, v};
}
CSK_TARGET CSK_INLINE csk_v csk_zero(void) {
  return csk_all(0);
}
/// The pairs of numbers at eight entries: the first of each, and the second.
CSK_TARGET CSK_INLINE void csk_load_pairs(const float *pairs, const int32_t entries[8],
                                          csk_v *first, csk_v *second) {
  float32x4_t two[4];
  for (int i = 0; i < 4; i++)
    two[i] = vcombine_f32(vld1_f32(pairs + 2 * (ptrdiff_t)entries[2 * i]),
                          vld1_f32(pairs + 2 * (ptrdiff_t)entries[2 * i + 1]));
  *first = (csk_v){vuzp1q_f32(two[0], two[1]), vuzp1q_f32(two[2], two[3])};
  *second = (csk_v){vuzp2q_f32(two[0], two[1]), vuzp2q_f32(two[2], two[3])};
}
/// Zeros.
CSK_TARGET CSK_INLINE void csk_clear(float *columns, int32_t count) {
  for (int32_t j = 0; j < count; j++) csk_store(columns + (ptrdiff_t)j * csk_lanes, csk_zero());
}

// MARK: - Arithmetic

CSK_TARGET CSK_INLINE csk_v csk_plus(csk_v a, csk_v b) {
  return (csk_v){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_v csk_minus(csk_v a, csk_v b) {
  return (csk_v){vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_v csk_times(csk_v a, csk_v b) {
  return (csk_v){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_v csk_over(csk_v a, csk_v b) {
  return (csk_v){vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_v csk_root(csk_v v) {
  return (csk_v){vsqrtq_f32(v.low), vsqrtq_f32(v.high)};
}
/// a b + c, one rounding.
CSK_TARGET CSK_INLINE csk_v csk_fused(csk_v a, csk_v b, csk_v c) {
  return (csk_v){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
/// c - a b, one rounding.
CSK_TARGET CSK_INLINE csk_v csk_fused_from(csk_v a, csk_v b, csk_v c) {
  return (csk_v){vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)};
}
/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
CSK_TARGET CSK_INLINE float csk_total(csk_v v) {
  const float32x4_t four = vaddq_f32(v.low, v.high);
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}
/// target[0] += csk_total(a), target[1] += csk_total(b).
CSK_TARGET CSK_INLINE void csk_add_totals(csk_v a, csk_v b, double target[2]) {
  target[0] += (double)csk_total(a);
  target[1] += (double)csk_total(b);
}

// MARK: - Masks

CSK_TARGET CSK_INLINE float32x4_t csk_only_4(float32x4_t v, uint32x4_t bits) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), bits));
}
CSK_TARGET CSK_INLINE float32x4_t csk_except_4(float32x4_t v, uint32x4_t bits) {
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(v), bits));
}
/// The first `count` lanes.
CSK_TARGET CSK_INLINE csk_mask csk_first(int32_t count) {
  const int32_t numbers[csk_lanes] = {0, 1, 2, 3, 4, 5, 6, 7};
  const int32x4_t most = vdupq_n_s32(count);
  return (csk_mask){vcltq_s32(vld1q_s32(numbers), most), vcltq_s32(vld1q_s32(numbers + 4), most)};
}
CSK_TARGET CSK_INLINE csk_mask csk_every(void) {
  return (csk_mask){vdupq_n_u32(UINT32_MAX), vdupq_n_u32(UINT32_MAX)};
}
/// v in the lanes of the mask, else 0.
CSK_TARGET CSK_INLINE csk_v csk_only(csk_v v, csk_mask mask) {
  return (csk_v){csk_only_4(v.low, mask.low), csk_only_4(v.high, mask.high)};
}
/// v where the activation is not <= 0, which NaN is not, else 0.
CSK_TARGET CSK_INLINE csk_v csk_where_active(csk_v v, csk_v activation) {
  return (csk_v){csk_except_4(v.low, vclezq_f32(activation.low)),
                 csk_except_4(v.high, vclezq_f32(activation.high))};
}
/// a where a > b, else b: b if either is NaN, or both are zeros. Not vmaxq: it makes 0 of -0, and
/// the other instruction sets do not.
CSK_TARGET CSK_INLINE csk_v csk_larger(csk_v a, csk_v b) {
  return (csk_v){vbslq_f32(vcgtq_f32(a.low, b.low), a.low, b.low),
                 vbslq_f32(vcgtq_f32(a.high, b.high), a.high, b.high)};
}
/// a where a < b, else b: b if either is NaN, or both are zeros.
CSK_TARGET CSK_INLINE csk_v csk_smaller(csk_v a, csk_v b) {
  return (csk_v){vbslq_f32(vcltq_f32(a.low, b.low), a.low, b.low),
                 vbslq_f32(vcltq_f32(a.high, b.high), a.high, b.high)};
}
/// max(0, v), but NaN and -0 stay.
CSK_TARGET CSK_INLINE csk_v csk_relu(csk_v v) {
  return (csk_v){csk_except_4(v.low, vcltzq_f32(v.low)), csk_except_4(v.high, vcltzq_f32(v.high))};
}
/// What csk_at_least raises values to: 0, or nothing.
typedef bool csk_floor;
CSK_TARGET CSK_INLINE csk_floor csk_floor_of(bool relu) {
  return relu;
}
CSK_TARGET CSK_INLINE csk_v csk_at_least(csk_floor floor, csk_v v) {
  return floor ? csk_relu(v) : v;
}

/// How many lanes exist of a vector across the end of an array.
typedef int32_t csk_part;

/// The first `count` lanes; none if it is negative.
CSK_TARGET CSK_INLINE csk_part csk_part_of(int32_t count) {
  return count;
}
/// 0 in the other lanes.
CSK_TARGET CSK_INLINE csk_v csk_load_part(const float *from, csk_part part) {
  float eight[csk_lanes] = {0};
  for (int32_t i = 0; i < part; i++) eight[i] = from[i];
  return csk_load(eight);
}
CSK_TARGET CSK_INLINE void csk_store_part(float *to, csk_v v, csk_part part) {
  float eight[csk_lanes];
  csk_store(eight, v);
  for (int32_t i = 0; i < part; i++) to[i] = eight[i];
}

// MARK: - Integers

typedef struct csk_vi {
  int32x4_t low, high;
} csk_vi;
typedef int32x4_t csk_same_i;  // one number in all lanes: half the registers

CSK_TARGET CSK_INLINE csk_same_i csk_all_i(int32_t v) {
  return vdupq_n_s32(v);
}
CSK_TARGET CSK_INLINE csk_same_i csk_next_i(csk_same_i v) {
  return vaddq_s32(v, vdupq_n_s32(1));
}
CSK_TARGET CSK_INLINE csk_vi csk_spread_i(csk_same_i v) {
  return (csk_vi){v, v};
}
CSK_TARGET CSK_INLINE csk_vi csk_load_i(const int32_t *from) {
  return (csk_vi){vld1q_s32(from), vld1q_s32(from + 4)};
}
CSK_TARGET CSK_INLINE void csk_store_i(int32_t *to, csk_vi v) {
  vst1q_s32(to, v.low);
  vst1q_s32(to + 4, v.high);
}
/// The bits of floats.
CSK_TARGET CSK_INLINE csk_vi csk_load_bits(const float *from) {
  return (csk_vi){vreinterpretq_s32_f32(vld1q_f32(from)),
                  vreinterpretq_s32_f32(vld1q_f32(from + 4))};
}
CSK_TARGET CSK_INLINE csk_vi csk_xor_i(csk_vi a, csk_vi b) {
  return (csk_vi){veorq_s32(a.low, b.low), veorq_s32(a.high, b.high)};
}
/// Each in 0...255, as 8 bytes.
CSK_TARGET CSK_INLINE void csk_store_bytes(uint8_t *to, csk_vi v) {
  const int16x8_t words = vcombine_s16(vmovn_s32(v.low), vmovn_s32(v.high));
  vst1_u8(to, vreinterpret_u8_s8(vmovn_s16(words)));
}

// MARK: - Comparisons and choices

CSK_TARGET CSK_INLINE csk_mask csk_is_greater(csk_v a, csk_v b) {
  return (csk_mask){vcgtq_f32(a.low, b.low), vcgtq_f32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_mask csk_is_equal(csk_v a, csk_v b) {
  return (csk_mask){vceqq_f32(a.low, b.low), vceqq_f32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_mask csk_is_greater_i(csk_vi a, csk_same_i b) {
  return (csk_mask){vcgtq_s32(a.low, b), vcgtq_s32(a.high, b)};
}
/// v > best, or v is NaN and best is none.
CSK_TARGET CSK_INLINE csk_mask csk_beats(csk_v v, csk_v best) {
  return (csk_mask){vbicq_u32(vceqq_f32(best.low, best.low), vcleq_f32(v.low, best.low)),
                    vbicq_u32(vceqq_f32(best.high, best.high), vcleq_f32(v.high, best.high))};
}
CSK_TARGET CSK_INLINE csk_mask csk_both(csk_mask a, csk_mask b) {
  return (csk_mask){vandq_u32(a.low, b.low), vandq_u32(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_mask csk_either(csk_mask a, csk_mask b) {
  return (csk_mask){vorrq_u32(a.low, b.low), vorrq_u32(a.high, b.high)};
}
/// a in the lanes of the mask, else b.
CSK_TARGET CSK_INLINE csk_v csk_choose(csk_mask mask, csk_v a, csk_v b) {
  return (csk_v){vbslq_f32(mask.low, a.low, b.low), vbslq_f32(mask.high, a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_vi csk_choose_i(csk_mask mask, csk_same_i a, csk_vi b) {
  return (csk_vi){vbslq_s32(mask.low, a, b.low), vbslq_s32(mask.high, a, b.high)};
}
/// v + 1 in the lanes of the mask.
CSK_TARGET CSK_INLINE csk_vi csk_count(csk_vi v, csk_mask mask) {
  return (csk_vi){vsubq_s32(v.low, vreinterpretq_s32_u32(mask.low)),
                  vsubq_s32(v.high, vreinterpretq_s32_u32(mask.high))};
}

// MARK: - Powers of two

/// The nearest integers, ties to even, as floats.
CSK_TARGET CSK_INLINE csk_v csk_nearest(csk_v v) {
  return (csk_v){vrndnq_f32(v.low), vrndnq_f32(v.high)};
}
/// 2^n for integers n of normal powers; some number for others, NaN too.
CSK_TARGET CSK_INLINE csk_v csk_power_of_two(csk_v n) {
  const int32x4_t bias = vdupq_n_s32(127);
  return (csk_v){vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n.low), bias), 23)),
                 vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n.high), bias), 23))};
}
/// v where a is not < b, else 0.
CSK_TARGET CSK_INLINE csk_v csk_unless_less(csk_v v, csk_v a, csk_v b) {
  return (csk_v){csk_except_4(v.low, vcltq_f32(a.low, b.low)),
                 csk_except_4(v.high, vcltq_f32(a.high, b.high))};
}

// MARK: - Doubles

/// Eight lanes in double.
typedef struct csk_wide {
  float64x2_t v0, v2, v4, v6;  // from these lanes on
} csk_wide;

CSK_TARGET CSK_INLINE csk_wide csk_no_wide(void) {
  const float64x2_t zero = vdupq_n_f64(0);
  return (csk_wide){zero, zero, zero, zero};
}
CSK_TARGET CSK_INLINE csk_wide csk_widen(csk_v v) {
  return (csk_wide){vcvt_f64_f32(vget_low_f32(v.low)), vcvt_high_f64_f32(v.low),
                    vcvt_f64_f32(vget_low_f32(v.high)), vcvt_high_f64_f32(v.high)};
}
CSK_TARGET CSK_INLINE csk_wide csk_load_wide(const float *from) {
  return csk_widen(csk_load(from));
}
CSK_TARGET CSK_INLINE void csk_store_wide(double *to, csk_wide v) {
  vst1q_f64(to, v.v0);
  vst1q_f64(to + 2, v.v2);
  vst1q_f64(to + 4, v.v4);
  vst1q_f64(to + 6, v.v6);
}
CSK_TARGET CSK_INLINE csk_wide csk_plus_wide(csk_wide a, csk_wide b) {
  return (csk_wide){vaddq_f64(a.v0, b.v0), vaddq_f64(a.v2, b.v2), vaddq_f64(a.v4, b.v4),
                    vaddq_f64(a.v6, b.v6)};
}
CSK_TARGET CSK_INLINE csk_wide csk_fused_wide(csk_wide a, csk_wide b, csk_wide c) {
  return (csk_wide){vfmaq_f64(c.v0, a.v0, b.v0), vfmaq_f64(c.v2, a.v2, b.v2),
                    vfmaq_f64(c.v4, a.v4, b.v4), vfmaq_f64(c.v6, a.v6, b.v6)};
}

// MARK: - Sums of four entries

/// Here entries are better mixed: kept apart, they spill more.
CSK_TARGET CSK_INLINE csk_v csk_apart(csk_v v) {
  return v;
}

typedef float32x4_t csk_four;

/// [a0 + a2, a1 + a3, b0 + b2, b1 + b3]
CSK_TARGET CSK_INLINE float32x4_t csk_fold_pair(float32x4_t a, float32x4_t b) {
  return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
                   vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}
/// Each vector's lanes as ((0 + 2) + (1 + 3)) + ((4 + 6) + (5 + 7)).
CSK_TARGET CSK_INLINE csk_four csk_sums_of_four(csk_v a, csk_v b, csk_v c, csk_v d) {
  return vaddq_f32(vpaddq_f32(csk_fold_pair(a.low, b.low), csk_fold_pair(c.low, d.low)),
                   vpaddq_f32(csk_fold_pair(a.high, b.high), csk_fold_pair(c.high, d.high)));
}
/// to[0..<4] (+)= v
CSK_TARGET CSK_INLINE void csk_put_four(float *to, csk_four v, bool fresh) {
  vst1q_f32(to, fresh ? v : vaddq_f32(vld1q_f32(to), v));
}
CSK_TARGET CSK_INLINE void csk_put_two(float *to, csk_four v, bool fresh) {
  const float32x2_t two = vget_low_f32(v);
  vst1_f32(to, fresh ? two : vadd_f32(vld1_f32(to), two));
}
CSK_TARGET CSK_INLINE void csk_put_one(float *to, csk_four v, bool fresh) {
  const float one = vgetq_lane_f32(v, 0);
  *to = fresh ? one : *to + one;
}

#endif
