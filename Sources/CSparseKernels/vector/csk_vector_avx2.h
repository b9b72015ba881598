// vector/csk_vector_avx2.h: what the bodies are written over; eight lanes are one register.
//
// Every vector header has the same names. csk_v: eight floats; csk_mask: all bits of a lane or
// none; csk_vi: eight 32-bit integers; csk_same_i: one integer in all lanes; csk_wide: eight
// doubles. CSK_TARGET: what a function needs that uses them.
#ifndef CSK_VECTOR_H
#define CSK_VECTOR_H

#include <immintrin.h>
#include <math.h>

#include "../csk_internal.h"

#define CSK_TARGET CSK_TARGET_AVX2

enum { csk_lanes = 8, csk_streams = true };

typedef __m256 csk_v;
typedef __m256 csk_mask;  // all bits of a lane or none

// MARK: - Memory

CSK_TARGET CSK_INLINE csk_v csk_load(const float *from) {
  return _mm256_loadu_ps(from);
}
CSK_TARGET CSK_INLINE void csk_store(float *to, csk_v v) {
  _mm256_storeu_ps(to, v);
}
/// Past the caches, or not; then `to` is aligned to 32 bytes.
CSK_TARGET CSK_INLINE void csk_store_as(float *to, csk_v v, bool streams) {
  if (streams) {
    _mm256_stream_ps(to, v);
  } else {
    _mm256_storeu_ps(to, v);
  }
}
/// After streaming stores, or another thread might see them late.
CSK_TARGET CSK_INLINE void csk_drain(void) {
  _mm_sfence();
}
CSK_TARGET CSK_INLINE csk_v csk_all(float v) {
  return _mm256_set1_ps(v);
}
/// The number at `from` in all lanes.
CSK_TARGET CSK_INLINE csk_v csk_load_all(const float *from) {
  return _mm256_broadcast_ss(from);
}
CSK_TARGET CSK_INLINE csk_v csk_zero(void) {
  return _mm256_setzero_ps();
}
/// The pairs of numbers at eight entries: the first of each, and the second.
CSK_TARGET CSK_INLINE void csk_load_pairs(const float *pairs, const int32_t entries[8],
                                          csk_v *first, csk_v *second) {
  __m128 two[4];
  CSK_UNROLL for (int i = 0; i < 4; i++) {
    const double *low = (const double *)(pairs + 2 * (ptrdiff_t)entries[2 * i]);
    const double *high = (const double *)(pairs + 2 * (ptrdiff_t)entries[2 * i + 1]);
    two[i] = _mm_castpd_ps(_mm_loadh_pd(_mm_load_sd(low), high));
  }
  const __m256 even = _mm256_set_m128(two[2], two[0]), odd = _mm256_set_m128(two[3], two[1]);
  *first = _mm256_shuffle_ps(even, odd, 0x88);
  *second = _mm256_shuffle_ps(even, odd, 0xdd);
}
/// Zeros. The barrier keeps compilers from calling memset for the column or two that padding is,
/// which takes as long as a narrow channel's elements.
CSK_TARGET CSK_INLINE void csk_clear(float *columns, int32_t count) {
  for (int32_t j = 0; j < count; j++) {
    csk_store(columns + (ptrdiff_t)j * csk_lanes, csk_zero());
    __asm__ volatile("" ::: "memory");
  }
}

// MARK: - Arithmetic

