// sparse_layer.c: a layer of both lists with its operands, for the tests of the sparse kernels.
#include "sparse_layer.h"

#include <stdlib.h>

const int32_t sparse_shifts[5] = {0, -8, 8, -1, 5};

planes sparse_planes_make(int32_t channels, const csk_tiles *tiles, int32_t padding,
                          uint64_t seed) {
  planes p = {.channels = channels, .outer = tiles->outer, .rows = tiles->rows};
  p.lanes = tiles->inner * tiles->vectors * 8;
  p.width = p.lanes + 2 * halo + padding;
  return sparse_planes_like(&p, seed);
}

planes sparse_planes_like(const planes *shape, uint64_t seed) {
  planes p = *shape;
  p.count = (int64_t)p.outer * p.channels * p.rows * p.width;
  // One element further: addresses have float's alignment only.
  p.memory = (float *)sparse_allocate(p.count + 1, sizeof(float)) + 1;
  if (seed == 0) csk_canary_fill(p.memory, p.count);
  for (int64_t i = 0; seed != 0 && i < p.count; i++) p.memory[i] = csk_test_uniform(&seed);
  return p;
}

void sparse_planes_free(planes *p) {
  free(p->memory - 1);
}

float *sparse_at(const planes *p, int32_t outer, int32_t channel, int32_t row) {
  return p->memory + (((int64_t)outer * p->channels + channel) * p->rows + row) * p->width + halo;
}

bool sparse_halos_intact(const planes *p) {
  for (int64_t i = 0; i < (int64_t)p->outer * p->channels * p->rows; i++) {
    const float *row = p->memory + i * p->width;
    if (!csk_canary_intact(row, halo)) return false;
    if (!csk_canary_intact(row + halo + p->lanes, p->width - halo - p->lanes)) return false;
  }
  return true;
}

/// Strides of the operand's and the result's planes, which differ.
static void set_strides(csk_tiles *tiles, const planes *x, const planes *y) {
  tiles->x_row = x->width;
  tiles->y_row = y->width;
  tiles->x_inner = tiles->y_inner = tiles->vectors * 8;
  tiles->x_outer = (ptrdiff_t)x->channels * x->rows * x->width;
  tiles->y_outer = (ptrdiff_t)y->channels * y->rows * y->width;
}

layer sparse_layer_make(const csk_csr *csr, csk_tiles tiles, int32_t slab_rows,
                        int32_t block_columns) {
  layer t = {.csr = csr, .nnz = csr->row_offsets[csr->rows]};
  t.weights = sparse_allocate_uniform(t.nnz, 17);
  t.x = sparse_planes_make(csr->channels, &tiles, 3, 18);
  t.dy = sparse_planes_make(csr->rows, &tiles, 6, 19);
  t.forward_tiles = t.backward_tiles = tiles;
  set_strides(&t.forward_tiles, &t.x, &t.dy);
  set_strides(&t.backward_tiles, &t.dy, &t.x);
  const int32_t x_stride = tiles.rows * t.x.width, y_stride = tiles.rows * t.dy.width;
  const csk_list_shape forward = {csk_direction_forward,
                                  slab_rows,
                                  block_columns,
                                  y_stride,
                                  x_stride,
                                  sparse_shifts,
                                  0,
                                  0,
                                  NULL};
  const csk_list_shape backward = {csk_direction_backward,
                                   slab_rows,
                                   block_columns,
                                   x_stride,
                                   y_stride,
                                   sparse_shifts,
                                   0,
                                   0,
                                   NULL};
  t.forward = sparse_build_list(csr, &forward, t.weights);
  t.backward = sparse_build_list(csr, &backward, t.weights);
  return t;
}

void sparse_layer_free(layer *t) {
  free(t->weights);
  sparse_planes_free(&t->x);
  sparse_planes_free(&t->dy);
  sparse_built_list_free(&t->forward);
  sparse_built_list_free(&t->backward);
}

planes sparse_run_forward(csk_isa isa, const layer *t) {
  planes y = sparse_planes_like(&t->dy, 0);
  const csk_status status =
      CSK_ON(isa, csk_sparse_forward(&t->forward.list, 0, t->forward.list.slabs, t->x.memory + halo,
                                     y.memory + halo, &t->forward_tiles, NULL));
  CSK_CHECK(status == csk_status_ok, "status %d", status);
  return y;
}

float *sparse_run_backward(csk_isa isa, const layer *t, planes *dx, float old, bool accumulate) {
  float *listed = sparse_allocate(t->nnz, sizeof *listed),
        *dw = sparse_allocate(t->nnz, sizeof *dw);
  for (int64_t k = 0; k < t->nnz; k++) listed[k] = old;
  const csk_status status = CSK_ON(
      isa, csk_sparse_backward(&t->backward.list, 0, t->backward.list.slabs, t->dy.memory + halo,
                               t->x.memory + halo, dx ? dx->memory + halo : NULL, listed,
                               accumulate, &t->backward_tiles));
  CSK_CHECK(status == csk_status_ok, "status %d", status);
  for (int64_t k = 0; k < t->nnz; k++) dw[t->backward.storage.csr_indices[k]] = listed[k];
  free(listed);
  return dw;
}

static const csk_tiles seven_tiles[] = {{.vectors = 1, .rows = 1}, {.vectors = 2, .rows = 1},
                                        {.vectors = 4, .rows = 1}, {.vectors = 8, .rows = 1},
                                        {.vectors = 1, .rows = 2}, {.vectors = 2, .rows = 2},
                                        {.vectors = 4, .rows = 2}};

void sparse_for_each_tile(const csk_csr *csr, int32_t outer, int32_t inner, int32_t slab_rows,
                          int32_t block_columns, void check(csk_isa, const layer *)) {
  for (size_t i = 0; i < sizeof seven_tiles / sizeof *seven_tiles; i++) {
    csk_tiles tiles = seven_tiles[i];
    tiles.outer = outer;
    tiles.inner = inner;
    layer t = sparse_layer_make(csr, tiles, slab_rows, block_columns);
    for (int isa = 0; isa < csk_isa_count; isa++)
      if (csk_isa_is_supported((csk_isa)isa)) check((csk_isa)isa, &t);
    sparse_layer_free(&t);
  }
}
