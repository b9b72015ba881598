// bodies/csk_epilogue_body.h: bias, activation and dropout after a product, and their gradients.
//
// Bounds: without dropout, bytes in the level where the activations live (8 an element forward, 12
// back); with dropout, Philox, which each instruction set has in a header of its own: csk_dropout,
// csk_prepare_dropout, csk_drop.
#include <string.h>

#include "../csk_epilogue_internal.h"

/// Channels that bias, activation and dropout go over one after the other: few enough to stay in
/// L1.
enum { channel_block = 8 };

CSK_TARGET CSK_INLINE void add_bias_8(float *y, csk_v bias, bool relu) {
  const csk_v v = csk_plus(csk_load(y), bias);
  csk_store(y, relu ? csk_relu(v) : v);
}

/// y[c, lane] = relu(y[c, lane] + bias[c]) over channels [begin, end).
CSK_TARGET CSK_INLINE void add_bias(float *y, int32_t begin, int32_t end, int32_t lanes,
                                    const float *bias, bool relu) {
  for (int32_t c = begin; c < end; c++) {
    // Without a bias -0, the one number whose addition changes nothing.
    const csk_v b = csk_all(bias ? bias[c] : -0.0f);
    float *row = y + (ptrdiff_t)c * lanes;
    int32_t lane = 0;
    for (; lane + 32 <= lanes; lane += 32) {
      add_bias_8(row + lane, b, relu);
      add_bias_8(row + lane + 8, b, relu);
      add_bias_8(row + lane + 16, b, relu);
      add_bias_8(row + lane + 24, b, relu);
    }
    for (; lane < lanes; lane += 8) add_bias_8(row + lane, b, relu);
  }
}

/// y = f(y) for `count` values that are in L1, where f is a pass of its own; their inputs to
/// `input`.
CSK_NOINLINE void activate_block(const csk_epilogue *epilogue, float *y, int64_t count,
                                 float *input) {
  if (input && csk_activation_needs_input(epilogue->activation))
    memcpy(input, y, (size_t)count * sizeof *y);
  activate(epilogue->activation, y, count);
}

// y[c, lane] = dropout(f(y[c, lane] + bias[c]))
CSK_TARGET
static void epilogue_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                             int64_t first_sample, const float *bias, const csk_epilogue *epilogue,
                             float *input) {
  const bool drops = epilogue->keep < 1;
  const bool relu = epilogue->activation.kind == csk_activation_relu;
  const bool has_pass = csk_activation_has_pass(epilogue->activation);
  csk_dropout d;
  if (drops) d = csk_prepare_dropout(epilogue);
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t rest = channel_end - c;
    const int32_t end =
        (drops || has_pass) && rest > channel_block ? c + channel_block : channel_end;
    if (relu) {
      add_bias(y, c, end, lanes, bias, true);
    } else if (bias) {
      add_bias(y, c, end, lanes, bias, false);
    }
    if (has_pass) {
      const ptrdiff_t first = (ptrdiff_t)c * lanes;
      activate_block(epilogue, y + first, (int64_t)(end - c) * lanes, input ? input + first : NULL);
    }
    if (drops) csk_drop(y, c, end, lanes, first_sample, &d);
    c = end;
  }
}

CSK_TARGET CSK_INLINE csk_v gradient_8(float *gradient, const float *y, csk_mask live, csk_v keep,
                                       bool relu, bool divide) {
  csk_v g = csk_load(gradient);
  if (divide) g = csk_over(g, keep);
  if (relu) g = csk_where_active(g, csk_load(y));
  g = csk_only(g, live);
  csk_store(gradient, g);
  return g;
}

/// ReLU's and dropout's gradient, dead lanes, and bias gradient over channels [begin, end).
CSK_TARGET CSK_INLINE void pass_back(float *gradient, const float *y, int32_t begin, int32_t end,
                                     int32_t lanes, int32_t live, float keep, float *bias_gradient,
                                     bool relu, bool divide) {
  const csk_mask all = csk_every(), some = csk_first(live % csk_lanes);
  const csk_v k = csk_all(keep);
  for (int32_t c = begin; c < end; c++) {
    float *g = gradient + (ptrdiff_t)c * lanes;
    const float *v = relu ? y + (ptrdiff_t)c * lanes : g;  // not read without relu
    csk_v sum = csk_zero();
    int32_t lane = 0;
    for (; lane + 8 <= live; lane += 8)
      sum = csk_plus(sum, gradient_8(g + lane, v + lane, all, k, relu, divide));
    if (lane < live) {
      sum = csk_plus(sum, gradient_8(g + lane, v + lane, some, k, relu, divide));
      lane += 8;
    }
    for (; lane < lanes; lane += 8) csk_store(g + lane, csk_zero());
    if (bias_gradient) bias_gradient[c] += csk_total(sum);
  }
}

/// gradient *= f' for `count` values, where f is a pass of its own. A result that was kept by
/// dropout is brought back to the function's.
CSK_TARGET CSK_NOINLINE void activation_back(const csk_epilogue *epilogue, float *gradient,
                                             const float *y, int64_t count) {
  const csk_activation activation = epilogue->activation;
  if (epilogue->keep == 1 || csk_activation_needs_input(activation))
    return activate_gradient(activation, gradient, y, count);
  enum { block = 8 * csk_lanes };
  const csk_v keep = csk_all(epilogue->keep);
  for (int64_t first = 0; first < count; first += block) {
    const int64_t end = count - first < block ? count - first : block;
    float values[block];
    for (int64_t i = 0; i < end; i += csk_lanes)
      csk_store(values + i, csk_times(csk_load(y + first + i), keep));
    activate_gradient(activation, gradient + first, values, end);
  }
}

// gradient[c, lane] *= d dropout(f(v)) / d v;  bias_gradient[c] += sum_lane gradient[c, lane]
CSK_TARGET
static void epilogue_backward(float *gradient, const float *y, int32_t channel_begin,
                              int32_t channel_end, int32_t lanes, int32_t live,
                              int64_t first_sample, const csk_epilogue *epilogue,
                              float *bias_gradient) {
  const bool drops = epilogue->keep < 1;
  const float keep = epilogue->keep;
  if (epilogue->activation.kind == csk_activation_relu) {
    // What was dropped is 0 in y, where ReLU's gradient is 0 anyway: no need for the mask.
    if (drops) {
      pass_back(gradient, y, channel_begin, channel_end, lanes, live, keep, bias_gradient, true,
                true);
    } else {
      pass_back(gradient, y, channel_begin, channel_end, lanes, live, keep, bias_gradient, true,
                false);
    }
    return;
  }
  const bool has_pass = csk_activation_has_pass(epilogue->activation);
  csk_dropout d;
  if (drops) d = csk_prepare_dropout(epilogue);
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t rest = channel_end - c;
    const int32_t end =
        (drops || has_pass) && rest > channel_block ? c + channel_block : channel_end;
    if (drops) csk_drop(gradient, c, end, lanes, first_sample, &d);
    if (has_pass) {
      const ptrdiff_t first = (ptrdiff_t)c * lanes;
      activation_back(epilogue, gradient + first, y + first, (end - c) * (int64_t)lanes);
    }
    pass_back(gradient, NULL, c, end, lanes, live, keep, bias_gradient, false, false);
    c = end;
  }
}

static void register_epilogue(csk_kernels *kernels) {
  kernels->epilogue_forward = epilogue_forward;
  kernels->epilogue_backward = epilogue_backward;
}
