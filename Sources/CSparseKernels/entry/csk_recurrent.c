// entry/csk_recurrent.c: checks the arguments of recurrent layers' gates once, then dispatches.
#include "csk_internal.h"

static bool part_is_valid(const csk_cell_part *part) {
  return part && part->begin >= 0 && part->end >= part->begin && part->features >= part->end &&
         part->lanes > 0 && part->lanes % 8 == 0;
}

csk_status csk_gru_forward(const csk_cell_part *part, float *gates, float *recurrent,
                           const float *bias, const float *state, float *next) {
  if (!part_is_valid(part)) return csk_status_invalid_argument;
  if (part->end > part->begin && !(gates && recurrent && state && next))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->gru_forward(part, gates, recurrent, bias, state, next);
  return csk_status_ok;
}

csk_status csk_gru_backward(const csk_cell_part *part, const float *gates, float *recurrent,
                            const float *state, const float *output_gradient, const float *product,
                            float *carried, float *gates_gradient) {
  if (!part_is_valid(part)) return csk_status_invalid_argument;
  if (part->end > part->begin &&
      !(gates && recurrent && state && output_gradient && carried && gates_gradient))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->gru_backward(part, gates, recurrent, state, output_gradient, product, carried,
                        gates_gradient);
  return csk_status_ok;
}

csk_status csk_lstm_forward(const csk_cell_part *part, float *gates, const float *recurrent,
                            const float *bias, const float *cell, float *next_cell, float *next) {
  if (!part_is_valid(part)) return csk_status_invalid_argument;
  if (part->end > part->begin && !(gates && recurrent && cell && next_cell && next))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->lstm_forward(part, gates, recurrent, bias, cell, next_cell, next);
  return csk_status_ok;
}

csk_status csk_lstm_backward(const csk_cell_part *part, const float *gates, const float *cell,
                             const float *next_cell, const float *output_gradient,
                             const float *product, float *carried, float *gates_gradient) {
  if (!part_is_valid(part)) return csk_status_invalid_argument;
  if (part->end > part->begin &&
      !(gates && cell && next_cell && output_gradient && carried && gates_gradient))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->lstm_backward(part, gates, cell, next_cell, output_gradient, product, carried,
                         gates_gradient);
  return csk_status_ok;
}
