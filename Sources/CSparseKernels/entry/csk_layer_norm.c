// entry/csk_layer_norm.c: checks the arguments of layer normalization once, then dispatches.
#include <math.h>

#include "csk_internal.h"

csk_status csk_layer_norm_forward(const float *x, int32_t features, int32_t lanes,
                                  const float *scale, const float *shift, float epsilon,
                                  float *mean, float *inverse, float *y) {
  if (!x || !scale || !shift || !mean || !inverse || !y) return csk_status_invalid_argument;
  if (features < 1 || lanes < 1 || lanes % 8 != 0) return csk_status_invalid_argument;
  if (!(epsilon > 0 && epsilon < INFINITY)) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->layer_norm_forward(x, features, lanes, scale, shift, epsilon, mean, inverse, y);
  return csk_status_ok;
}

csk_status csk_layer_norm_backward(const float *gradient, const float *x, int32_t features,
                                   int32_t lanes, int32_t live, const float *scale,
                                   const float *mean, const float *inverse, float *dx,
                                   float *scale_gradient, float *shift_gradient) {
  if (!gradient || !x || !scale || !mean || !inverse || !dx || !scale_gradient || !shift_gradient)
    return csk_status_invalid_argument;
  if (features < 1 || lanes < 1 || lanes % 8 != 0 || live < 0 || live > lanes)
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->layer_norm_backward(gradient, x, features, lanes, live, scale, mean, inverse, dx,
                               scale_gradient, shift_gradient);
  return csk_status_ok;
}
