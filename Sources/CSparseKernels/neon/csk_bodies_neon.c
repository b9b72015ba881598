// neon/csk_bodies_neon.c: the bodies over NEON's vectors.
#include "csk_internal.h"

#if CSK_ARCH_AARCH64
#include "neon/csk_dropout_neon.h"
#include "vector/csk_vector_neon.h"

// Tuned: columns of a depthwise gradient at once, and up to how many taps odd columns have sums of
// their own (none: a column's two registers are as many chains of FMAs as the units need); vectors
// of lanes of softmax at once; whether a sparse gradient has kernels for dw that is fresh.
enum {
  depthwise_columns = 1,
  depthwise_apart_taps = 0,
  softmax_vectors = 1,
  csk_splits_fresh = false,
};

#include "bodies/csk_bodies.h"

void csk_bodies_neon(csk_kernels *kernels) {
  register_bodies(kernels);
}
#endif
