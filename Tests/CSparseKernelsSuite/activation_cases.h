// activation_cases.h: the activation functions that tests go through.
#ifndef CSK_ACTIVATION_CASES_H
#define CSK_ACTIVATION_CASES_H

#include "planes_cases.h"

static const csk_activation activations[] = {
    {csk_activation_identity, 0},   {csk_activation_relu, 0},    {csk_activation_leaky_relu, 0.3f},
    {csk_activation_leaky_relu, 0}, {csk_activation_gelu, 0},    {csk_activation_silu, 0},
    {csk_activation_tanh, 0},       {csk_activation_sigmoid, 0},
};

#define FOR_EACH_ACTIVATION(f) \
  for (const csk_activation *f = activations; f < activations + COUNT(activations); f++)

/// gradient[i] *= f'(input[i]).
static inline void activation_back(csk_activation f, float *gradient, const float *input,
                                   int64_t count) {
  float *values = malloc((size_t)count * sizeof *values + 1);
  memcpy(values, input, (size_t)count * sizeof *values);
  if (!csk_activation_needs_input(f)) csk_activate(f, values, count);
  csk_activate_gradient(f, gradient, values, count);
  free(values);
}

/// The same numbers; both zeros are the same.
static inline bool activation_equal(const float *a, const float *b, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!(a[i] == b[i])) return false;
  return true;
}

#endif
