// bodies/csk_sparse_backward_body.h: both backward products in one walk,
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
#include "../csk_sparse_walk.h"

/// The registers of one row's tile.
typedef struct row_tile {
  const float *x;
  float *dx;
  csk_v xs[8], dxs[8];
} row_tile;

/// One entry: adds to the row's dx, returns the lanes of its dw.
CSK_TARGET CSK_INLINE csk_v backward_entry(row_tile *row, const float *dy, const float *weight,
                                           ptrdiff_t x_row, ptrdiff_t y_row, const int vectors,
                                           const int rows, const bool wants_dx,
                                           const bool holds_x) {
  const csk_v w = wants_dx ? csk_load_all(weight) : csk_zero();
  csk_v products = csk_zero();
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    const csk_v dys = csk_load(dy + i / vectors * x_row + i % vectors * csk_lanes);
    const csk_v xs =
        holds_x ? row->xs[i] : csk_load(row->x + i / vectors * y_row + i % vectors * csk_lanes);
    if (wants_dx) row->dxs[i] = csk_fused(w, dys, row->dxs[i]);
    products = i == 0 ? csk_times(xs, dys) : csk_fused(xs, dys, products);
  }
  return csk_apart(products);
}

/// One list row's `count` entries.
CSK_TARGET CSK_INLINE void backward_row(const csk_segment *segment, const int32_t *offsets,
                                        const float *weights, uint32_t count, const float *dy,
                                        const float *x, float *dx, float *dw, ptrdiff_t x_row,
                                        ptrdiff_t y_row, const int vectors, const int rows,
                                        const bool wants_dx, const bool fresh) {
  const bool holds_x = !wants_dx || vectors * rows <= 4;
  row_tile row = {.x = x, .dx = dx};
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    const ptrdiff_t place = i / vectors * y_row + i % vectors * csk_lanes;
    if (holds_x) row.xs[i] = csk_load(x + place);
    if (wants_dx) row.dxs[i] = segment->starts ? csk_zero() : csk_load(dx + place);
  }
#define ENTRY(k)                                                                              \
  backward_entry(&row, dy + offsets[k], weights + (k), x_row, y_row, vectors, rows, wants_dx, \
                 holds_x)
  uint32_t k = 0;
  for (; k + 4 <= count; k += 4) {
    const csk_v a = ENTRY(k), b = ENTRY(k + 1), c = ENTRY(k + 2), d = ENTRY(k + 3);
    csk_put_four(dw + k, csk_sums_of_four(a, b, c, d), fresh);
  }
  if (k + 2 <= count) {
    const csk_v a = ENTRY(k), b = ENTRY(k + 1);
    csk_put_two(dw + k, csk_sums_of_four(a, b, a, b), fresh);
    k += 2;
  }
  if (k < count) {
    const csk_v a = ENTRY(k);
    csk_put_one(dw + k, csk_sums_of_four(a, a, a, a), fresh);
  }
#undef ENTRY
  CSK_UNROLL
  for (int i = 0; i < rows * vectors; i++)
    if (wants_dx) csk_store(dx + i / vectors * y_row + i % vectors * csk_lanes, row.dxs[i]);
}

#include "csk_sparse_backward_runs.h"

CSK_BACKWARD_TILE(1, 1, 1)
CSK_BACKWARD_TILE(2, 1, 2)
CSK_BACKWARD_TILE(4, 1, 4)
CSK_BACKWARD_TILE(8, 1, 8)
CSK_BACKWARD_TILE(1, 2, 1)
CSK_BACKWARD_TILE(2, 2, 2)
CSK_BACKWARD_TILE(4, 2, 4)

static void sparse_backward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                            const float *dy, const float *x, float *dx, float *dw, bool accumulate,
                            const csk_tiles *tiles) {
  static csk_backward_tile *const kernels[] = {backward_1x1, backward_2x1, backward_4x1,
                                               backward_8x1, backward_1x2, backward_2x2,
                                               backward_4x2};
  csk_walk_backward(kernels[csk_tile_index(tiles)], list, slab_begin, slab_end, dy, x, dx, dw,
                    accumulate, tiles);
}

static void register_sparse_backward(csk_kernels *kernels) {
  kernels->sparse_backward = sparse_backward;
}
