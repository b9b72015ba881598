// avx2/csk_sparse_avx2.h: the two halves of the AVX2 pair of sparse kernels, and their sum
// across lanes.
#ifndef CSK_SPARSE_AVX2_H
#define CSK_SPARSE_AVX2_H

#include <immintrin.h>

#include "csk_sparse_walk.h"

void csk_sparse_forward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                             const float *x, float *y, const csk_tiles *tiles);
void csk_sparse_backward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *dy, const float *x, float *dx, float *dw,
                              bool accumulate, const csk_tiles *tiles);

// Every entry's eight lanes add as ((a0 + a2) + (a1 + a3)) + ((a4 + a6) + (a5 + a7)), whether four
// entries are summed together or one alone: an entry's dw does not depend on its neighbours.

/// [a0 + a2, a1 + a3, b0 + b2, b1 + b3] in both halves.
CSK_TARGET_AVX2 CSK_INLINE __m256 csk_fold_pair(__m256 a, __m256 b) {
  return _mm256_add_ps(_mm256_blend_ps(a, b, 0xCC), _mm256_shuffle_ps(a, b, 0x4E));
}

CSK_TARGET_AVX2 CSK_INLINE __m128 csk_sums_of_four(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 ab = csk_fold_pair(a, b), cd = csk_fold_pair(c, d);
  const __m256 halves =
      _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x88), _mm256_shuffle_ps(ab, cd, 0xDD));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

#endif
