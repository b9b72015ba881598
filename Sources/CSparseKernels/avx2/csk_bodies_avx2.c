// avx2/csk_bodies_avx2.c: the bodies over AVX2's vectors.
#include "csk_internal.h"

#if CSK_ARCH_X86_64
#include "avx2/csk_sparse_avx2.h"
#include "avx2/csk_dropout_avx2.h"
#include "vector/csk_vector_avx2.h"

// Tuned: columns of a depthwise gradient at once, and up to how many taps odd columns have sums of
// their own; vectors of lanes of softmax at once; whether a sparse gradient has kernels for dw that
// is fresh.
enum {
  depthwise_columns = 2,
  depthwise_apart_taps = 4,
  softmax_vectors = 2,
  csk_splits_fresh = true,
};

#include "bodies/csk_bodies.h"

// AVX-512's tables fall back on these.
void csk_sparse_forward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                             const float *x, float *y, const csk_tiles *tiles,
                             const csk_row_epilogue *epilogue) {
  sparse_forward(list, slab_begin, slab_end, x, y, tiles, epilogue);
}
void csk_sparse_backward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *dy, const float *x, float *dx, float *dw,
                              bool accumulate, const csk_tiles *tiles) {
  sparse_backward(list, slab_begin, slab_end, dy, x, dx, dw, accumulate, tiles);
}

void csk_bodies_avx2(csk_kernels *kernels) {
  register_bodies(kernels);
}
#endif
