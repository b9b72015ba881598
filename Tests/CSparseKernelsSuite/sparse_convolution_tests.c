// sparse_convolution_tests.c: convolutions with a stride, as lists on phases of their input,
// against the convolution's own sum in double.
//
// The padded input is cut into stride x stride phases, rows and columns by their remainder: tap
// (ky, kx) then reads phase (ky % stride, kx % stride) at sub-pixel (oy + ky / stride, ...), so
// that every connection has one offset.
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sparse_fixture.h"

enum { lanes = 8 };

/// A convolution, and how its planes lie: packed input (sub-row, channel, phase, column, lane),
/// output and its gradient (row, channel, column, lane), the gradient within a halo of zeros.
typedef struct convolution {
  int32_t inputs, outputs, size, kernel, stride, padding;
  int32_t phases;   // stored phases of rows, and of columns
  int32_t vectors;  // columns of a tile
  int32_t slab_rows, block_columns;
  // What follows.
  int32_t taps, reach, out_size;
  int32_t out_columns, in_columns, in_rows;  // of whole tiles
  int32_t phase_stride, channel_stride, row_stride;
  int32_t dy_columns, dy_row_stride, y_row_stride;
  int32_t tap_phases[25], forward_taps[25], backward_taps[25];
} convolution;

static int32_t rounded_up(int32_t count, int32_t step) {
  return (count + step - 1) / step * step;
}

static void lay_out(convolution *c) {
  c->taps = c->kernel * c->kernel;
  c->reach = (c->kernel - 1) / c->stride;
  c->out_size = (c->size + 2 * c->padding - c->kernel) / c->stride + 1;
  c->out_columns = rounded_up(c->out_size, c->vectors);
  c->in_columns = rounded_up(c->out_columns + c->reach, c->vectors);
  c->in_rows = c->out_size + c->reach;
  c->phase_stride = c->in_columns * lanes;
  c->channel_stride = c->phases * c->phases * c->phase_stride;
  c->row_stride = c->inputs * c->channel_stride;
  c->dy_columns = c->reach + c->in_columns;
  c->dy_row_stride = c->outputs * c->dy_columns * lanes;
  c->y_row_stride = c->outputs * c->out_columns * lanes;
  for (int32_t tap = 0; tap < c->taps; tap++) {
    const int32_t ky = tap / c->kernel, kx = tap % c->kernel;
    c->tap_phases[tap] = ky % c->stride * c->phases + kx % c->stride;
    c->forward_taps[tap] = ky / c->stride * c->row_stride + kx / c->stride * lanes +
                           c->tap_phases[tap] * c->phase_stride;
    c->backward_taps[tap] = ky / c->stride * c->dy_row_stride + kx / c->stride * lanes;
  }
}

/// Where the input pixel (y, x) of a channel lies in the packed planes, or -1: not stored.
static int64_t packed_place(const convolution *c, int32_t channel, int32_t y, int32_t x) {
  const int32_t py = y + c->padding, px = x + c->padding;
  const int32_t phase_y = py % c->stride, phase_x = px % c->stride;
  if (phase_y >= c->phases || phase_x >= c->phases) return -1;
  if (py / c->stride >= c->in_rows || px / c->stride >= c->in_columns) return -1;
  return (int64_t)(py / c->stride) * c->row_stride + (int64_t)channel * c->channel_stride +
         (phase_y * c->phases + phase_x) * c->phase_stride + px / c->stride * lanes;
}

static int64_t gradient_place(const convolution *c, int32_t output, int32_t y, int32_t x) {
  return (int64_t)(y + c->reach) * c->dy_row_stride + output * c->dy_columns * lanes +
         (x + c->reach) * lanes;
}

/// Operands and both lists; x, dy in packed order with zeros around.
typedef struct operands {
  float *weights, *x, *dy;
  int64_t x_count, dy_count, y_count;
  built_list forward, backward;
} operands;

