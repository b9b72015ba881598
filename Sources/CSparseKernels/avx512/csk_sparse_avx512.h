// avx512/csk_sparse_avx512.h: the two halves of the AVX-512 pair of sparse kernels.
#ifndef CSK_SPARSE_AVX512_H
#define CSK_SPARSE_AVX512_H

#include "csk_sparse_walk.h"

// Registers hold two of a tile's vectors of 8 lanes. A tile that is one vector wide fits none: it
// keeps the AVX2 kernels (256-bit registers, but 32 of them: measured 0.98 to 1.02 of AVX2's rate,
// with four or eight rows at once).
enum { csk_wide_lanes = 16, csk_streams = true, csk_splits_fresh = true };
#define CSK_TARGET CSK_TARGET_AVX512

/// Where register `i` of a tile of `wide` registers a row lies.
CSK_INLINE ptrdiff_t csk_wide_place(const int i, const int wide, ptrdiff_t row_stride) {
  return i / wide * row_stride + i % wide * csk_wide_lanes;
}

void csk_sparse_forward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *x, float *y, const csk_tiles *tiles,
                               const csk_row_epilogue *epilogue);
void csk_sparse_backward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                                const float *dy, const float *x, float *dx, float *dw,
                                bool accumulate, const csk_tiles *tiles);

#endif
