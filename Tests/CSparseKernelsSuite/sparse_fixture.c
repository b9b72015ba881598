// sparse_fixture.c: topologies and lists that the tests of the sparse kernels share.
#include "sparse_fixture.h"

#include <stdlib.h>

void *sparse_allocate(int64_t count, int64_t size) {
  void *memory = malloc(count > 0 ? (size_t)(count * size) : 1);
  if (!memory) abort();
  return memory;
}

float *sparse_allocate_uniform(int64_t count, uint64_t seed) {
  float *values = sparse_allocate(count, sizeof *values);
  for (int64_t i = 0; i < count; i++) values[i] = csk_test_uniform(&seed);
  return values;
}

static topology topology_empty(int32_t rows, int32_t channels, int32_t taps, int64_t capacity) {
  topology t = {.row_offsets = sparse_allocate(rows + 1, sizeof(int64_t)),
                .columns = sparse_allocate(capacity, sizeof(int32_t))};
  t.row_offsets[0] = 0;
  t.csr = (csk_csr){rows, channels, taps, t.row_offsets, t.columns};
  return t;
}

topology sparse_topology_random(int32_t rows, int32_t channels, int32_t taps, double density,
                                uint64_t seed) {
  const int32_t width = channels * taps;
  topology t = topology_empty(rows, channels, taps, (int64_t)rows * width);
  for (int32_t row = 0; row < rows; row++) {
    for (int32_t column = 0; column < width; column++)
      if ((double)(csk_test_random(&seed) >> 11) * 0x1p-53 < density) t.columns[t.nnz++] = column;
    t.row_offsets[row + 1] = t.nnz;
  }
  return t;
}

topology sparse_topology_with_counts(int32_t rows, int32_t channels, int32_t taps,
                                     const int32_t *counts, uint64_t seed) {
  const int32_t width = channels * taps;
  topology t = topology_empty(rows, channels, taps, (int64_t)rows * width);
  for (int32_t row = 0; row < rows; row++) {
    int32_t wanted = counts[row];
    // Each column is taken with the chance that leaves the right number for the rest.
    for (int32_t column = 0; column < width && wanted > 0; column++) {
      if ((int32_t)(csk_test_random(&seed) % (uint64_t)(width - column)) >= wanted) continue;
      t.columns[t.nnz++] = column;
      wanted--;
    }
    t.row_offsets[row + 1] = t.nnz;
  }
  return t;
}

void sparse_topology_free(topology *t) {
  free(t->row_offsets);
  free(t->columns);
}

built_list sparse_build_list(const csk_csr *csr, const csk_list_shape *shape,
                             const float *weights) {
  built_list b = {0};
  const int64_t nnz = csr->row_offsets[csr->rows];
  b.status = csk_list_measure(shape, csr->rows, csr->channels, csr->taps, nnz, &b.sizes);
  if (b.status != csk_status_ok) return b;
  const int64_t starts = b.sizes.segments + 1;
  b.storage = (csk_list_storage){
      .entry_starts = sparse_allocate(starts, sizeof(int64_t)),
      .run_starts = sparse_allocate(starts, sizeof(int64_t)),
      .row_starts = sparse_allocate(starts, sizeof(int64_t)),
      .runs = sparse_allocate(b.sizes.runs, sizeof(csk_run)),
      .row_offsets = sparse_allocate(b.sizes.rows, sizeof(int32_t)),
      .offsets = sparse_allocate(nnz, sizeof(int32_t)),
      .csr_indices = sparse_allocate(nnz, sizeof(int32_t)),
  };
  int64_t *workspace = sparse_allocate(b.sizes.workspace, sizeof(int64_t));
  b.status = csk_list_build(csr, shape, &b.storage, workspace);
  free(workspace);
  float *listed = sparse_allocate(nnz, sizeof *listed);
  for (int64_t i = 0; weights && b.status == csk_status_ok && i < nnz; i++)
    listed[i] = weights[b.storage.csr_indices[i]];
  b.list = (csk_list){
      .slabs = b.sizes.slabs,
      .blocks = b.sizes.blocks,
      .entry_starts = b.storage.entry_starts,
      .run_starts = b.storage.run_starts,
      .row_starts = b.storage.row_starts,
      .runs = b.storage.runs,
      .row_offsets = b.storage.row_offsets,
      .offsets = b.storage.offsets,
      .weights = listed,
  };
  return b;
}

void sparse_built_list_free(built_list *b) {
  free(b->storage.entry_starts);
  free(b->storage.run_starts);
  free(b->storage.row_starts);
  free(b->storage.runs);
  free(b->storage.row_offsets);
  free(b->storage.offsets);
  free(b->storage.csr_indices);
  free((float *)b->list.weights);
}
