// sparse_tests.c: the pair of sparse kernels against sums in double, on every instruction set.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sparse_fixture.h"

// Planes of operands lie as [outer][channel][tile row][width], width = halo + lanes + halo +
// padding. Tap offsets shift within a row of the plane; halos keep them inside it.
enum { halo = 8, padding = 3 };

static const int32_t shifts[5] = {0, -8, 8, -1, 5};

typedef struct planes {
  int32_t channels, outer, rows, lanes, width;
  int64_t count;
  float *memory;
} planes;

static planes planes_make(int32_t channels, const csk_tiles *tiles, uint64_t seed) {
  planes p = {.channels = channels, .outer = tiles->outer, .rows = tiles->rows};
  p.lanes = tiles->inner * tiles->vectors * 8;
  p.width = p.lanes + 2 * halo + padding;
  p.count = (int64_t)p.outer * channels * p.rows * p.width;
  // One element further: addresses have float's alignment only.
  p.memory = (float *)allocate(p.count + 1, sizeof(float)) + 1;
  if (seed == 0) csk_canary_fill(p.memory, p.count);
  for (int64_t i = 0; seed != 0 && i < p.count; i++) p.memory[i] = csk_test_uniform(&seed);
  return p;
}

static void planes_free(planes *p) {
  free(p->memory - 1);
}

static float *at(const planes *p, int32_t outer, int32_t channel, int32_t row) {
  return p->memory + (((int64_t)outer * p->channels + channel) * p->rows + row) * p->width + halo;
}

static bool halos_intact(const planes *p) {
  for (int64_t i = 0; i < (int64_t)p->outer * p->channels * p->rows; i++) {
    const float *row = p->memory + i * p->width;
    if (!csk_canary_intact(row, halo)) return false;
    if (!csk_canary_intact(row + halo + p->lanes, halo + padding)) return false;
  }
  return true;
}

static void set_strides(csk_tiles *tiles, int32_t x_channels, int32_t y_channels) {
  const int32_t width = tiles->inner * tiles->vectors * 8 + 2 * halo + padding;
  tiles->x_row = tiles->y_row = width;
  tiles->x_inner = tiles->y_inner = tiles->vectors * 8;
  tiles->x_outer = (ptrdiff_t)x_channels * tiles->rows * width;
  tiles->y_outer = (ptrdiff_t)y_channels * tiles->rows * width;
}

/// |error| of n additions and products in any order: at most n units in the last place of the
/// terms' absolute sum (half as much to first order).
static double tolerance(double terms, double absolute) {
  return terms * FLT_EPSILON * absolute;
}

/// The layer's operands, and both lists of its topology in segments of the given size.
typedef struct layer {
  const csk_csr *csr;
  int64_t nnz;
  csk_tiles forward_tiles, backward_tiles;
  float *weights;  // CSR order
  planes x, dy;
  built_list forward, backward;
} layer;

static layer layer_make(const csk_csr *csr, csk_tiles tiles, int32_t slab_rows,
                        int32_t block_columns) {
  layer t = {.csr = csr, .nnz = csr->row_offsets[csr->rows]};
  t.forward_tiles = t.backward_tiles = tiles;
  set_strides(&t.forward_tiles, csr->channels, csr->rows);
  set_strides(&t.backward_tiles, csr->rows, csr->channels);
  t.weights = allocate_uniform(t.nnz, 17);
  t.x = planes_make(csr->channels, &tiles, 18);
  t.dy = planes_make(csr->rows, &tiles, 19);
  const int32_t stride = tiles.rows * t.x.width;
  csk_list_shape shape = {csk_direction_forward, slab_rows, block_columns, stride, stride, shifts};
  t.forward = build_list(csr, &shape, t.weights);
  shape.direction = csk_direction_backward;
  t.backward = build_list(csr, &shape, t.weights);
  return t;
}

static void layer_free(layer *t) {
  free(t->weights);
  planes_free(&t->x);
  planes_free(&t->dy);
  built_list_free(&t->forward);
  built_list_free(&t->backward);
}

static planes run_forward(csk_isa isa, const layer *t) {
  planes y = planes_make(t->csr->rows, &t->forward_tiles, 0);
  const csk_status status =
      csk_sparse_forward_on(isa, &t->forward.list, 0, t->forward.list.slabs, t->x.memory + halo,
                            y.memory + halo, &t->forward_tiles);
  CSK_CHECK(status == csk_status_ok, "status %d", status);
  return y;
}

