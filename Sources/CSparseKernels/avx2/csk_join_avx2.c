// avx2/csk_join_avx2.c: the ends of residual blocks, global averages, and their gradients. Bound:
// bytes moved over the bandwidth of memory.
#include "csk_planes_avx2.h"

#if CSK_ARCH_X86_64

enum { lanes = csk_plane_lanes };

// y = relu((scale[c] x + shift[c]) + (shortcut_scale[c] r + shortcut_shift[c]))
CSK_TARGET_AVX2
static void join_row(const float *x, const float *scale, const float *shift, const float *r,
                     const float *shortcut_scale, const float *shortcut_shift, int32_t channels,
                     int32_t width, bool relu, float *y) {
  // Without ReLU the lowest number: max(lowest, v) in this order is v, -infinity and NaN included.
  const __m256 least = _mm256_set1_ps(relu ? 0 : -INFINITY);
  for (int32_t c = 0; c < channels; c++) {
    const __m256 a = _mm256_set1_ps(csk_scale_of(scale, c));
    const __m256 b = _mm256_set1_ps(csk_shift_of(shift, c));
    const __m256 p = _mm256_set1_ps(csk_scale_of(shortcut_scale, c));
    const __m256 q = _mm256_set1_ps(csk_shift_of(shortcut_shift, c));
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
#define STEP(j)                                                                 \
  do {                                                                          \
    const ptrdiff_t at = first + (ptrdiff_t)(j)*lanes;                          \
    const __m256 shortcut = _mm256_fmadd_ps(p, _mm256_loadu_ps(r + at), q);     \
    const __m256 v = _mm256_fmadd_ps(a, _mm256_loadu_ps(x + at), b);            \
    _mm256_storeu_ps(y + at, _mm256_max_ps(least, _mm256_add_ps(v, shortcut))); \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
  }
}

CSK_INLINE void join_gradient_as(const float *gradient, const float *y, const float *x,
                                 const float *mean, double (*sums)[2], const float *r,
                                 const float *shortcut_mean, double (*shortcut_sums)[2],
                                 int32_t channels, int32_t width, float *result, bool relu,
                                 bool with_sums, bool with_shortcut) {
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    const __m256 m = _mm256_set1_ps(with_sums ? mean[c] : 0);
    const __m256 n = _mm256_set1_ps(with_shortcut ? shortcut_mean[c] : 0);
    csk_sums_avx2 sum = csk_no_sums_avx2(), shortcut_sum = csk_no_sums_avx2();
#define STEP(j)                                                                                   \
  do {                                                                                            \
    const ptrdiff_t at = first + (ptrdiff_t)(j)*lanes;                                            \
    __m256 v = _mm256_loadu_ps(gradient + at);                                                    \
    if (relu) v = csk_masked_avx2(v, _mm256_loadu_ps(y + at));                                    \
    _mm256_storeu_ps(result + at, v);                                                             \
    if (with_sums) csk_add_avx2(&sum, v, _mm256_sub_ps(_mm256_loadu_ps(x + at), m));              \
    if (with_shortcut) csk_add_avx2(&shortcut_sum, v, _mm256_sub_ps(_mm256_loadu_ps(r + at), n)); \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    if (with_sums) csk_add_totals_avx2(&sum, sums[c]);
    if (with_shortcut) csk_add_totals_avx2(&shortcut_sum, shortcut_sums[c]);
  }
}

// result = gradient where y is not <= 0
CSK_TARGET_AVX2
static void join_gradient_row(const float *gradient, const float *y, const float *x,
                              const float *mean, double (*sums)[2], const float *r,
                              const float *shortcut_mean, double (*shortcut_sums)[2],
                              int32_t channels, int32_t width, float *result) {
#define CASE(n)                                                                                    \
  case n:                                                                                          \
    join_gradient_as(gradient, y, x, mean, sums, r, shortcut_mean, shortcut_sums, channels, width, \
                     result, ((n)&4) != 0, ((n)&2) != 0, ((n)&1) != 0);                            \
    break
  switch ((y ? 4 : 0) | (sums ? 2 : 0) | (shortcut_sums ? 1 : 0)) {
    CASE(0);
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
    CASE(7);
  }
#undef CASE
}

// y[c, lane] += factor sum_j relu(scale[c] x + shift[c]); even and odd columns are summed apart.
CSK_TARGET_AVX2
static void average_row(const float *x, const float *scale, const float *shift, bool relu,
                        int32_t channels, int32_t width, float factor, float *y) {
  const __m256 least = _mm256_set1_ps(relu ? 0 : -INFINITY);
  for (int32_t c = 0; c < channels; c++) {
    const __m256 a = _mm256_set1_ps(csk_scale_of(scale, c));
    const __m256 b = _mm256_set1_ps(csk_shift_of(shift, c));
    const float *channel = x + (ptrdiff_t)c * width * lanes;
    csk_sums_avx2 sum = csk_no_sums_avx2();
#define STEP(j)                                                               \
  do {                                                                        \
    const __m256 v = _mm256_loadu_ps(channel + (ptrdiff_t)(j)*lanes);         \
    const __m256 activation = _mm256_max_ps(least, _mm256_fmadd_ps(a, v, b)); \
    sum.next = _mm256_add_ps(sum.next, activation);                           \
    csk_swap_avx2(&sum);                                                      \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    float *yc = y + (ptrdiff_t)c * lanes;
    const __m256 total = _mm256_add_ps(sum.next, sum.other);
    _mm256_storeu_ps(yc, _mm256_fmadd_ps(_mm256_set1_ps(factor), total, _mm256_loadu_ps(yc)));
  }
}

CSK_INLINE void average_gradient_as(const float *gradient, const float *x, const float *scale,
                                    const float *shift, const float *mean, int32_t channels,
                                    int32_t width, float factor, float *result, double (*sums)[2],
                                    bool relu, bool with_sums) {
  for (int32_t c = 0; c < channels; c++) {
    const __m256 a = _mm256_set1_ps(csk_scale_of(scale, c));
    const __m256 b = _mm256_set1_ps(csk_shift_of(shift, c));
    const __m256 m = _mm256_set1_ps(with_sums ? mean[c] : 0);
    const __m256 g =
        _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_loadu_ps(gradient + (ptrdiff_t)c * lanes));
    const ptrdiff_t first = (ptrdiff_t)c * width * lanes;
    csk_sums_avx2 sum = csk_no_sums_avx2();
#define STEP(j)                                                               \
  do {                                                                        \
    const ptrdiff_t at = first + (ptrdiff_t)(j)*lanes;                        \
    const __m256 v = relu || with_sums ? _mm256_loadu_ps(x + at) : g;         \
    const __m256 d = relu ? csk_masked_avx2(g, _mm256_fmadd_ps(a, v, b)) : g; \
    _mm256_storeu_ps(result + at, d);                                         \
    if (with_sums) csk_add_avx2(&sum, d, _mm256_sub_ps(v, m));                \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    if (with_sums) csk_add_totals_avx2(&sum, sums[c]);
  }
}

// result = factor gradient[c, lane] where scale[c] x + shift[c] is not <= 0
CSK_TARGET_AVX2
static void average_gradient_row(const float *gradient, const float *x, const float *scale,
                                 const float *shift, bool relu, const float *mean, int32_t channels,
                                 int32_t width, float factor, float *result, double (*sums)[2]) {
#define AVERAGE(relu, with_sums)                                                              \
  average_gradient_as(gradient, x, scale, shift, mean, channels, width, factor, result, sums, \
                      relu, with_sums)
  if (relu) {
    if (sums) {
      AVERAGE(true, true);
    } else {
      AVERAGE(true, false);
    }
  } else if (sums) {
    AVERAGE(false, true);
  } else {
    AVERAGE(false, false);
  }
#undef AVERAGE
}

void csk_join_avx2(csk_kernels *kernels) {
  kernels->join_row = join_row;
  kernels->join_gradient_row = join_gradient_row;
  kernels->average_row = average_row;
  kernels->average_gradient_row = average_gradient_row;
}

#endif
