// neon/csk_unpack_neon.c: bias, ReLU and dropout after a product, and their gradients.
//
// Bounds: without dropout, bytes in the level where the activations live (8 an element forward, 12
// back); with dropout, Philox: some 120 instructions for 16 words.
#include "csk_pack_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

/// Channels that bias, ReLU and dropout go over one after the other: few enough to stay in L1.
enum { channel_block = 8 };

/// The low and high halves of the products of four words.
INLINE void multiply(uint32x4_t a, uint32_t b, uint32x4_t *low, uint32x4_t *high) {
  const uint32x4_t p0 = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vdup_n_u32(b)));
  const uint32x4_t p1 = vreinterpretq_u32_u64(vmull_high_u32(a, vdupq_n_u32(b)));
  *low = vuzp1q_u32(p0, p1);
  *high = vuzp2q_u32(p0, p1);
}

INLINE void philox_round(uint32x4_t c[4], uint32_t k0, uint32_t k1) {
  uint32x4_t low0, high0, low1, high1;
  multiply(c[0], CSK_PHILOX_M0, &low0, &high0);
  multiply(c[2], CSK_PHILOX_M1, &low1, &high1);
  c[0] = veorq_u32(veorq_u32(high1, c[1]), vdupq_n_u32(k0));
  c[1] = low1;
  c[2] = veorq_u32(veorq_u32(high0, c[3]), vdupq_n_u32(k1));
  c[3] = low0;
}

/// Moves (channel, quad) pairs on whose quad is past the end of its channel.
INLINE void carry(uint32x4_t *channel, uint32x4_t *quad, uint32x4_t quads) {
  for (;;) {
    const uint32x4_t over = vcgeq_u32(*quad, quads);
    if (vmaxvq_u32(over) == 0) return;
    *quad = vsubq_u32(*quad, vandq_u32(over, quads));
    *channel = vsubq_u32(*channel, over);
  }
}

/// Dropout over channels [begin, end), in place. A group is contiguous, so it is taken as one run
/// of quads (four samples, one counter), four at a time, whatever the number of lanes.
static void drop(float *group, int32_t begin, int32_t end, int32_t lanes, int64_t first_sample,
                 const csk_epilogue *epilogue) {
  float *values = group + (ptrdiff_t)begin * lanes;
  const ptrdiff_t count = (ptrdiff_t)(end - begin) * lanes;
  const uint32x4_t threshold = vdupq_n_u32(csk_keep_threshold(epilogue->keep));
  const float32x4_t keep = vdupq_n_f32(epilogue->keep);
  const uint32x4_t quads = vdupq_n_u32((uint32_t)lanes / 4);
  const uint32_t zero_to_three[4] = {0, 1, 2, 3};
  uint32x4_t channel = vdupq_n_u32((uint32_t)begin), quad = vld1q_u32(zero_to_three);
  for (ptrdiff_t i = 0; i < count; i += 16) {
    carry(&channel, &quad, quads);
    uint32x4_t c[4] = {channel, vaddq_u32(quad, vdupq_n_u32((uint32_t)(first_sample / 4))),
                       vdupq_n_u32((uint32_t)epilogue->dropout_stream),
                       vdupq_n_u32((uint32_t)(epilogue->dropout_stream >> 32))};
    quad = vaddq_u32(quad, vdupq_n_u32(4));
    uint32_t k0 = epilogue->dropout_key[0], k1 = epilogue->dropout_key[1];
    for (int round = 0; round < csk_philox_rounds; round++) {
      philox_round(c, k0, k1);
      k0 += CSK_PHILOX_W0;
      k1 += CSK_PHILOX_W1;
    }
    uint32_t words[16];  // counter after counter, as the samples lie
    vst4q_u32(words, ((uint32x4x4_t){{c[0], c[1], c[2], c[3]}}));
    for (int j = 0; j < 16 && i + j < count; j += 4) {
      const uint32x4_t kept = vcltq_u32(vld1q_u32(words + j), threshold);
      const uint32x4_t scaled = vreinterpretq_u32_f32(vdivq_f32(vld1q_f32(values + i + j), keep));
      vst1q_f32(values + i + j, vreinterpretq_f32_u32(vandq_u32(scaled, kept)));
    }
  }
}

