// include/csk_sparse.h: the pair of sparse kernels, on lists of offsets.
//
// Every sparse layer (linear, convolution, recurrent) is this pair. A list holds the connections
// in the order in which a kernel walks them, each with the offset of its operand: a linear layer's
// offset is a channel, a convolution's folds channel and tap into one number.
#ifndef CSK_SPARSE_H
#define CSK_SPARSE_H

#include "csk_activation.h"

#ifdef __cplusplus
extern "C" {
#endif

/// `rows` consecutive list rows with `count` entries each. Runs instead of row pointers: the inner
/// loop's trip count repeats, so the branch at a row's end is predicted.
typedef struct csk_run {
  uint32_t count;
  uint32_t rows;
} csk_run;

/// A borrowed connection list. Its rows are cut into slabs (a slab has one owner thread) and its
/// reduced dimension into blocks (a block's operand fits the cache); segment
/// `slab * blocks_per_slab + block` holds the entries of both. Within a segment, rows are sorted by
/// count (ties by row) and each row's entries by reduced index.
typedef struct csk_list {
  int32_t slabs;
  int32_t blocks;               // per slab
  const int64_t *entry_starts;  // (slabs * blocks + 1) first entry of each segment
  const int64_t *run_starts;    // (slabs * blocks + 1) first run of each segment
  const int64_t *row_starts;    // (slabs * blocks + 1) first stored row of each segment
  const csk_run *runs;          // runs of all segments
  const int32_t *row_offsets;   // element offset of each stored row's result
  const int32_t *offsets;       // (nnz) element offset of each entry's operand
  const float *weights;         // (nnz)
} csk_list;
// Block 0 of a slab stores every row of the slab, empty ones too: it starts the result. Later
// blocks store only rows that have entries, and add.

/// Where a kernel call applies its segments: a tile of `rows` rows of 8 * `vectors` lanes, at
/// outer * inner places. Tile (i, j) reads at `x + i * x_outer + j * x_inner` and works on
/// `y + i * y_outer + j * y_inner`; within a tile, row r lies r * x_row (r * y_row) further.
/// Tiles may overlap in x, never in y.
typedef struct csk_tiles {
  int32_t vectors;  // 1, 2, 4 or 8: tile width in vectors of 8 lanes
  int32_t rows;     // 1, 2 (2 only with vectors <= 4)
  int32_t outer, inner;
  ptrdiff_t x_outer, x_inner, x_row;
  ptrdiff_t y_outer, y_inner, y_row;
} csk_tiles;

/// What becomes of a row's sums: y = f(sum + bias), in the bits of csk_epilogue_forward; bias and
/// ReLU while they are in registers, other activations f once a tile's rows are done, in L1 or L2.
/// Only of lists with one block, whose sums are complete at once.
typedef struct csk_row_epilogue {
  const float *bias;   // of list row r at r; null: none
  int32_t row_stride;  // elements from one list row's result to the next, as the list was built
  csk_activation activation;
  float *input;  // sum + bias, laid out as y, if csk_activation_needs_input; null: not wanted
  bool streams;  // y outgrows the caches: written past them, if it and all its strides are
                 // multiples of 64 bytes (AVX2 and AVX-512; others ignore it)
} csk_row_epilogue;

/// y[row] = sum over the row's entries of weight * x[offset], for slabs [slab_begin, slab_end).
///
///   x   operand: entry offsets are relative to each tile's place in it
///   y   result: row offsets are relative to each tile's place in it; overwritten
///   epilogue  applied to the sums; null: none
///
/// x and y must not overlap. Addresses need no alignment beyond float's. A lane of y depends on the
/// cut into blocks, but not on slabs or tiles: not in a single bit.
csk_status csk_sparse_forward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *x, float *y, const csk_tiles *tiles,
                              const csk_row_epilogue *epilogue);

