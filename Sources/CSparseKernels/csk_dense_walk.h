// csk_dense_walk.h: how every instruction set cuts a band's dense products into tiles of registers.
// A kernel is then one function for each size of tile.
#ifndef CSK_DENSE_WALK_H
#define CSK_DENSE_WALK_H

#include "csk_planes_internal.h"

enum {
  /// Columns of a product's tile, at most.
  csk_dense_columns = 8,
  /// Weights that all tiles of a band pass over before the next ones: a quarter of a second-level
  /// cache, so that they and the operands stay there.
  csk_dense_group = 1 << 16,
  /// Elements of transposed rows that all taps and outputs pass over before the next ones.
  csk_dense_piece = 256,
  /// Inputs and taps of a tile of the gradient for few inputs, at most.
  csk_narrow_inputs = 4,
  csk_narrow_taps = 6,
};

/// Part `index` of `count` things in `parts` parts as even as can be.
static inline int32_t csk_even_start(int32_t count, int32_t parts, int32_t index) {
  return (int32_t)((int64_t)count * index / parts);
}

static inline int32_t csk_parts(int32_t count, int32_t most) {
  return (count + most - 1) / most;
}

/// y[m, i] = sum over k, t of copy[k, t, m] * x[k, tap_offsets[t] + i]: some channels of a block
/// and some columns of a row.
typedef void csk_dense_tile(const float *copy, const csk_dense_band *band, const float *x,
                            float *y);

/// By channels - 1 and columns - 1.
typedef csk_dense_tile *const csk_dense_tiles[csk_dense_block][csk_dense_columns];

static inline void csk_walk_product(const csk_dense_tiles tiles, const int32_t most_columns,
                                    const float *copy, const csk_dense_band *band, const float *x,
                                    float *y) {
  const int64_t reach = (int64_t)band->reduced * band->taps;  // weights of a channel
  const int64_t fitting = csk_dense_group / (reach * csk_dense_block);
  const int32_t group = csk_dense_block * (fitting > 1 ? (int32_t)fitting : 1);
  const int32_t parts = csk_parts(band->columns, most_columns);
  for (int32_t begin = 0; begin < band->results; begin += group) {
    const int32_t end = band->results - begin < group ? band->results : begin + group;
    for (int32_t row = 0; row < band->rows; row++) {
      for (int32_t part = 0; part < parts; part++) {
        const int32_t column = csk_even_start(band->columns, parts, part);
        const int32_t columns = csk_even_start(band->columns, parts, part + 1) - column;
        const ptrdiff_t place = (ptrdiff_t)column * csk_plane_lanes;
        for (int32_t m = begin; m < end; m += csk_dense_block)
          tiles[csk_min_i32(end - m, csk_dense_block) - 1][columns - 1](
              copy + m * reach, band, x + row * band->x_row_stride + place,
              y + m * band->y_channel_stride + row * band->y_row_stride + place);
      }
    }
  }
}

/// A piece of a gradient: `count` elements of each of `rows` rows.
typedef struct csk_dense_sum {
  const float *y, *x;
  int32_t rows, count;
  ptrdiff_t y_channel_stride, y_row_stride, x_row_stride;
  ptrdiff_t x_stride;  // from one element's inputs to the next's, or of channels
  float *dw;
  ptrdiff_t dw_stride;  // of outputs
  bool accumulate;
  int32_t inputs;  // that exist: the rest of the tile is not stored
} csk_dense_sum;

/// dw[o, c] (+)= sum over i of y[o, i] * x[i, c]
typedef void csk_dense_sum_tile(const csk_dense_sum *sum);

/// By outputs - 1 and widths - 1.
typedef csk_dense_sum_tile *const csk_dense_sum_tiles[csk_dense_block][4];

static inline void csk_walk_gradient_piece(const csk_dense_sum_tiles tiles, const int32_t most,
                                           const csk_dense_sums *sums, csk_dense_sum *sum,
                                           const float *y, const float *x, float *dw) {
  const int32_t widths = csk_parts(sums->inputs, csk_dense_width);
  const int32_t parts = csk_parts(widths, most);
  for (int32_t part = 0; part < parts; part++) {
    const int32_t first = csk_even_start(widths, parts, part);
    const int32_t wide = csk_even_start(widths, parts, part + 1) - first;
    const int32_t input = first * csk_dense_width;
    sum->x = x + input;
    sum->inputs = csk_min_i32(sums->inputs - input, wide * csk_dense_width);
    for (int32_t t = 0; t < sums->taps; t++) {
      for (int32_t o = 0; o < sums->outputs; o += csk_dense_block) {
        sum->y = y + o * sums->y_channel_stride - sums->tap_offsets[t];
        sum->dw = dw + o * sums->output_stride + sums->tap_indices[t] * sums->tap_stride + input;
        tiles[csk_min_i32(sums->outputs - o, csk_dense_block) - 1][wide - 1](sum);
      }
    }
  }
}

