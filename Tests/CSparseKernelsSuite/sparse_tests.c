// sparse_tests.c: the pair of sparse kernels against sums in double, on every instruction set.
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "sparse_layer.h"

/// |error| of n additions and products in any order: at most n units in the last place of the
/// terms' absolute sum (half as much to first order).
static double tolerance(double terms, double absolute) {
  return terms * FLT_EPSILON * absolute;
}

static void check_forward(csk_isa isa, const layer *t) {
  const csk_csr *csr = t->csr;
  planes y = sparse_run_forward(isa, t);
  for (int32_t i = 0; i < y.outer; i++)
    for (int32_t o = 0; o < csr->rows; o++)
      for (int32_t r = 0; r < y.rows; r++)
        for (int32_t l = 0; l < y.lanes; l++) {
          double sum = 0, absolute = 0;
          for (int64_t k = csr->row_offsets[o]; k < csr->row_offsets[o + 1]; k++) {
            const int32_t channel = csr->columns[k] / csr->taps, tap = csr->columns[k] % csr->taps;
            const double term = (double)t->weights[k] *
                                (double)sparse_at(&t->x, i, channel, r)[l + sparse_shifts[tap]];
            sum += term;
            absolute += fabs(term);
          }
          const double terms = (double)(csr->row_offsets[o + 1] - csr->row_offsets[o]);
          const double error = fabs((double)sparse_at(&y, i, o, r)[l] - sum);
          CSK_CHECK(error <= tolerance(terms, absolute), "%s %dx%d: y[%d] lane %d is off by %g",
                    csk_isa_name(isa), t->forward_tiles.vectors, y.rows, o, l, error);
        }
  CSK_CHECK(sparse_halos_intact(&y), "%s wrote beside y", csk_isa_name(isa));
  sparse_planes_free(&y);
}

/// dx and dw in double, with the terms' absolute sums.
typedef struct expected {
  double *dx, *dx_absolute, *dw, *dw_absolute;
} expected;

static expected expect_backward(const layer *t) {
  const csk_csr *csr = t->csr;
  expected e = {calloc((size_t)t->x.count + 1, 8), calloc((size_t)t->x.count + 1, 8),
                calloc((size_t)t->nnz + 1, 8), calloc((size_t)t->nnz + 1, 8)};
  for (int32_t o = 0; o < csr->rows; o++)
    for (int64_t k = csr->row_offsets[o]; k < csr->row_offsets[o + 1]; k++) {
      const int32_t channel = csr->columns[k] / csr->taps, tap = csr->columns[k] % csr->taps;
      for (int32_t i = 0; i < t->x.outer; i++)
        for (int32_t r = 0; r < t->x.rows; r++)
          for (int32_t l = 0; l < t->x.lanes; l++) {
            const float *x = sparse_at(&t->x, i, channel, r) + l;
            const double dy = (double)sparse_at(&t->dy, i, o, r)[l - sparse_shifts[tap]];
            e.dx[x - t->x.memory] += (double)t->weights[k] * dy;
            e.dx_absolute[x - t->x.memory] += fabs((double)t->weights[k] * dy);
            e.dw[k] += (double)*x * dy;
            e.dw_absolute[k] += fabs((double)*x * dy);
          }
    }
  return e;
}

static void check_backward(csk_isa isa, const layer *t, const expected *e) {
  const csk_tiles *tiles = &t->backward_tiles;
  planes dx = sparse_planes_like(&t->x, 0);
  float *dw = sparse_run_backward(isa, t, &dx, NAN, false);
  for (int32_t i = 0; i < dx.outer; i++)
    for (int32_t c = 0; c < dx.channels; c++)
      for (int32_t r = 0; r < dx.rows; r++)
        for (int32_t l = 0; l < dx.lanes; l++) {
          const int64_t place = sparse_at(&dx, i, c, r) + l - dx.memory;
          const double error = fabs((double)dx.memory[place] - e->dx[place]);
          const double terms = (double)t->csr->rows * t->csr->taps;
          CSK_CHECK(error <= tolerance(terms, e->dx_absolute[place]),
                    "%s %dx%d: dx[%d] lane %d is off by %g", csk_isa_name(isa), tiles->vectors,
                    tiles->rows, c, l, error);
        }
  CSK_CHECK(sparse_halos_intact(&dx), "%s wrote beside dx", csk_isa_name(isa));
  // A lane adds vectors * rows products, the tree three more, and then every tile one.
  const double terms = tiles->vectors * tiles->rows + 3 + tiles->outer * tiles->inner;
  for (int64_t k = 0; k < t->nnz; k++) {
    const double error = fabs((double)dw[k] - e->dw[k]);
    CSK_CHECK(error <= tolerance(terms, e->dw_absolute[k]), "%s %dx%d: dw[%d] is off by %g",
              csk_isa_name(isa), tiles->vectors, tiles->rows, (int)k, error);
  }
  free(dw);
  sparse_planes_free(&dx);
}

static void check_both(csk_isa isa, const layer *t) {
  check_forward(isa, t);
  expected e = expect_backward(t);
  check_backward(isa, t, &e);
  free(e.dx);
  free(e.dx_absolute);
  free(e.dw);
  free(e.dw_absolute);
}

