// avx512/csk_sparse_forward_avx512.c: y[row] = sum over the row's entries of weight * x[offset].
//
// As the AVX2 kernel, with two vectors of 8 lanes to a register: a tile of y stays in registers
// while its row's entries stream past, and narrow tiles take several rows of a run at once.
//
// Bound: one 64-byte load an FMA, and one broadcast an entry.
#include "csk_sparse_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "avx2/csk_sparse_avx2.h"
#include "csk_sparse_avx512.h"

#ifndef FCHAINS
#define FCHAINS 8
#endif
enum { chains = FCHAINS };

/// `group` list rows with `count` entries each, at the same tile of `rows` rows of `wide` * 16
/// lanes.
CSK_TARGET_AVX512 CSK_INLINE void forward_rows(const csk_segment *segment,
                                               const int32_t *row_offsets, const int32_t *offsets,
                                               const float *weights, uint32_t count, const float *x,
                                               float *y, ptrdiff_t x_row, ptrdiff_t y_row,
                                               const int wide, const int rows, const int group) {
  __m512 sums[chains];  // [list row][tile row][register]
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    float *ys = y + row_offsets[g];
    csk_prefetch_tile(y + csk_row_ahead(segment, row_offsets + g), y_row, 2 * wide, rows);
    CSK_UNROLL
    for (int i = 0; i < rows * wide; i++)
      sums[g * rows * wide + i] = segment->starts
                                      ? _mm512_setzero_ps()
                                      : _mm512_loadu_ps(ys + i / wide * y_row + i % wide * 16);
  }
  for (uint32_t k = 0; k < count; k++) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const __m512 weight = _mm512_set1_ps(weights[(size_t)g * count + k]);
      const float *xs = x + offsets[(size_t)g * count + k];
      CSK_UNROLL
      for (int i = 0; i < rows * wide; i++)
        sums[g * rows * wide + i] =
            _mm512_fmadd_ps(weight, _mm512_loadu_ps(xs + i / wide * x_row + i % wide * 16),
                            sums[g * rows * wide + i]);
    }
  }
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    float *ys = y + row_offsets[g];
    CSK_UNROLL
    for (int i = 0; i < rows * wide; i++)
      _mm512_storeu_ps(ys + i / wide * y_row + i % wide * 16, sums[g * rows * wide + i]);
  }
}

CSK_TARGET_AVX512 CSK_INLINE void forward_tile(const csk_segment *segment, const float *x, float *y,
                                               const csk_tiles *tiles, const int wide,
                                               const int rows) {
  const int group = chains / (wide * rows) < 4 ? chains / (wide * rows) : 4;
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    uint32_t i = 0;
    for (; group > 1 && i + group <= run->rows; i += group) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, wide, rows,
                   group);
      row_offsets += group;
      offsets += (size_t)group * count;
      weights += (size_t)group * count;
    }
    for (; i < run->rows; i++) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, wide, rows,
                   1);
      row_offsets++;
      offsets += count;
      weights += count;
    }
  }
}

#define FORWARD_TILE(vectors, rows)                                                   \
  CSK_TARGET_AVX512 static void forward_##vectors##x##rows(                           \
      const csk_segment *segment, const float *x, float *y, const csk_tiles *tiles) { \
    forward_tile(segment, x, y, tiles, vectors / 2, rows);                            \
  }
FORWARD_TILE(2, 1)
FORWARD_TILE(4, 1)
FORWARD_TILE(8, 1)
FORWARD_TILE(2, 2)
FORWARD_TILE(4, 2)

void csk_sparse_forward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *x, float *y, const csk_tiles *tiles) {
  // One vector of 8 lanes fills half a register: nothing to gain over AVX2.
  if (tiles->vectors == 1) {
    csk_sparse_forward_avx2(list, slab_begin, slab_end, x, y, tiles);
    return;
  }
  static csk_forward_tile *const kernels[] = {NULL, forward_2x1, forward_4x1, forward_8x1,
                                              NULL, forward_2x2, forward_4x2};
  csk_walk_forward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, x, y, tiles);
}

#endif
