// sparse_list_tests.c: lists say what the CSR says, in the promised order and size.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sparse_fixture.h"

typedef struct place {
  int32_t row, reduced, tap;
} place;

/// Where the CSR's connection `index` belongs in a list.
static place place_of(const csk_csr *csr, csk_direction direction, int64_t index) {
  int32_t output = 0;
  while (csr->row_offsets[output + 1] <= index) output++;
  const int32_t channel = csr->columns[index] / csr->taps;
  const int32_t tap = csr->columns[index] % csr->taps;
  if (direction == csk_direction_forward) return (place){output, channel, tap};
  return (place){channel, output, tap};
}

/// Checks every promise of csk_list and csk_list_shape.
static void check_list(const csk_csr *csr, const csk_list_shape *shape, const built_list *b) {
  const bool forward = shape->direction == csk_direction_forward;
  const int32_t rows = forward ? csr->rows : csr->channels;
  const int64_t nnz = csr->row_offsets[csr->rows];
  const csk_list_storage *s = &b->storage;
  char *seen = calloc((size_t)nnz + 1, 1), *started = calloc((size_t)rows + 1, 1);
  CSK_CHECK(s->entry_starts[0] == 0 && s->run_starts[0] == 0 && s->row_starts[0] == 0,
            "the first segment does not start at 0");
  for (int64_t segment = 0; segment < b->sizes.segments; segment++) {
    const int32_t slab = (int32_t)(segment / b->sizes.blocks);
    const int32_t block = (int32_t)(segment % b->sizes.blocks);
    int64_t entry = s->entry_starts[segment], stored = s->row_starts[segment];
    int64_t last_count = -1;
    for (int64_t run = s->run_starts[segment]; run < s->run_starts[segment + 1]; run++) {
      CSK_CHECK((int64_t)s->runs[run].count > last_count && s->runs[run].rows > 0, "run %d",
                (int)run);
      last_count = s->runs[run].count;
      CSK_CHECK(last_count > 0 || block == 0, "an empty row in block %d", block);
      int32_t last_row = -1;
      for (uint32_t i = 0; i < s->runs[run].rows; i++, stored++) {
        const int32_t row = s->row_offsets[stored] / shape->row_stride;
        CSK_CHECK(row > last_row && row / shape->slab_rows == slab, "row %d", row);
        last_row = row;
        started[row] |= block == 0;
        int64_t last_index = -1;
        for (uint32_t k = 0; k < s->runs[run].count; k++, entry++) {
          const int64_t index = s->csr_indices[entry];
          const place p = place_of(csr, shape->direction, index);
          const int32_t tap_offset = shape->tap_offsets ? shape->tap_offsets[p.tap] : 0;
          CSK_CHECK(!seen[index], "connection %d twice", (int)index);
          seen[index] = 1;
          CSK_CHECK(p.row == row && p.reduced / shape->block_columns == block, "entry %d",
                    (int)entry);
          CSK_CHECK(index > last_index, "entry %d out of order", (int)entry);
          last_index = index;
          CSK_CHECK(s->offsets[entry] ==
                        p.reduced * shape->column_stride + (forward ? tap_offset : -tap_offset),
                    "offset %d", s->offsets[entry]);
        }
      }
    }
    CSK_CHECK(entry == s->entry_starts[segment + 1], "segment %d's entries", (int)segment);
    CSK_CHECK(stored == s->row_starts[segment + 1], "segment %d's rows", (int)segment);
  }
  CSK_CHECK(s->entry_starts[b->sizes.segments] == nnz,
            "the last segment does not end at the last connection");
  for (int32_t row = 0; row < rows; row++) CSK_CHECK(started[row], "row %d not started", row);
  CSK_CHECK(s->row_starts[b->sizes.segments] <= b->sizes.rows, "more rows than measured");
  CSK_CHECK(s->run_starts[b->sizes.segments] <= b->sizes.runs, "more runs than measured");
  free(seen);
  free(started);
}

