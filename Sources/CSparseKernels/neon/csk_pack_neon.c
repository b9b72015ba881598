// neon/csk_pack_neon.c: samples and bytes into groups, by transposing blocks in registers.
//
// Bound: bytes in L2: an element is 4 (or 1) read and 4 written.
#include <math.h>

#include "csk_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

/// rows[i][j] becomes rows[j][i].
INLINE void transpose_4x4(float32x4_t r[4]) {
  const float32x4x2_t a = vzipq_f32(r[0], r[2]), b = vzipq_f32(r[1], r[3]);
  const float32x4x2_t low = vzipq_f32(a.val[0], b.val[0]), high = vzipq_f32(a.val[1], b.val[1]);
  r[0] = low.val[0];
  r[1] = low.val[1];
  r[2] = high.val[0];
  r[3] = high.val[1];
}

/// Sixteen channels, or four, of all lanes; samples and target begin at the first channel.
INLINE void pack_sample_channels(const float *samples, ptrdiff_t stride, int32_t live,
                                 int32_t lanes, int32_t width, float *target) {
  for (int32_t lane = 0; lane < lanes; lane += 4) {
    for (int32_t j = 0; j < width; j += 4) {
      float32x4_t r[4];
      for (int32_t i = 0; i < 4; i++)
        r[i] = lane + i < live ? vld1q_f32(samples + (lane + i) * stride + j) : vdupq_n_f32(0);
      transpose_4x4(r);
      for (int32_t i = 0; i < 4; i++) vst1q_f32(target + (ptrdiff_t)(j + i) * lanes + lane, r[i]);
    }
  }
}

// target[c, lane] = samples[lane][c]
static void pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                         int32_t channel_begin, int32_t channel_end, int32_t lanes, float *target) {
  int32_t c = channel_begin;
  for (; c + 16 <= channel_end; c += 16)
    pack_sample_channels(live > 0 ? samples + c : NULL, sample_stride, live, lanes, 16,
                         target + (ptrdiff_t)c * lanes);
  for (; c + 4 <= channel_end; c += 4)
    pack_sample_channels(live > 0 ? samples + c : NULL, sample_stride, live, lanes, 4,
                         target + (ptrdiff_t)c * lanes);
  for (; c < channel_end; c++)
    for (int32_t lane = 0; lane < lanes; lane++)
      target[(ptrdiff_t)c * lanes + lane] = lane < live ? samples[lane * sample_stride + c] : 0;
}

/// Eight bytes of eight rows: r[i][j] becomes r[j][i].
INLINE void transpose_bytes(uint8x8_t r[8]) {
  uint8x8x2_t a[4], b[4];
  for (int i = 0; i < 4; i++) a[i] = vzip_u8(r[i], r[i + 4]);
  for (int i = 0; i < 2; i++) {
    b[i] = vzip_u8(a[i].val[0], a[i + 2].val[0]);
    b[i + 2] = vzip_u8(a[i].val[1], a[i + 2].val[1]);
  }
  for (int i = 0; i < 4; i += 2) {
    const uint8x8x2_t low = vzip_u8(b[i].val[0], b[i + 1].val[0]);
    const uint8x8x2_t high = vzip_u8(b[i].val[1], b[i + 1].val[1]);
    r[2 * i] = low.val[0];
    r[2 * i + 1] = low.val[1];
    r[2 * i + 2] = high.val[0];
    r[2 * i + 3] = high.val[1];
  }
}

INLINE void store_4(uint16x4_t bytes, float32x4_t scale, float32x4_t shift, uint32x4_t live,
                    float *target) {
  const float32x4_t v = vfmaq_f32(shift, scale, vcvtq_f32_u32(vmovl_u16(bytes)));
  vst1q_f32(target, vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), live)));
}

// target[c, lane] = scale * bytes[rows[lane]][c] + shift
static void pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                       int32_t live, float scale, float shift, int32_t channel_begin,
                       int32_t channel_end, int32_t lanes, float *target) {
  const int32_t zero_to_three[4] = {0, 1, 2, 3};
  const int32x4_t numbers = vld1q_s32(zero_to_three);
  const float32x4_t factor = vdupq_n_f32(scale), term = vdupq_n_f32(shift);
  for (int32_t lane = 0; lane < lanes; lane += 8) {
    // The next eight rows are asked for while these are converted: rows are scattered over a data
    // set much larger than the caches.
    const int32_t next = lane + 16 < live ? 8 : live - lane - 8;
    const uint32x4_t alive[2] = {vcltq_s32(numbers, vdupq_n_s32(live - lane)),
                                 vcltq_s32(numbers, vdupq_n_s32(live - lane - 4))};
    int32_t c = channel_begin;
    for (; c + 8 <= channel_end; c += 8) {
      if ((c - channel_begin) % 64 == 0)
        for (int32_t i = 0; i < next; i++)
          __builtin_prefetch(bytes + rows[lane + 8 + i] * sample_stride + c);
      uint8x8_t r[8];
      for (int32_t i = 0; i < 8; i++)
        r[i] = lane + i < live ? vld1_u8(bytes + rows[lane + i] * sample_stride + c) : vdup_n_u8(0);
      transpose_bytes(r);
      for (int32_t j = 0; j < 8; j++) {
        float *to = target + (ptrdiff_t)(c + j) * lanes + lane;
        const uint16x8_t wide = vmovl_u8(r[j]);
        store_4(vget_low_u16(wide), factor, term, alive[0], to);
        store_4(vget_high_u16(wide), factor, term, alive[1], to + 4);
      }
    }
    for (; c < channel_end; c++)
      for (int32_t i = lane; i < lane + 8; i++)
        target[(ptrdiff_t)c * lanes + i] =
            i < live ? fmaf(scale, bytes[rows[i] * sample_stride + c], shift) : 0;
  }
}

void csk_pack_neon(csk_kernels *kernels) {
  kernels->pack_samples = pack_samples;
  kernels->pack_bytes = pack_bytes;
}

#endif