/// dw in CSR order; it holds `old` before the call (NaN: must not matter), dx is canaries.
static float *run_backward(csk_isa isa, const layer *t, planes *dx, float old, bool accumulate) {
  float *listed = allocate(t->nnz, sizeof *listed), *dw = allocate(t->nnz, sizeof *dw);
  for (int64_t k = 0; k < t->nnz; k++) listed[k] = old;
  const csk_status status = csk_sparse_backward_on(
      isa, &t->backward.list, 0, t->backward.list.slabs, t->dy.memory + halo, t->x.memory + halo,
      dx ? dx->memory + halo : NULL, listed, accumulate, &t->backward_tiles);
  CSK_CHECK(status == csk_status_ok, "status %d", status);
  for (int64_t k = 0; k < t->nnz; k++) dw[t->backward.storage.csr_indices[k]] = listed[k];
  free(listed);
  return dw;
}

static void check_forward(csk_isa isa, const layer *t) {
  const csk_csr *csr = t->csr;
  planes y = run_forward(isa, t);
  for (int32_t i = 0; i < y.outer; i++)
    for (int32_t o = 0; o < csr->rows; o++)
      for (int32_t r = 0; r < y.rows; r++)
        for (int32_t l = 0; l < y.lanes; l++) {
          double sum = 0, absolute = 0;
          for (int64_t k = csr->row_offsets[o]; k < csr->row_offsets[o + 1]; k++) {
            const int32_t channel = csr->columns[k] / csr->taps, tap = csr->columns[k] % csr->taps;
            const double term =
                (double)t->weights[k] * (double)at(&t->x, i, channel, r)[l + shifts[tap]];
            sum += term;
            absolute += fabs(term);
          }
          const double terms = (double)(csr->row_offsets[o + 1] - csr->row_offsets[o]);
          const double error = fabs((double)at(&y, i, o, r)[l] - sum);
          CSK_CHECK(error <= tolerance(terms, absolute), "%s %dx%d: y[%d] lane %d is off by %g",
                    csk_isa_name(isa), t->forward_tiles.vectors, y.rows, o, l, error);
        }
  CSK_CHECK(halos_intact(&y), "%s wrote beside y", csk_isa_name(isa));
  planes_free(&y);
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
            const float *x = at(&t->x, i, channel, r) + l;
            const double dy = (double)at(&t->dy, i, o, r)[l - shifts[tap]];
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
  planes dx = planes_make(t->csr->channels, tiles, 0);
  float *dw = run_backward(isa, t, &dx, NAN, false);
  for (int32_t i = 0; i < dx.outer; i++)
    for (int32_t c = 0; c < dx.channels; c++)
      for (int32_t r = 0; r < dx.rows; r++)
        for (int32_t l = 0; l < dx.lanes; l++) {
          const int64_t place = at(&dx, i, c, r) + l - dx.memory;
          const double error = fabs((double)dx.memory[place] - e->dx[place]);
          const double terms = (double)t->csr->rows * t->csr->taps;
          CSK_CHECK(error <= tolerance(terms, e->dx_absolute[place]),
                    "%s %dx%d: dx[%d] lane %d is off by %g", csk_isa_name(isa), tiles->vectors,
                    tiles->rows, c, l, error);
        }
  CSK_CHECK(halos_intact(&dx), "%s wrote beside dx", csk_isa_name(isa));
  // A lane adds vectors * rows products, the tree three more, and then every tile one.
  const double terms = tiles->vectors * tiles->rows + 3 + tiles->outer * tiles->inner;
  for (int64_t k = 0; k < t->nnz; k++) {
    const double error = fabs((double)dw[k] - e->dw[k]);
    CSK_CHECK(error <= tolerance(terms, e->dw_absolute[k]), "%s %dx%d: dw[%d] is off by %g",
              csk_isa_name(isa), tiles->vectors, tiles->rows, (int)k, error);
  }
  free(dw);
  planes_free(&dx);
}

static const csk_tiles seven_tiles[] = {{.vectors = 1, .rows = 1}, {.vectors = 2, .rows = 1},
                                        {.vectors = 4, .rows = 1}, {.vectors = 8, .rows = 1},
                                        {.vectors = 1, .rows = 2}, {.vectors = 2, .rows = 2},
                                        {.vectors = 4, .rows = 2}};

