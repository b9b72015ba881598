// avx512/csk_sparse_forward_avx512.c: y[row] = sum over the row's entries of weight * x[offset].
//
// As the AVX2 kernel, with two vectors of 8 lanes to a register: a tile of y stays in registers
// while its row's entries stream past. Rows go one at a time: they are short enough for the CPU to
// overlap them by itself, and taking several at once was 2 to 6 % slower.
//
// Bound: one 64-byte load an FMA, one of either a cycle, and a broadcast an entry: 2/3 (2
// registers) to 4/5 (4 registers) of the FMA peak while x lies in L1, less where loads cross cache
// lines: every second one where tiles begin at any multiple of 8 lanes, as in planes.
#include "csk_sparse_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "avx2/csk_sparse_avx2.h"
#include "csk_sparse_avx512.h"

/// One segment at one tile of `rows` rows of `wide` * 16 lanes.
CSK_TARGET_AVX512 CSK_INLINE void forward_tile(const csk_segment *segment, const float *x, float *y,
                                               const csk_tiles *tiles, const int wide,
                                               const int rows) {
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    for (uint32_t row = 0; row < run->rows; row++) {
      csk_prefetch_tile(y + csk_row_ahead(segment, row_offsets), y_row, 2 * wide, rows);
      float *ys = y + *row_offsets++;
      __m512 sums[4];  // [tile row][register]
      CSK_UNROLL
      for (int i = 0; i < rows * wide; i++)
        sums[i] = segment->starts ? _mm512_setzero_ps()
                                  : _mm512_loadu_ps(ys + i / wide * y_row + i % wide * 16);
      for (uint32_t k = 0; k < count; k++) {
        const __m512 weight = _mm512_set1_ps(weights[k]);
        const float *xs = x + offsets[k];
        CSK_UNROLL
        for (int i = 0; i < rows * wide; i++)
          sums[i] = _mm512_fmadd_ps(weight, _mm512_loadu_ps(xs + i / wide * x_row + i % wide * 16),
                                    sums[i]);
      }
      CSK_UNROLL
      for (int i = 0; i < rows * wide; i++)
        _mm512_storeu_ps(ys + i / wide * y_row + i % wide * 16, sums[i]);
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
FORWARD_TILE(4, 1)
FORWARD_TILE(8, 1)
FORWARD_TILE(4, 2)

void csk_sparse_forward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *x, float *y, const csk_tiles *tiles) {
  // One register a row does not pay: 2x1 and 2x2 ran at 0.96 to 1.01 times AVX2's rate (Zen 4).
  if (tiles->vectors <= 2) {
    csk_sparse_forward_avx2(list, slab_begin, slab_end, x, y, tiles);
    return;
  }
  csk_forward_tile *const kernel = tiles->vectors == 8 ? forward_8x1
                                   : tiles->rows == 2  ? forward_4x2
                                                       : forward_4x1;
  csk_walk_forward(kernel, list, slab_begin, slab_end, x, y, tiles);
}

#endif
