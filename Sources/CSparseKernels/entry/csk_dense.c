// entry/csk_dense.c: C = alpha op(A) op(B) + beta C, row-major, through BLIS or a plain loop.
//
// Bound: the FMA peak, where m, n and k are all in the hundreds.
#include <limits.h>
#include <pthread.h>

#include "csk_internal.h"

#ifndef CSK_NO_BLIS
#include <cblas.h>

// blis.h, where this is declared, does not compile with every clang (it wants omp.h).
void bli_thread_set_num_threads(int64_t threads);
#endif

typedef struct operand {
  const float *values;
  int64_t stride;
  bool transpose;
} operand;

/// C = beta C, without reading C if beta == 0.
static void scale(int64_t m, int64_t n, float beta, float *c, int64_t c_stride) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      c[i * c_stride + j] = beta == 0 ? 0 : beta * c[i * c_stride + j];
}

#ifdef CSK_NO_BLIS

enum { block = 64 };  // a block of op(B) is 16 KiB: half of the smallest L1

/// panel[p, j] = op(B)[p0 + p, j0 + j]: contiguous, whichever way B lies.
static void copy_block(operand b, int64_t p0, int64_t j0, int64_t rows, int64_t columns,
                       float panel[block][block]) {
  for (int64_t p = 0; p < rows; p++)
    for (int64_t j = 0; j < columns; j++)
      panel[p][j] = b.transpose ? b.values[(j0 + j) * b.stride + p0 + p]
                                : b.values[(p0 + p) * b.stride + j0 + j];
}

/// C += alpha op(A) op(B), a block of op(B) at a time.
static void multiply(int64_t m, int64_t n, int64_t k, float alpha, operand a, operand b, float *c,
                     int64_t c_stride) {
  float panel[block][block];
  for (int64_t j0 = 0; j0 < n; j0 += block) {
    const int64_t columns = n - j0 < block ? n - j0 : block;
    for (int64_t p0 = 0; p0 < k; p0 += block) {
      const int64_t rows = k - p0 < block ? k - p0 : block;
      copy_block(b, p0, j0, rows, columns, panel);
      for (int64_t i = 0; i < m; i++) {
        float *ci = c + i * c_stride + j0;
        for (int64_t p = 0; p < rows; p++) {
          const float aip = alpha * (a.transpose ? a.values[(p0 + p) * a.stride + i]
                                                 : a.values[i * a.stride + p0 + p]);
          for (int64_t j = 0; j < columns; j++) ci[j] += aip * panel[p][j];
        }
      }
    }
  }
}

static csk_status product(int64_t m, int64_t n, int64_t k, float alpha, operand a, operand b,
                          float beta, float *c, int64_t c_stride) {
  if (beta != 1) scale(m, n, beta, c, c_stride);
  multiply(m, n, k, alpha, a, b, c, c_stride);
  return csk_status_ok;
}

#else

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_one_thread(void) {
  bli_thread_set_num_threads(1);
}

static csk_status product(int64_t m, int64_t n, int64_t k, float alpha, operand a, operand b,
                          float beta, float *c, int64_t c_stride) {
  const int64_t sizes[] = {m, n, k, a.stride, b.stride, c_stride};
  for (int i = 0; i < 6; i++)
    if (sizes[i] > INT_MAX) return csk_status_overflow;
  pthread_once(&once, set_one_thread);
  cblas_sgemm(CblasRowMajor, a.transpose ? CblasTrans : CblasNoTrans,
              b.transpose ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a.values,
              (int)a.stride, b.values, (int)b.stride, beta, c, (int)c_stride);
  return csk_status_ok;
}

#endif

csk_status csk_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                     float alpha, const float *a, int64_t a_stride, const float *b,
                     int64_t b_stride, float beta, float *c, int64_t c_stride) {
  if (m < 0 || n < 0 || k < 0) return csk_status_invalid_argument;
  if (a_stride < (transpose_a ? m : k) || b_stride < (transpose_b ? k : n) || c_stride < n)
    return csk_status_invalid_argument;
  if (m == 0 || n == 0) return csk_status_ok;
  if (!c || (k > 0 && (!a || !b))) return csk_status_invalid_argument;
  if (k == 0) {
    scale(m, n, beta, c, c_stride);
    return csk_status_ok;
  }
  return product(m, n, k, alpha, (operand){a, a_stride, transpose_a},
                 (operand){b, b_stride, transpose_b}, beta, c, c_stride);
}

bool csk_dense_is_blis(void) {
#ifdef CSK_NO_BLIS
  return false;
#else
  return true;
#endif
}