/// Runs `check` for every supported instruction set and every tile.
static void for_each_tile(const csk_csr *csr, int32_t outer, int32_t inner, int32_t slab_rows,
                          int32_t block_columns, void check(csk_isa, const layer *)) {
  for (size_t i = 0; i < sizeof seven_tiles / sizeof *seven_tiles; i++) {
    csk_tiles tiles = seven_tiles[i];
    tiles.outer = outer;
    tiles.inner = inner;
    layer t = layer_make(csr, tiles, slab_rows, block_columns);
    for (int isa = 0; isa < 3; isa++)
      if (csk_isa_is_supported((csk_isa)isa)) check((csk_isa)isa, &t);
    layer_free(&t);
  }
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
  topology t = topology_random(rows, channels, taps, density, 7);
  for_each_tile(&t.csr, outer, inner, slab_rows, block_columns, check_both);
  topology_free(&t);
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
    topology t = topology_with_counts(row, 12, 1, row_counts, 11);
    for_each_tile(&t.csr, 1, 1, 1000, 1000, check_forward);
    topology_free(&t);
  }
  // The transposed staircase: channel c is in the first c % 10 outputs of its own choice.
  topology t = topology_random(counts, 45, 1, 0, 0);
  for (int32_t output = 0; output < counts; output++) {
    for (int32_t channel = 0; channel < 45; channel++)
      if (output < channel % counts) t.columns[t.nnz++] = channel;
    t.row_offsets[output + 1] = t.nnz;
  }
  for_each_tile(&t.csr, 1, 1, 1000, 1000, check_both);
  topology_free(&t);
}

static void check_segments_do_not_matter(csk_isa isa, const layer *whole) {
  // Same blocks, one slab against slabs of 3: y, dx and dw have the same bits.
  const csk_tiles *tiles = &whole->forward_tiles;
  layer cut = layer_make(whole->csr, *tiles, 3, 7);
  planes y = run_forward(isa, whole), cut_y = run_forward(isa, &cut);
  CSK_CHECK(memcmp(y.memory, cut_y.memory, sizeof(float) * (size_t)y.count) == 0, "%s: y",
            csk_isa_name(isa));
  planes dx = planes_make(whole->csr->channels, tiles, 0);
  planes cut_dx = planes_make(whole->csr->channels, tiles, 0);
  float *dw = run_backward(isa, whole, &dx, 0, false);
  float *cut_dw = run_backward(isa, &cut, &cut_dx, 0, false);
  CSK_CHECK(memcmp(dx.memory, cut_dx.memory, sizeof(float) * (size_t)dx.count) == 0, "%s: dx",
            csk_isa_name(isa));
  CSK_CHECK(memcmp(dw, cut_dw, sizeof(float) * (size_t)whole->nnz) == 0, "%s: dw",
            csk_isa_name(isa));
  // Without dx: the same dw.
  float *only_dw = run_backward(isa, whole, NULL, 0, false);
  CSK_CHECK(memcmp(dw, only_dw, sizeof(float) * (size_t)whole->nnz) == 0, "%s: dw without dx",
            csk_isa_name(isa));
  // Added to what was there: exactly that sum where there is one tile.
  float *added = run_backward(isa, whole, NULL, 0.375f, true);
  for (int64_t k = 0; k < whole->nnz && tiles->outer * tiles->inner == 1; k++)
    CSK_CHECK(added[k] == 0.375f + dw[k], "%s: dw[%d] added", csk_isa_name(isa), (int)k);
  free(dw);
  free(cut_dw);
  free(only_dw);
  free(added);
  planes_free(&y);
  planes_free(&cut_y);
  planes_free(&dx);
  planes_free(&cut_dx);
  layer_free(&cut);
}

static void test_same_bits_for_any_slabs(void) {
  topology t = topology_random(17, 21, 5, 0.2, 3);
  for_each_tile(&t.csr, 1, 1, 1000, 7, check_segments_do_not_matter);
  for_each_tile(&t.csr, 2, 2, 1000, 7, check_segments_do_not_matter);
  topology_free(&t);
}