/// Both backward products in one walk, for slabs [slab_begin, slab_end) of a list whose rows are
/// the layer's inputs and whose entries are its outputs:
///
///   dx[row] = sum over the row's entries of weight * dy[offset]
///   dw[entry] (+)= sum over all tiles and lanes of x[row] * dy[offset]
///
///   dy  gradient of the layer's output; tiles' x_* strides apply to it
///   x   the layer's input, same places as dx; tiles' y_* strides apply
///   dx  overwritten; null: not wanted (a network's first layer)
///   dw  (nnz) in list order; added to if `accumulate`, else overwritten
///
/// dw sums in a fixed order: tile by tile (inner places first), each tile's lanes by a fixed tree.
/// It depends on the shape of the tiles, but not on slabs, blocks or an entry's neighbours, nor on
/// whether dx is wanted. dx is like y above. No tiles at all: dw is a sum over nothing.
csk_status csk_sparse_backward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *dy, const float *x, float *dx, float *dw,
                               bool accumulate, const csk_tiles *tiles);

/// Which way a list is walked.
typedef enum csk_direction {
  csk_direction_forward = 0,   ///< rows are outputs, reduced are input channels
  csk_direction_backward = 1,  ///< rows are input channels, reduced are outputs
} csk_direction;

/// A borrowed CSR topology: output rows by positions (channel * taps + tap) within the row.
typedef struct csk_csr {
  int32_t rows;                // outputs
  int32_t channels;            // input channels
  int32_t taps;                // kernel positions: 1 for a linear layer
  const int64_t *row_offsets;  // (rows + 1)
  const int32_t *columns;      // (nnz) strictly increasing within a row, < channels * taps
} csk_csr;

/// How a list lies in memory. The order of the entries depends on the first four only, so it is
/// the same for any operand layout.
typedef struct csk_list_shape {
  csk_direction direction;
  int32_t slab_rows;           // list rows a slab
  int32_t block_columns;       // reduced indices a block
  int32_t row_stride;          // elements from one list row's result to the next
  int32_t column_stride;       // elements from one reduced index's operand to the next
  const int32_t *tap_offsets;  // (taps) added (forward) or subtracted (backward); null: all 0
  // Where a stride cuts the input into phases, a backward list has a row for each channel and
  // phase: list row channel * phases + phase, its result at channel * row_stride + phase *
  // phase_stride; a row that no tap reads is empty. slab_rows is then a multiple of phases. Forward
  // lists have none and ignore these.
  int32_t phases;             // 0 or 1: none
  int32_t phase_stride;       // elements
  const int32_t *tap_phases;  // (taps) each in 0..<phases; null without phases
} csk_list_shape;

/// Fills in direction, slab_rows and block_columns, without phases: a segmentation that suits the
/// sparse kernels for a topology of this shape with `nnz` connections. A pure function of its
/// arguments.
void csk_list_choose(csk_direction direction, int32_t rows, int32_t channels, int32_t taps,
                     int64_t nnz, csk_list_shape *shape);

/// Upper bounds on the arrays of a list, true for every topology of this shape with `nnz`
/// connections: a topology update never needs more.
typedef struct csk_list_sizes {
  int32_t slabs, blocks;
  int64_t segments;   // slabs * blocks
  int64_t rows;       // row_offsets
  int64_t runs;       // runs
  int64_t workspace;  // int64 elements that csk_list_build needs
} csk_list_sizes;

/// Writes the bounds; csk_status_overflow if an offset would not fit int32.
csk_status csk_list_measure(const csk_list_shape *shape, int32_t rows, int32_t channels,
                            int32_t taps, int64_t nnz, csk_list_sizes *sizes);

/// The memory a build writes: csk_list's arrays, writable, of at least csk_list_measure's sizes.
typedef struct csk_list_storage {
  int64_t *entry_starts, *run_starts, *row_starts;  // (segments + 1)
  csk_run *runs;
  int32_t *row_offsets;
  int32_t *offsets;      // (nnz)
  int32_t *csr_indices;  // (nnz) each entry's index in the CSR: list order to CSR order
} csk_list_storage;

/// Builds a list from a CSR topology in O(nnz + rows + segments), a pure function of both (later
/// blocks with few entries also look at a bit for each of their rows). csk_status_invalid_argument
/// if the CSR's rows or columns are out of order or out of range.
csk_status csk_list_build(const csk_csr *csr, const csk_list_shape *shape,
                          const csk_list_storage *storage, int64_t *workspace);

#ifdef __cplusplus
}
#endif
#endif