void test_list_order(void) {
  const int32_t taps_offsets[9] = {-11, -10, -9, -1, 0, 1, 9, 10, 11};
  const double densities[] = {0, 0.02, 0.3, 1};
  const struct {
    int32_t rows, channels, taps, slab_rows, block_columns;
  } shapes[] = {{1, 1, 1, 1, 1},     {7, 5, 1, 7, 5},       {8, 16, 1, 4, 8},
                {9, 17, 1, 4, 8},    {33, 20, 1, 100, 3},   {12, 6, 9, 5, 2},
                {5, 70, 3, 2, 1000}, {200, 150, 1, 130, 1}, {150, 200, 1, 70, 7}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    for (size_t d = 0; d < sizeof densities / sizeof *densities; d++) {
      topology t = sparse_topology_random(shapes[i].rows, shapes[i].channels, shapes[i].taps,
                                          densities[d], 100 * i + d);
      for (int direction = 0; direction < 2; direction++) {
        const csk_list_shape shape = {(csk_direction)direction,
                                      shapes[i].slab_rows,
                                      shapes[i].block_columns,
                                      24,
                                      40,
                                      shapes[i].taps == 9 ? taps_offsets : NULL,
                                      0,
                                      0,
                                      NULL};
        built_list b = sparse_build_list(&t.csr, &shape, NULL);
        CSK_CHECK(b.status == csk_status_ok, "status %d", b.status);
        if (b.status == csk_status_ok) check_list(&t.csr, &shape, &b);
        sparse_built_list_free(&b);
      }
      sparse_topology_free(&t);
    }
  }
}

void test_list_strides(void) {
  const int32_t tap_offsets[4] = {3, 1, 2, 0};
  topology t = sparse_topology_random(30, 25, 4, 0.2, 5);
  for (int direction = 0; direction < 2; direction++) {
    const csk_list_shape plain = {(csk_direction)direction, 7, 6, 1, 1, NULL, 0, 0, NULL};
    const csk_list_shape strided = {
        (csk_direction)direction, 7, 6, 64, 320, tap_offsets, 0, 0, NULL};
    built_list a = sparse_build_list(&t.csr, &plain, NULL),
               b = sparse_build_list(&t.csr, &strided, NULL);
    CSK_CHECK(
        memcmp(a.storage.csr_indices, b.storage.csr_indices, sizeof(int32_t) * (size_t)t.nnz) == 0,
        "the order depends on strides");
    sparse_built_list_free(&a);
    sparse_built_list_free(&b);
  }
  sparse_topology_free(&t);
}

/// Topologies that fill the bounds: one connection in each (row, block); all counts different.
void test_list_bounds(void) {
  enum { rows = 60, channels = 64, block = 8 };
  int32_t counts[rows];
  for (int32_t i = 0; i < rows; i++) counts[i] = i;
  topology different = sparse_topology_with_counts(rows, channels, 1, counts, 3);
  const csk_list_shape one = {csk_direction_forward, rows, channels, 1, 1, NULL, 0, 0, NULL};
  built_list b = sparse_build_list(&different.csr, &one, NULL);
  CSK_CHECK(b.storage.run_starts[1] == rows, "%d runs", (int)b.storage.run_starts[1]);
  CSK_CHECK(b.sizes.runs <= rows + 1, "runs measured as %d", (int)b.sizes.runs);
  check_list(&different.csr, &one, &b);
  sparse_built_list_free(&b);
  sparse_topology_free(&different);

  topology spread = sparse_topology_random(rows, channels, 1, 0, 1);
  free(spread.columns);
  spread.columns = sparse_allocate(rows * channels / block, sizeof(int32_t));
  spread.csr.columns = spread.columns;
  for (int32_t row = 0; row < rows; row++) {
    for (int32_t i = 0; i < channels; i += block) spread.columns[spread.nnz++] = i + row % block;
    spread.row_offsets[row + 1] = spread.nnz;
  }
  const csk_list_shape blocks = {csk_direction_forward, 16, block, 1, 1, NULL, 0, 0, NULL};
  b = sparse_build_list(&spread.csr, &blocks, NULL);
  CSK_CHECK(b.storage.row_starts[b.sizes.segments] == rows * channels / block,
            "a row was left out of a block, or is twice in one");
  CSK_CHECK(b.sizes.rows == rows * channels / block, "rows measured as %d", (int)b.sizes.rows);
  check_list(&spread.csr, &blocks, &b);
  sparse_built_list_free(&b);
  sparse_topology_free(&spread);
}

