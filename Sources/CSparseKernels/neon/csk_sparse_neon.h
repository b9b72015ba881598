// neon/csk_sparse_neon.h: the two halves of the NEON pair of sparse kernels.
#ifndef CSK_SPARSE_NEON_H
#define CSK_SPARSE_NEON_H

#include "csk_internal.h"

void csk_sparse_forward_neon(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                             const float *x, float *y, const csk_tiles *tiles,
                             const csk_row_epilogue *epilogue);
void csk_sparse_backward_neon(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *dy, const float *x, float *dx, float *dw,
                              bool accumulate, const csk_tiles *tiles);

#endif
