// entry/csk_epilogue.c: checks the arguments of the epilogue and its gradient once, then
// dispatches.
#include "csk_internal.h"

/// first_sample must begin a group, and its Philox counter, first_sample / 4, must fit 32 bits.
static bool block_is_valid(int32_t channel_begin, int32_t channel_end, int32_t lanes,
                           int64_t first_sample, const csk_epilogue *epilogue) {
  return channel_begin >= 0 && channel_end >= channel_begin && lanes > 0 && lanes % 8 == 0 &&
         first_sample >= 0 && first_sample % lanes == 0 &&
         first_sample <= ((int64_t)1 << 34) - lanes && epilogue && epilogue->keep > 0 &&
         epilogue->keep <= 1 && csk_activation_is_valid(epilogue->activation);
}

static bool has_activation(const csk_epilogue *epilogue) {
  return epilogue->activation.kind != csk_activation_identity;
}

/// Places are for the rare batch that lacks samples: only the specification knows them, and all
/// instruction sets have its bits.
static const csk_kernels *kernels_for(const csk_epilogue *epilogue) {
  const csk_kernels *kernels = csk_kernels_current();
  const bool has_places = epilogue->places && epilogue->keep < 1;
  return kernels && has_places ? csk_kernels_for(csk_isa_scalar) : kernels;
}

csk_status csk_epilogue_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                                int64_t first_sample, const float *bias,
                                const csk_epilogue *epilogue, float *input) {
  if (!block_is_valid(channel_begin, channel_end, lanes, first_sample, epilogue))
    return csk_status_invalid_argument;
  if (!y && channel_end > channel_begin) return csk_status_invalid_argument;
  const csk_kernels *kernels = kernels_for(epilogue);
  if (!kernels) return csk_status_unsupported_isa;
  if (!bias && !has_activation(epilogue) && epilogue->keep == 1) return csk_status_ok;
  kernels->epilogue_forward(y, channel_begin, channel_end, lanes, first_sample, bias, epilogue,
                            input);
  return csk_status_ok;
}

csk_status csk_epilogue_backward(float *gradient, const float *y, int32_t channel_begin,
                                 int32_t channel_end, int32_t lanes, int32_t live,
                                 int64_t first_sample, const csk_epilogue *epilogue,
                                 float *bias_gradient) {
  if (!block_is_valid(channel_begin, channel_end, lanes, first_sample, epilogue))
    return csk_status_invalid_argument;
  if (live < 0 || live > lanes) return csk_status_invalid_argument;
  if ((!gradient || (has_activation(epilogue) && !y)) && channel_end > channel_begin)
    return csk_status_invalid_argument;
  const csk_kernels *kernels = kernels_for(epilogue);
  if (!kernels) return csk_status_unsupported_isa;
  if (!bias_gradient && !has_activation(epilogue) && epilogue->keep == 1 && live == lanes)
    return csk_status_ok;
  kernels->epilogue_backward(gradient, y, channel_begin, channel_end, lanes, live, first_sample,
                             epilogue, bias_gradient);
  return csk_status_ok;
}
