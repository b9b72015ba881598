// include/csk_dense.h: dense products through BLIS.
#ifndef CSK_DENSE_H
#define CSK_DENSE_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// C = alpha op(A) op(B) + beta C, row-major; op transposes where asked.
///
///   a  (m, k), or (k, m) if transpose_a; rows a_stride apart
///   b  (k, n), or (n, k) if transpose_b; rows b_stride apart
///   c  (m, n); rows c_stride >= n apart; not read if beta == 0
///
/// Runs on the calling thread only: BLIS is set to one thread for the whole process at the first
/// call, whatever the environment says, because its spinning fights with the pool's. Built with
/// CSK_NO_BLIS it is a plain loop. The sizes must fit Int32 with BLIS, else csk_status_overflow.
///
/// BLIS allocates: packing buffers once for each thread that is in a product at the same time, kept
/// for the life of the process; and in each call one or two small blocks that it frees again
/// (Debian's 0.9 with OpenMP: one of 1568 bytes, by libgomp).
csk_status csk_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                     float alpha, const float *a, int64_t a_stride, const float *b,
                     int64_t b_stride, float beta, float *c, int64_t c_stride);

/// Whether csk_sgemm is BLIS, or the plain loop.
bool csk_dense_is_blis(void);

#ifdef __cplusplus
}
#endif
#endif
