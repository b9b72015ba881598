// avx512/csk_sparse_backward_avx512.c: both backward products in one walk,
//
//   dx[row]   = sum over the row's entries of weight * dy[offset]
//   dw[entry] = sum over tiles and lanes of x[row] * dy[offset].
//
// As the AVX2 kernel, with two vectors of 8 lanes to a register, so dx and x of every tile stay in
// registers. The entry's products add into one register, and eight entries' registers are summed
// at once: 3 instructions an entry, where folding each to 8 lanes first takes 5.
//
// Bound: the FMA peak, one a cycle, less the port slots of the sums across lanes: 2 FMAs for each
// register of the tile against 3 shuffles, blends and additions an entry; dy from L1.
#include "csk_sparse_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "avx2/csk_sparse_avx2.h"
#include "csk_sparse_avx512.h"

// Every entry's sixteen lanes halve three times, a[i] + a[i + 8], a[i] + a[i + 2] within each 4,
// a[0] + a[1] of each 4, and the two sums left add up, wherever an entry stands among the eight: an
// entry's dw does not depend on its neighbours.

/// [a, b], 8 lanes each.
CSK_TARGET_AVX512 CSK_INLINE __m512 fold_pair(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_mask_blend_ps(0xFF00, a, b), _mm512_shuffle_f32x4(a, b, 0x4E));
}

/// [a, a, c, c] twice, [b, b, d, d] twice.
CSK_TARGET_AVX512 CSK_INLINE __m512 fold_four(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = fold_pair(a, b), cd = fold_pair(c, d);
  return _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, ab, cd), _mm512_shuffle_ps(ab, cd, 0x4E));
}

/// The sums of two folded fours, in order.
CSK_TARGET_AVX512 CSK_INLINE __m256 sums_of_eight(__m512 abcd, __m512 efgh) {
  // [a, c, e, g] twice, [b, d, f, h] twice.
  const __m512 halves =
      _mm512_add_ps(_mm512_shuffle_ps(abcd, efgh, 0x88), _mm512_shuffle_ps(abcd, efgh, 0xDD));
  const __m512i first = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512i second = _mm512_setr_epi32(4, 12, 5, 13, 6, 14, 7, 15, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm256_add_ps(_mm512_castps512_ps256(_mm512_permutexvar_ps(first, halves)),
                       _mm512_castps512_ps256(_mm512_permutexvar_ps(second, halves)));
}

/// The registers of one list row's tile.
typedef struct row_tile {
  __m512 xs[4], dxs[4];
} row_tile;

/// One entry: adds to the row's dx, returns the lanes of its dw.
CSK_TARGET_AVX512 CSK_INLINE __m512 backward_entry(row_tile *row, const float *dy,
                                                   const float *weight, ptrdiff_t x_row,
                                                   const int wide, const int rows,
                                                   const bool wants_dx) {
  const __m512 w = wants_dx ? _mm512_set1_ps(*weight) : _mm512_setzero_ps();
  __m512 products = _mm512_setzero_ps();
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++) {
    const __m512 dys = _mm512_loadu_ps(dy + i / wide * x_row + i % wide * 16);
    if (wants_dx) row->dxs[i] = _mm512_fmadd_ps(w, dys, row->dxs[i]);
    products = i == 0 ? _mm512_mul_ps(row->xs[i], dys) : _mm512_fmadd_ps(row->xs[i], dys, products);
  }
  // Without this the compiler may put several entries' dx before their products, and spill dy.
  __asm__ volatile("" : "+v"(products));
  return products;
}

/// One list row's `count` entries, at a tile of `rows` rows of `wide` * 16 lanes.
CSK_TARGET_AVX512 CSK_INLINE void backward_row(const csk_segment *segment, const int32_t *offsets,
                                               const float *weights, uint32_t count,
                                               const float *dy, const float *x, float *dx,
                                               float *dw, ptrdiff_t x_row, ptrdiff_t y_row,
                                               const int wide, const int rows, const bool wants_dx,
                                               const bool fresh) {
  row_tile row;
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++) {
    const ptrdiff_t place = i / wide * y_row + i % wide * 16;
    row.xs[i] = _mm512_loadu_ps(x + place);
    if (wants_dx) row.dxs[i] = segment->starts ? _mm512_setzero_ps() : _mm512_loadu_ps(dx + place);
  }
