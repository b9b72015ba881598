// avx2/csk_windows_avx2.c: depthwise convolution and max-pooling; a column, 8 lanes, is one vector.
//
//   y[c, x] = sum_t w[c, t] s[c, x + o_t]
//   dx[c, x] = sum_t w[c, t] dy[c, x - o_t],  dw[c, t] += sum_x in[c, x] dy[c, x - o_t]
//
// Taps go in chunks of at most nine, a 3 x 3 kernel in one: each number of taps has its own code,
// so that weights and sums stay in registers. A lane of y or dx is one chain of FMAs in the order
// of the taps, wherever its column lies.
//
// Bound, forward: one load an FMA, so that two loads a cycle feed two FMAs; from L2 a 3 x 3 kernel
// reads 3 columns and writes 1 for 9 FMAs. Backward: FMA peak, 18 of them for those columns and 1.
#include "csk_planes_avx2.h"
#include "csk_windows_internal.h"

#if CSK_ARCH_X86_64

#if defined(__clang__)
#define CSK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CSK_UNROLL _Pragma("GCC unroll 16")
#endif

enum { lanes = csk_plane_lanes, most_taps = 9 };

/// One channel's row and some of its taps.
typedef struct forward_row {
  const float *s, *weights;
  const int32_t *indices, *offsets;
  int32_t columns;
  bool adds;  // to y, what earlier taps have made
  float *y;
} forward_row;

/// Columns [x, x + count) of y.
CSK_INLINE void forward_columns(const int taps, const int count, const float *const *s,
                                const __m256 *w, bool adds, float *y, ptrdiff_t x) {
  __m256 sums[4];
  CSK_UNROLL
  for (int i = 0; i < count; i++)
    sums[i] = adds ? _mm256_loadu_ps(y + x + i * lanes) : _mm256_setzero_ps();
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    CSK_UNROLL
    for (int i = 0; i < count; i++)
      sums[i] = _mm256_fmadd_ps(w[t], _mm256_loadu_ps(s[t] + x + i * lanes), sums[i]);
  }
  CSK_UNROLL
  for (int i = 0; i < count; i++) _mm256_storeu_ps(y + x + i * lanes, sums[i]);
}

CSK_INLINE void forward_taps(const int taps, const forward_row *row, const bool adds) {
  const float *s[most_taps];
  __m256 w[most_taps];
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    s[t] = row->s + row->offsets[t];
    w[t] = _mm256_set1_ps(row->weights[row->indices[t]]);
  }
  float *y = row->y;
  const ptrdiff_t end = (ptrdiff_t)row->columns * lanes;
  ptrdiff_t x = 0;
  for (; x <= end - 4 * lanes; x += 4 * lanes) forward_columns(taps, 4, s, w, adds, y, x);
  for (; x < end; x += lanes) forward_columns(taps, 1, s, w, adds, y, x);
}

typedef void forward_kernel(const forward_row *row);

#define FORWARD(taps)                                                  \
  CSK_TARGET_AVX2 static void forward_##taps(const forward_row *row) { \
    if (row->adds)                                                     \
      forward_taps(taps, row, true);                                   \
    else                                                               \
      forward_taps(taps, row, false);                                  \
  }
FORWARD(1)
FORWARD(2)
FORWARD(3)
FORWARD(4)
FORWARD(5)
FORWARD(6)
FORWARD(7)
FORWARD(8)
FORWARD(9)

static forward_kernel *const forward_kernels[] = {
    NULL,      forward_1, forward_2, forward_3, forward_4,
    forward_5, forward_6, forward_7, forward_8, forward_9,
};

static void depthwise_forward_row(const float *s, ptrdiff_t s_channel_stride, const float *weights,
                                  int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                  const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                  float *y, ptrdiff_t y_channel_stride) {
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t tap = 0; tap < taps; tap += most_taps) {
      const int32_t some = taps - tap < most_taps ? taps - tap : most_taps;
      const forward_row row = {s + c * s_channel_stride,
                               weights + (ptrdiff_t)c * weight_stride,
                               tap_indices + tap,
                               tap_offsets + tap,
                               columns,
                               tap > 0,
                               y + c * y_channel_stride};
      forward_kernels[some](&row);
    }
  }
}

/// One channel's row and some of its taps; dw is the channel's, like weights.
typedef struct backward_row {
  const float *dy, *in, *weights;
  const int32_t *indices, *offsets;
  int32_t columns;
  bool adds;  // to dx
  float *dx;  // or null
  float *dw;
} backward_row;

