// neon/csk_dropout_neon.h: dropout by Philox, four counters at a time. Bound: some 120 instructions
// for 16 words.
#ifndef CSK_DROPOUT_NEON_H
#define CSK_DROPOUT_NEON_H

#include "../csk_epilogue_internal.h"
#include "../vector/csk_vector_neon.h"

/// The low and high halves of the products of four words.
CSK_TARGET CSK_INLINE void multiply(uint32x4_t a, uint32_t b, uint32x4_t *low, uint32x4_t *high) {
  const uint32x4_t p0 = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vdup_n_u32(b)));
  const uint32x4_t p1 = vreinterpretq_u32_u64(vmull_high_u32(a, vdupq_n_u32(b)));
  *low = vuzp1q_u32(p0, p1);
  *high = vuzp2q_u32(p0, p1);
}

CSK_TARGET CSK_INLINE void philox_round(uint32x4_t c[4], uint32_t k0, uint32_t k1) {
  uint32x4_t low0, high0, low1, high1;
  multiply(c[0], CSK_PHILOX_M0, &low0, &high0);
  multiply(c[2], CSK_PHILOX_M1, &low1, &high1);
  c[0] = veorq_u32(veorq_u32(high1, c[1]), vdupq_n_u32(k0));
  c[1] = low1;
  c[2] = veorq_u32(veorq_u32(high0, c[3]), vdupq_n_u32(k1));
  c[3] = low0;
}

/// Moves (channel, quad) pairs on whose quad is past the end of its channel.
CSK_TARGET CSK_INLINE void carry(uint32x4_t *channel, uint32x4_t *quad, uint32x4_t quads) {
  for (;;) {
    const uint32x4_t over = vcgeq_u32(*quad, quads);
    if (vmaxvq_u32(over) == 0) return;
    *quad = vsubq_u32(*quad, vandq_u32(over, quads));
    *channel = vsubq_u32(*channel, over);
  }
}

/// Nothing is worth preparing.
typedef csk_epilogue csk_dropout;

CSK_TARGET CSK_INLINE csk_dropout csk_prepare_dropout(const csk_epilogue *epilogue) {
  return *epilogue;
}

/// Dropout over channels [begin, end), in place. A group is contiguous, so it is taken as one run
/// of quads (four samples, one counter), four at a time, whatever the number of lanes.
static void csk_drop(float *group, int32_t begin, int32_t end, int32_t lanes, int64_t first_sample,
                     const csk_dropout *epilogue) {
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

#endif
