// bodies/csk_global_average_body.h: global average pooling, and its gradient. Bound: bytes moved
// over the bandwidth of memory.
#include "csk_columns.h"

// y[c, lane] += factor sum_j relu(scale[c] x + shift[c]); even and odd columns are summed apart.
CSK_TARGET
static void global_average_row(const float *x, const float *scale, const float *shift, bool relu,
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

CSK_TARGET CSK_INLINE void global_average_gradient_as(const float *gradient, const float *x,
                                                      const float *scale, const float *shift,
                                                      const float *mean, int32_t channels,
                                                      int32_t width, float factor, float *result,
                                                      double (*sums)[2], bool relu,
                                                      bool with_sums) {
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
static void global_average_gradient_row(const float *gradient, const float *x, const float *scale,
                                        const float *shift, bool relu, const float *mean,
                                        int32_t channels, int32_t width, float factor,
                                        float *result, double (*sums)[2]) {
#define AVERAGE(relu, with_sums)                                                               \
  global_average_gradient_as(gradient, x, scale, shift, mean, channels, width, factor, result, \
                             sums, relu, with_sums)
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

static void register_global_average(csk_kernels *kernels) {
  kernels->global_average_row = global_average_row;
  kernels->global_average_gradient_row = global_average_gradient_row;
}
