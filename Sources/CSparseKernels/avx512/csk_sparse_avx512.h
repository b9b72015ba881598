// avx512/csk_sparse_avx512.h: the two halves of the AVX-512 pair of sparse kernels.
#ifndef CSK_SPARSE_AVX512_H
#define CSK_SPARSE_AVX512_H

#include "csk_internal.h"

void csk_sparse_forward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *x, float *y, const csk_tiles *tiles);
void csk_sparse_backward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                                const float *dy, const float *x, float *dx, float *dw,
                                bool accumulate, const csk_tiles *tiles);

#endif
