// neon/csk_select_neon.c: filter(value) = key(value) passes the cut, four values at a time; the
// few that pass are appended one by one. Bound: the bytes of the values / the bandwidth of where
// they are.
#include "csk_select_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

// Appends the values whose keys are greater than `cut`; returns the number of NaNs.
static int64_t filter_above(csk_selection *selection, const float *values, int64_t count,
                            int64_t position, int32_t cut) {
  const csk_key_rule rule = csk_key_rule_of(selection->order);
  const uint32x4_t magnitude = vdupq_n_u32(0x7fffffff);
  const uint32x4_t flip = vdupq_n_u32(rule.flip), shift = vdupq_n_u32(rule.shift);
  const int32x4_t lowest = vdupq_n_s32((int32_t)csk_key_lowest), least = vdupq_n_s32(cut);
  uint32_t *keys = selection->keys;
  int64_t *positions = selection->positions;
  int64_t candidates = selection->count, i = 0;
  uint32x4_t nans = vdupq_n_u32(0);
  for (; i + 4 <= count; i += 4) {
    const uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(values + i));
    const uint32x4_t key = vaddq_u32(veorq_u32(vandq_u32(bits, magnitude), flip), shift);
    nans = vsubq_u32(nans, vcltq_s32(vreinterpretq_s32_u32(key), lowest));
    const uint32x4_t pass = vcgtq_s32(vreinterpretq_s32_u32(key), least);
    if (vmaxvq_u32(pass) == 0) continue;
    uint32_t four[4], passes[4];
    vst1q_u32(four, key);
    vst1q_u32(passes, pass);
    for (int lane = 0; lane < 4; lane++) {
      keys[candidates] = four[lane];
      positions[candidates] = position + i + lane;
      candidates += passes[lane] & 1;
    }
  }
  int64_t found = (int64_t)vaddlvq_u32(nans);
  for (; i < count; i++) {
    const int32_t key = csk_key_of(rule, values[i]);
    found += key < (int32_t)csk_key_lowest;
    keys[candidates] = (uint32_t)key;
    positions[candidates] = position + i;
    candidates += key > cut;
  }
  selection->count = candidates;
  return found;
}

static int64_t filter(csk_selection *selection, const float *values, int64_t count,
                      int64_t first_position) {
  return csk_filter_by(filter_above, selection, values, count, first_position);
}

void csk_select_neon(csk_kernels *kernels) {
  kernels->select_filter = filter;
  // Counting is vectorised by the compiler; keeping is bound by its stores.
}
#endif
