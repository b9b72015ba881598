// csk_planes_avx2.h: a column, 8 lanes, is one vector: what planes' kernels do with it.
#ifndef CSK_PLANES_AVX2_H
#define CSK_PLANES_AVX2_H

#include "../csk_planes_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#define CSK_INLINE CSK_TARGET_AVX2 static inline __attribute__((always_inline))

CSK_INLINE __m256 csk_relu_avx2(__m256 v) {
  return _mm256_max_ps(_mm256_setzero_ps(), v);  // in this order NaN and -0 stay
}

/// v where the activation is not <= 0, which NaN is not, else 0.
CSK_INLINE __m256 csk_masked_avx2(__m256 v, __m256 activation) {
  return _mm256_andnot_ps(_mm256_cmp_ps(activation, _mm256_setzero_ps(), _CMP_LE_OQ), v);
}

/// All bits set in the first `live` lanes.
CSK_INLINE __m256 csk_live_avx2(int32_t live) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(live), lanes));
}

/// Padding is a column or two: the barrier keeps compilers from calling memset for it, which takes
/// as long as a narrow channel's elements.
CSK_INLINE void csk_clear_avx2(float *columns, int32_t count) {
  for (int32_t j = 0; j < count; j++) {
    _mm256_storeu_ps(columns + (ptrdiff_t)j * csk_plane_lanes, _mm256_setzero_ps());
    __asm__ volatile("" ::: "memory");
  }
}

/// Past the caches, or not.
CSK_INLINE void csk_store_avx2(float *target, __m256 v, bool streams) {
  if (streams) {
    _mm256_stream_ps(target, v);
  } else {
    _mm256_storeu_ps(target, v);
  }
}

/// Sums of even and odd columns: `next` is the one that the next column goes to. Whichever comes
/// last, their sum is the same.
typedef struct csk_sums_avx2 {
  __m256 next, other;  // sums
  __m256 next_product, other_product;
} csk_sums_avx2;

CSK_INLINE csk_sums_avx2 csk_no_sums_avx2(void) {
  const __m256 zero = _mm256_setzero_ps();
  return (csk_sums_avx2){zero, zero, zero, zero};
}

CSK_INLINE void csk_swap_avx2(csk_sums_avx2 *sums) {
  *sums = (csk_sums_avx2){sums->other, sums->next, sums->other_product, sums->next_product};
}

/// Adds v and v * factor, and turns to the other column's sums.
CSK_INLINE void csk_add_avx2(csk_sums_avx2 *sums, __m256 v, __m256 factor) {
  sums->next = _mm256_add_ps(sums->next, v);
  sums->next_product = _mm256_fmadd_ps(v, factor, sums->next_product);
  csk_swap_avx2(sums);
}

/// target += both sums, each by csk_row_total's tree.
CSK_INLINE void csk_add_totals_avx2(const csk_sums_avx2 *sums, double target[2]) {
  const __m256 s = _mm256_add_ps(sums->next, sums->other);
  const __m256 p = _mm256_add_ps(sums->next_product, sums->other_product);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  const __m128 p4 = _mm_add_ps(_mm256_castps256_ps128(p), _mm256_extractf128_ps(p, 1));
  const __m128 pairs = _mm_add_ps(_mm_unpacklo_ps(s4, p4), _mm_unpackhi_ps(s4, p4));
  const __m128 both = _mm_add_ps(pairs, _mm_movehl_ps(pairs, pairs));
  _mm_storeu_pd(target, _mm_add_pd(_mm_loadu_pd(target), _mm_cvtps_pd(both)));
}

/// STEP(j) for j in [begin, end), four at a time. A step loads its column before it stores it: in
/// place is right.
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
