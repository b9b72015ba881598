// csk_planes_internal.h: what the plane family's files share among themselves.
#ifndef CSK_PLANES_INTERNAL_H
#define CSK_PLANES_INTERNAL_H

#include <math.h>

#include "csk_internal.h"

/// Columns [first, end) of a stored phase hold elements of a row; the others are padding.
typedef struct csk_phase_span {
  int32_t first, end;
} csk_phase_span;

/// Column j of phase p is padded column j * stride + p; elements are [before, before + width).
static inline csk_phase_span csk_span_of_phase(const csk_row_layout *layout, int32_t width,
                                               int32_t phase) {
  const int64_t stride = layout->stride, begin = (int64_t)layout->before - phase;
  const int64_t first = begin > 0 ? (begin + stride - 1) / stride : 0;
  const int64_t stop = begin + width;
  const int64_t end = stop > 0 ? (stop + stride - 1) / stride : 0;
  const int64_t columns = layout->columns;
  return (csk_phase_span){(int32_t)(first < columns ? first : columns),
                          (int32_t)(end < columns ? end : columns)};
}

/// Where the elements of a row lie in scratch, walked from x = 0 on: `offset` from the channel's
/// own, valid while csk_is_stored.
typedef struct csk_layout_walk {
  int32_t phase, column;
  ptrdiff_t offset;
} csk_layout_walk;

static inline csk_layout_walk csk_walk_start(const csk_row_layout *layout) {
  const int32_t phase = layout->before % layout->stride, column = layout->before / layout->stride;
  return (csk_layout_walk){phase, column,
                           phase * layout->phase_stride + (ptrdiff_t)column * csk_plane_lanes};
}

static inline bool csk_is_stored(const csk_layout_walk *walk, const csk_row_layout *layout) {
  return walk->phase < layout->phases && walk->column < layout->columns;
}

static inline void csk_walk_on(csk_layout_walk *walk, const csk_row_layout *layout) {
  walk->phase++;
  walk->offset += layout->phase_stride;
  if (walk->phase < layout->stride) return;
  walk->phase = 0;
  walk->column++;
  walk->offset += csk_plane_lanes - layout->stride * layout->phase_stride;
}

/// Sums of a row: even and odd columns apart, each lane apart; then even and odd are added, and
/// lanes as ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)). Every instruction set keeps to it.
typedef struct csk_row_sum {
  float partial[2][csk_plane_lanes];
} csk_row_sum;

static inline float csk_row_total(const csk_row_sum *sum) {
  float lanes[csk_plane_lanes];
  for (int i = 0; i < csk_plane_lanes; i++) lanes[i] = sum->partial[0][i] + sum->partial[1][i];
  for (int half = csk_plane_lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

/// sums[c] += {sum result, sum result (x - mean[c])} for channel c of a row
static inline void csk_add_row_sums(const float *result, const float *x, const float *mean,
                                    int32_t c, int32_t width, double (*sums)[2]) {
  csk_row_sum sum = {0}, products = {0};
  for (int32_t j = 0; j < width; j++) {
    for (int32_t lane = 0; lane < csk_plane_lanes; lane++) {
      const ptrdiff_t at = ((ptrdiff_t)c * width + j) * csk_plane_lanes + lane;
      sum.partial[j % 2][lane] += result[at];
      float *product = &products.partial[j % 2][lane];
      *product = fmaf(result[at], x[at] - mean[c], *product);
    }
  }
  sums[c][0] += (double)csk_row_total(&sum);
  sums[c][1] += (double)csk_row_total(&products);
}

/// Without scale and shift x itself: -0 is the one number whose addition changes nothing.
static inline float csk_scale_of(const float *scale, int32_t c) {
  return scale ? scale[c] : 1;
}
static inline float csk_shift_of(const float *shift, int32_t c) {
  return shift ? shift[c] : -0.0f;
}

#endif
