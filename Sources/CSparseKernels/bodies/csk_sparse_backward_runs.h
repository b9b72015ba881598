// bodies/csk_sparse_backward_runs.h: the runs of a segment, row by row, and a tile's kernel. The
// file that includes this one has backward_row, for a tile `width` registers wide, and
// csk_splits_fresh: whether there is a kernel for a fresh dw and one that adds to it.
#include "../csk_sparse_walk.h"

CSK_TARGET CSK_INLINE void backward_tile(const csk_segment *segment, const float *dy,
                                         const float *x, float *dx, float *dw,
                                         const csk_tiles *tiles, const int vectors, const int width,
                                         const int rows, const bool wants_dx, const bool fresh) {
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
                   wants_dx ? dx + row_offset : NULL, dw, x_row, y_row, width, rows, wants_dx,
                   fresh);
      offsets += count;
      weights += count;
      dw += count;
    }
  }
}

/// backward_<vectors>x<rows>, with its options known when it is compiled.
#define CSK_BACKWARD_TILE(vectors, rows, width)                                                   \
  CSK_TARGET static void backward_##vectors##x##rows(const csk_segment *segment, const float *dy, \
                                                     const float *x, float *dx, float *dw,        \
                                                     bool fresh, const csk_tiles *tiles) {        \
    const bool is_first = fresh || !csk_splits_fresh, is_fresh = fresh || csk_splits_fresh;       \
    if (dx && is_first)                                                                           \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, width, rows, true, is_fresh);         \
    else if (dx)                                                                                  \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, width, rows, true, false);            \
    else if (is_first)                                                                            \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, width, rows, false, is_fresh);        \
    else                                                                                          \
      backward_tile(segment, dy, x, dx, dw, tiles, vectors, width, rows, false, false);           \
  }
