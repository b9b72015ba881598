// neon/csk_measure_neon.c: x = multiplier x + addend in twenty-four chains of four lanes, and
// reading and copying eight vectors at a time.
//
// Bound of each: itself. Four units of latency four need sixteen chains, and thirty-two registers
// hold more; reading does one cheap operation a load.
#include "csk_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

enum { lanes = 4, chains = 24 };

static int64_t measure_fma(int64_t iterations, float multiplier, float addend, float *sum) {
  static const float steps[lanes] = {0, 1, 2, 3};
  const float32x4_t m = vdupq_n_f32(multiplier), a = vdupq_n_f32(addend);
  float32x4_t x[chains];
  for (int c = 0; c < chains; c++)
    x[c] = vaddq_f32(vdupq_n_f32((float)(lanes * c)), vld1q_f32(steps));
  for (int64_t i = 0; i < iterations; i++)
    for (int c = 0; c < chains; c++) x[c] = vfmaq_f32(a, x[c], m);
  *sum = 0;
  for (int c = 0; c < chains; c++) {
    float four[lanes];
    vst1q_f32(four, x[c]);
    for (int lane = 0; lane < lanes; lane++) *sum += four[lane];
  }
  return lanes * chains;
}

static uint32_t measure_read(const float *values, int64_t count) {
  uint32x4_t bits[8];
  for (int v = 0; v < 8; v++) bits[v] = vdupq_n_u32(0);
  int64_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (int v = 0; v < 8; v++)
      bits[v] = veorq_u32(bits[v], vreinterpretq_u32_f32(vld1q_f32(values + i + 4 * v)));
  for (int v = 1; v < 8; v++) bits[0] = veorq_u32(bits[0], bits[v]);
  uint32_t four[lanes], joined = 0;
  vst1q_u32(four, bits[0]);
  for (int lane = 0; lane < lanes; lane++) joined ^= four[lane];
  for (; i < count; i++) joined ^= vget_lane_u32(vreinterpret_u32_f32(vld1_dup_f32(values + i)), 0);
  return joined;
}

static void measure_copy(const float *source, float *target, int64_t count) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (int v = 0; v < 8; v++) vst1q_f32(target + i + 4 * v, vld1q_f32(source + i + 4 * v));
  for (; i < count; i++) target[i] = source[i];
}

void csk_measure_neon(csk_kernels *kernels) {
  kernels->measure_fma = measure_fma;
  kernels->measure_read = measure_read;
  kernels->measure_copy = measure_copy;
}
#endif
