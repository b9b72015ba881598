// avx2/csk_sparse_backward_avx2.c: both backward products in one walk,
//
//   dx[row]   = sum over the row's entries of weight * dy[offset]
//   dw[entry] = sum over tiles and lanes of x[row] * dy[offset].
//
// dx and x of a row's tile stay in registers; each vector of dy is loaded once and used by two
// FMAs. A tile too wide for that (8 vectors) reads x from memory. The entry's products add into
// one vector, and four entries' vectors are summed at once by shuffles.
//
// Bound: the FMA peak, less the port slots of the sums across lanes: 2 * vectors FMAs against
// about 4 shuffles and additions an entry; dy from L1.
#include "csk_sparse_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "csk_sparse_avx2.h"

// Every entry's eight lanes add as ((a0 + a2) + (a1 + a3)) + ((a4 + a6) + (a5 + a7)), whether four
// entries are summed together or one alone: an entry's dw does not depend on its neighbours.

/// [a0 + a2, a1 + a3, b0 + b2, b1 + b3] in both halves.
CSK_TARGET_AVX2 CSK_INLINE __m256 fold_pair(__m256 a, __m256 b) {
  return _mm256_add_ps(_mm256_blend_ps(a, b, 0xCC), _mm256_shuffle_ps(a, b, 0x4E));
}

CSK_TARGET_AVX2 CSK_INLINE __m128 sums_of_four(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 ab = fold_pair(a, b), cd = fold_pair(c, d);
  const __m256 halves =
      _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x88), _mm256_shuffle_ps(ab, cd, 0xDD));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

/// The registers of one row's tile.
typedef struct row_tile {
  const float *x;
  float *dx;
  __m256 xs[8], dxs[8];
} row_tile;

/// One entry: adds to the row's dx, returns the lanes of its dw.
CSK_TARGET_AVX2 CSK_INLINE __m256 backward_entry(row_tile *row, const float *dy,
                                                 const float *weight, ptrdiff_t x_row,
                                                 ptrdiff_t y_row, const int vectors, const int rows,
                                                 const bool wants_dx, const bool holds_x) {
  const __m256 w = wants_dx ? _mm256_broadcast_ss(weight) : _mm256_setzero_ps();
  __m256 products = _mm256_setzero_ps();
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    const __m256 dys = _mm256_loadu_ps(dy + i / vectors * x_row + i % vectors * 8);
    const __m256 xs =
        holds_x ? row->xs[i] : _mm256_loadu_ps(row->x + i / vectors * y_row + i % vectors * 8);
    if (wants_dx) row->dxs[i] = _mm256_fmadd_ps(w, dys, row->dxs[i]);
    products = i == 0 ? _mm256_mul_ps(xs, dys) : _mm256_fmadd_ps(xs, dys, products);
  }
  // Without this the compiler puts several entries' dx before their products, and dy is spilled.
  __asm__ volatile("" : "+x"(products));
  return products;
}

/// One list row's `count` entries.
CSK_TARGET_AVX2 CSK_INLINE void backward_row(const csk_segment *segment, const int32_t *offsets,
                                             const float *weights, uint32_t count, const float *dy,
                                             const float *x, float *dx, float *dw, ptrdiff_t x_row,
                                             ptrdiff_t y_row, const int vectors, const int rows,
                                             const bool wants_dx, const bool fresh) {
  const bool holds_x = !wants_dx || vectors * rows <= 4;
  row_tile row = {.x = x, .dx = dx};
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    const ptrdiff_t place = i / vectors * y_row + i % vectors * 8;
    if (holds_x) row.xs[i] = _mm256_loadu_ps(x + place);
    if (wants_dx) row.dxs[i] = segment->starts ? _mm256_setzero_ps() : _mm256_loadu_ps(dx + place);
  }
#define ENTRY(k)                                                                              \
  backward_entry(&row, dy + offsets[k], weights + (k), x_row, y_row, vectors, rows, wants_dx, \
                 holds_x)
  uint32_t k = 0;
  for (; k + 4 <= count; k += 4) {
    const __m256 a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2), d = ENTRY(k + 3);
    const __m128 sums = sums_of_four(a, b, c, d);
    _mm_storeu_ps(dw + k, fresh ? sums : _mm_add_ps(_mm_loadu_ps(dw + k), sums));
  }
  if (k + 2 <= count) {
    const __m256 a = ENTRY(k), b = ENTRY(k + 1);
    const __m128 sums = sums_of_four(a, b, a, b);
    __m128 old = _mm_setzero_ps();
    if (!fresh) old = _mm_loadl_pi(old, (const __m64 *)(dw + k));
    _mm_storel_pi((__m64 *)(dw + k), fresh ? sums : _mm_add_ps(old, sums));
    k += 2;
  }
  if (k < count) {
    const __m256 a = ENTRY(k);
    const __m128 sums = sums_of_four(a, a, a, a);
    _mm_store_ss(dw + k, fresh ? sums : _mm_add_ss(_mm_load_ss(dw + k), sums));
  }
#undef ENTRY
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++)
    if (wants_dx) _mm256_storeu_ps(dx + i / vectors * y_row + i % vectors * 8, row.dxs[i]);
}

CSK_TARGET_AVX2 CSK_INLINE void backward_tile(const csk_segment *segment, const float *dy,
                                              const float *x, float *dx, float *dw,
                                              const csk_tiles *tiles, const int vectors,
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
      csk_prefetch_tile(x + ahead, y_row, vectors, rows);
      if (wants_dx) csk_prefetch_tile(dx + ahead, y_row, vectors, rows);
      const ptrdiff_t row_offset = *row_offsets++;
      backward_row(segment, offsets, weights, count, dy, x + row_offset,
                   wants_dx ? dx + row_offset : NULL, dw, x_row, y_row, vectors, rows, wants_dx,
                   fresh);
      offsets += count;
      weights += count;
      dw += count;
    }
  }
}

#define BACKWARD_TILE(vectors, rows)                                                     \
  CSK_TARGET_AVX2 static void backward_##vectors##x##rows(                               \
      const csk_segment *segment, const float *dy, const float *x, float *dx, float *dw, \
      bool fresh, const csk_tiles *tiles) {                                              \
    if (dx && fresh)                                                                     \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, rows, true, true);           \
    else if (dx)                                                                         \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, rows, true, false);          \
    else if (fresh)                                                                      \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, rows, false, true);          \
    else                                                                                 \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, rows, false, false);         \
  }
BACKWARD_TILE(1, 1)
BACKWARD_TILE(2, 1)
BACKWARD_TILE(4, 1)
BACKWARD_TILE(8, 1)
BACKWARD_TILE(1, 2)
BACKWARD_TILE(2, 2)
BACKWARD_TILE(4, 2)

void csk_sparse_backward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *dy, const float *x, float *dx, float *dw,
                              bool accumulate, const csk_tiles *tiles) {
  static csk_backward_tile *const kernels[] = {backward_1x1, backward_2x1, backward_4x1,
                                               backward_8x1, backward_1x2, backward_2x2,
                                               backward_4x2};
  csk_walk_backward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, dy, x, dx, dw,
                    accumulate, tiles);
}

void csk_sparse_avx2(csk_kernels *kernels) {
  kernels->sparse_forward = csk_sparse_forward_avx2;
  kernels->sparse_backward = csk_sparse_backward_avx2;
}

#endif
