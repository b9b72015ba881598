// avx512/csk_sparse_backward_avx512.c: both backward products in one walk,
//
//   dx[row]   = sum over the row's entries of weight * dy[offset]
//   dw[entry] = sum over tiles and lanes of x[row] * dy[offset].
//
// dx and x of a row's tile stay in registers, even of the widest tile (4 + 4 of the 32); each
// register of dy is loaded once and used by two FMAs. The entry's products add into one register,
// and four entries' registers are summed at once by shuffles.
//
// Bound: the FMA peak, one 512-bit FMA a cycle (Zen 4), less the port slots of the sums across
// lanes: 2 * registers FMAs against about 4 shuffles and additions an entry; dy from L1. Measured,
// all in L1: 96 % of it with 8 vectors, 77 % with 4; AVX2 70 %.
#include "csk_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "avx2/csk_sparse_avx2.h"
#include "csk_sparse_avx512.h"

// Every entry's sixteen lanes add by the same tree, whether four entries are summed together or
// fewer: an entry's dw does not depend on its neighbours. A quarter (four lanes) adds as
// (q0 + q2) + (q1 + q3), the quarters as (Q0 + Q2) + (Q1 + Q3).

/// [a0 + a2, a1 + a3, b0 + b2, b1 + b3] in every quarter.
CSK_TARGET_AVX512 CSK_INLINE __m512 fold_pair(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, a, b), _mm512_shuffle_ps(a, b, 0x4E));
}

// Halving 512 to 256 bits before the shuffles instead takes more instructions: 4 to 15 % slower.
// Eight entries at once share two more additions, without a gain.
CSK_TARGET_AVX512 CSK_INLINE __m128 sums_of_four(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = fold_pair(a, b), cd = fold_pair(c, d);
  const __m512 quarters =
      _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x88), _mm512_shuffle_ps(ab, cd, 0xDD));
  const __m256 halves =
      _mm256_add_ps(_mm512_castps512_ps256(quarters), _mm512_extractf32x8_ps(quarters, 1));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

/// The registers of one row's tile.
typedef struct row_tile {
  __m512 xs[4], dxs[4];
} row_tile;

/// How far ahead operands are asked for: not at all by tiles of one register (0.9 of the rate: they
/// load much for each FMA) or of two rows (their operands lie in L1). Others gain 3 to 10 % where
/// the operand comes from L2 or L3; the forward kernel, bound by loads, would lose 10 %.
CSK_INLINE ptrdiff_t operands_ahead(const csk_segment *segment, const int32_t *offsets,
                                    uint32_t count, const int wide, const int rows) {
  enum { ahead = 16 };
  if (wide == 1 || rows == 2) return 0;
  return segment->offsets_end - offsets >= (ptrdiff_t)count + ahead ? ahead : 0;
}

/// One entry: adds to the row's dx, returns the lanes of its dw.
CSK_TARGET_AVX512 CSK_INLINE __m512 backward_entry(row_tile *row, const float *dy,
                                                   const float *next_dy, const float *weight,
                                                   ptrdiff_t x_row, const int wide, const int rows,
                                                   const bool wants_dx) {
  const __m512 w = wants_dx ? _mm512_set1_ps(*weight) : _mm512_setzero_ps();
  __m512 products = _mm512_setzero_ps();
  if (wide > 1 && rows == 1) csk_prefetch_tile(next_dy, 0, 2 * wide, 1);
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++) {
    const __m512 dys = _mm512_loadu_ps(dy + csk_wide_place(i, wide, x_row));
    if (wants_dx) row->dxs[i] = _mm512_fmadd_ps(w, dys, row->dxs[i]);
    products = i == 0 ? _mm512_mul_ps(row->xs[i], dys) : _mm512_fmadd_ps(row->xs[i], dys, products);
  }
  // Keeps the entries apart: mixed by the compiler they are up to 5 % slower.
  __asm__ volatile("" : "+v"(products));
  return products;
}

/// One list row's `count` entries.
CSK_TARGET_AVX512 CSK_INLINE void backward_row(const csk_segment *segment, const int32_t *offsets,
                                               const float *weights, uint32_t count,
                                               const float *dy, const float *x, float *dx,
                                               float *dw, ptrdiff_t x_row, ptrdiff_t y_row,
                                               const int wide, const int rows, const bool wants_dx,
                                               const bool fresh) {
  const ptrdiff_t ahead = operands_ahead(segment, offsets, count, wide, rows);
  row_tile row;
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++) {
    const ptrdiff_t place = csk_wide_place(i, wide, y_row);
    row.xs[i] = _mm512_loadu_ps(x + place);
    if (wants_dx) row.dxs[i] = segment->starts ? _mm512_setzero_ps() : _mm512_loadu_ps(dx + place);
  }
#define ENTRY(k)                                                                               \
  backward_entry(&row, dy + offsets[k], dy + offsets[(k) + ahead], weights + (k), x_row, wide, \
                 rows, wants_dx)
  uint32_t k = 0;
  for (; k + 4 <= count; k += 4) {
    const __m512 a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2), d = ENTRY(k + 3);
    const __m128 sums = sums_of_four(a, b, c, d);
    _mm_storeu_ps(dw + k, fresh ? sums : _mm_add_ps(_mm_loadu_ps(dw + k), sums));
  }
  if (k < count) {
    const uint32_t left = count - k;
    const __mmask8 mask = (__mmask8)((1u << left) - 1);
    const __m512 a = ENTRY(k);
    __m512 b = a, c = a;
    if (left > 1) b = ENTRY(k + 1);
    if (left > 2) c = ENTRY(k + 2);
    const __m128 sums = sums_of_four(a, b, c, a);
    _mm_mask_storeu_ps(dw + k, mask,
                       fresh ? sums : _mm_add_ps(_mm_maskz_loadu_ps(mask, dw + k), sums));
  }
#undef ENTRY
  CSK_UNROLL
  for (int i = 0; i < rows * wide; i++)
    if (wants_dx) _mm512_storeu_ps(dx + csk_wide_place(i, wide, y_row), row.dxs[i]);
}

#include "bodies/csk_sparse_backward_runs.h"

CSK_BACKWARD_TILE(2, 1, 1)
CSK_BACKWARD_TILE(4, 1, 2)
CSK_BACKWARD_TILE(8, 1, 4)
CSK_BACKWARD_TILE(2, 2, 1)
CSK_BACKWARD_TILE(4, 2, 2)

void csk_sparse_backward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                                const float *dy, const float *x, float *dx, float *dw,
                                bool accumulate, const csk_tiles *tiles) {
  static csk_backward_tile *const kernels[] = {NULL, backward_2x1, backward_4x1, backward_8x1,
                                               NULL, backward_2x2, backward_4x2};
  csk_backward_tile *kernel = kernels[csk_tile_index(tiles)];
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
