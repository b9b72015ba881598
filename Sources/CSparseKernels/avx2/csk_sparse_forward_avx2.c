// avx2/csk_sparse_forward_avx2.c: y[row] = sum over the row's entries of weight * x[offset].
//
// A tile of y stays in registers while its row's entries stream past: an entry is one broadcast
// and, for each vector, one FMA whose operand comes from memory. Rows of a run have equal counts,
// so narrow tiles take several rows at once, which gives the FMAs eight independent chains and
// leaves every row's order of summation as it is.
//
// Bound: one 32-byte load an FMA, two loads a cycle: with the weights' loads, 2/3 (4 vectors) to
// 4/5 (8 vectors) of the FMA peak while the block's x lies in L1; from L2, half of that.
#include "csk_sparse_walk.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#include "csk_sparse_avx2.h"

enum { chains = 8 };  // FMA latency 4, two a cycle

/// The sums of one list row, whose tile is at y + row_offset, through the epilogue to there.
CSK_TARGET_AVX2 CSK_INLINE void store_row(const __m256 *sums, float *y, int32_t row_offset,
                                          ptrdiff_t y_row, const int vectors, const int rows,
                                          const csk_row_epilogue *epilogue, const bool streams) {
  const __m256 bias = _mm256_set1_ps(epilogue ? csk_bias_at(epilogue, row_offset) : 0);
  const __m256 least = _mm256_set1_ps(epilogue ? csk_epilogue_floor(epilogue) : 0);
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    float *target = y + row_offset + i / vectors * y_row + i % vectors * 8;
    if (!epilogue) {
      _mm256_storeu_ps(target, sums[i]);
      continue;
    }
    const __m256 v = _mm256_max_ps(least, _mm256_add_ps(sums[i], bias));
    if (streams) {
      _mm256_stream_ps(target, v);
    } else {
      _mm256_storeu_ps(target, v);
    }
  }
}

/// `group` list rows with `count` entries each, at the same tile.
CSK_TARGET_AVX2 CSK_INLINE void forward_rows(const csk_segment *segment, const int32_t *row_offsets,
                                             const int32_t *offsets, const float *weights,
                                             uint32_t count, const float *x, float *y,
                                             ptrdiff_t x_row, ptrdiff_t y_row, const int vectors,
                                             const int rows, const int group,
                                             const csk_row_epilogue *epilogue, const bool streams) {
  __m256 sums[chains];  // [list row][tile row][vector]
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    float *ys = y + row_offsets[g];
    if (!streams)
      csk_prefetch_tile(y + csk_row_ahead(segment, row_offsets + g), y_row, vectors, rows);
    CSK_UNROLL
    for (int i = 0; i < rows * vectors; i++)
      sums[g * rows * vectors + i] =
          segment->starts ? _mm256_setzero_ps()
                          : _mm256_loadu_ps(ys + i / vectors * y_row + i % vectors * 8);
  }
  for (uint32_t k = 0; k < count; k++) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const __m256 weight = _mm256_broadcast_ss(weights + (size_t)g * count + k);
      const float *xs = x + offsets[(size_t)g * count + k];
      CSK_UNROLL
      for (int i = 0; i < rows * vectors; i++)
        sums[g * rows * vectors + i] =
            _mm256_fmadd_ps(weight, _mm256_loadu_ps(xs + i / vectors * x_row + i % vectors * 8),
                            sums[g * rows * vectors + i]);
    }
  }
  CSK_UNROLL
  for (int g = 0; g < group; g++)
    store_row(sums + g * rows * vectors, y, row_offsets[g], y_row, vectors, rows, epilogue,
              streams);
}

CSK_TARGET_AVX2 CSK_INLINE void forward_tile(const csk_segment *segment, const float *x, float *y,
                                             const csk_tiles *tiles, const int vectors,
                                             const int rows, const csk_row_epilogue *epilogue,
                                             const bool streams) {
  const int group = chains / (vectors * rows) < 4 ? chains / (vectors * rows) : 4;
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    uint32_t i = 0;
    for (; group > 1 && i + group <= run->rows; i += group) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, vectors, rows,
                   group, epilogue, streams);
      row_offsets += group;
      offsets += (size_t)group * count;
      weights += (size_t)group * count;
    }
    for (; i < run->rows; i++) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, vectors, rows,
                   1, epilogue, streams);
      row_offsets++;
      offsets += count;
      weights += count;
    }
  }
}

#define FORWARD_TILE(vectors, rows)                                                 \
  CSK_TARGET_AVX2 static void forward_##vectors##x##rows(                           \
      const csk_segment *segment, const float *x, float *y, const csk_tiles *tiles, \
      const csk_row_epilogue *epilogue) {                                           \
    if (!epilogue)                                                                  \
      forward_tile(segment, x, y, tiles, vectors, rows, NULL, false);               \
    else if (epilogue->streams)                                                     \
      forward_tile(segment, x, y, tiles, vectors, rows, epilogue, true);            \
    else                                                                            \
      forward_tile(segment, x, y, tiles, vectors, rows, epilogue, false);           \
  }
FORWARD_TILE(1, 1)
FORWARD_TILE(2, 1)
FORWARD_TILE(4, 1)
FORWARD_TILE(8, 1)
FORWARD_TILE(1, 2)
FORWARD_TILE(2, 2)
FORWARD_TILE(4, 2)

void csk_sparse_forward_avx2(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                             const float *x, float *y, const csk_tiles *tiles,
                             const csk_row_epilogue *epilogue) {
  static csk_forward_tile *const kernels[] = {forward_1x1, forward_2x1, forward_4x1, forward_8x1,
                                              forward_1x2, forward_2x2, forward_4x2};
  csk_walk_forward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, x, y, tiles,
                   epilogue);
}

#endif
