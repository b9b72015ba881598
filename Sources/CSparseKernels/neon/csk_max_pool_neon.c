// neon/csk_max_pool_neon.c: the largest of each window, a column's 8 lanes at once.
//
// Bound: bytes moved over the bandwidth of memory; half a column of an element in L1 costs a load,
// two comparisons, their combination and two selections.
#include "csk_windows_internal.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#define CSK_INLINE static inline __attribute__((always_inline))

enum { lanes = csk_plane_lanes, half = lanes / 2 };

/// The best so far and its index within the window, for half the lanes.
typedef struct largest {
  float32x4_t value;
  uint32x4_t index;
} largest;

/// Takes v where it is larger, or NaN and the best is none: ties stay and NaN wins once.
CSK_INLINE void take_larger(largest *best, float32x4_t v, uint32x4_t index) {
  const uint32x4_t larger =
      vbicq_u32(vceqq_f32(best->value, best->value), vcleq_f32(v, best->value));
  best->value = vbslq_f32(larger, v, best->value);
  best->index = vbslq_u32(larger, index, best->index);
}

/// The window of `rows` from `first_row` on, whose first element lies at `place` in each.
CSK_INLINE void largest_of_window(const float *const *rows, int32_t first_row,
                                  const csk_window_span *span, int32_t kernel, ptrdiff_t place,
                                  largest best[2]) {
  const uint32x4_t one = vdupq_n_u32(1);
  // The first element is compared with itself, which changes nothing.
  for (int i = 0; i < 2; i++)
    best[i] = (largest){vld1q_f32(rows[first_row] + place + i * half),
                        vdupq_n_u32((uint32_t)(first_row * kernel + span->first))};
  for (int32_t r = first_row; r < kernel; r++) {
    if (!rows[r]) continue;
    const float *row = rows[r] + place;
    uint32x4_t index = vdupq_n_u32((uint32_t)(r * kernel + span->first));
    for (int32_t q = span->first; q < span->end; q++, row += lanes) {
      take_larger(&best[0], vld1q_f32(row), index);
      take_larger(&best[1], vld1q_f32(row + half), index);
      index = vaddq_u32(index, one);
    }
  }
}

static void max_pool_row(const float *const *rows, int32_t channels, int32_t width,
                         int32_t out_width, const csk_window *window, float *y, uint8_t *indices) {
  int32_t first_row = 0;
  while (!rows[first_row]) first_row++;
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++) {
      const csk_window_span span = csk_span_of_window(window, width, o);
      const ptrdiff_t place = ((ptrdiff_t)c * width + span.origin + span.first) * lanes;
      const ptrdiff_t result = ((ptrdiff_t)c * out_width + o) * lanes;
      largest best[2];
      largest_of_window(rows, first_row, &span, window->kernel, place, best);
      vst1q_f32(y + result, best[0].value);
      vst1q_f32(y + result + half, best[1].value);
      if (!indices) continue;
      const uint16x8_t words = vcombine_u16(vmovn_u32(best[0].index), vmovn_u32(best[1].index));
      vst1_u8(indices + result, vmovn_u16(words));
    }
  }
}

void csk_max_pool_neon(csk_kernels *kernels) {
  kernels->max_pool_row = max_pool_row;
}
#endif
