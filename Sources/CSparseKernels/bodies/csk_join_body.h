// bodies/csk_join_body.h: the ends of residual blocks, global averages, and their gradients. Bound:
// bytes moved over the bandwidth of memory.
#include "csk_columns.h"

// y = relu((scale[c] x + shift[c]) + (shortcut_scale[c] r + shortcut_shift[c]))
CSK_TARGET
static void join_row(const float *x, const float *scale, const float *shift, const float *r,
                     const float *shortcut_scale, const float *shortcut_shift, int32_t channels,
                     int32_t width, bool relu, float *y) {
  const csk_floor floor = csk_floor_of(relu);
  for (int32_t c = 0; c < channels; c++) {
    const csk_v a = csk_all(csk_scale_of(scale, c));
    const csk_v b = csk_all(csk_shift_of(shift, c));
    const csk_v p = csk_all(csk_scale_of(shortcut_scale, c));
    const csk_v q = csk_all(csk_shift_of(shortcut_shift, c));
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes;
#define STEP(j)                                                    \
  do {                                                             \
    const ptrdiff_t at = first + (ptrdiff_t)(j)*csk_lanes;         \
    const csk_v shortcut = csk_fused(p, csk_load(r + at), q);      \
    const csk_v v = csk_fused(a, csk_load(x + at), b);             \
    csk_store(y + at, csk_at_least(floor, csk_plus(v, shortcut))); \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
  }
}

CSK_TARGET CSK_INLINE void join_gradient_as(const float *gradient, const float *y, const float *x,
                                            const float *mean, double (*sums)[2], const float *r,
                                            const float *shortcut_mean, double (*shortcut_sums)[2],
                                            int32_t channels, int32_t width, float *result,
                                            bool relu, bool with_sums, bool with_shortcut) {
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes;
    const csk_v m = csk_all(with_sums ? mean[c] : 0);
    const csk_v n = csk_all(with_shortcut ? shortcut_mean[c] : 0);
    csk_sums sum = csk_no_sums(), shortcut_sum = csk_no_sums();
#define STEP(j)                                                                          \
  do {                                                                                   \
    const ptrdiff_t at = first + (ptrdiff_t)(j)*csk_lanes;                               \
    csk_v v = csk_load(gradient + at);                                                   \
    if (relu) v = csk_where_active(v, csk_load(y + at));                                 \
    csk_store(result + at, v);                                                           \
    if (with_sums) csk_add_column(&sum, v, csk_minus(csk_load(x + at), m));              \
    if (with_shortcut) csk_add_column(&shortcut_sum, v, csk_minus(csk_load(r + at), n)); \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    if (with_sums) csk_add_sums(&sum, sums[c]);
    if (with_shortcut) csk_add_sums(&shortcut_sum, shortcut_sums[c]);
  }
}

// result = gradient where y is not <= 0
CSK_TARGET
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
CSK_TARGET
static void average_row(const float *x, const float *scale, const float *shift, bool relu,
                        int32_t channels, int32_t width, float factor, float *y) {
  const csk_floor floor = csk_floor_of(relu);
  for (int32_t c = 0; c < channels; c++) {
    const csk_v a = csk_all(csk_scale_of(scale, c));
    const csk_v b = csk_all(csk_shift_of(shift, c));
    const float *channel = x + (ptrdiff_t)c * width * csk_lanes;
    csk_sums sum = csk_no_sums();
#define STEP(j)                                                             \
  do {                                                                      \
    const csk_v v = csk_load(channel + (ptrdiff_t)(j)*csk_lanes);           \
    sum.next = csk_plus(sum.next, csk_at_least(floor, csk_fused(a, v, b))); \
    csk_swap(&sum);                                                         \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    float *yc = y + (ptrdiff_t)c * csk_lanes;
    const csk_v total = csk_plus(sum.next, sum.other);
    csk_store(yc, csk_fused(csk_all(factor), total, csk_load(yc)));
  }
}

CSK_TARGET CSK_INLINE void average_gradient_as(const float *gradient, const float *x,
                                               const float *scale, const float *shift,
                                               const float *mean, int32_t channels, int32_t width,
                                               float factor, float *result, double (*sums)[2],
                                               bool relu, bool with_sums) {
  for (int32_t c = 0; c < channels; c++) {
    const csk_v a = csk_all(csk_scale_of(scale, c));
    const csk_v b = csk_all(csk_shift_of(shift, c));
    const csk_v m = csk_all(with_sums ? mean[c] : 0);
    const csk_v g = csk_times(csk_all(factor), csk_load(gradient + (ptrdiff_t)c * csk_lanes));
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes;
    csk_sums sum = csk_no_sums();
#define STEP(j)                                                         \
  do {                                                                  \
    const ptrdiff_t at = first + (ptrdiff_t)(j)*csk_lanes;              \
    const csk_v v = relu || with_sums ? csk_load(x + at) : g;           \
    const csk_v d = relu ? csk_where_active(g, csk_fused(a, v, b)) : g; \
    csk_store(result + at, d);                                          \
    if (with_sums) csk_add_column(&sum, d, csk_minus(v, m));            \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    if (with_sums) csk_add_sums(&sum, sums[c]);
  }
}

// result = factor gradient[c, lane] where scale[c] x + shift[c] is not <= 0
CSK_TARGET
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

static void register_join(csk_kernels *kernels) {
  kernels->join_row = join_row;
  kernels->join_gradient_row = join_gradient_row;
  kernels->average_row = average_row;
  kernels->average_gradient_row = average_gradient_row;
}
