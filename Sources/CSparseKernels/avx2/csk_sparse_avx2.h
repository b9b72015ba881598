// avx2/csk_sparse_avx2.h: the two halves of the AVX2 pair of sparse kernels.
#ifndef CSK_SPARSE_AVX2_H
#define CSK_SPARSE_AVX2_H

#include "csk_internal.h"

void csk_sparse_forward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                             const float *x, float *y, const csk_tiles *tiles,
                             const csk_row_epilogue *epilogue);
void csk_sparse_backward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *dy, const float *x, float *dx, float *dw,
                              bool accumulate, const csk_tiles *tiles);

#endif