static void check_random(int32_t rows, int32_t channels, int32_t taps, double density,
                         int32_t slab_rows, int32_t block_columns, int32_t outer, int32_t inner) {
  topology t = sparse_topology_random(rows, channels, taps, density, 7);
  sparse_for_each_tile(&t.csr, outer, inner, slab_rows, block_columns, check_both);
  sparse_topology_free(&t);
}

static void test_one_segment(void) {
  check_random(19, 23, 1, 0.3, 100, 100, 1, 1);
}
static void test_blocks_and_slabs(void) {
  check_random(19, 23, 1, 0.3, 5, 6, 1, 1);
}
static void test_many_tiles(void) {
  check_random(9, 8, 1, 0.4, 4, 3, 2, 3);
}
static void test_taps(void) {
  check_random(6, 7, 5, 0.3, 4, 3, 2, 2);
}
static void test_full_rows(void) {
  check_random(9, 11, 1, 1, 4, 5, 1, 2);
}
static void test_no_connections(void) {
  check_random(5, 6, 1, 0, 2, 3, 2, 1);
}
static void test_one_connection(void) {
  check_random(1, 1, 1, 1, 1, 1, 1, 1);
}

/// Both sides of each edge: 0 to 9 entries a row (sums go by four), 1 to 9 rows a run (narrow
/// tiles take up to four rows at once), in either direction.
static void test_counts_and_runs(void) {
  enum { counts = 10, longest = 9, rows = counts * longest };
  int32_t row_counts[rows];
  for (int32_t rows_in_run = 1; rows_in_run <= longest; rows_in_run += 2) {
    int32_t row = 0;
    for (int32_t count = 0; count < counts; count++)
      for (int32_t i = 0; i < (count + rows_in_run) % longest + 1; i++) row_counts[row++] = count;
    topology t = sparse_topology_with_counts(row, 12, 1, row_counts, 11);
    sparse_for_each_tile(&t.csr, 1, 1, 1000, 1000, check_forward);
    sparse_topology_free(&t);
  }
  // The transposed staircase: channel c is in the first c % 10 outputs of its own choice.
  topology t = sparse_topology_random(counts, 45, 1, 0, 0);
  for (int32_t output = 0; output < counts; output++) {
    for (int32_t channel = 0; channel < 45; channel++)
      if (output < channel % counts) t.columns[t.nnz++] = channel;
    t.row_offsets[output + 1] = t.nnz;
  }
  sparse_for_each_tile(&t.csr, 1, 1, 1000, 1000, check_both);
  sparse_topology_free(&t);
}