/// y of one lane must not depend on the tile that computed it.
static void test_same_bits_for_any_tile(void) {
  topology t = topology_random(17, 21, 1, 0.4, 3);
  for (int isa = 0; isa < 3; isa++) {
    if (!csk_isa_is_supported((csk_isa)isa)) continue;
    planes first = {0};
    for (int32_t vectors = 1; vectors <= 8; vectors *= 2) {
      const csk_tiles tiles = {.vectors = vectors, .rows = 1, .outer = 2, .inner = 8 / vectors};
      layer l = layer_make(&t.csr, tiles, 4, 8);
      planes y = run_forward((csk_isa)isa, &l);
      if (!first.memory) {
        first = y;
      } else {
        CSK_CHECK(memcmp(first.memory, y.memory, sizeof(float) * (size_t)y.count) == 0,
                  "%s, %d vectors", csk_isa_name((csk_isa)isa), vectors);
        planes_free(&y);
      }
      layer_free(&l);
    }
    planes_free(&first);
  }
  topology_free(&t);
}

/// An entry's dw must not depend on its neighbours in the row: it is summed by four or alone.
static void check_neighbours_do_not_matter(csk_isa isa, const layer *all) {
  const csk_csr *csr = all->csr;
  float *dw = run_backward(isa, all, NULL, 0, false);
  for (int32_t modulus = 2; modulus <= 5; modulus++) {
    topology some = topology_random(csr->rows, csr->channels, csr->taps, 0, 0);
    float *kept = allocate(all->nnz, sizeof *kept);
    for (int32_t o = 0; o < csr->rows; o++) {
      for (int64_t k = csr->row_offsets[o]; k < csr->row_offsets[o + 1]; k++) {
        if ((o * 7 + csr->columns[k] * 3) % modulus == 0) continue;
        kept[some.nnz] = dw[k];
        some.columns[some.nnz++] = csr->columns[k];
      }
      some.row_offsets[o + 1] = some.nnz;
    }
    layer t = layer_make(&some.csr, all->forward_tiles, 1000, 1000);
    float *fewer = run_backward(isa, &t, NULL, 0, false);
    CSK_CHECK(memcmp(fewer, kept, sizeof(float) * (size_t)some.nnz) == 0, "%s, %d vectors",
              csk_isa_name(isa), all->forward_tiles.vectors);
    free(fewer);
    free(kept);
    layer_free(&t);
    topology_free(&some);
  }
  free(dw);
}

static void test_same_bits_for_any_neighbours(void) {
  topology t = topology_random(13, 15, 1, 0.7, 3);
  for_each_tile(&t.csr, 1, 2, 1000, 1000, check_neighbours_do_not_matter);
  topology_free(&t);
}

/// A call for some slabs writes those rows and entries only; slab by slab is the whole.
static void check_slab_by_slab(csk_isa isa, const layer *t) {
  planes whole = run_forward(isa, t), parts = planes_make(t->csr->rows, &t->forward_tiles, 0);
  for (int32_t slab = t->forward.list.slabs - 1; slab >= 0; slab--) {
    csk_sparse_forward_on(isa, &t->forward.list, slab, slab + 1, t->x.memory + halo,
                          parts.memory + halo, &t->forward_tiles);
    if (slab > 0) CSK_CHECK(csk_canary_intact(at(&parts, 0, 0, 0), parts.lanes), "slab %d", slab);
  }
  CSK_CHECK(memcmp(whole.memory, parts.memory, sizeof(float) * (size_t)whole.count) == 0, "y");
  planes_free(&whole);
  planes_free(&parts);
  float *dw = allocate(t->nnz, sizeof *dw);
  csk_canary_fill(dw, t->nnz);
  const csk_list *list = &t->backward.list;
  if (list->slabs > 1) {
    csk_sparse_backward_on(isa, list, 1, 2, t->dy.memory + halo, t->x.memory + halo, NULL, dw,
                           false, &t->backward_tiles);
    const int64_t begin = list->entry_starts[list->blocks];
    const int64_t end = list->entry_starts[2 * list->blocks];
    CSK_CHECK(csk_canary_intact(dw, begin) && csk_canary_intact(dw + end, t->nnz - end), "dw");
    for (int64_t k = begin; k < end; k++) CSK_CHECK(!csk_canary_intact(dw + k, 1), "dw");
  }
  free(dw);
}

static void test_slab_by_slab(void) {
  topology t = topology_random(17, 21, 1, 0.4, 3);
  for_each_tile(&t.csr, 2, 2, 5, 7, check_slab_by_slab);
  topology_free(&t);
}