void test_list_measure_arguments(void) {
  const csk_list_shape good = {csk_direction_forward, 4, 4, 8, 8, NULL, 0, 0, NULL};
  csk_list_sizes sizes;
  CSK_CHECK(csk_list_measure(&good, 5, 6, 1, 30, &sizes) == csk_status_ok,
            "all connections that there can be");
  CSK_CHECK(csk_list_measure(NULL, 5, 6, 1, 30, &sizes) == csk_status_invalid_argument, "no shape");
  CSK_CHECK(csk_list_measure(&good, 5, 6, 1, 30, NULL) == csk_status_invalid_argument, "no sizes");
  CSK_CHECK(csk_list_measure(&good, -1, 6, 1, 0, &sizes) == csk_status_invalid_argument, "-1 rows");
  CSK_CHECK(csk_list_measure(&good, 5, -1, 1, 0, &sizes) == csk_status_invalid_argument,
            "-1 channels");
  CSK_CHECK(csk_list_measure(&good, 5, 6, 0, 0, &sizes) == csk_status_invalid_argument, "no taps");
  CSK_CHECK(csk_list_measure(&good, 5, 6, 1, -1, &sizes) == csk_status_invalid_argument,
            "-1 connections");
  CSK_CHECK(csk_list_measure(&good, 5, 6, 1, 31, &sizes) == csk_status_invalid_argument,
            "one connection more than there can be");
  csk_list_shape bad = good;
  bad.slab_rows = 0;
  CSK_CHECK(csk_list_measure(&bad, 5, 6, 1, 30, &sizes) == csk_status_invalid_argument,
            "slabs of no rows");
  bad = good;
  bad.block_columns = 0;
  CSK_CHECK(csk_list_measure(&bad, 5, 6, 1, 30, &sizes) == csk_status_invalid_argument,
            "blocks of no columns");
  bad = good;
  bad.direction = (csk_direction)2;
  CSK_CHECK(csk_list_measure(&bad, 5, 6, 1, 30, &sizes) == csk_status_invalid_argument,
            "a third direction");
}

void test_list_overflow(void) {
  csk_list_sizes sizes;
  csk_list_shape shape = {csk_direction_forward, 1 << 20, 1 << 20, 1, 1 << 20, NULL, 0, 0, NULL};
  CSK_CHECK(csk_list_measure(&shape, 2, 2048, 1, 9, &sizes) == csk_status_ok,
            "the last column fits");
  CSK_CHECK(csk_list_measure(&shape, 2, 2049, 1, 9, &sizes) == csk_status_overflow,
            "one column more does not fit");
  CSK_CHECK(csk_list_measure(&shape, 2049, 2, 1, 9, &sizes) == csk_status_ok,
            "the last of rows one apart fits");
  shape.row_stride = 1 << 20;
  CSK_CHECK(csk_list_measure(&shape, 2049, 2, 1, 9, &sizes) == csk_status_overflow,
            "the last of rows 2^20 apart does not fit");
  // Taps are added forward and subtracted backward: only one of the two leaves the range.
  const int32_t taps[2] = {0, (1 << 20) - 1}, further[2] = {0, 1 << 20};
  shape = (csk_list_shape){csk_direction_forward, 64, 64, 1, 1 << 20, taps, 0, 0, NULL};
  CSK_CHECK(csk_list_measure(&shape, 2, 2048, 2, 9, &sizes) == csk_status_ok,
            "forward, the last tap fits");
  shape.tap_offsets = further;
  CSK_CHECK(csk_list_measure(&shape, 2, 2048, 2, 9, &sizes) == csk_status_overflow,
            "forward, a tap of 2^20 does not fit");
  shape.direction = csk_direction_backward;
  CSK_CHECK(csk_list_measure(&shape, 2048, 2, 2, 9, &sizes) == csk_status_ok,
            "backward, the same tap is subtracted");
  // More connections, or columns, than an int32 index can name.
  shape = (csk_list_shape){csk_direction_forward, 64, 64, 1, 1, NULL, 0, 0, NULL};
  CSK_CHECK(csk_list_measure(&shape, 1 << 20, 1 << 20, 1, INT32_MAX, &sizes) == csk_status_ok,
            "2^31 - 1 connections");
  CSK_CHECK(csk_list_measure(&shape, 1 << 20, 1 << 20, 1, 1ll << 31, &sizes) == csk_status_overflow,
            "2^31 connections");
  CSK_CHECK(csk_list_measure(&shape, 4, 1 << 30, 2, 9, &sizes) == csk_status_overflow,
            "2^31 columns");
}