static operands make_operands(const convolution *c, const topology *t) {
  operands o = {.weights = sparse_allocate_uniform(t->nnz, 3)};
  uint64_t seed = 4;
  o.x_count = (int64_t)c->in_rows * c->row_stride;
  o.dy_count = (int64_t)(c->in_rows + c->reach) * c->dy_row_stride;
  o.y_count = (int64_t)c->out_size * c->y_row_stride;
  o.x = calloc((size_t)o.x_count, sizeof(float));
  o.dy = calloc((size_t)o.dy_count, sizeof(float));
  for (int32_t i = 0; i < c->inputs * c->size * c->size; i++) {
    const int64_t place =
        packed_place(c, i / (c->size * c->size), i / c->size % c->size, i % c->size);
    for (int32_t l = 0; place >= 0 && l < lanes; l++) o.x[place + l] = csk_test_uniform(&seed);
  }
  for (int32_t i = 0; i < c->outputs * c->out_size * c->out_size; i++) {
    const int64_t place = gradient_place(c, i / (c->out_size * c->out_size),
                                         i / c->out_size % c->out_size, i % c->out_size);
    for (int32_t l = 0; l < lanes; l++) o.dy[place + l] = csk_test_uniform(&seed);
  }
  const csk_list_shape forward = {
      .direction = csk_direction_forward,
      .slab_rows = c->slab_rows,
      .block_columns = c->block_columns,
      .row_stride = c->out_columns * lanes,
      .column_stride = c->channel_stride,
      .tap_offsets = c->forward_taps,
  };
  const csk_list_shape backward = {
      .direction = csk_direction_backward,
      .slab_rows = c->slab_rows * c->phases * c->phases,
      .block_columns = c->block_columns,
      .row_stride = c->channel_stride,
      .column_stride = c->dy_columns * lanes,
      .tap_offsets = c->backward_taps,
      .phases = c->phases * c->phases,
      .phase_stride = c->phase_stride,
      .tap_phases = c->tap_phases,
  };
  o.forward = sparse_build_list(&t->csr, &forward, o.weights);
  o.backward = sparse_build_list(&t->csr, &backward, o.weights);
  CSK_CHECK(o.forward.status == csk_status_ok, "status %d", o.forward.status);
  CSK_CHECK(o.backward.status == csk_status_ok, "status %d", o.backward.status);
  return o;
}

static void free_operands(operands *o) {
  free(o->weights);
  free(o->x);
  free(o->dy);
  sparse_built_list_free(&o->forward);
  sparse_built_list_free(&o->backward);
}

/// A result in double, with its terms' absolute sum and how many there are.
typedef struct sum {
  double value, absolute;
  int32_t terms;
} sum;

static void add_term(sum *s, double term) {
  s->value += term;
  s->absolute += fabs(term);
  s->terms++;
}

/// n products and additions in any order: n units in the last place, first order and half as much.
static bool is_close(float value, const sum *s) {
  return fabs((double)value - s->value) <= s->terms * (double)FLT_EPSILON * s->absolute;
}

/// What all three results must be, places as in y, x and the CSR.
typedef struct results {
  sum *y, *dx, *dw;
} results;

static results expect(const convolution *c, const topology *t, const operands *o) {
  results e = {calloc((size_t)o->y_count, sizeof(sum)), calloc((size_t)o->x_count, sizeof(sum)),
               calloc((size_t)t->nnz + 1, sizeof(sum))};
  for (int32_t output = 0; output < c->outputs; output++)
    for (int64_t k = t->row_offsets[output]; k < t->row_offsets[output + 1]; k++) {
      const int32_t channel = t->columns[k] / c->taps, tap = t->columns[k] % c->taps;
      for (int32_t i = 0; i < c->out_size * c->out_size; i++) {
        const int32_t oy = i / c->out_size, ox = i % c->out_size;
        const int32_t iy = oy * c->stride + tap / c->kernel - c->padding;
        const int32_t ix = ox * c->stride + tap % c->kernel - c->padding;
        if (iy < 0 || iy >= c->size || ix < 0 || ix >= c->size) continue;
        const int64_t x = packed_place(c, channel, iy, ix), dy = gradient_place(c, output, oy, ox);
        const int64_t y = oy * c->y_row_stride + (output * c->out_columns + ox) * lanes;
        for (int32_t l = 0; l < lanes; l++) {
          add_term(&e.y[y + l], (double)o->weights[k] * (double)o->x[x + l]);
          add_term(&e.dx[x + l], (double)o->weights[k] * (double)o->dy[dy + l]);
          add_term(&e.dw[k], (double)o->x[x + l] * (double)o->dy[dy + l]);
        }
      }
    }
  return e;
}

