// entry/csk_activation.c: checks the arguments of activation functions once, then dispatches.
#include <math.h>

#include "csk_internal.h"

bool csk_activation_is_valid(csk_activation activation) {
  if (activation.kind < csk_activation_identity || activation.kind > csk_activation_sigmoid)
    return false;
  return activation.kind != csk_activation_leaky_relu ||
         (activation.slope >= 0 && activation.slope < INFINITY);
}

bool csk_activation_needs_input(csk_activation activation) {
  return activation.kind == csk_activation_gelu || activation.kind == csk_activation_silu;
}

csk_status csk_activate(csk_activation activation, float *values, int64_t count) {
  if (!csk_activation_is_valid(activation) || count < 0 || (count > 0 && !values))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->activate(activation, values, count);
  return csk_status_ok;
}

csk_status csk_activate_gradient(csk_activation activation, float *gradient, const float *values,
                                 int64_t count) {
  if (!csk_activation_is_valid(activation) || count < 0 || (count > 0 && !(gradient && values)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->activate_gradient(activation, gradient, values, count);
  return csk_status_ok;
}
