// bodies/csk_sparse_forward_body.h: y[row] = sum over the row's entries of weight * x[offset].
//
// A tile of y stays in registers while its row's entries stream past: an entry is one broadcast
// and, for each vector, one FMA whose operand comes from memory. Rows of a run have equal counts,
// so narrow tiles take several rows at once, which gives the FMAs eight independent chains and
// leaves every row's order of summation as it is.
//
// Bound: one 32-byte load an FMA, two loads a cycle: with the weights' loads, 2/3 (4 vectors) to
// 4/5 (8 vectors) of the FMA peak while the block's x lies in L1; from L2, half of that. With
// registers of 16 bytes, one such load an FMA: cores with fewer loads than FMAs a cycle are bound
// by the loads.
#include "../csk_sparse_walk.h"

enum { chains = 8 };  // FMA latency 4, two a cycle, or four of half the width

/// The sums of one list row, whose tile is at y + row_offset, through the epilogue to there.
CSK_TARGET CSK_INLINE void store_row(const csk_v *sums, float *y, int32_t row_offset,
                                     ptrdiff_t y_row, const int vectors, const int rows,
                                     const csk_row_epilogue *epilogue, const bool streams) {
  const csk_v bias = csk_all(epilogue ? csk_bias_at(epilogue, row_offset) : 0);
  const csk_v least = csk_all(epilogue ? csk_epilogue_floor(epilogue) : 0);
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    float *target = y + row_offset + i / vectors * y_row + i % vectors * csk_lanes;
    if (!epilogue) {
      csk_store(target, sums[i]);
      continue;
    }
    const csk_v v = csk_larger(least, csk_plus(sums[i], bias));
    csk_store_as(target, v, streams);
  }
}

/// `group` list rows with `count` entries each, at the same tile.
CSK_TARGET CSK_INLINE void forward_rows(const csk_segment *segment, const int32_t *row_offsets,
                                        const int32_t *offsets, const float *weights,
                                        uint32_t count, const float *x, float *y, ptrdiff_t x_row,
                                        ptrdiff_t y_row, const int vectors, const int rows,
                                        const int group, const csk_row_epilogue *epilogue,
                                        const bool streams) {
  csk_v sums[chains];  // [list row][tile row][vector]
  CSK_UNROLL
  for (int g = 0; g < group; g++) {
    float *ys = y + row_offsets[g];
    if (!streams)
      csk_prefetch_tile(y + csk_row_ahead(segment, row_offsets + g), y_row, vectors, rows);
    CSK_UNROLL
    for (int i = 0; i < rows * vectors; i++)
      sums[g * rows * vectors + i] =
          segment->starts ? csk_zero()
                          : csk_load(ys + i / vectors * y_row + i % vectors * csk_lanes);
  }
  for (uint32_t k = 0; k < count; k++) {
    CSK_UNROLL
    for (int g = 0; g < group; g++) {
      const csk_v weight = csk_load_all(weights + (size_t)g * count + k);
      const float *xs = x + offsets[(size_t)g * count + k];
      CSK_UNROLL
      for (int i = 0; i < rows * vectors; i++)
        sums[g * rows * vectors + i] =
            csk_fused(weight, csk_load(xs + i / vectors * x_row + i % vectors * csk_lanes),
                      sums[g * rows * vectors + i]);
    }
  }
  CSK_UNROLL
  for (int g = 0; g < group; g++)
    store_row(sums + g * rows * vectors, y, row_offsets[g], y_row, vectors, rows, epilogue,
              streams);
}

#include "csk_sparse_forward_runs.h"

/// Rows at once, at most four, that fill the chains.
#define GROUP(vectors, rows) (chains / ((vectors) * (rows)) < 4 ? chains / ((vectors) * (rows)) : 4)
#define FORWARD_TILE(vectors, rows) CSK_FORWARD_TILE(vectors, rows, vectors, GROUP(vectors, rows))
FORWARD_TILE(1, 1)
FORWARD_TILE(2, 1)
FORWARD_TILE(4, 1)
FORWARD_TILE(8, 1)
FORWARD_TILE(1, 2)
FORWARD_TILE(2, 2)
FORWARD_TILE(4, 2)

static void sparse_forward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                           const float *x, float *y, const csk_tiles *tiles,
                           const csk_row_epilogue *epilogue) {
  static csk_forward_tile *const kernels[] = {forward_1x1, forward_2x1, forward_4x1, forward_8x1,
                                              forward_1x2, forward_2x2, forward_4x2};
  csk_walk_forward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, x, y, tiles,
                   epilogue);
}

static void register_sparse_forward(csk_kernels *kernels) {
  kernels->sparse_forward = sparse_forward;
}