static void check_forward(csk_isa isa, const convolution *c, const operands *o, const sum *y) {
  float *result = sparse_allocate(o->y_count, sizeof *result);
  csk_canary_fill(result, o->y_count);
  const csk_tiles tiles = {.vectors = c->vectors,
                           .rows = 1,
                           .outer = c->out_size,
                           .inner = c->out_columns / c->vectors,
                           .x_outer = c->row_stride,
                           .x_inner = c->vectors * lanes,
                           .y_outer = c->y_row_stride,
                           .y_inner = c->vectors * lanes};
  const csk_status status = CSK_ON(
      isa,
      csk_sparse_forward(&o->forward.list, 0, o->forward.list.slabs, o->x, result, &tiles, NULL));
  CSK_CHECK(status == csk_status_ok, "status %d", status);
  for (int64_t i = 0; i < o->y_count; i++) {
    if (i / lanes % c->out_columns >= c->out_size) continue;  // beyond the row's end
    CSK_CHECK(is_close(result[i], &y[i]), "%s %dx%d, stride %d: y[%d] is %g, not %g",
              csk_isa_name(isa), c->kernel, c->kernel, c->stride, (int)i, (double)result[i],
              y[i].value);
  }
  free(result);
}

static void check_backward(csk_isa isa, const convolution *c, const topology *t, const operands *o,
                           const results *e) {
  float *dx = sparse_allocate(o->x_count, sizeof *dx), *dw = sparse_allocate(t->nnz, sizeof *dw);
  csk_canary_fill(dx, o->x_count);
  csk_canary_fill(dw, t->nnz);
  const csk_tiles tiles = {.vectors = c->vectors,
                           .rows = 1,
                           .outer = c->in_rows,
                           .inner = c->in_columns / c->vectors,
                           .x_outer = c->dy_row_stride,
                           .x_inner = c->vectors * lanes,
                           .y_outer = c->row_stride,
                           .y_inner = c->vectors * lanes};
  const csk_status status = CSK_ON(
      isa, csk_sparse_backward(&o->backward.list, 0, o->backward.list.slabs,
                               o->dy + gradient_place(c, 0, 0, 0), o->x, dx, dw, false, &tiles));
  CSK_CHECK(status == csk_status_ok, "status %d", status);
  // Pixels that no window sees must be exactly 0.
  for (int32_t i = 0; i < c->inputs * c->size * c->size; i++) {
    const int64_t x = packed_place(c, i / (c->size * c->size), i / c->size % c->size, i % c->size);
    for (int64_t l = x; x >= 0 && l < x + lanes; l++)
      CSK_CHECK(is_close(dx[l], &e->dx[l]), "%s %dx%d, stride %d: dx[%d] is %g, not %g",
                csk_isa_name(isa), c->kernel, c->kernel, c->stride, (int)l, (double)dx[l],
                e->dx[l].value);
  }
  // Every phase is written, those too that no tap reads.
  for (int64_t i = 0; i < o->x_count; i++)
    CSK_CHECK(!csk_canary_intact(dx + i, 1), "%s: dx[%d] not written", csk_isa_name(isa), (int)i);
  for (int64_t entry = 0; entry < t->nnz; entry++) {
    const int32_t k = o->backward.storage.csr_indices[entry];
    CSK_CHECK(is_close(dw[entry], &e->dw[k]), "%s %dx%d, stride %d: dw[%d] is %g, not %g",
              csk_isa_name(isa), c->kernel, c->kernel, c->stride, k, (double)dw[entry],
              e->dw[k].value);
  }
  free(dx);
  free(dw);
}

