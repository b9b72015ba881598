// scalar/csk_epilogue_scalar.c: bias, activation and dropout after a product, and their gradients.
#include "csk_activation_internal.h"
#include "csk_epilogue_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

static void quad_words(int32_t c, int64_t quad, const csk_epilogue *epilogue, uint32_t words[4]) {
  const uint32_t counter[4] = {(uint32_t)c, (uint32_t)quad, (uint32_t)epilogue->dropout_stream,
                               (uint32_t)(epilogue->dropout_stream >> 32)};
  csk_philox4x32(counter, epilogue->dropout_key, words);
}

/// The words of samples [sample, sample + 4) of channel c; sample is a multiple of 4.
static void dropout_words(int32_t c, int64_t sample, const csk_epilogue *epilogue,
                          uint32_t words[4]) {
  if (!epilogue->places) {
    quad_words(c, sample / 4, epilogue, words);
    return;
  }
  for (int32_t i = 0; i < 4; i++) {
    const int32_t place = epilogue->places[sample + i];
    uint32_t quad[4];
    quad_words(c, place / 4, epilogue, quad);
    words[i] = quad[place % 4];
  }
}

// y[c, lane] = dropout(f(y[c, lane] + bias[c]))
static void epilogue_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                             int64_t first_sample, const float *bias, const csk_epilogue *epilogue,
                             float *input) {
  const float keep = epilogue->keep;
  const uint32_t threshold = keep < 1 ? csk_keep_threshold(keep) : 0;
  const bool keeps_input = input && csk_activation_needs_input(epilogue->activation);
  for (int32_t c = channel_begin; c < channel_end; c++) {
    for (int32_t quad = 0; quad < lanes; quad += 4) {
      float *yc = y + (ptrdiff_t)c * lanes + quad;
      uint32_t words[4];
      if (keep < 1) dropout_words(c, first_sample + quad, epilogue, words);
      for (int32_t i = 0; i < 4; i++) {
        float v = yc[i];
        if (bias) v += bias[c];
        if (keeps_input) input[(ptrdiff_t)c * lanes + quad + i] = v;
        v = csk_activation_value(epilogue->activation, v);
        if (keep < 1) v = words[i] < threshold ? v / keep : 0;
        yc[i] = v;
      }
    }
  }
}

// gradient[c, lane] *= d dropout(f(v)) / d v;  bias_gradient[c] += sum_lane gradient[c, lane]
static void epilogue_backward(float *gradient, const float *y, int32_t channel_begin,
                              int32_t channel_end, int32_t lanes, int32_t live,
                              int64_t first_sample, const csk_epilogue *epilogue,
                              float *bias_gradient) {
  const float keep = epilogue->keep;
  const csk_activation activation = epilogue->activation;
  const bool needs_input = csk_activation_needs_input(activation);
  const uint32_t threshold = keep < 1 ? csk_keep_threshold(keep) : 0;
  for (int32_t c = channel_begin; c < channel_end; c++) {
    float *row = gradient + (ptrdiff_t)c * lanes;
    for (int32_t quad = 0; quad < lanes; quad += 4) {
      uint32_t words[4];
      if (keep < 1) dropout_words(c, first_sample + quad, epilogue, words);
      for (int32_t lane = quad; lane < quad + 4; lane++) {
        float g = row[lane];
        if (keep < 1) g = words[lane - quad] < threshold ? g / keep : 0;
        if (activation.kind != csk_activation_identity) {
          const float v = y[(ptrdiff_t)c * lanes + lane];
          g = csk_activation_product(activation, g, needs_input || keep == 1 ? v : v * keep);
        }
        row[lane] = lane < live ? g : 0;
      }
    }
    if (bias_gradient) bias_gradient[c] += csk_sum_lanes(row, lanes);
  }
}

void csk_epilogue_scalar(csk_kernels *kernels) {
  kernels->epilogue_forward = epilogue_forward;
  kernels->epilogue_backward = epilogue_backward;
}
