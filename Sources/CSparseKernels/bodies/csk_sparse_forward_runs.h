// bodies/csk_sparse_forward_runs.h: the runs of a segment, some rows at once, and a tile's kernel.
// The file that includes this one has forward_rows, for a tile `width` registers wide.
#include "../csk_sparse_walk.h"

CSK_TARGET CSK_INLINE void forward_tile(const csk_segment *segment, const float *x, float *y,
                                        const csk_tiles *tiles, const int width, const int rows,
                                        const int group, const csk_row_epilogue *epilogue,
                                        const bool streams) {
  const ptrdiff_t x_row = tiles->x_row, y_row = tiles->y_row;
  const int32_t *row_offsets = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    const uint32_t count = run->count;
    uint32_t i = 0;
    for (; group > 1 && i + group <= run->rows; i += group) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, width, rows,
                   group, epilogue, streams);
      row_offsets += group;
      offsets += (size_t)group * count;
      weights += (size_t)group * count;
    }
    for (; i < run->rows; i++) {
      forward_rows(segment, row_offsets, offsets, weights, count, x, y, x_row, y_row, width, rows,
                   1, epilogue, streams);
      row_offsets++;
      offsets += count;
      weights += count;
    }
  }
}

/// forward_<vectors>x<rows>. Where stores can stream there are kernels for the ways of storing.
#define CSK_FORWARD_TILE(vectors, rows, width, group)                                           \
  CSK_TARGET static void forward_##vectors##x##rows(const csk_segment *segment, const float *x, \
                                                    float *y, const csk_tiles *tiles,           \
                                                    const csk_row_epilogue *epilogue) {         \
    if (!csk_streams)                                                                           \
      forward_tile(segment, x, y, tiles, width, rows, group, epilogue, false);                  \
    else if (!epilogue)                                                                         \
      forward_tile(segment, x, y, tiles, width, rows, group, NULL, false);                      \
    else if (epilogue->streams)                                                                 \
      forward_tile(segment, x, y, tiles, width, rows, group, epilogue, true);                   \
    else                                                                                        \
      forward_tile(segment, x, y, tiles, width, rows, group, epilogue, false);                  \
  }
