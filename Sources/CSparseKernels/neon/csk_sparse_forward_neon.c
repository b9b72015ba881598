// neon/csk_sparse_forward_neon.c: y[row] = sum over the row's entries of weight * x[offset].
//
// A tile of y stays in registers while its row's entries stream past; a vector of 8 lanes is two
// registers. Rows of a run have equal counts, so narrow tiles take several rows at once, which
// gives the FMAs sixteen independent chains and leaves every row's order of summation as it is.
//
// Bound: one 16-byte load an FMA; cores with fewer loads than FMAs a cycle are bound by the loads.
#include "csk_sparse_walk.h"

#if CSK_ARCH_AARCH64
#include <arm_neon.h>

#include "csk_sparse_neon.h"

enum { chains = 16 };  // FMA latency 4, up to four a cycle

/// The sums of one list row, whose tile is at y + row_offset, through the epilogue to there.
CSK_INLINE void store_row(const float32x4_t *sums, float *y, int32_t row_offset, ptrdiff_t y_row,
                          const int width, const int size, const csk_row_epilogue *epilogue) {
  const float32x4_t bias = vdupq_n_f32(epilogue ? csk_bias_at(epilogue, row_offset) : 0);
  const float32x4_t least = vdupq_n_f32(epilogue ? csk_epilogue_floor(epilogue) : 0);
  CSK_UNROLL
  for (int i = 0; i < size; i++) {
    float32x4_t v = sums[i];
    if (epilogue) {
      v = vaddq_f32(v, bias);
      // Not vmaxq: it makes 0 of -0, and the other instruction sets do not.
      v = vbslq_f32(vcltq_f32(v, least), least, v);
    }
    vst1q_f32(y + row_offset + i / width * y_row + i % width * 4, v);
  }
}

/// `group` list rows with `count` entries each, at the same tile of `vectors` * `rows` * 8 lanes.
CSK_INLINE void forward_rows(const csk_segment *segment, const int32_t *row_offsets,
                             const int32_t *offsets, const float *weights, uint32_t count,
                             const float *x, float *y, ptrdiff_t x_row, ptrdiff_t y_row,
                             const int vectors, const int rows, const int group,
                             const csk_row_epilogue *epilogue) {
  const int width = 2 * vectors, size = rows * width;  // in registers
  float32x4_t sums[chains];                            // [list row][tile row][register]
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    float *ys = y + row_offsets[g];
    csk_prefetch_tile(y + csk_row_ahead(segment, row_offsets + g), y_row, vectors, rows);
    CSK_UNROLL
    for (int i = 0; i < size; i++)
      sums[g * size + i] =
          segment->starts ? vdupq_n_f32(0) : vld1q_f32(ys + i / width * y_row + i % width * 4);
  }
  for (uint32_t k = 0; k < count; k++) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const float32x4_t weight = vld1q_dup_f32(weights + (size_t)g * count + k);
      const float *xs = x + offsets[(size_t)g * count + k];
      CSK_UNROLL
      for (int i = 0; i < size; i++)
        sums[g * size + i] = vfmaq_f32(sums[g * size + i],
                                       vld1q_f32(xs + i / width * x_row + i % width * 4), weight);
    }
  }
  CSK_UNROLL
  for (int g = 0; g < group; g++)
    store_row(sums + g * size, y, row_offsets[g], y_row, width, size, epilogue);
}

CSK_INLINE void forward_tile(const csk_segment *segment, const float *x, float *y,
                             const csk_tiles *tiles, const int vectors, const int rows,
                             const csk_row_epilogue *epilogue) {
  const int fitting = chains / (2 * vectors * rows), group = fitting < 4 ? fitting : 4;
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    uint32_t i = 0;
    for (; group > 1 && i + group <= run->rows; i += group) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, vectors, rows,
                   group, epilogue);
      row_offsets += group;
      offsets += (size_t)group * count;
      weights += (size_t)group * count;
    }
    for (; i < run->rows; i++) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, vectors, rows,
                   1, epilogue);
      row_offsets++;
      offsets += count;
      weights += count;
    }
  }
}

#define FORWARD_TILE(vectors, rows)                                                            \
  static void forward_##vectors##x##rows(const csk_segment *segment, const float *x, float *y, \
                                         const csk_tiles *tiles,                               \
                                         const csk_row_epilogue *epilogue) {                   \
    forward_tile(segment, x, y, tiles, vectors, rows, epilogue);                               \
  }
FORWARD_TILE(1, 1)
FORWARD_TILE(2, 1)
FORWARD_TILE(4, 1)
FORWARD_TILE(8, 1)
FORWARD_TILE(1, 2)
FORWARD_TILE(2, 2)
FORWARD_TILE(4, 2)

void csk_sparse_forward_neon(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                             const float *x, float *y, const csk_tiles *tiles,
                             const csk_row_epilogue *epilogue) {
  static csk_forward_tile *const kernels[] = {forward_1x1, forward_2x1, forward_4x1, forward_8x1,
                                              forward_1x2, forward_2x2, forward_4x2};
  csk_walk_forward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, x, y, tiles,
                   epilogue);
}

#endif