/// `phases`: stored ones of rows, and of columns.
static void check_convolution(int32_t kernel, int32_t stride, int32_t padding, int32_t phases,
                              double density) {
  const struct {
    int32_t slab_rows, block_columns, size, vectors;
  } cuts[] = {{100, 100, 9, 1}, {2, 3, 10, 2}, {1, 1, 7, 4}, {4, 2, 8, 1}};
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    convolution c = {
        .inputs = 5,
        .outputs = 6,
        .size = cuts[i].size,
        .kernel = kernel,
        .stride = stride,
        .padding = padding,
        .phases = phases,
        .vectors = cuts[i].vectors,
        .slab_rows = cuts[i].slab_rows,
        .block_columns = cuts[i].block_columns,
    };
    lay_out(&c);
    topology t = sparse_topology_random(c.outputs, c.inputs, c.taps, density, 10 + i);
    operands o = make_operands(&c, &t);
    results e = expect(&c, &t, &o);
    for (int isa = 0; isa < 3; isa++) {
      if (!csk_isa_is_supported((csk_isa)isa)) continue;
      if (o.forward.status != csk_status_ok || o.backward.status != csk_status_ok) break;
      check_forward((csk_isa)isa, &c, &o, e.y);
      check_backward((csk_isa)isa, &c, &t, &o, &e);
    }
    free(e.y);
    free(e.dx);
    free(e.dw);
    free_operands(&o);
    sparse_topology_free(&t);
  }
}

void test_phases_1x1(void) {
  check_convolution(1, 2, 0, 1, 0.5);  // no tap reads the other three
  check_convolution(1, 2, 0, 2, 0.5);  // which may be stored, and are then 0
  check_convolution(1, 2, 0, 2, 0);
}
void test_phases_3x3(void) {
  check_convolution(3, 2, 1, 2, 0.3);
  check_convolution(3, 2, 0, 2, 1);
  check_convolution(3, 3, 1, 3, 0.3);
  check_convolution(3, 1, 1, 1, 0.3);
}
void test_phases_5x5(void) {
  check_convolution(5, 2, 2, 2, 0.1);
  check_convolution(5, 2, 1, 2, 1);
  check_convolution(5, 4, 2, 4, 0.3);
}

void test_phases_none(void) {
  const int32_t tap_offsets[4] = {3, 1, 2, 0};
  topology t = sparse_topology_random(30, 25, 4, 0.2, 5);
  csk_list_shape shape = {.direction = csk_direction_backward,
                          .slab_rows = 7,
                          .block_columns = 6,
                          .row_stride = 24,
                          .column_stride = 16,
                          .tap_offsets = tap_offsets};
  built_list none = sparse_build_list(&t.csr, &shape, NULL);
  shape.phases = 1;
  shape.phase_stride = 1000;  // of no other phase
  built_list one = sparse_build_list(&t.csr, &shape, NULL);
  CSK_CHECK(none.status == csk_status_ok && one.status == csk_status_ok,
            "with no phases, or with one");
  CSK_CHECK(memcmp(&none.sizes, &one.sizes, sizeof none.sizes) == 0, "other sizes");
  const size_t rows = (size_t)none.storage.row_starts[none.sizes.segments];
  const csk_list_storage *a = &none.storage, *b = &one.storage;
  CSK_CHECK(memcmp(a->row_offsets, b->row_offsets, rows * sizeof(int32_t)) == 0, "other rows");
  CSK_CHECK(memcmp(a->offsets, b->offsets, (size_t)t.nnz * sizeof(int32_t)) == 0, "other offsets");
  CSK_CHECK(memcmp(a->csr_indices, b->csr_indices, (size_t)t.nnz * sizeof(int32_t)) == 0,
            "another order");
  sparse_built_list_free(&none);
  sparse_built_list_free(&one);
  sparse_topology_free(&t);
  memset(&shape, 0xff, sizeof shape);
  csk_list_choose(csk_direction_backward, 8, 8, 9, 100, &shape);
  CSK_CHECK(shape.phases == 0 && shape.phase_stride == 0 && !shape.tap_phases, "chose phases");
}

