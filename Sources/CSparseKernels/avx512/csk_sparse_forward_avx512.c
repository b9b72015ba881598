// avx512/csk_sparse_forward_avx512.c: y[row] = sum over the row's entries of weight * x[offset].
//
// The AVX2 kernel in registers of 16 lanes: an entry is one broadcast and, for each register, one
// FMA whose operand comes from memory. Narrow tiles take several rows of a run at once for
// independent chains. Every lane adds its products in the entries' order, as in any other tile.
//
// Bound: one 64-byte load an FMA and one of either a cycle (Zen 4), so the FMA peak, less what
// else loads: the weight goes through an integer register, which leaves the vector load ports to
// x. Operands of planes lie at multiples of 32 bytes and cross cache lines, at one more load each
// time; where x comes from L2, its 32 bytes a cycle allow half the peak.
#include "csk_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>
#include <string.h>

#include "avx2/csk_sparse_avx2.h"
#include "csk_sparse_avx512.h"

/// The weight in all lanes. Through an integer register if more than one FMA uses it: measured
/// against a broadcast from memory, 1.03 to 1.09 with tiles of 4x1 and 8x1, 0.99 with 4x2, but 0.87
/// to 0.97 with 2x1.
CSK_TARGET_AVX512 CSK_INLINE __m512 broadcast(const float *weight, const int registers) {
  if (registers == 1) return _mm512_set1_ps(*weight);
  int32_t bits;
  memcpy(&bits, weight, sizeof bits);
  __asm__("" : "+r"(bits));  // or the compiler makes it a broadcast from memory again
  return _mm512_castsi512_ps(_mm512_set1_epi32(bits));
}

/// The sums of one list row, whose tile is at y + row_offset, through the epilogue to there.
CSK_TARGET_AVX512 CSK_INLINE void store_row(const __m512 *sums, float *y, int32_t row_offset,
                                            ptrdiff_t y_row, const int wide, const int registers,
                                            const csk_row_epilogue *epilogue, const bool streams) {
  const __m512 bias = _mm512_set1_ps(epilogue ? csk_bias_at(epilogue, row_offset) : 0);
  const __m512 least = _mm512_set1_ps(epilogue ? csk_epilogue_floor(epilogue) : 0);
  CSK_UNROLL
  for (int i = 0; i < registers; i++) {
    float *target = y + row_offset + csk_wide_place(i, wide, y_row);
    if (!epilogue) {
      _mm512_storeu_ps(target, sums[i]);
      continue;
    }
    const __m512 v = _mm512_max_ps(least, _mm512_add_ps(sums[i], bias));
    if (streams) {
      _mm512_stream_ps(target, v);
    } else {
      _mm512_storeu_ps(target, v);
    }
  }
}

/// `group` list rows with `count` entries each, at the same tile.
CSK_TARGET_AVX512 CSK_INLINE void forward_rows(const csk_segment *segment,
                                               const int32_t *row_offsets, const int32_t *offsets,
                                               const float *weights, uint32_t count, const float *x,
                                               float *y, ptrdiff_t x_row, ptrdiff_t y_row,
                                               const int wide, const int rows, const int group,
                                               const csk_row_epilogue *epilogue,
                                               const bool streams) {
  __m512 sums[8];  // [list row][tile row][register]
  const int registers = rows * wide;
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    float *ys = y + row_offsets[g];
    if (!streams)
      csk_prefetch_tile(y + csk_row_ahead(segment, row_offsets + g), y_row, 2 * wide, rows);
    CSK_UNROLL
    for (int i = 0; i < registers; i++)
      sums[g * registers + i] = segment->starts
                                    ? _mm512_setzero_ps()
                                    : _mm512_loadu_ps(ys + csk_wide_place(i, wide, y_row));
  }
  for (uint32_t k = 0; k < count; k++) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const __m512 weight = broadcast(weights + (size_t)g * count + k, registers);
      const float *xs = x + offsets[(size_t)g * count + k];
      CSK_UNROLL
      for (int i = 0; i < registers; i++)
        sums[g * registers + i] = _mm512_fmadd_ps(
            weight, _mm512_loadu_ps(xs + csk_wide_place(i, wide, x_row)), sums[g * registers + i]);
    }
  }
  CSK_UNROLL
  for (int g = 0; g < group; g++)
    store_row(sums + g * registers, y, row_offsets[g], y_row, wide, registers, epilogue, streams);
}

#include "bodies/csk_sparse_forward_runs.h"

// Four chains hide an FMA's latency at one a cycle; one register a row gains 2 % from eight.
CSK_FORWARD_TILE(2, 1, 1, 8)
CSK_FORWARD_TILE(4, 1, 2, 2)
CSK_FORWARD_TILE(8, 1, 4, 1)
CSK_FORWARD_TILE(2, 2, 1, 2)
CSK_FORWARD_TILE(4, 2, 2, 1)

void csk_sparse_forward_avx512(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *x, float *y, const csk_tiles *tiles,
                               const csk_row_epilogue *epilogue) {
  static csk_forward_tile *const kernels[] = {NULL, forward_2x1, forward_4x1, forward_8x1,
                                              NULL, forward_2x2, forward_4x2};
  csk_forward_tile *kernel = kernels[csk_tile_index(tiles)];
  if (kernel)
    csk_walk_forward(kernel, list, slab_begin, slab_end, x, y, tiles, epilogue);
  else
    csk_sparse_forward_avx2(list, slab_begin, slab_end, x, y, tiles, epilogue);
}

#endif
