// avx2/csk_bodies_avx2.c: the bodies over AVX2's vectors.
#include "csk_internal.h"

#if CSK_ARCH_X86_64
#include "avx2/csk_dropout_avx2.h"
#include "vector/csk_vector_avx2.h"

// Tuned: columns of a depthwise gradient at once, and up to how many taps odd columns have sums of
// their own; vectors of lanes of softmax at once.
enum { window_columns = 2, window_apart_taps = 4, softmax_vectors = 2 };

#include "bodies/csk_bodies.h"

void csk_bodies_avx2(csk_kernels *kernels) {
  register_bodies(kernels);
}
#endif
