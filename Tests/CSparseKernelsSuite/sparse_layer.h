// sparse_layer.h: a layer of both lists with its operands, for the tests of the sparse kernels.
#ifndef SPARSE_LAYER_H
#define SPARSE_LAYER_H

#include "sparse_fixture.h"

// Planes of operands lie as [outer][channel][tile row][width], width = halo + lanes + halo +
// padding. Tap offsets shift within a row of the plane; halos keep them inside it.
enum { halo = 8 };

extern const int32_t sparse_shifts[5];

typedef struct planes {
  int32_t channels, outer, rows, lanes, width;
  int64_t count;
  float *memory;
} planes;

/// Random values from `seed`; 0: canaries.
planes sparse_planes_make(int32_t channels, const csk_tiles *tiles, int32_t padding, uint64_t seed);
/// Of the same shape.
planes sparse_planes_like(const planes *shape, uint64_t seed);
void sparse_planes_free(planes *p);
float *sparse_at(const planes *p, int32_t outer, int32_t channel, int32_t row);
/// Whether everything beside the lanes is still canaries.
bool sparse_halos_intact(const planes *p);

/// The layer's operands, and both lists of its topology in segments of the given size.
typedef struct layer {
  const csk_csr *csr;
  int64_t nnz;
  csk_tiles forward_tiles, backward_tiles;
  float *weights;  // CSR order
  planes x, dy;
  built_list forward, backward;
} layer;

layer sparse_layer_make(const csk_csr *csr, csk_tiles tiles, int32_t slab_rows,
                        int32_t block_columns);
void sparse_layer_free(layer *t);

/// y, on planes of canaries.
planes sparse_run_forward(csk_isa isa, const layer *t);
/// dw in CSR order; it holds `old` before the call (NaN: must not matter), dx is canaries.
float *sparse_run_backward(csk_isa isa, const layer *t, planes *dx, float old, bool accumulate);

/// Runs `check` for every supported instruction set and every tile.
void sparse_for_each_tile(const csk_csr *csr, int32_t outer, int32_t inner, int32_t slab_rows,
                          int32_t block_columns, void check(csk_isa, const layer *));

// The tests in sparse_bits_tests.c.
void test_same_bits_for_any_slabs(void);
void test_same_bits_for_any_tile(void);
void test_same_bits_for_any_neighbours(void);
void test_slab_by_slab(void);

// The tests in sparse_epilogue_tests.c.
void test_row_epilogue(void);
void test_row_epilogue_streams(void);
void test_row_epilogue_arguments(void);

#endif