static void test_arguments(void) {
  topology topology = sparse_topology_random(8, 8, 1, 0.5, 1);
  layer t = sparse_layer_make(&topology.csr, (csk_tiles){1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 4, 4);
  const csk_list *list = &t.forward.list;
  const csk_tiles *tiles = &t.forward_tiles;
  float *x = t.x.memory + halo, *y = t.dy.memory + halo, *dw = sparse_allocate(t.nnz, sizeof *dw);
  const csk_status invalid = csk_status_invalid_argument;
  CSK_CHECK(csk_sparse_forward(list, 0, 2, x, y, tiles, NULL) == csk_status_ok, "all slabs");
  CSK_CHECK(csk_sparse_forward(list, 2, 2, NULL, NULL, tiles, NULL) == csk_status_ok, "no slabs");
  CSK_CHECK(csk_sparse_forward(NULL, 0, 2, x, y, tiles, NULL) == invalid, "no list");
  CSK_CHECK(csk_sparse_forward(list, -1, 2, x, y, tiles, NULL) == invalid,
            "a slab before the first");
  CSK_CHECK(csk_sparse_forward(list, 0, 3, x, y, tiles, NULL) == invalid, "a slab after the last");
  CSK_CHECK(csk_sparse_forward(list, 2, 1, x, y, tiles, NULL) == invalid,
            "slabs that end before they begin");
  CSK_CHECK(csk_sparse_forward(list, 0, 2, NULL, y, tiles, NULL) == invalid, "no x");
  CSK_CHECK(csk_sparse_forward(list, 0, 2, x, NULL, tiles, NULL) == invalid, "no y");
  CSK_CHECK(csk_sparse_forward(list, 0, 2, x, y, NULL, NULL) == invalid, "no tiles");
  const csk_tiles bad[] = {{.vectors = 0, .rows = 1},
                           {.vectors = 3, .rows = 1},
                           {.vectors = 16, .rows = 1},
                           {.vectors = 4, .rows = 0},
                           {.vectors = 4, .rows = 3},
                           {.vectors = 8, .rows = 2},
                           {.vectors = 4, .rows = 1, .outer = -1},
                           {.vectors = 4, .rows = 1, .inner = -1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CSK_CHECK(csk_sparse_forward(list, 0, 2, x, y, &bad[i], NULL) == invalid, "tile %d", (int)i);
    CSK_CHECK(csk_sparse_backward(list, 0, 2, y, x, NULL, dw, false, &bad[i]) == invalid, "tile %d",
              (int)i);
  }
  list = &t.backward.list;
  tiles = &t.backward_tiles;
  CSK_CHECK(csk_sparse_backward(list, 0, 2, y, x, NULL, dw, false, tiles) == csk_status_ok,
            "all slabs, without dx");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, NULL, x, NULL, dw, false, tiles) == invalid, "no dy");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, y, NULL, NULL, dw, false, tiles) == invalid, "no x");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, y, x, NULL, NULL, false, tiles) == invalid, "no dw");
  // No tiles: a sum over nothing.
  csk_tiles none = *tiles;
  none.outer = 0;
  CSK_CHECK(csk_sparse_backward(list, 0, 2, NULL, NULL, NULL, dw, true, &none) == csk_status_ok,
            "no tiles, dw kept");
  CSK_CHECK(dw[0] != 0, "dw was to be kept");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, NULL, NULL, NULL, dw, false, &none) == csk_status_ok,
            "no tiles, dw cleared");
  for (int64_t k = 0; k < t.nnz; k++) CSK_CHECK(dw[k] == 0, "dw[%d]", (int)k);
  const csk_isa other = csk_isa_is_supported(csk_isa_avx2) ? csk_isa_neon : csk_isa_avx2;
  CSK_CHECK(CSK_ON(other, csk_sparse_forward(list, 0, 2, x, y, tiles, NULL)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU does not run");
  free(dw);
  sparse_layer_free(&t);
  sparse_topology_free(&topology);
}

/// Without connections, arrays of connections may be null.
static void test_null_arrays(void) {
  topology topology = sparse_topology_random(3, 3, 1, 0, 1);
  layer t = sparse_layer_make(&topology.csr, (csk_tiles){1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 4, 4);
  csk_list forward = t.forward.list, backward = t.backward.list;
  forward.offsets = backward.offsets = NULL;
  forward.weights = backward.weights = NULL;
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported((csk_isa)isa)) continue;
    const float *x = t.x.memory + halo, *dy = t.dy.memory + halo;
    planes y = sparse_planes_like(&t.dy, 0), dx = sparse_planes_like(&t.x, 0);
    csk_status status = CSK_ON((csk_isa)isa, csk_sparse_forward(&forward, 0, 1, x, y.memory + halo,
                                                                &t.forward_tiles, NULL));
    CSK_CHECK(status == csk_status_ok && sparse_at(&y, 0, 2, 0)[7] == 0, "status %d", status);
    status = CSK_ON((csk_isa)isa, csk_sparse_backward(&backward, 0, 1, dy, x, dx.memory + halo,
                                                      NULL, false, &t.backward_tiles));
    CSK_CHECK(status == csk_status_ok && sparse_at(&dx, 0, 2, 0)[7] == 0, "status %d", status);
    sparse_planes_free(&y);
    sparse_planes_free(&dx);
  }
  sparse_layer_free(&t);
  sparse_topology_free(&topology);
}

const csk_test csk_tests_sparse[] = {
    {"sparse list, order", test_list_order},
    {"sparse list, strides leave the order", test_list_strides},
    {"sparse list, bounds are reached", test_list_bounds},
    {"sparse list, measure arguments", test_list_measure_arguments},
    {"sparse list, overflow", test_list_overflow},
    {"sparse list, damaged CSR", test_list_damaged_csr},
    {"sparse list, no rows or no columns", test_list_empty},
    {"sparse list, chosen shapes", test_list_choose},
    {"sparse list, phases of a 1x1 convolution", test_phases_1x1},
    {"sparse list, phases of a 3x3 convolution", test_phases_3x3},
    {"sparse list, phases of a 5x5 convolution", test_phases_5x5},
    {"sparse list, one phase is none", test_phases_none},
    {"sparse list, phase arguments", test_phases_arguments},
    {"sparse list, phase overflow", test_phases_overflow},
    {"sparse kernels, one segment", test_one_segment},
    {"sparse kernels, several slabs and blocks", test_blocks_and_slabs},
    {"sparse kernels, several tiles", test_many_tiles},
    {"sparse kernels, taps", test_taps},
    {"sparse kernels, full rows", test_full_rows},
    {"sparse kernels, no connections", test_no_connections},
    {"sparse kernels, one connection", test_one_connection},
    {"sparse kernels, counts and runs around the unrolling", test_counts_and_runs},
    {"sparse kernels, same bits for any slabs", test_same_bits_for_any_slabs},
    {"sparse kernels, same bits for any tile", test_same_bits_for_any_tile},
    {"sparse kernels, same bits for any neighbours", test_same_bits_for_any_neighbours},
    {"sparse kernels, slab by slab", test_slab_by_slab},
    {"sparse kernels, bias and ReLU on the way out", test_row_epilogue},
    {"sparse kernels, past the caches", test_row_epilogue_streams},
    {"sparse kernels, arguments of the way out", test_row_epilogue_arguments},
    {"sparse kernels, arguments", test_arguments},
    {"sparse kernels, null arrays", test_null_arrays},
    {0},
};
