// csk_sparse_walk.h: the order in which every instruction set walks a list: segment, tile, row.
//
// A segment's entries stay in cache while all tiles pass over them, so each is read from memory
// once a call. A kernel is then one function for one segment and one tile.
#ifndef CSK_SPARSE_WALK_H
#define CSK_SPARSE_WALK_H

#include "csk_internal.h"

#define CSK_INLINE static inline __attribute__((always_inline))

// The loops over a tile's registers must vanish, or the tile lives in memory.
#if defined(__clang__)
#define CSK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CSK_UNROLL _Pragma("GCC unroll 16")
#endif

/// One segment of a list, as the tile kernels read it.
typedef struct csk_segment {
  const csk_run *runs, *runs_end;
  const int32_t *row_offsets;
  const int32_t *offsets;
  const float *weights;
  int64_t entry_start;  // of this segment in the list
  bool starts;          // block 0: rows start at zero, in later blocks they continue
} csk_segment;

static inline csk_segment csk_segment_at(const csk_list *list, int64_t index) {
  const int64_t entry_start = list->entry_starts[index];
  return (csk_segment){
      .runs = list->runs + list->run_starts[index],
      .runs_end = list->runs + list->run_starts[index + 1],
      .row_offsets = list->row_offsets + list->row_starts[index],
      .offsets = list->offsets + entry_start,
      .weights = list->weights + entry_start,
      .entry_start = entry_start,
      .starts = index % list->blocks == 0,
  };
}

/// y[row] (+)= sum of weight * x[offset], for one segment and the tile at x and y.
typedef void csk_forward_tile(const csk_segment *segment, const float *x, float *y,
                              const csk_tiles *tiles);

static inline void csk_walk_forward(csk_forward_tile *tile, const csk_list *list,
                                    int32_t slab_begin, int32_t slab_end, const float *x, float *y,
                                    const csk_tiles *tiles) {
  const int64_t end = (int64_t)slab_end * list->blocks;
  for (int64_t index = (int64_t)slab_begin * list->blocks; index < end; index++) {
    const csk_segment segment = csk_segment_at(list, index);
    for (int32_t i = 0; i < tiles->outer; i++)
      for (int32_t j = 0; j < tiles->inner; j++)
        tile(&segment, x + i * tiles->x_outer + j * tiles->x_inner,
             y + i * tiles->y_outer + j * tiles->y_inner, tiles);
  }
}

/// dx[row] (+)= sum of weight * dy[offset], unless dx is null, and dw[entry] (+)= sum of
/// x[row] * dy[offset], for one segment and the tile at dy, x and dx; `fresh`: dw is overwritten.
typedef void csk_backward_tile(const csk_segment *segment, const float *dy, const float *x,
                               float *dx, float *dw, bool fresh, const csk_tiles *tiles);

static inline void csk_walk_backward(csk_backward_tile *tile, const csk_list *list,
                                     int32_t slab_begin, int32_t slab_end, const float *dy,
                                     const float *x, float *dx, float *dw, bool accumulate,
                                     const csk_tiles *tiles) {
  const int64_t end = (int64_t)slab_end * list->blocks;
  for (int64_t index = (int64_t)slab_begin * list->blocks; index < end; index++) {
    const csk_segment segment = csk_segment_at(list, index);
    bool fresh = !accumulate;
    for (int32_t i = 0; i < tiles->outer; i++) {
      for (int32_t j = 0; j < tiles->inner; j++) {
        const ptrdiff_t place = i * tiles->y_outer + j * tiles->y_inner;
        tile(&segment, dy + i * tiles->x_outer + j * tiles->x_inner, x + place,
             dx ? dx + place : NULL, dw + segment.entry_start, fresh, tiles);
        fresh = false;
      }
    }
  }
}

/// Where a tile's kernel stands in a table of the seven: 1x1, 2x1, 4x1, 8x1, 1x2, 2x2, 4x2.
static inline int csk_tile_index(const csk_tiles *tiles) {
  const int width = tiles->vectors == 1 ? 0 : tiles->vectors == 2 ? 1 : tiles->vectors == 4 ? 2 : 3;
  return width + 4 * (tiles->rows - 1);
}

#endif
