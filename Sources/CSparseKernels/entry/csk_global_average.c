// entry/csk_global_average.c: checks the arguments of global average pooling once, then dispatches.
#include "csk_internal.h"

/// Whether a pointer to elements or channels of the row may be used: null only if it is empty.
static bool is_usable(const void *values, int32_t channels, int32_t width) {
  return values || channels == 0 || width == 0;
}

csk_status csk_global_average_row(const float *x, const float *scale, const float *shift,
                                  csk_activation activation, int32_t channels, int32_t width,
                                  float factor, float *y) {
  if (channels < 0 || width < 0 || !csk_activation_is_valid(activation) || !scale != !shift ||
      !is_usable(x, channels, width) || !is_usable(y, channels, width))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (width == 0) return csk_status_ok;
  kernels->global_average_row(x, scale, shift, activation, channels, width, factor, y);
  return csk_status_ok;
}

csk_status csk_global_average_gradient_row(const float *gradient, const float *x,
                                           const float *scale, const float *shift,
                                           csk_activation activation, const float *mean,
                                           int32_t channels, int32_t width, float factor,
                                           float *result, double (*sums)[2]) {
  if (channels < 0 || width < 0 || !csk_activation_is_valid(activation) || !scale != !shift ||
      !is_usable(gradient, channels, width) || !is_usable(result, channels, width))
    return csk_status_invalid_argument;
  if ((activation.kind != csk_activation_identity || sums) && !is_usable(x, channels, width))
    return csk_status_invalid_argument;
  if (sums && !is_usable(mean, channels, width)) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (width == 0) return csk_status_ok;
  kernels->global_average_gradient_row(gradient, x, scale, shift, activation, mean, channels, width,
                                       factor, result, sums);
  return csk_status_ok;
}
