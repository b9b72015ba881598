// csk_sparse_walk.h: the order in which every instruction set walks a list: group of slabs, tile,
// slab, block, row. A kernel is then one function for one segment and one tile.
#ifndef CSK_SPARSE_WALK_H
#define CSK_SPARSE_WALK_H

#include <math.h>
#include <string.h>

#include "csk_internal.h"

/// Entries that all tiles pass over before the next ones: 1 MiB, 1.5 with dw. More than L2 often
/// has, but they are read in order, which L3 serves well ahead of the FMAs; operands are not, so
/// each further pass over them costs more (measured: 2^15 loses 40 % where operands lie in memory,
/// 2^18 some 10 % where the list is long).
enum { csk_group_entries = 1 << 17 };

/// One segment of a list, as the tile kernels read it.
typedef struct csk_segment {
  const csk_run *runs, *runs_end;
  const int32_t *row_offsets, *row_offsets_end;
  const int32_t *offsets, *offsets_end;
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
      .row_offsets_end = list->row_offsets + list->row_starts[index + 1],
      .offsets = list->offsets + entry_start,
      .offsets_end = list->offsets + list->entry_starts[index + 1],
      .weights = list->weights + entry_start,
      .entry_start = entry_start,
      .starts = index % list->blocks == 0,
  };
}

/// The result's offset a few rows ahead. Rows sorted by count come in an order that no hardware
/// prefetcher follows; without help every row of an operand in memory would wait for it.
CSK_INLINE ptrdiff_t csk_row_ahead(const csk_segment *segment, const int32_t *row_offset) {
  enum { ahead = 4 };
  const bool beyond = segment->row_offsets_end - row_offset <= ahead;
  return beyond ? segment->row_offsets_end[-1] : row_offset[ahead];
}

/// Asks for a tile of `vectors` * 8 lanes in `rows` rows.
CSK_INLINE void csk_prefetch_tile(const float *tile, ptrdiff_t row_stride, const int vectors,
                                  const int rows) {
  CSK_UNROLL
  for (int r = 0; r < rows; r++) {
    CSK_UNROLL
    for (int v = 0; v < vectors; v += 2) __builtin_prefetch(tile + r * row_stride + v * 8);
  }
}

/// The end of the slabs that all tiles pass over together, beginning with `slab`: the list is read
/// from memory once a call, operands once for each such group.
static inline int32_t csk_group_end(const csk_list *list, int32_t slab, int32_t slab_end) {
  const int64_t *starts = list->entry_starts;
  const int64_t limit = starts[(int64_t)slab * list->blocks] + csk_group_entries;
  int32_t end = slab + 1;
  while (end < slab_end && starts[(int64_t)(end + 1) * list->blocks] <= limit) end++;
  return end;
}

/// The bias of the row whose result is at `row_offset`; without one -0, the one number whose
/// addition changes nothing.
CSK_INLINE float csk_bias_at(const csk_row_epilogue *epilogue, int32_t row_offset) {
  return epilogue->bias ? epilogue->bias[row_offset / epilogue->row_stride] : -0.0f;
}

/// What results are at least, -inf for all: as the first operand of a maximum that returns the
/// second one if either is NaN, or both are zeros.
CSK_INLINE float csk_epilogue_floor(const csk_row_epilogue *epilogue) {
  return epilogue->activation.kind == csk_activation_relu ? 0 : -INFINITY;
}

/// Applies an activation that is a pass of its own to the rows of the slabs [slab, end) of a list
/// with one block, in the tile at y; copies their inputs to `input` unless it is null.
CSK_NOINLINE void csk_activate_tile(const csk_list *list, int32_t slab, int32_t end, float *y,
                                    const csk_tiles *tiles, csk_activation activation,
                                    float *input) {
  const csk_kernels *kernels = csk_kernels_current();
  const int64_t count = (int64_t)tiles->vectors * 8;
  for (int64_t row = list->row_starts[slab]; row < list->row_starts[end]; row++) {
    for (int32_t r = 0; r < tiles->rows; r++) {
      const ptrdiff_t place = list->row_offsets[row] + r * tiles->y_row;
      if (input) memcpy(input + place, y + place, (size_t)count * sizeof *y);
      kernels->activate(activation, y + place, count);
    }
  }
}

/// y[row] (+)= sum of weight * x[offset], for one segment and the tile at x and y.
typedef void csk_forward_tile(const csk_segment *segment, const float *x, float *y,
                              const csk_tiles *tiles, const csk_row_epilogue *epilogue);

static inline void csk_walk_forward(csk_forward_tile *tile, const csk_list *list,
                                    int32_t slab_begin, int32_t slab_end, const float *x, float *y,
                                    const csk_tiles *tiles, const csk_row_epilogue *epilogue) {
  const bool has_pass = epilogue && csk_activation_has_pass(epilogue->activation);
  const bool keeps_input =
      has_pass && epilogue->input && csk_activation_needs_input(epilogue->activation);
  for (int32_t slab = slab_begin, end; slab < slab_end; slab = end) {
    end = csk_group_end(list, slab, slab_end);
    for (int32_t i = 0; i < tiles->outer; i++) {
      for (int32_t j = 0; j < tiles->inner; j++) {
        const float *tile_x = x + i * tiles->x_outer + j * tiles->x_inner;
        const ptrdiff_t place = i * tiles->y_outer + j * tiles->y_inner;
        float *tile_y = y + place;
        for (int64_t s = (int64_t)slab * list->blocks; s < (int64_t)end * list->blocks; s++) {
          const csk_segment segment = csk_segment_at(list, s);
          tile(&segment, tile_x, tile_y, tiles, epilogue);
        }
        if (has_pass)
          csk_activate_tile(list, slab, end, tile_y, tiles, epilogue->activation,
                            keeps_input ? epilogue->input + place : NULL);
      }
    }
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
  for (int32_t slab = slab_begin, end; slab < slab_end; slab = end) {
    end = csk_group_end(list, slab, slab_end);
    for (int32_t i = 0; i < tiles->outer; i++) {
      for (int32_t j = 0; j < tiles->inner; j++) {
        const float *tile_dy = dy + i * tiles->x_outer + j * tiles->x_inner;
        const ptrdiff_t place = i * tiles->y_outer + j * tiles->y_inner;
        float *tile_dx = dx ? dx + place : NULL;
        const bool fresh = !accumulate && i == 0 && j == 0;
        for (int64_t s = (int64_t)slab * list->blocks; s < (int64_t)end * list->blocks; s++) {
          const csk_segment segment = csk_segment_at(list, s);
          tile(&segment, tile_dy, x + place, tile_dx, dw + segment.entry_start, fresh, tiles);
        }
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