void test_list_damaged_csr(void) {
  const int32_t damaged[][4] = {{1, 1, 0, 3},         {3, 2, 0, 3},         {0, 6, 0, 3},
                                {-1, 2, 0, 3},        {-40, 2, 0, 3},       {6, 7, 0, 3},
                                {0, INT32_MAX, 0, 3}, {INT32_MAX, 0, 0, 3}, {0, 1, 2, INT32_MIN}};
  const int64_t row_offsets[][3] = {{0, 2, 4}, {0, 5, 4}, {0, -2, 4}, {1, 2, 4}, {0, 9, 4}};
  const int32_t columns[4] = {0, 5, 2, 4};
  for (int direction = 0; direction < 2; direction++) {
    const csk_list_shape shape = {(csk_direction)direction, 1, 2, 1, 1, NULL, 0, 0, NULL};
    csk_csr csr = {2, 6, 1, row_offsets[0], columns};
    built_list b = sparse_build_list(&csr, &shape, NULL);
    CSK_CHECK(b.status == csk_status_ok, "status %d", b.status);
    sparse_built_list_free(&b);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
      csr.columns = damaged[i];
      b = sparse_build_list(&csr, &shape, NULL);
      CSK_CHECK(b.status == csk_status_invalid_argument, "columns %d: status %d", (int)i, b.status);
      sparse_built_list_free(&b);
    }
    csr.columns = columns;
    for (size_t i = 1; i < sizeof row_offsets / sizeof *row_offsets; i++) {
      csr.row_offsets = row_offsets[i];
      b = sparse_build_list(&csr, &shape, NULL);
      CSK_CHECK(b.status == csk_status_invalid_argument, "rows %d: status %d", (int)i, b.status);
      sparse_built_list_free(&b);
    }
  }
}

void test_list_empty(void) {
  const struct { int32_t rows, channels; } shapes[] = {{0, 0}, {0, 3}, {3, 0}, {3, 3}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    topology t = sparse_topology_random(shapes[i].rows, shapes[i].channels, 1, 0, 0);
    for (int direction = 0; direction < 2; direction++) {
      const csk_list_shape shape = {(csk_direction)direction, 2, 2, 8, 8, NULL, 0, 0, NULL};
      built_list b = sparse_build_list(&t.csr, &shape, NULL);
      CSK_CHECK(b.status == csk_status_ok, "status %d", b.status);
      if (b.status == csk_status_ok) check_list(&t.csr, &shape, &b);
      sparse_built_list_free(&b);
    }
    sparse_topology_free(&t);
  }
}

/// The chosen shape is valid, covers small and huge layers, leaves a row several entries in a
/// block, and keeps the memory bar: 13 bytes a connection for a list without its weights, 8 while
/// building.
void test_list_choose(void) {
  const struct {
    int32_t rows, channels, taps;
    int64_t nnz;
  } layers[] = {{0, 0, 1, 0},
                {1, 1, 1, 1},
                {10, 300, 1, 2000},
                {1024, 1024, 1, 104858},
                {512, 512, 9, 235930},
                {200000, 200000, 1, 4000000},
                {4096, 4096, 1, 335544},
                {1 << 30, 1, 1, 5}};
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
    for (int direction = 0; direction < 2; direction++) {
      csk_list_shape shape = {.row_stride = 1, .column_stride = 1};
      csk_list_choose((csk_direction)direction, layers[i].rows, layers[i].channels, layers[i].taps,
                      layers[i].nnz, &shape);
      csk_list_sizes z;
      const csk_status status = csk_list_measure(&shape, layers[i].rows, layers[i].channels,
                                                 layers[i].taps, layers[i].nnz, &z);
      CSK_CHECK(status == csk_status_ok, "layer %d: status %d", (int)i, status);
      if (layers[i].nnz < 100000) continue;
      const int64_t list_rows = direction == 0 ? layers[i].rows : layers[i].channels;
      CSK_CHECK(z.blocks == 1 || layers[i].nnz >= 6 * list_rows * z.blocks, "layer %d: %d blocks",
                (int)i, z.blocks);
      const int64_t kept = 8 * layers[i].nnz + 24 * z.segments + 8 * z.runs + 4 * z.rows;
      CSK_CHECK(kept <= 13 * layers[i].nnz, "layer %d, direction %d: %.1f bytes a connection",
                (int)i, direction, (double)kept / (double)layers[i].nnz);
      CSK_CHECK(z.workspace <= layers[i].nnz + 100000 + layers[i].rows, "layer %d: workspace %lld",
                (int)i, (long long)z.workspace);
    }
  }
}