CSK_TARGET CSK_INLINE csk_v csk_plus(csk_v a, csk_v b) {
  return _mm256_add_ps(a, b);
}
CSK_TARGET CSK_INLINE csk_v csk_minus(csk_v a, csk_v b) {
  return _mm256_sub_ps(a, b);
}
CSK_TARGET CSK_INLINE csk_v csk_times(csk_v a, csk_v b) {
  return _mm256_mul_ps(a, b);
}
CSK_TARGET CSK_INLINE csk_v csk_over(csk_v a, csk_v b) {
  return _mm256_div_ps(a, b);
}
CSK_TARGET CSK_INLINE csk_v csk_root(csk_v v) {
  return _mm256_sqrt_ps(v);
}
/// a b + c, one rounding.
CSK_TARGET CSK_INLINE csk_v csk_fused(csk_v a, csk_v b, csk_v c) {
  return _mm256_fmadd_ps(a, b, c);
}
/// c - a b, one rounding.
CSK_TARGET CSK_INLINE csk_v csk_fused_from(csk_v a, csk_v b, csk_v c) {
  return _mm256_fnmadd_ps(a, b, c);
}
/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
CSK_TARGET CSK_INLINE float csk_total(csk_v v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
/// target[0] += csk_total(a), target[1] += csk_total(b).
CSK_TARGET CSK_INLINE void csk_add_totals(csk_v a, csk_v b, double target[2]) {
  const __m128 a4 = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 b4 = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  const __m128 pairs = _mm_add_ps(_mm_unpacklo_ps(a4, b4), _mm_unpackhi_ps(a4, b4));
  const __m128 both = _mm_add_ps(pairs, _mm_movehl_ps(pairs, pairs));
  _mm_storeu_pd(target, _mm_add_pd(_mm_loadu_pd(target), _mm_cvtps_pd(both)));
}

// MARK: - Masks

/// The first `count` lanes.
CSK_TARGET CSK_INLINE csk_mask csk_first(int32_t count) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes));
}
CSK_TARGET CSK_INLINE csk_mask csk_every(void) {
  return _mm256_castsi256_ps(_mm256_set1_epi32(-1));
}
/// v in the lanes of the mask, else 0.
CSK_TARGET CSK_INLINE csk_v csk_only(csk_v v, csk_mask mask) {
  return _mm256_and_ps(v, mask);
}
/// v where the activation is not <= 0, which NaN is not, else 0.
CSK_TARGET CSK_INLINE csk_v csk_where_active(csk_v v, csk_v activation) {
  return _mm256_andnot_ps(_mm256_cmp_ps(activation, csk_zero(), _CMP_LE_OQ), v);
}
/// a where a > b, else b: b if either is NaN, or both are zeros.
CSK_TARGET CSK_INLINE csk_v csk_larger(csk_v a, csk_v b) {
  return _mm256_max_ps(a, b);
}
/// a where a < b, else b: b if either is NaN, or both are zeros.
CSK_TARGET CSK_INLINE csk_v csk_smaller(csk_v a, csk_v b) {
  return _mm256_min_ps(a, b);
}
/// max(0, v), but NaN and -0 stay.
CSK_TARGET CSK_INLINE csk_v csk_relu(csk_v v) {
  return csk_larger(csk_zero(), v);
}
/// What csk_at_least raises values to: 0, or nothing. A vector, so that loops need not ask: without
/// ReLU -infinity, which no number is below.
typedef csk_v csk_floor;
CSK_TARGET CSK_INLINE csk_floor csk_floor_of(bool relu) {
  return csk_all(relu ? 0 : -INFINITY);
}
CSK_TARGET CSK_INLINE csk_v csk_at_least(csk_floor floor, csk_v v) {
  return csk_larger(floor, v);
}

/// The lanes that exist of a vector across the end of an array.
typedef __m256i csk_part;

/// The first `count` lanes; none if it is negative.
CSK_TARGET CSK_INLINE csk_part csk_part_of(int32_t count) {
  return _mm256_castps_si256(csk_first(count));
}
/// 0 in the other lanes.
CSK_TARGET CSK_INLINE csk_v csk_load_part(const float *from, csk_part part) {
  return _mm256_maskload_ps(from, part);
}
CSK_TARGET CSK_INLINE void csk_store_part(float *to, csk_v v, csk_part part) {
  _mm256_maskstore_ps(to, part, v);
}

// MARK: - Integers

typedef __m256i csk_vi;
typedef __m256i csk_same_i;  // one number in all lanes

CSK_TARGET CSK_INLINE csk_same_i csk_all_i(int32_t v) {
  return _mm256_set1_epi32(v);
}
CSK_TARGET CSK_INLINE csk_same_i csk_next_i(csk_same_i v) {
  return _mm256_add_epi32(v, _mm256_set1_epi32(1));
}
CSK_TARGET CSK_INLINE csk_vi csk_spread_i(csk_same_i v) {
  return v;
}
CSK_TARGET CSK_INLINE csk_vi csk_load_i(const int32_t *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}
CSK_TARGET CSK_INLINE void csk_store_i(int32_t *to, csk_vi v) {
  _mm256_storeu_si256((__m256i *)to, v);
}
/// The bits of floats.
CSK_TARGET CSK_INLINE csk_vi csk_load_bits(const float *from) {
  return _mm256_loadu_si256((const __m256i *)from);
}
CSK_TARGET CSK_INLINE csk_vi csk_xor_i(csk_vi a, csk_vi b) {
  return _mm256_xor_si256(a, b);
}
/// Each in 0...255, as 8 bytes.
CSK_TARGET CSK_INLINE void csk_store_bytes(uint8_t *to, csk_vi v) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(words, words));
}

// MARK: - Comparisons and choices

