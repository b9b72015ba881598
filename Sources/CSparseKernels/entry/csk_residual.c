// entry/csk_residual.c: checks the arguments of residual blocks' ends once, then dispatches.
#include "csk_internal.h"

/// Whether a pointer to elements or channels of the row may be used: null only if it is empty.
static bool is_usable(const void *values, int32_t channels, int32_t width) {
  return values || channels == 0 || width == 0;
}

csk_status csk_residual_row(const float *x, const float *scale, const float *shift, const float *r,
                            const float *shortcut_scale, const float *shortcut_shift,
                            int32_t channels, int32_t width, csk_activation activation, float *y) {
  if (channels < 0 || width < 0 || !csk_activation_is_valid(activation) || !scale != !shift ||
      !shortcut_scale != !shortcut_shift || !is_usable(x, channels, width) ||
      !is_usable(r, channels, width) || !is_usable(y, channels, width))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->residual_row(x, scale, shift, r, shortcut_scale, shortcut_shift, channels, width,
                        activation, y);
  return csk_status_ok;
}

csk_status csk_residual_gradient_row(const float *gradient, csk_activation activation,
                                     const float *y, const float *x, const float *mean,
                                     double (*sums)[2], const float *r, const float *shortcut_mean,
                                     double (*shortcut_sums)[2], int32_t channels, int32_t width,
                                     float *result) {
  if (channels < 0 || width < 0 || !is_usable(gradient, channels, width) ||
      !is_usable(result, channels, width) || !csk_activation_is_valid(activation))
    return csk_status_invalid_argument;
  if (activation.kind != csk_activation_identity && !is_usable(y, channels, width))
    return csk_status_invalid_argument;
  if (sums && !(is_usable(x, channels, width) && is_usable(mean, channels, width)))
    return csk_status_invalid_argument;
  if (shortcut_sums &&
      !(is_usable(r, channels, width) && is_usable(shortcut_mean, channels, width)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (width == 0) return csk_status_ok;
  kernels->residual_gradient_row(gradient, activation, y, x, mean, sums, r, shortcut_mean,
                                 shortcut_sums, channels, width, result);
  return csk_status_ok;
}