#define ENTRY(k) backward_entry(&row, dy + offsets[k], weights + (k), x_row, wide, rows, wants_dx)
  uint32_t k = 0;
  for (; k + 8 <= count; k += 8) {
    const __m512 a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2), d = ENTRY(k + 3);
    const __m512 abcd = fold_four(a, b, c, d);
    const __m512 e = ENTRY(k + 4), f = ENTRY(k + 5), g = ENTRY(k + 6), h = ENTRY(k + 7);
    const __m256 sums = sums_of_eight(abcd, fold_four(e, f, g, h));
    _mm256_storeu_ps(dw + k, fresh ? sums : _mm256_add_ps(_mm256_loadu_ps(dw + k), sums));
  }
  if (k < count) {
    // Up to seven more: four, and up to three behind them (or first).
    const uint32_t rest = count - k;
    float *rest_dw = dw + k;
    __m512 four = _mm512_setzero_ps(), last = _mm512_setzero_ps();
    if (rest & 4) {
      const __m512 a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2), d = ENTRY(k + 3);
      four = fold_four(a, b, c, d);
      k += 4;
    }
    if ((rest & 3) == 3) {
      const __m512 a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2);
      last = fold_four(a, b, c, c);
    } else if ((rest & 3) == 2) {
      const __m512 a = ENTRY(k), b = ENTRY(k + 1);
      last = fold_four(a, b, a, b);
    } else if ((rest & 3) == 1) {
      const __m512 a = ENTRY(k);
      last = fold_four(a, a, a, a);
    }
    const __m256 sums = sums_of_eight(rest & 4 ? four : last, last);
    const __mmask8 stored = (__mmask8)((1u << rest) - 1);
    const __m256 old = fresh ? sums : _mm256_maskz_loadu_ps(stored, rest_dw);
    _mm256_mask_storeu_ps(rest_dw, stored, fresh ? sums : _mm256_add_ps(old, sums));
  }
#undef ENTRY
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++)
    if (wants_dx) _mm512_storeu_ps(dx + i / wide * y_row + i % wide * 16, row.dxs[i]);
}

CSK_TARGET_AVX512 CSK_INLINE void backward_tile(const csk_segment *segment, const float *dy,
                                                const float *x, float *dx, float *dw,
                                                const csk_tiles *tiles, const int wide,
                                                const int rows, const bool wants_dx,
                                                const bool fresh) {
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    for (uint32_t i = 0; i < run->rows; i++) {
      const ptrdiff_t ahead = csk_row_ahead(segment, row_offsets);
      csk_prefetch_tile(x + ahead, y_row, 2 * wide, rows);
      if (wants_dx) csk_prefetch_tile(dx + ahead, y_row, 2 * wide, rows);
      const ptrdiff_t row_offset = *row_offsets++;
      backward_row(segment, offsets, weights, count, dy, x + row_offset,
                   wants_dx ? dx + row_offset : NULL, dw, x_row, y_row, wide, rows, wants_dx,
                   fresh);
      offsets += count;
      weights += count;
      dw += count;
    }
  }
}

#define BACKWARD_TILE(vectors, rows)                                                     \
  CSK_TARGET_AVX512 static void backward_##vectors##x##rows(                             \
      const csk_segment *segment, const float *dy, const float *x, float *dx, float *dw, \
      bool fresh, const csk_tiles *tiles) {                                              \
    if (dx && fresh)                                                                     \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors / 2, rows, true, true);       \
    else if (dx)                                                                         \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors / 2, rows, true, false);      \
    else if (fresh)                                                                      \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors / 2, rows, false, true);      \
    else                                                                                 \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors / 2, rows, false, false);     \
  }
BACKWARD_TILE(2, 1)
BACKWARD_TILE(4, 1)
BACKWARD_TILE(8, 1)
BACKWARD_TILE(2, 2)
BACKWARD_TILE(4, 2)

void csk_sparse_backward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                                const float *dy, const float *x, float *dx, float *dw,
                                bool accumulate, const csk_tiles *tiles) {
  // One vector of 8 lanes would fill half a register: AVX2 does that.
  static csk_backward_tile *const kernels[] = {NULL, backward_2x1, backward_4x1, backward_8x1,
                                               NULL, backward_2x2, backward_4x2};
  csk_backward_tile *const kernel = kernels[csk_tile_index(tiles)];
  if (kernel)
    csk_walk_backward(kernel, list, slab_begin, slab_end, dy, x, dx, dw, accumulate, tiles);
  else
    csk_sparse_backward_avx2(list, slab_begin, slab_end, dy, x, dx, dw, accumulate, tiles);
}

void csk_sparse_avx512(csk_kernels *kernels) {
  kernels->sparse_forward = csk_sparse_forward_avx512;
  kernels->sparse_backward = csk_sparse_backward_avx512;
}

#endif