CSK_TARGET CSK_INLINE csk_mask csk_is_greater(csk_v a, csk_v b) {
  return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
CSK_TARGET CSK_INLINE csk_mask csk_is_equal(csk_v a, csk_v b) {
  return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
CSK_TARGET CSK_INLINE csk_mask csk_is_greater_i(csk_vi a, csk_same_i b) {
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b));
}
/// v > best, or v is NaN and best is none.
CSK_TARGET CSK_INLINE csk_mask csk_beats(csk_v v, csk_v best) {
  return _mm256_and_ps(_mm256_cmp_ps(v, best, _CMP_NLE_UQ), _mm256_cmp_ps(best, best, _CMP_ORD_Q));
}
CSK_TARGET CSK_INLINE csk_mask csk_both(csk_mask a, csk_mask b) {
  return _mm256_and_ps(a, b);
}
CSK_TARGET CSK_INLINE csk_mask csk_either(csk_mask a, csk_mask b) {
  return _mm256_or_ps(a, b);
}
/// a in the lanes of the mask, else b.
CSK_TARGET CSK_INLINE csk_v csk_choose(csk_mask mask, csk_v a, csk_v b) {
  return _mm256_blendv_ps(b, a, mask);
}
CSK_TARGET CSK_INLINE csk_vi csk_choose_i(csk_mask mask, csk_same_i a, csk_vi b) {
  return _mm256_blendv_epi8(b, a, _mm256_castps_si256(mask));
}
/// v + 1 in the lanes of the mask.
CSK_TARGET CSK_INLINE csk_vi csk_count(csk_vi v, csk_mask mask) {
  return _mm256_sub_epi32(v, _mm256_castps_si256(mask));
}

// MARK: - Powers of two

/// The nearest integers, ties to even, as floats.
CSK_TARGET CSK_INLINE csk_v csk_nearest(csk_v v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// 2^n for integers n of normal powers; some number for others, NaN too.
CSK_TARGET CSK_INLINE csk_v csk_power_of_two(csk_v n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
/// v where a is not < b, else 0.
CSK_TARGET CSK_INLINE csk_v csk_unless_less(csk_v v, csk_v a, csk_v b) {
  return _mm256_andnot_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ), v);
}

// MARK: - Doubles

/// Eight lanes in double.
typedef struct csk_wide {
  __m256d low, high;
} csk_wide;

CSK_TARGET CSK_INLINE csk_wide csk_no_wide(void) {
  return (csk_wide){_mm256_setzero_pd(), _mm256_setzero_pd()};
}
CSK_TARGET CSK_INLINE csk_wide csk_widen(csk_v v) {
  return (csk_wide){_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                    _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
}
CSK_TARGET CSK_INLINE csk_wide csk_load_wide(const float *from) {
  return (csk_wide){_mm256_cvtps_pd(_mm_loadu_ps(from)), _mm256_cvtps_pd(_mm_loadu_ps(from + 4))};
}
CSK_TARGET CSK_INLINE void csk_store_wide(double *to, csk_wide v) {
  _mm256_storeu_pd(to, v.low);
  _mm256_storeu_pd(to + 4, v.high);
}
CSK_TARGET CSK_INLINE csk_wide csk_plus_wide(csk_wide a, csk_wide b) {
  return (csk_wide){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}
CSK_TARGET CSK_INLINE csk_wide csk_fused_wide(csk_wide a, csk_wide b, csk_wide c) {
  return (csk_wide){_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
}

// MARK: - Sums of four entries

/// Keeps the compiler from mixing v's computation with what follows: it would put several entries'
/// results before their products, and spill operands.
CSK_TARGET CSK_INLINE csk_v csk_apart(csk_v v) {
  __asm__ volatile("" : "+x"(v));
  return v;
}

typedef __m128 csk_four;

/// [a0 + a2, a1 + a3, b0 + b2, b1 + b3] in both halves.
CSK_TARGET CSK_INLINE __m256 csk_fold_pair(__m256 a, __m256 b) {
  return _mm256_add_ps(_mm256_blend_ps(a, b, 0xCC), _mm256_shuffle_ps(a, b, 0x4E));
}
/// Each vector's lanes as ((0 + 2) + (1 + 3)) + ((4 + 6) + (5 + 7)).
CSK_TARGET CSK_INLINE csk_four csk_sums_of_four(csk_v a, csk_v b, csk_v c, csk_v d) {
  const __m256 ab = csk_fold_pair(a, b), cd = csk_fold_pair(c, d);
  const __m256 halves =
      _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x88), _mm256_shuffle_ps(ab, cd, 0xDD));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}
/// to[0..<4] (+)= v
CSK_TARGET CSK_INLINE void csk_put_four(float *to, csk_four v, bool fresh) {
  _mm_storeu_ps(to, fresh ? v : _mm_add_ps(_mm_loadu_ps(to), v));
}
CSK_TARGET CSK_INLINE void csk_put_two(float *to, csk_four v, bool fresh) {
  __m128 old = _mm_setzero_ps();
  if (!fresh) old = _mm_loadl_pi(old, (const __m64 *)to);
  _mm_storel_pi((__m64 *)to, fresh ? v : _mm_add_ps(old, v));
}
CSK_TARGET CSK_INLINE void csk_put_one(float *to, csk_four v, bool fresh) {
  _mm_store_ss(to, fresh ? v : _mm_add_ss(_mm_load_ss(to), v));
}

#endif