/// y[c, lane] = relu(y[c, lane] + bias[c]) over channels [begin, end).
INLINE void add_bias(float *y, int32_t begin, int32_t end, int32_t lanes, const float *bias,
                     bool relu) {
  for (int32_t c = begin; c < end; c++) {
    // Without a bias -0, the one number whose addition changes nothing.
    const float32x4_t b = vdupq_n_f32(bias ? bias[c] : -0.0f);
    float *row = y + (ptrdiff_t)c * lanes;
    for (int32_t lane = 0; lane < lanes; lane += 8) {
      for (int32_t i = lane; i < lane + 8; i += 4) {
        float32x4_t v = vaddq_f32(vld1q_f32(row + i), b);
        // Not vmaxq: it makes 0 of -0, and the other instruction sets do not.
        if (relu) v = vbslq_f32(vcltzq_f32(v), vdupq_n_f32(0), v);
        vst1q_f32(row + i, v);
      }
    }
  }
}

// y[c, lane] = dropout(relu(y[c, lane] + bias[c]))
static void unpack_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                           int64_t first_sample, const float *bias, const csk_epilogue *epilogue) {
  const bool drops = epilogue->keep < 1;
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t rest = channel_end - c;
    const int32_t end = drops && rest > channel_block ? c + channel_block : channel_end;
    if (epilogue->relu) {
      add_bias(y, c, end, lanes, bias, true);
    } else if (bias) {
      add_bias(y, c, end, lanes, bias, false);
    }
    if (drops) drop(y, c, end, lanes, first_sample, epilogue);
    c = end;
  }
}

/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)), as the scalar version.
INLINE float sum_8(const float32x4_t v[2]) {
  const float32x4_t s = vaddq_f32(v[0], v[1]);
  const float32x2_t t = vadd_f32(vget_low_f32(s), vget_high_f32(s));
  return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
}

INLINE float32x4_t gradient_4(float *gradient, const float *y, uint32x4_t live, float32x4_t keep,
                              bool relu, bool divide) {
  float32x4_t g = vld1q_f32(gradient);
  if (divide) g = vdivq_f32(g, keep);
  uint32x4_t bits = vandq_u32(vreinterpretq_u32_f32(g), live);
  if (relu) bits = vbicq_u32(bits, vclezq_f32(vld1q_f32(y)));  // NaN is not <= 0: it passes
  g = vreinterpretq_f32_u32(bits);
  vst1q_f32(gradient, g);
  return g;
}

/// ReLU's and dropout's gradient, dead lanes, and bias gradient over channels [begin, end).
INLINE void pass_back(float *gradient, const float *y, int32_t begin, int32_t end, int32_t lanes,
                      int32_t live, float keep, float *bias_gradient, bool relu, bool divide) {
  const int32_t zero_to_three[4] = {0, 1, 2, 3};
  const int32x4_t numbers = vld1q_s32(zero_to_three);
  const float32x4_t k = vdupq_n_f32(keep);
  for (int32_t c = begin; c < end; c++) {
    float *g = gradient + (ptrdiff_t)c * lanes;
    const float *v = relu ? y + (ptrdiff_t)c * lanes : g;  // not read without relu
    float32x4_t sum[2] = {vdupq_n_f32(0), vdupq_n_f32(0)};
    for (int32_t lane = 0; lane < lanes; lane += 8) {
      for (int h = 0; h < 2; h++) {
        const int32_t at = lane + 4 * h;
        const uint32x4_t alive = vcltq_s32(numbers, vdupq_n_s32(live - at));
        sum[h] = vaddq_f32(sum[h], gradient_4(g + at, v + at, alive, k, relu, divide));
      }
    }
    if (bias_gradient) bias_gradient[c] += sum_8(sum);
  }
}

// gradient[c, lane] *= d dropout(relu(v)) / d v;  bias_gradient[c] += sum_lane gradient[c, lane]
static void unpack_backward(float *gradient, const float *y, int32_t channel_begin,
                            int32_t channel_end, int32_t lanes, int32_t live, int64_t first_sample,
                            const csk_epilogue *epilogue, float *bias_gradient) {
  const bool drops = epilogue->keep < 1;
  const float keep = epilogue->keep;
  if (epilogue->relu) {
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
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t rest = channel_end - c;
    const int32_t end = drops && rest > channel_block ? c + channel_block : channel_end;
    if (drops) drop(gradient, c, end, lanes, first_sample, epilogue);
    pass_back(gradient, NULL, c, end, lanes, live, keep, bias_gradient, false, false);
    c = end;
  }
}

void csk_unpack_neon(csk_kernels *kernels) {
  kernels->unpack_forward = unpack_forward;
  kernels->unpack_backward = unpack_backward;
}

#endif
