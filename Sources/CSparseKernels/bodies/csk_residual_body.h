// bodies/csk_residual_body.h: the ends of residual blocks, and their gradients. Bound: bytes moved
// over the bandwidth of memory.
#include <string.h>

#include "csk_columns.h"

// y = f((scale[c] x + shift[c]) + (shortcut_scale[c] r + shortcut_shift[c]))
CSK_TARGET
static void residual_row(const float *x, const float *scale, const float *shift, const float *r,
                         const float *shortcut_scale, const float *shortcut_shift, int32_t channels,
                         int32_t width, csk_activation activation, float *y) {
  const csk_floor floor = csk_floor_of(activation.kind == csk_activation_relu);
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
    if (csk_activation_has_pass(activation))
      activate(activation, y + first, (int64_t)width * csk_lanes);
  }
}

CSK_TARGET CSK_INLINE void residual_gradient_as(
    const float *gradient, const float *y, const float *x, const float *mean, double (*sums)[2],
    const float *r, const float *shortcut_mean, double (*shortcut_sums)[2], int32_t channels,
    int32_t width, float *result, bool relu, bool with_sums, bool with_shortcut) {
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

/// result = gradient f' where f is a pass of its own; channel by channel, then sums.
CSK_TARGET CSK_NOINLINE void residual_gradient_pass(
    const float *gradient, csk_activation activation, const float *y, const float *x,
    const float *mean, double (*sums)[2], const float *r, const float *shortcut_mean,
    double (*shortcut_sums)[2], int32_t channels, int32_t width, float *result) {
  const int64_t count = (int64_t)width * csk_lanes;
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * count;
    float *v = result + first;
    if (result != gradient) memcpy(v, gradient + first, (size_t)count * sizeof *v);
    activate_gradient(activation, v, y + first, count);
    if (sums) csk_add_row(v, x + first, mean[c], width, sums[c]);
    if (shortcut_sums) csk_add_row(v, r + first, shortcut_mean[c], width, shortcut_sums[c]);
  }
}

// result = gradient f'
CSK_TARGET
static void residual_gradient_row(const float *gradient, csk_activation activation, const float *y,
                                  const float *x, const float *mean, double (*sums)[2],
                                  const float *r, const float *shortcut_mean,
                                  double (*shortcut_sums)[2], int32_t channels, int32_t width,
                                  float *result) {
  if (csk_activation_has_pass(activation)) {
    residual_gradient_pass(gradient, activation, y, x, mean, sums, r, shortcut_mean, shortcut_sums,
                           channels, width, result);
    return;
  }
#define CASE(n)                                                                                 \
  case n:                                                                                       \
    residual_gradient_as(gradient, y, x, mean, sums, r, shortcut_mean, shortcut_sums, channels, \
                         width, result, ((n)&4) != 0, ((n)&2) != 0, ((n)&1) != 0);              \
    break
  switch ((activation.kind == csk_activation_relu ? 4 : 0) | (sums ? 2 : 0) |
          (shortcut_sums ? 1 : 0)) {
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

static void register_residual(csk_kernels *kernels) {
  kernels->residual_row = residual_row;
  kernels->residual_gradient_row = residual_gradient_row;
}