static inline void csk_walk_gradient(const csk_dense_sum_tiles tiles, const int32_t most,
                                     const csk_dense_sums *sums, const float *y, const float *x,
                                     bool accumulate, float *dw) {
  const int32_t length = sums->columns * csk_plane_lanes;
  const int32_t width = csk_parts(sums->inputs, csk_dense_width) * csk_dense_width;
  // Short rows are summed several at once, long ones in parts.
  const int32_t rows_at_once = length < csk_dense_piece ? csk_dense_piece / length : 1;
  const int32_t parts = csk_parts(length, csk_dense_piece);
  csk_dense_sum sum = {.y_channel_stride = sums->y_channel_stride,
                       .y_row_stride = sums->y_row_stride,
                       .x_row_stride = sums->x_row_stride,
                       .x_stride = width,
                       .dw_stride = sums->output_stride,
                       .accumulate = accumulate};
  for (int32_t row = 0; row < sums->rows; row += rows_at_once) {
    sum.rows = csk_min_i32(rows_at_once, sums->rows - row);
    for (int32_t part = 0; part < parts; part++) {
      const int32_t first = csk_even_start(length, parts, part);
      sum.count = csk_even_start(length, parts, part + 1) - first;
      csk_walk_gradient_piece(tiles, most, sums, &sum, y + row * sums->y_row_stride + first,
                              x + row * sums->x_row_stride + (ptrdiff_t)first * width, dw);
      sum.accumulate = true;
    }
  }
}

/// dw[t, c] (+)= sum over rows and i of y[i - tap_offsets[t]] * x[c, i], for one output.
typedef void csk_narrow_tile(const csk_dense_sum *sum, const int32_t *tap_indices,
                             const int32_t *tap_offsets, ptrdiff_t tap_stride);

/// By inputs - 1 and taps - 1.
typedef csk_narrow_tile *const csk_narrow_tiles[csk_narrow_inputs][csk_narrow_taps];

/// `most_taps`: by inputs - 1, so that a tile's sums fit the registers.
static inline void csk_walk_narrow(const csk_narrow_tiles tiles,
                                   const int32_t most_taps[csk_narrow_inputs],
                                   const csk_dense_sums *sums, const float *y, const float *x,
                                   bool accumulate, float *dw) {
  csk_dense_sum sum = {.rows = sums->rows,
                       .count = sums->columns * csk_plane_lanes,
                       .y_row_stride = sums->y_row_stride,
                       .x_row_stride = sums->x_row_stride,
                       .x_stride = sums->x_channel_stride,
                       .accumulate = accumulate};
  const int32_t input_parts = csk_parts(sums->inputs, csk_narrow_inputs);
  for (int32_t o = 0; o < sums->outputs; o++) {
    sum.y = y + o * sums->y_channel_stride;
    for (int32_t part = 0; part < input_parts; part++) {
      const int32_t input = csk_even_start(sums->inputs, input_parts, part);
      const int32_t inputs = csk_even_start(sums->inputs, input_parts, part + 1) - input;
      sum.x = x + input * sums->x_channel_stride;
      sum.dw = dw + o * sums->output_stride + input;
      const int32_t tap_parts = csk_parts(sums->taps, most_taps[inputs - 1]);
      for (int32_t tap_part = 0; tap_part < tap_parts; tap_part++) {
        const int32_t tap = csk_even_start(sums->taps, tap_parts, tap_part);
        const int32_t taps = csk_even_start(sums->taps, tap_parts, tap_part + 1) - tap;
        tiles[inputs - 1][taps - 1](&sum, sums->tap_indices + tap, sums->tap_offsets + tap,
                                    sums->tap_stride);
      }
    }
  }
}

// X(m, 1) ... X(m, n): the instances of a row of a table, and their names.
#define CSK_DENSE_COLUMNS_2(X, m) X(m, 1) X(m, 2)
#define CSK_DENSE_COLUMNS_4(X, m) CSK_DENSE_COLUMNS_2(X, m) X(m, 3) X(m, 4)
#define CSK_DENSE_COLUMNS_6(X, m) CSK_DENSE_COLUMNS_4(X, m) X(m, 5) X(m, 6)
#define CSK_DENSE_COLUMNS_8(X, m) CSK_DENSE_COLUMNS_6(X, m) X(m, 7) X(m, 8)

#endif