void test_phases_arguments(void) {
  const int32_t tap_phases[4] = {0, 1, 2, 3}, beyond[4] = {0, 4, 1, 2}, below[4] = {0, 1, 2, -1};
  const csk_list_shape good = {.direction = csk_direction_backward,
                               .slab_rows = 8,
                               .block_columns = 4,
                               .row_stride = 32,
                               .column_stride = 8,
                               .phases = 4,
                               .phase_stride = 8,
                               .tap_phases = tap_phases};
  csk_list_sizes sizes;
  CSK_CHECK(csk_list_measure(&good, 6, 5, 4, 30, &sizes) == csk_status_ok,
            "four phases, whole channels a slab");
  CSK_CHECK(sizes.slabs == 3 && sizes.rows >= 20, "%d slabs, %d rows", sizes.slabs,
            (int)sizes.rows);
  csk_list_shape bad = good;
  bad.slab_rows = 6;
  CSK_CHECK(csk_list_measure(&bad, 6, 5, 4, 30, &sizes) == csk_status_invalid_argument,
            "a slab that cuts a channel was accepted");
  bad = good;
  bad.tap_phases = NULL;
  CSK_CHECK(csk_list_measure(&bad, 6, 5, 4, 30, &sizes) == csk_status_invalid_argument,
            "phases without the taps' were accepted");
  bad.tap_phases = beyond;
  CSK_CHECK(csk_list_measure(&bad, 6, 5, 4, 30, &sizes) == csk_status_invalid_argument,
            "a tap in a phase beyond the last was accepted");
  bad.tap_phases = below;
  CSK_CHECK(csk_list_measure(&bad, 6, 5, 4, 30, &sizes) == csk_status_invalid_argument,
            "a tap in phase -1 was accepted");
  bad = good;
  bad.phases = -1;
  CSK_CHECK(csk_list_measure(&bad, 6, 5, 4, 30, &sizes) == csk_status_invalid_argument,
            "-1 phases were accepted");

  // The build checks what the measure does.
  topology t = sparse_topology_random(6, 5, 4, 0.3, 1);
  built_list b = sparse_build_list(&t.csr, &good, NULL);
  CSK_CHECK(b.status == csk_status_ok, "a list with phases was not built");
  int64_t *workspace = sparse_allocate(b.sizes.workspace, sizeof *workspace);
  CSK_CHECK(csk_list_build(&t.csr, &bad, &b.storage, workspace) == csk_status_invalid_argument,
            "-1 phases were built");
  free(workspace);
  sparse_built_list_free(&b);
  sparse_topology_free(&t);
}

void test_phases_overflow(void) {
  const int32_t tap_phases[1] = {0};
  csk_list_sizes sizes;
  csk_list_shape shape = {.direction = csk_direction_backward,
                          .slab_rows = 64,
                          .block_columns = 64,
                          .row_stride = 1 << 20,
                          .column_stride = 1,
                          .phases = 4,
                          .phase_stride = (1 << 18) - 1,
                          .tap_phases = tap_phases};
  CSK_CHECK(csk_list_measure(&shape, 2, 2048, 1, 9, &sizes) == csk_status_ok,
            "the last phase of the last channel fits");
  shape.phase_stride = 1 << 19;  // the last channel's last phase
  CSK_CHECK(csk_list_measure(&shape, 2, 2048, 1, 9, &sizes) == csk_status_overflow,
            "the last phase of the last channel does not fit");
  // The last channel's first phase, though its last one fits; and the first channel's last.
  shape.row_stride = 1 << 30;
  shape.phase_stride = -(1 << 30);
  CSK_CHECK(csk_list_measure(&shape, 2, 3, 1, 4, &sizes) == csk_status_overflow,
            "the first phase of the last channel does not fit");
  CSK_CHECK(csk_list_measure(&shape, 2, 2, 1, 4, &sizes) == csk_status_overflow,
            "the last phase of the first channel does not fit");
  shape.phases = 2;
  shape.row_stride = -(1 << 30);
  shape.phase_stride = INT32_MAX;
  CSK_CHECK(csk_list_measure(&shape, 2, 3, 1, 4, &sizes) == csk_status_ok,
            "a phase forward brings the last channel back into the range");
  CSK_CHECK(csk_list_measure(&shape, 2, 4, 1, 4, &sizes) == csk_status_overflow,
            "one channel further does not fit");
  // More list rows than an int32 counts.
  shape.row_stride = 0;
  shape.phase_stride = 0;
  CSK_CHECK(csk_list_measure(&shape, 1, (1 << 30) - 1, 1, 4, &sizes) == csk_status_ok,
            "list rows of two phases: one fewer than 2^31");
  CSK_CHECK(csk_list_measure(&shape, 1, 1 << 30, 1, 4, &sizes) == csk_status_overflow,
            "list rows of two phases: 2^31");
}
