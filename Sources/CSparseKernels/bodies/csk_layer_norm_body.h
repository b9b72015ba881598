// bodies/csk_layer_norm_body.h: normalization over a sample's features, a register of lanes at a
// time, in the operations of scalar/csk_layer_norm_scalar.c.
//
// Bound: bytes in L1 or L2, where the group lies: three reads of x forward, five of x and gradient
// back; sums in double cost as much again.
#include <math.h>

/// What forward and backward need of eight lanes.
typedef struct norm_lanes {
  csk_v mean, inverse;
} norm_lanes;

CSK_TARGET CSK_INLINE csk_v normalized(const float *x, norm_lanes l) {
  return csk_times(csk_minus(csk_load(x), l.mean), l.inverse);
}

/// Sums of eight lanes over the features, divided by their number.
CSK_TARGET CSK_INLINE void norm_means(csk_wide sums, int32_t features, double means[csk_lanes]) {
  csk_store_wide(means, sums);
  for (int i = 0; i < csk_lanes; i++) means[i] /= features;
}

CSK_TARGET CSK_INLINE csk_v norm_floats(const double values[csk_lanes]) {
  float floats[csk_lanes];
  for (int i = 0; i < csk_lanes; i++) floats[i] = (float)values[i];
  return csk_load(floats);
}

CSK_TARGET static void layer_norm_forward(const float *x, int32_t features, int32_t lanes,
                                          const float *scale, const float *shift, float epsilon,
                                          float *mean, float *inverse, float *y) {
  for (int32_t lane = 0; lane < lanes; lane += csk_lanes) {
    double numbers[csk_lanes];
    csk_wide sum = csk_no_wide(), squares = csk_no_wide();
    for (int32_t c = 0; c < features; c++)
      sum = csk_plus_wide(sum, csk_load_wide(x + (ptrdiff_t)c * lanes + lane));
    norm_means(sum, features, numbers);
    norm_lanes l = {.mean = norm_floats(numbers)};
    for (int32_t c = 0; c < features; c++) {
      const csk_wide d = csk_widen(csk_minus(csk_load(x + (ptrdiff_t)c * lanes + lane), l.mean));
      squares = csk_fused_wide(d, d, squares);
    }
    norm_means(squares, features, numbers);
    for (int i = 0; i < csk_lanes; i++) numbers[i] = 1 / sqrt(numbers[i] + (double)epsilon);
    l.inverse = norm_floats(numbers);
    csk_store(mean + lane, l.mean);
    csk_store(inverse + lane, l.inverse);
    for (int32_t c = 0; c < features; c++) {
      const ptrdiff_t i = (ptrdiff_t)c * lanes + lane;
      csk_store(y + i, csk_fused(normalized(x + i, l), csk_all(scale[c]), csk_all(shift[c])));
    }
  }
}

/// The gradients of scale and shift, summed over lanes.
CSK_TARGET CSK_INLINE void norm_parameters(const float *gradient, const float *x, int32_t features,
                                           int32_t lanes, int32_t live, const float *mean,
                                           const float *inverse, float *scale_gradient,
                                           float *shift_gradient) {
  for (int32_t c = 0; c < features; c++) {
    csk_v products = csk_zero(), sum = csk_zero();
    for (int32_t lane = 0; lane < live; lane += csk_lanes) {
      const ptrdiff_t i = (ptrdiff_t)c * lanes + lane;
      const norm_lanes l = {csk_load(mean + lane), csk_load(inverse + lane)};
      const csk_mask alive = csk_first(live - lane);
      const csk_v g = csk_only(csk_load(gradient + i), alive);
      products = csk_fused(g, csk_only(normalized(x + i, l), alive), products);
      sum = csk_plus(sum, g);
    }
    scale_gradient[c] += csk_total(products);
    shift_gradient[c] += csk_total(sum);
  }
}

CSK_TARGET static void layer_norm_backward(const float *gradient, const float *x, int32_t features,
                                           int32_t lanes, int32_t live, const float *scale,
                                           const float *mean, const float *inverse, float *dx,
                                           float *scale_gradient, float *shift_gradient) {
  norm_parameters(gradient, x, features, lanes, live, mean, inverse, scale_gradient,
                  shift_gradient);
  for (int32_t lane = 0; lane < lanes; lane += csk_lanes) {
    const norm_lanes l = {csk_load(mean + lane), csk_load(inverse + lane)};
    const csk_mask alive = csk_first(live - lane);
    csk_wide sum = csk_no_wide(), products = csk_no_wide();
    for (int32_t c = 0; c < features; c++) {
      const ptrdiff_t i = (ptrdiff_t)c * lanes + lane;
      const csk_v g = csk_times(csk_load(gradient + i), csk_all(scale[c]));
      sum = csk_plus_wide(sum, csk_widen(g));
      products = csk_fused_wide(csk_widen(g), csk_widen(normalized(x + i, l)), products);
    }
    double a[csk_lanes], b[csk_lanes];
    norm_means(sum, features, a);
    norm_means(products, features, b);
    const csk_v g_mean = norm_floats(a), product_mean = norm_floats(b);
    for (int32_t c = 0; c < features; c++) {
      const ptrdiff_t i = (ptrdiff_t)c * lanes + lane;
      const csk_v g = csk_times(csk_load(gradient + i), csk_all(scale[c]));
      const csk_v d = csk_fused_from(normalized(x + i, l), product_mean, csk_minus(g, g_mean));
      csk_store(dx + i, csk_only(csk_times(d, l.inverse), alive));
    }
  }
}

static void register_layer_norm(csk_kernels *kernels) {
  kernels->layer_norm_forward = layer_norm_forward;
  kernels->layer_norm_backward = layer_norm_backward;
}