static void test_arguments(void) {
  topology topology = topology_random(8, 8, 1, 0.5, 1);
  layer t = layer_make(&topology.csr, (csk_tiles){1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 4, 4);
  const csk_list *list = &t.forward.list;
  const csk_tiles *tiles = &t.forward_tiles;
  float *x = t.x.memory + halo, *y = t.dy.memory + halo, *dw = allocate(t.nnz, sizeof *dw);
  const csk_status invalid = csk_status_invalid_argument;
  CSK_CHECK(csk_sparse_forward(list, 0, 2, x, y, tiles) == csk_status_ok, " ");
  CSK_CHECK(csk_sparse_forward(list, 2, 2, NULL, NULL, tiles) == csk_status_ok, "no slabs");
  CSK_CHECK(csk_sparse_forward(NULL, 0, 2, x, y, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_forward(list, -1, 2, x, y, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_forward(list, 0, 3, x, y, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_forward(list, 2, 1, x, y, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_forward(list, 0, 2, NULL, y, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_forward(list, 0, 2, x, NULL, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_forward(list, 0, 2, x, y, NULL) == invalid, " ");
  const csk_tiles bad[] = {{.vectors = 0, .rows = 1},
                           {.vectors = 3, .rows = 1},
                           {.vectors = 16, .rows = 1},
                           {.vectors = 4, .rows = 0},
                           {.vectors = 4, .rows = 3},
                           {.vectors = 8, .rows = 2},
                           {.vectors = 4, .rows = 1, .outer = -1},
                           {.vectors = 4, .rows = 1, .inner = -1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CSK_CHECK(csk_sparse_forward(list, 0, 2, x, y, &bad[i]) == invalid, "tile %d", (int)i);
    CSK_CHECK(csk_sparse_backward(list, 0, 2, y, x, NULL, dw, false, &bad[i]) == invalid, "tile %d",
              (int)i);
  }
  list = &t.backward.list;
  tiles = &t.backward_tiles;
  CSK_CHECK(csk_sparse_backward(list, 0, 2, y, x, NULL, dw, false, tiles) == csk_status_ok, " ");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, NULL, x, NULL, dw, false, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, y, NULL, NULL, dw, false, tiles) == invalid, " ");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, y, x, NULL, NULL, false, tiles) == invalid, " ");
  // No tiles: a sum over nothing.
  csk_tiles none = *tiles;
  none.outer = 0;
  CSK_CHECK(csk_sparse_backward(list, 0, 2, NULL, NULL, NULL, dw, true, &none) == csk_status_ok,
            " ");
  CSK_CHECK(dw[0] != 0, "dw was to be kept");
  CSK_CHECK(csk_sparse_backward(list, 0, 2, NULL, NULL, NULL, dw, false, &none) == csk_status_ok,
            " ");
  for (int64_t k = 0; k < t.nnz; k++) CSK_CHECK(dw[k] == 0, "dw[%d]", (int)k);
  const csk_isa other = csk_isa_is_supported(csk_isa_avx2) ? csk_isa_neon : csk_isa_avx2;
  CSK_CHECK(csk_sparse_forward_on(other, list, 0, 2, x, y, tiles) == csk_status_unsupported_isa,
            " ");
  free(dw);
  layer_free(&t);
  topology_free(&topology);
}

/// Without connections, arrays of connections may be null.
static void test_null_arrays(void) {
  topology topology = topology_random(3, 3, 1, 0, 1);
  layer t = layer_make(&topology.csr, (csk_tiles){1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 4, 4);
  csk_list list = t.forward.list;
  list.offsets = NULL;
  list.weights = NULL;
  for (int isa = 0; isa < 3; isa++) {
    if (!csk_isa_is_supported((csk_isa)isa)) continue;
    planes y = planes_make(3, &t.forward_tiles, 0);
    csk_status status = csk_sparse_forward_on((csk_isa)isa, &list, 0, 1, t.x.memory + halo,
                                              y.memory + halo, &t.forward_tiles);
    CSK_CHECK(status == csk_status_ok && at(&y, 0, 2, 0)[7] == 0, "status %d", status);
    status =
        csk_sparse_backward_on((csk_isa)isa, &list, 0, 1, t.dy.memory + halo, t.x.memory + halo,
                               y.memory + halo, NULL, false, &t.backward_tiles);
    CSK_CHECK(status == csk_status_ok && at(&y, 0, 2, 0)[7] == 0, "status %d", status);
    planes_free(&y);
  }
  layer_free(&t);
  topology_free(&topology);
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
    {"sparse kernels, arguments", test_arguments},
    {"sparse kernels, null arrays", test_null_arrays},
    {0},
};
