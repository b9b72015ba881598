// avx2/csk_max_pool_avx2.c: the largest of each window, a column's 8 lanes at once.
//
// Bound: bytes moved over the bandwidth of memory; an element of a window in L1 costs a load, two
// comparisons and two blends.
#include "csk_planes_avx2.h"
#include "csk_windows_internal.h"

#if CSK_ARCH_X86_64

/// The best so far and its index within the window.
typedef struct largest {
  __m256 value;
  __m256i index;
} largest;

/// Takes v where it is larger: all bits of the comparison, so that ties stay and NaN wins once.
CSK_INLINE void take_larger(largest *best, __m256 v, __m256i index) {
  const __m256 larger = _mm256_and_ps(_mm256_cmp_ps(v, best->value, _CMP_NLE_UQ),
                                      _mm256_cmp_ps(best->value, best->value, _CMP_ORD_Q));
  best->value = _mm256_blendv_ps(best->value, v, larger);
  best->index = _mm256_blendv_epi8(best->index, index, _mm256_castps_si256(larger));
}

/// Indices, each in 0...255, as 8 bytes.
CSK_INLINE void store_indices(__m256i indices, uint8_t *target) {
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(indices), _mm256_extracti128_si256(indices, 1));
  _mm_storel_epi64((__m128i *)target, _mm_packus_epi16(words, words));
}

/// The window of `rows` from `first_row` on, whose first element lies at `place` in each.
CSK_INLINE largest largest_of_window(const float *const *rows, int32_t first_row,
                                     const csk_window_span *span, int32_t kernel, ptrdiff_t place) {
  const __m256i one = _mm256_set1_epi32(1);
  // The first element is compared with itself, which changes nothing.
  largest best = {_mm256_loadu_ps(rows[first_row] + place),
                  _mm256_set1_epi32(first_row * kernel + span->first)};
  for (int32_t r = first_row; r < kernel; r++) {
    if (!rows[r]) continue;
    const float *row = rows[r] + place;
    __m256i index = _mm256_set1_epi32(r * kernel + span->first);
    for (int32_t q = span->first; q < span->end; q++, row += csk_plane_lanes) {
      take_larger(&best, _mm256_loadu_ps(row), index);
      index = _mm256_add_epi32(index, one);
    }
  }
  return best;
}

CSK_TARGET_AVX2
static void max_pool_row(const float *const *rows, int32_t channels, int32_t width,
                         int32_t out_width, const csk_window *window, float *y, uint8_t *indices) {
  int32_t first_row = 0;
  while (!rows[first_row]) first_row++;
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++) {
      const csk_window_span span = csk_span_of_window(window, width, o);
      const ptrdiff_t place = ((ptrdiff_t)c * width + span.origin + span.first) * csk_plane_lanes;
      const ptrdiff_t result = ((ptrdiff_t)c * out_width + o) * csk_plane_lanes;
      const largest best = largest_of_window(rows, first_row, &span, window->kernel, place);
      _mm256_storeu_ps(y + result, best.value);
      if (indices) store_indices(best.index, indices + result);
    }
  }
}

void csk_max_pool_avx2(csk_kernels *kernels) {
  kernels->max_pool_row = max_pool_row;
}
#endif
