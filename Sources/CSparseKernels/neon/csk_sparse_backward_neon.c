// neon/csk_sparse_backward_neon.c: both backward products in one walk,
//
//   dx[row]   = sum over the row's entries of weight * dy[offset]
//   dw[entry] = sum over tiles and lanes of x[row] * dy[offset].
//
// A vector of 8 lanes is two registers. dx and x of a row's tile stay in registers; each register
// of dy is loaded once and used by two FMAs. A tile too wide for that (8 vectors) reads x from
// memory. The entry's products add into eight lanes, and four entries' lanes are summed at once.
//
// Bound: the FMA peak, less the slots of the sums across lanes; dy from L1.
#include "csk_sparse_walk.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#include "csk_sparse_neon.h"

typedef struct lanes {
  float32x4_t low, high;
} lanes;

// Every entry's eight lanes add as ((a0 + a2) + (a1 + a3)) + ((a4 + a6) + (a5 + a7)), whether four
// entries are summed together or one alone: an entry's dw does not depend on its neighbours.

/// [a0 + a2, a1 + a3, b0 + b2, b1 + b3]
CSK_INLINE float32x4_t fold_pair(float32x4_t a, float32x4_t b) {
  return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
                   vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}

CSK_INLINE float32x4_t sums_of_four(lanes a, lanes b, lanes c, lanes d) {
  const float32x4_t low = vpaddq_f32(fold_pair(a.low, b.low), fold_pair(c.low, d.low));
  const float32x4_t high = vpaddq_f32(fold_pair(a.high, b.high), fold_pair(c.high, d.high));
  return vaddq_f32(low, high);
}

/// The registers of one row's tile.
typedef struct row_tile {
  const float *x;
  float32x4_t xs[16], dxs[16];
} row_tile;

/// One entry: adds to the row's dx, returns the lanes of its dw.
CSK_INLINE lanes backward_entry(row_tile *row, const float *dy, const float *weight,
                                ptrdiff_t x_row, ptrdiff_t y_row, const int vectors, const int rows,
                                const bool wants_dx, const bool holds_x) {
  const int width = 2 * vectors;  // in registers
  const float32x4_t w = wants_dx ? vld1q_dup_f32(weight) : vdupq_n_f32(0);
  float32x4_t products[2] = {vdupq_n_f32(0), vdupq_n_f32(0)};
  CSK_UNROLL
  for (int i = 0; i < rows * width; i++) {
    const float32x4_t dys = vld1q_f32(dy + i / width * x_row + i % width * 4);
    const float32x4_t xs =
        holds_x ? row->xs[i] : vld1q_f32(row->x + i / width * y_row + i % width * 4);
    if (wants_dx) row->dxs[i] = vfmaq_f32(row->dxs[i], dys, w);
    products[i % 2] = i < 2 ? vmulq_f32(xs, dys) : vfmaq_f32(products[i % 2], xs, dys);
  }
  return (lanes){products[0], products[1]};
}

/// One list row's `count` entries.
CSK_INLINE void backward_row(const csk_segment *segment, const int32_t *offsets,
                             const float *weights, uint32_t count, const float *dy, const float *x,
                             float *dx, float *dw, bool fresh, ptrdiff_t x_row, ptrdiff_t y_row,
                             const int vectors, const int rows, const bool wants_dx) {
  const bool holds_x = !wants_dx || vectors * rows <= 4;
  const int width = 2 * vectors;
  row_tile row = {.x = x};
  CSK_UNROLL
  for (int i = 0; i < rows * width; i++) {
    const ptrdiff_t place = i / width * y_row + i % width * 4;
    if (holds_x) row.xs[i] = vld1q_f32(x + place);
    if (wants_dx) row.dxs[i] = segment->starts ? vdupq_n_f32(0) : vld1q_f32(dx + place);
  }
#define ENTRY(k)                                                                              \
  backward_entry(&row, dy + offsets[k], weights + (k), x_row, y_row, vectors, rows, wants_dx, \
                 holds_x)
  uint32_t k = 0;
  for (; k + 4 <= count; k += 4) {
    const lanes a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2), d = ENTRY(k + 3);
    const float32x4_t sums = sums_of_four(a, b, c, d);
    vst1q_f32(dw + k, fresh ? sums : vaddq_f32(vld1q_f32(dw + k), sums));
  }
  for (; k < count; k++) {
    const lanes a = ENTRY(k);
    const float sum = vgetq_lane_f32(sums_of_four(a, a, a, a), 0);
    dw[k] = fresh ? sum : dw[k] + sum;
  }
#undef ENTRY
  CSK_UNROLL
  for (int i = 0; i < rows * width; i++)
    if (wants_dx) vst1q_f32(dx + i / width * y_row + i % width * 4, row.dxs[i]);
}

CSK_INLINE void backward_tile(const csk_segment *segment, const float *dy, const float *x,
                              float *dx, float *dw, bool fresh, const csk_tiles *tiles,
                              const int vectors, const int rows, const bool wants_dx) {
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    for (uint32_t i = 0; i < run->rows; i++) {
      const ptrdiff_t ahead = csk_row_ahead(segment, row_offsets);
      csk_prefetch_tile(x + ahead, tiles->y_row, vectors, rows);
      if (wants_dx) csk_prefetch_tile(dx + ahead, tiles->y_row, vectors, rows);
      const ptrdiff_t row_offset = *row_offsets++;
      backward_row(segment, offsets, weights, count, dy, x + row_offset,
                   wants_dx ? dx + row_offset : NULL, dw, fresh, tiles->x_row, tiles->y_row,
                   vectors, rows, wants_dx);
      offsets += count;
      weights += count;
      dw += count;
    }
  }
}

#define BACKWARD_TILE(vectors, rows)                                                        \
  static void backward_##vectors##x##rows(const csk_segment *segment, const float *dy,      \
                                          const float *x, float *dx, float *dw, bool fresh, \
                                          const csk_tiles *tiles) {                         \
    if (dx)                                                                                 \
      backward_tile(segment, dy, x, dx, dw, fresh, tiles, vectors, rows, true);             \
    else                                                                                    \
      backward_tile(segment, dy, x, dx, dw, fresh, tiles, vectors, rows, false);            \
  }
BACKWARD_TILE(1, 1)
BACKWARD_TILE(2, 1)
BACKWARD_TILE(4, 1)
BACKWARD_TILE(8, 1)
BACKWARD_TILE(1, 2)
BACKWARD_TILE(2, 2)
BACKWARD_TILE(4, 2)

void csk_sparse_backward_neon(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *dy, const float *x, float *dx, float *dw,
                              bool accumulate, const csk_tiles *tiles) {
  static csk_backward_tile *const kernels[] = {backward_1x1, backward_2x1, backward_4x1,
                                               backward_8x1, backward_1x2, backward_2x2,
                                               backward_4x2};
  csk_walk_backward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, dy, x, dx, dw,
                    accumulate, tiles);
}

void csk_sparse_neon(csk_kernels *kernels) {
  kernels->sparse_forward = csk_sparse_forward_neon;
  kernels->sparse_backward = csk_sparse_backward_neon;
}

#endif
