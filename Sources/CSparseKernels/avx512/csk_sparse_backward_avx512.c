// avx512/csk_sparse_backward_avx512.c: both backward products in one walk,
//
//   dx[row]   = sum over the row's entries of weight * dy[offset]
//   dw[entry] = sum over tiles and lanes of x[row] * dy[offset].
//
// As the AVX2 kernel, with two vectors of 8 lanes to a register: dx and x of every tile stay in
// registers. An entry's 16 lanes fold to 8, and four entries' are summed at once by AVX2's tree.
//
// Bound: the FMA peak, less the port slots of the sums across lanes.
#include "csk_sparse_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "avx2/csk_sparse_avx2.h"
#include "csk_sparse_avx512.h"

#ifndef BGROUP
#define BGROUP(regs) ((regs) <= 2 ? 2 : 1)
#endif

/// The registers of one list row's tile.
typedef struct row_tile {
  __m512 xs[4], dxs[4];
} row_tile;

/// One entry: adds to the row's dx, returns the lanes of its dw, the upper half added to the lower.
CSK_TARGET_AVX512 CSK_INLINE __m256 backward_entry(row_tile *row, const float *dy,
                                                   const float *weight, ptrdiff_t x_row,
                                                   const int wide, const int rows,
                                                   const bool wants_dx) {
  const __m512 w = wants_dx ? _mm512_set1_ps(*weight) : _mm512_setzero_ps();
  __m512 products = _mm512_setzero_ps();
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++) {
    const __m512 dys = _mm512_loadu_ps(dy + i / wide * x_row + i % wide * 16);
    if (wants_dx) row->dxs[i] = _mm512_fmadd_ps(w, dys, row->dxs[i]);
    products =
        i == 0 ? _mm512_mul_ps(row->xs[i], dys) : _mm512_fmadd_ps(row->xs[i], dys, products);
  }
  // Without this the compiler puts several entries' dx before their products, and dy is spilled.
  __asm__ volatile("" : "+v"(products));
  return _mm256_add_ps(_mm512_castps512_ps256(products), _mm512_extractf32x8_ps(products, 1));
}

/// `group` list rows with `count` entries each.
CSK_TARGET_AVX512 CSK_INLINE void backward_rows(const csk_segment *segment,
                                                const int32_t *row_offsets, const int32_t *offsets,
                                                const float *weights, uint32_t count,
                                                const float *dy, const float *x, float *dx,
                                                float *dw, ptrdiff_t x_row, ptrdiff_t y_row,
                                                const int wide, const int rows, const int group,
                                                const bool wants_dx, const bool fresh) {
  row_tile tiles[2];
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    const ptrdiff_t ahead = csk_row_ahead(segment, row_offsets + g);
    csk_prefetch_tile(x + ahead, y_row, 2 * wide, rows);
    if (wants_dx) csk_prefetch_tile(dx + ahead, y_row, 2 * wide, rows);
    CSK_UNROLL
    for (int i = 0; i < rows * wide; i++) {
      const ptrdiff_t place = row_offsets[g] + i / wide * y_row + i % wide * 16;
      tiles[g].xs[i] = _mm512_loadu_ps(x + place);
      if (wants_dx)
        tiles[g].dxs[i] = segment->starts ? _mm512_setzero_ps() : _mm512_loadu_ps(dx + place);
    }
  }
#define ENTRY(k) \
  backward_entry(&tiles[g], dy + offsets[at + (k)], weights + at + (k), x_row, wide, rows, wants_dx)
  uint32_t k = 0;
  for (; k + 4 <= count; k += 4) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const size_t at = (size_t)g * count + k;
      const __m256 a = ENTRY(0), b = ENTRY(1), c = ENTRY(2), d = ENTRY(3);
      const __m128 sums = csk_sums_of_four(a, b, c, d);
      _mm_storeu_ps(dw + at, fresh ? sums : _mm_add_ps(_mm_loadu_ps(dw + at), sums));
    }
  }
  if (k + 2 <= count) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const size_t at = (size_t)g * count + k;
      const __m256 a = ENTRY(0), b = ENTRY(1);
      const __m128 sums = csk_sums_of_four(a, b, a, b);
      __m128 old = _mm_setzero_ps();
      if (!fresh) old = _mm_loadl_pi(old, (const __m64 *)(dw + at));
      _mm_storel_pi((__m64 *)(dw + at), fresh ? sums : _mm_add_ps(old, sums));
    }
    k += 2;
  }
  if (k < count) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const size_t at = (size_t)g * count + k;
      const __m256 a = ENTRY(0);
      const __m128 sums = csk_sums_of_four(a, a, a, a);
      _mm_store_ss(dw + at, fresh ? sums : _mm_add_ss(_mm_load_ss(dw + at), sums));
    }
  }
#undef ENTRY
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    CSK_UNROLL
    for (int i = 0; i < rows * wide; i++)
      if (wants_dx)
        _mm512_storeu_ps(dx + row_offsets[g] + i / wide * y_row + i % wide * 16, tiles[g].dxs[i]);
  }
}

CSK_TARGET_AVX512 CSK_INLINE void backward_tile(const csk_segment *segment, const float *dy,
                                                const float *x, float *dx, float *dw,
                                                const csk_tiles *tiles, const int wide,
                                                const int rows, const bool wants_dx,
                                                const bool fresh) {
  const int group = BGROUP(wide *rows);
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    uint32_t i = 0;
    for (; group > 1 && i + group <= run->rows; i += group) {
      backward_rows(segment, row_offsets, offsets, weights, count, dy, x, dx, dw, x_row, y_row,
                    wide, rows, group, wants_dx, fresh);
      row_offsets += group;
      offsets += (size_t)group * count;
      weights += (size_t)group * count;
      dw += (size_t)group * count;
    }
    for (; i < run->rows; i++) {
      backward_rows(segment, row_offsets, offsets, weights, count, dy, x, dx, dw, x_row, y_row,
                    wide, rows, 1, wants_dx, fresh);
      row_offsets++;
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
  // One vector of 8 lanes fills half a register: nothing to gain over AVX2.
  if (tiles->vectors == 1) {
    csk_sparse_backward_avx2(list, slab_begin, slab_end, dy, x, dx, dw, accumulate, tiles);
    return;
  }
  static csk_backward_tile *const kernels[] = {NULL, backward_2x1, backward_4x1, backward_8x1,
                                               NULL, backward_2x2, backward_4x2};
  csk_walk_backward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, dy, x, dx, dw,
                    accumulate, tiles);
}

void csk_sparse_avx512(csk_kernels *kernels) {
  kernels->sparse_forward = csk_sparse_forward_avx512;
  kernels->sparse_backward = csk_sparse_backward_avx512;
}

#endif
