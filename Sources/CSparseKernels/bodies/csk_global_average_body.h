// bodies/csk_global_average_body.h: global average pooling, and its gradient. Bound: bytes moved
// over the bandwidth of memory.
#include "csk_columns.h"

/// sum_j f(scale x + shift) of a channel, where f is a pass of its own.
CSK_TARGET CSK_NOINLINE csk_v sum_of_activations(csk_activation activation, const float *x,
                                                 csk_v scale, csk_v shift, int32_t width) {
  enum { block = csk_block_columns * csk_lanes };
  const int64_t count = (int64_t)width * csk_lanes;
  csk_sums sum = csk_no_sums();
  float values[block];
  for (int64_t i = 0; i < count; i += block) {
    const int64_t some = count - i < block ? count - i : block;
    for (int64_t k = 0; k < some; k += csk_lanes)
      csk_store(values + k, csk_fused(scale, csk_load(x + i + k), shift));
    activate(activation, values, some);
    for (int64_t k = 0; k < some; k += csk_lanes) {
      sum.next = csk_plus(sum.next, csk_load(values + k));
      csk_swap(&sum);
    }
  }
  return csk_plus(sum.next, sum.other);
}

/// sum_j of a channel where f is the identity, or ReLU.
CSK_TARGET CSK_INLINE csk_v sum_of_columns(const float *x, csk_v scale, csk_v shift,
                                           csk_floor floor, int32_t width) {
  csk_sums sum = csk_no_sums();
#define STEP(j)                                                                     \
  do {                                                                              \
    const csk_v v = csk_load(x + (ptrdiff_t)(j)*csk_lanes);                         \
    sum.next = csk_plus(sum.next, csk_at_least(floor, csk_fused(scale, v, shift))); \
    csk_swap(&sum);                                                                 \
  } while (0)
  CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
  return csk_plus(sum.next, sum.other);
}

// y[c, lane] += factor sum_j f(scale[c] x + shift[c]); even and odd columns are summed apart.
CSK_TARGET
static void global_average_row(const float *x, const float *scale, const float *shift,
                               csk_activation activation, int32_t channels, int32_t width,
                               float factor, float *y) {
  const csk_floor floor = csk_floor_of(activation.kind == csk_activation_relu);
  const bool has_pass = csk_activation_has_pass(activation);
  for (int32_t c = 0; c < channels; c++) {
    const csk_v a = csk_all(csk_scale_of(scale, c));
    const csk_v b = csk_all(csk_shift_of(shift, c));
    const float *channel = x + (ptrdiff_t)c * width * csk_lanes;
    const csk_v total = has_pass ? sum_of_activations(activation, channel, a, b, width)
                                 : sum_of_columns(channel, a, b, floor, width);
    float *yc = y + (ptrdiff_t)c * csk_lanes;
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

/// The gradient where f is a pass of its own: channel by channel, then sums.
CSK_TARGET CSK_NOINLINE void global_average_gradient_pass(const float *gradient, const float *x,
                                                          const float *scale, const float *shift,
                                                          csk_activation activation,
                                                          const float *mean, int32_t channels,
                                                          int32_t width, float factor,
                                                          float *result, double (*sums)[2]) {
  const int64_t count = (int64_t)width * csk_lanes;
  for (int32_t c = 0; c < channels; c++) {
    const csk_v g = csk_times(csk_all(factor), csk_load(gradient + (ptrdiff_t)c * csk_lanes));
    const ptrdiff_t first = (ptrdiff_t)c * count;
    for (int64_t i = 0; i < count; i += csk_lanes) csk_store(result + first + i, g);
    csk_pass_back_from(activation, x + first, csk_all(csk_scale_of(scale, c)),
                       csk_all(csk_shift_of(shift, c)), count, result + first);
    if (sums) csk_add_row(result + first, x + first, mean[c], width, sums[c]);
  }
}

// result = factor gradient[c, lane] f'(scale[c] x + shift[c])
CSK_TARGET
static void global_average_gradient_row(const float *gradient, const float *x, const float *scale,
                                        const float *shift, csk_activation activation,
                                        const float *mean, int32_t channels, int32_t width,
                                        float factor, float *result, double (*sums)[2]) {
  if (csk_activation_has_pass(activation)) {
    global_average_gradient_pass(gradient, x, scale, shift, activation, mean, channels, width,
                                 factor, result, sums);
    return;
  }
#define AVERAGE(relu, with_sums)                                                               \
  global_average_gradient_as(gradient, x, scale, shift, mean, channels, width, factor, result, \
                             sums, relu, with_sums)
  if (activation.kind == csk_activation_relu) {
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