/// Columns [x, x + count): one load of dy serves both gradients. `w` lies in memory, not in
/// registers, which hold the sums for dw: one load for `count` columns. Few taps have sums for odd
/// columns apart, lest each FMA wait for the last.
CSK_INLINE void backward_columns(const int taps, const int count, const bool apart,
                                 const float *const *dy, const float *in, const __m256 *w,
                                 __m256 *sums, const bool wants_dx, const bool adds, float *dx,
                                 ptrdiff_t x) {
  __m256 inputs[2], results[2];
  CSK_UNROLL
  for (int i = 0; i < count; i++) {
    inputs[i] = _mm256_loadu_ps(in + x + i * lanes);
    results[i] = wants_dx && adds ? _mm256_loadu_ps(dx + x + i * lanes) : _mm256_setzero_ps();
  }
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    CSK_UNROLL
    for (int i = 0; i < count; i++) {
      const __m256 g = _mm256_loadu_ps(dy[t] + x + i * lanes);
      const int sum = apart ? 2 * t + i : t;
      sums[sum] = _mm256_fmadd_ps(inputs[i], g, sums[sum]);
      if (wants_dx) results[i] = _mm256_fmadd_ps(w[t], g, results[i]);
    }
  }
  CSK_UNROLL
  for (int i = 0; wants_dx && i < count; i++) _mm256_storeu_ps(dx + x + i * lanes, results[i]);
}

/// csk_lane_total's tree.
CSK_INLINE float total(__m256 sum) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

CSK_INLINE void backward_taps(const int taps, const backward_row *row, const bool wants_dx,
                              const bool adds) {
  const bool apart = taps <= 4;
  const float *dy[most_taps];
  __m256 w[most_taps], sums[most_taps];
  CSK_UNROLL
  for (int t = 0; t < taps; t++) {
    dy[t] = row->dy - row->offsets[t];
    w[t] = _mm256_set1_ps(row->weights[row->indices[t]]);
  }
  CSK_UNROLL
  for (int i = 0; i < (apart ? 2 * taps : taps); i++) sums[i] = _mm256_setzero_ps();
  const float *in = row->in;
  float *dx = row->dx;
  const ptrdiff_t end = (ptrdiff_t)row->columns * lanes;
  ptrdiff_t x = 0;
  for (; x <= end - 2 * lanes; x += 2 * lanes)
    backward_columns(taps, 2, apart, dy, in, w, sums, wants_dx, adds, dx, x);
  if (x < end) backward_columns(taps, 1, apart, dy, in, w, sums, wants_dx, adds, dx, x);
  CSK_UNROLL
  for (int t = 0; t < taps; t++)
    row->dw[row->indices[t]] +=
        total(apart ? _mm256_add_ps(sums[2 * t], sums[2 * t + 1]) : sums[t]);
}

typedef void backward_kernel(const backward_row *row);

#define BACKWARD(taps)                                                   \
  CSK_TARGET_AVX2 static void backward_##taps(const backward_row *row) { \
    if (!row->dx)                                                        \
      backward_taps(taps, row, false, false);                            \
    else if (row->adds)                                                  \
      backward_taps(taps, row, true, true);                              \
    else                                                                 \
      backward_taps(taps, row, true, false);                             \
  }
BACKWARD(1)
BACKWARD(2)
BACKWARD(3)
BACKWARD(4)
BACKWARD(5)
BACKWARD(6)
BACKWARD(7)
BACKWARD(8)
BACKWARD(9)

static backward_kernel *const backward_kernels[] = {
    NULL,       backward_1, backward_2, backward_3, backward_4,
    backward_5, backward_6, backward_7, backward_8, backward_9,
};

static void depthwise_backward_row(const float *dy, ptrdiff_t dy_channel_stride, const float *in,
                                   ptrdiff_t in_channel_stride, const float *weights,
                                   int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                   const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                   float *dx, ptrdiff_t dx_channel_stride, float *dw) {
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t tap = 0; tap < taps; tap += most_taps) {
      const int32_t some = taps - tap < most_taps ? taps - tap : most_taps;
      const backward_row row = {dy + c * dy_channel_stride,
                                in + c * in_channel_stride,
                                weights + (ptrdiff_t)c * weight_stride,
                                tap_indices + tap,
                                tap_offsets + tap,
                                columns,
                                tap > 0,
                                dx ? dx + c * dx_channel_stride : NULL,
                                dw + (ptrdiff_t)c * weight_stride};
      backward_kernels[some](&row);
    }
  }
}

void csk_windows_avx2(csk_kernels *kernels) {
  kernels->depthwise_forward_row = depthwise_forward_row;
  kernels->depthwise_backward_row = depthwise_backward_row;
  csk_max_pool_avx2(kernels);
}
#endif
