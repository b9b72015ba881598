// sparse_phase_tests.c: convolutions of stride 2 as lists with phases, on planes packed by hand.
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "sparse_fixture.h"

// The padded input has 2 * phase_rows rows and 2 * phase_columns columns; whatever lies outside
// the image is data like any other here.
enum {
  inputs = 5,
  outputs = 7,
  stride = 2,
  out_height = 4,
  out_width = 4,
  phase_rows = 6,
  phase_columns = 8,
  height = stride * phase_rows,
  width = stride * phase_columns,
  most_taps = 25,
  // Zeros around the output's gradient: windows that begin before it, and beyond its end.
  before = 2,
  gradient_rows = before + phase_rows,
  gradient_columns = before + phase_columns,
};

/// Input: [phase row][channel][phase][phase column][lane]. Output: [row][channel][column][lane].
/// Output's gradient: the same with zeros around.
typedef struct convolution {
  int32_t kernel, phases, taps;
  topology topology;
  float *weights;  // CSR order
  float *x;
  float *dy;  // all of it; (0, 0) lies at gradient_place
  int32_t x_pitch, dy_pitch;
  int32_t tap_phases[most_taps], forward_offsets[most_taps], backward_offsets[most_taps];
} convolution;

enum { phase_stride = phase_columns * 8, gradient_stride = gradient_columns * 8 };

static int64_t input_count(const convolution *t) {
  return (int64_t)phase_rows * t->x_pitch;
}

/// Where element (row, column) of the padded input lies, or -1 if its phase is not stored.
static int64_t input_place(const convolution *t, int32_t channel, int32_t row, int32_t column) {
  const int32_t side = t->kernel < stride ? t->kernel : stride;
  const int32_t phase_row = row % stride, phase_column = column % stride;
  if (phase_row >= side || phase_column >= side) return -1;
  const int32_t phase = phase_row * side + phase_column;
  return (int64_t)(row / stride) * t->x_pitch + channel * t->phases * phase_stride +
         phase * phase_stride + column / stride * 8;
}

static int64_t gradient_place(const convolution *t, int32_t output, int32_t row, int32_t column) {
  return (int64_t)(row + before) * t->dy_pitch + output * gradient_stride + (column + before) * 8;
}

static convolution make_convolution(int32_t kernel, double density) {
  const int32_t side = kernel < stride ? kernel : stride;
  convolution t = {.kernel = kernel, .phases = side * side, .taps = kernel * kernel};
  t.topology = sparse_topology_random(outputs, inputs, t.taps, density, (uint64_t)kernel);
  t.weights = sparse_allocate_uniform(t.topology.nnz, 1);
  t.x_pitch = inputs * t.phases * phase_stride;
  t.dy_pitch = outputs * gradient_stride;
  t.x = sparse_allocate_uniform(input_count(&t), 2);
  const int64_t count = (int64_t)gradient_rows * t.dy_pitch;
  t.dy = sparse_allocate(count, sizeof *t.dy);
  for (int64_t i = 0; i < count; i++) t.dy[i] = 0;
  uint64_t seed = 3;
  for (int32_t o = 0; o < outputs; o++)
    for (int32_t y = 0; y < out_height; y++)
      for (int32_t i = 0; i < out_width * 8; i++)
        t.dy[gradient_place(&t, o, y, 0) + i] = csk_test_uniform(&seed);
  for (int32_t tap = 0; tap < t.taps; tap++) {
    const int32_t row = tap / kernel, column = tap % kernel;
    t.tap_phases[tap] = row % stride * side + column % stride;
    t.forward_offsets[tap] = (int32_t)input_place(&t, 0, row, column);
    t.backward_offsets[tap] = row / stride * t.dy_pitch + column / stride * 8;
  }
  return t;
}

static void free_convolution(convolution *t) {
  sparse_topology_free(&t->topology);
  free(t->weights);
  free(t->x);
  free(t->dy);
}

/// The naive convolution in doubles; each result with the sum of its |terms|. dx is null: y only.
typedef struct expectation {
  double *y, *y_size, *dx, *dx_size, *dw, *dw_size;
} expectation;

static double *zeros(int64_t count) {
  double *values = sparse_allocate(count, sizeof *values);
  for (int64_t i = 0; i < count; i++) values[i] = 0;
  return values;
}

static int64_t output_place(int32_t output, int32_t row, int32_t column) {
  return (((int64_t)row * outputs + output) * out_width + column) * 8;
}

enum { output_count = out_height * outputs * out_width * 8 };

static void add(double *sum, double *size, double term) {
  *sum += term;
  *size += fabs(term);
}

static expectation expect(const convolution *t) {
  const int64_t x_count = input_count(t), nnz = t->topology.nnz;
  expectation e = {zeros(output_count), zeros(output_count), zeros(x_count),
                   zeros(x_count),      zeros(nnz),          zeros(nnz)};
  for (int32_t o = 0; o < outputs; o++) {
    for (int64_t k = t->topology.row_offsets[o]; k < t->topology.row_offsets[o + 1]; k++) {
      const int32_t channel = t->topology.columns[k] / t->taps;
      const int32_t tap = t->topology.columns[k] % t->taps;
      const double w = (double)t->weights[k];
      for (int32_t place = 0; place < out_height * out_width * 8; place++) {
        const int32_t row = place / 8 / out_width, column = place / 8 % out_width, l = place % 8;
        const int64_t i = input_place(t, channel, row * stride + tap / t->kernel,
                                      column * stride + tap % t->kernel) +
                          l;
        const int64_t y = output_place(o, row, column) + l;
        const double dy = (double)t->dy[gradient_place(t, o, row, column) + l];
        add(e.y + y, e.y_size + y, w * (double)t->x[i]);
        add(e.dx + i, e.dx_size + i, w * dy);
        add(e.dw + k, e.dw_size + k, (double)t->x[i] * dy);
      }
    }
  }
  return e;
}

static void free_expectation(expectation *e) {
  free(e->y);
  free(e->y_size);
  free(e->dx);
  free(e->dx_size);
  free(e->dw);
  free(e->dw_size);
}

/// A sum of `terms` products, in any order.
static bool is_close(float value, double expected, int64_t terms, double size) {
  return fabs((double)value - expected) <= (double)(terms + 2) * (double)FLT_EPSILON / 2 * size;
}

static void check_forward(const convolution *t, csk_isa isa, csk_tiles tiles, int32_t slab_rows,
                          int32_t block_columns, const expectation *e) {
  const csk_list_shape shape = {.direction = csk_direction_forward,
                                .slab_rows = slab_rows,
                                .block_columns = block_columns,
                                .row_stride = out_width * 8,
                                .column_stride = t->phases * phase_stride,
                                .tap_offsets = t->forward_offsets};
  built_list list = sparse_build_list(&t->topology.csr, &shape, t->weights);
  CSK_CHECK(list.status == csk_status_ok, "status %d", list.status);
  float *y = sparse_allocate(output_count, sizeof *y);
  csk_canary_fill(y, output_count);
  tiles.outer = out_height / tiles.rows;
  tiles.inner = out_width / tiles.vectors;
  tiles.x_inner = tiles.y_inner = tiles.vectors * 8;
  tiles.x_row = t->x_pitch;
  tiles.y_row = outputs * out_width * 8;
  tiles.x_outer = tiles.rows * tiles.x_row;
  tiles.y_outer = tiles.rows * tiles.y_row;
  CSK_CHECK(CSK_ON(isa, csk_sparse_forward(&list.list, 0, list.list.slabs, t->x, y, &tiles,
                                           NULL)) == csk_status_ok,
            "%s, kernel %d: refused", csk_isa_name(isa), t->kernel);
  for (int32_t i = 0; i < output_count; i++)
    CSK_CHECK(is_close(y[i], e->y[i], inputs * t->taps, e->y_size[i]),
              "%s, kernel %d, %d x %d: y %d is %g not %g", csk_isa_name(isa), t->kernel,
              tiles.vectors, tiles.rows, i, (double)y[i], e->y[i]);
  free(y);
  sparse_built_list_free(&list);
}

static csk_list_shape backward_shape(const convolution *t, int32_t channels_a_slab,
                                     int32_t block_columns) {
  const bool phased = t->phases > 1;
  return (csk_list_shape){.direction = csk_direction_backward,
                          .slab_rows = channels_a_slab * t->phases,
                          .block_columns = block_columns,
                          .row_stride = t->phases * phase_stride,
                          .column_stride = gradient_stride,
                          .tap_offsets = t->backward_offsets,
                          .phases = phased ? t->phases : 0,
                          .phase_stride = phased ? phase_stride : 0,
                          .tap_phases = phased ? t->tap_phases : NULL};
}

static void check_backward(const convolution *t, csk_isa isa, csk_tiles tiles, int32_t slab_rows,
                           int32_t block_columns, const expectation *e) {
  const csk_list_shape shape = backward_shape(t, slab_rows, block_columns);
  built_list list = sparse_build_list(&t->topology.csr, &shape, t->weights);
  CSK_CHECK(list.status == csk_status_ok, "status %d", list.status);
  const int64_t count = input_count(t), nnz = t->topology.nnz;
  float *dx = sparse_allocate(count, sizeof *dx), *dw = sparse_allocate(nnz, sizeof *dw);
  csk_canary_fill(dx, count);
  csk_canary_fill(dw, nnz);
  tiles.outer = phase_rows / tiles.rows;
  tiles.inner = phase_columns / tiles.vectors;
  tiles.x_inner = tiles.y_inner = tiles.vectors * 8;
  tiles.x_row = t->dy_pitch;
  tiles.y_row = t->x_pitch;
  tiles.x_outer = tiles.rows * tiles.x_row;
  tiles.y_outer = tiles.rows * tiles.y_row;
  CSK_CHECK(CSK_ON(isa, csk_sparse_backward(&list.list, 0, list.list.slabs,
                                            t->dy + gradient_place(t, 0, 0, 0), t->x, dx, dw, false,
                                            &tiles)) == csk_status_ok,
            "%s, kernel %d: refused", csk_isa_name(isa), t->kernel);
  for (int64_t i = 0; i < count; i++)
    CSK_CHECK(is_close(dx[i], e->dx[i], outputs * t->taps, e->dx_size[i]),
              "%s, kernel %d, %d x %d: dx %d is %g not %g", csk_isa_name(isa), t->kernel,
              tiles.vectors, tiles.rows, (int)i, (double)dx[i], e->dx[i]);
  for (int64_t k = 0; k < nnz; k++) {
    const int32_t index = list.storage.csr_indices[k];
    CSK_CHECK(is_close(dw[k], e->dw[index], phase_rows * phase_columns * 8, e->dw_size[index]),
              "%s, kernel %d, %d x %d: dw %d is %g not %g", csk_isa_name(isa), t->kernel,
              tiles.vectors, tiles.rows, index, (double)dw[k], e->dw[index]);
  }
  free(dw);
  free(dx);
  sparse_built_list_free(&list);
}

static void test_convolutions(void) {
  static const int32_t kernels[] = {1, 3, 5}, segments[][2] = {{100, 100}, {2, 3}, {1, 1}};
  static const csk_tiles tiles[] = {{.vectors = 1, .rows = 1},
                                    {.vectors = 2, .rows = 1},
                                    {.vectors = 4, .rows = 1},
                                    {.vectors = 1, .rows = 2},
                                    {.vectors = 4, .rows = 2}};
  static const double densities[] = {0, 0.1, 0.5, 1};
  for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
    for (size_t d = 0; d < sizeof densities / sizeof *densities; d++) {
      convolution t = make_convolution(kernels[k], densities[d]);
      expectation e = expect(&t);
      for (size_t i = 0; i < 15; i++) {
        const int32_t *segment = segments[i / 5];
        for (int isa = 0; isa < 3; isa++) {
          if (!csk_isa_is_supported((csk_isa)isa)) continue;
          check_forward(&t, (csk_isa)isa, tiles[i % 5], segment[0], segment[1], &e);
          check_backward(&t, (csk_isa)isa, tiles[i % 5], segment[0], segment[1], &e);
        }
      }
      free_expectation(&e);
      free_convolution(&t);
    }
  }
}

static csk_status measure(const csk_list_shape *shape, int32_t taps, csk_list_sizes *sizes) {
  return csk_list_measure(shape, outputs, inputs, taps, 20, sizes);
}

static void test_arguments(void) {
  convolution t = make_convolution(3, 0.5);
  csk_list_sizes sizes;
  const csk_list_shape good = backward_shape(&t, 2, 3);
  CSK_CHECK(measure(&good, 9, &sizes) == csk_status_ok, "whole channels a slab");
  CSK_CHECK(sizes.slabs == 3, "%d slabs", sizes.slabs);  // of 2, 2 and 1 channels
  csk_list_shape bad = good;
#define INVALID_SHAPE(taps)                                                                     \
  do {                                                                                          \
    CSK_CHECK(measure(&bad, taps, &sizes) == csk_status_invalid_argument, "line %d", __LINE__); \
    bad = good;                                                                                 \
  } while (0)
  bad.slab_rows = 7;  // cuts a channel
  INVALID_SHAPE(9);
  bad.tap_phases = NULL;
  INVALID_SHAPE(9);
  bad.phases = -1;
  INVALID_SHAPE(9);
  int32_t phases[9];
  for (int32_t wrong = -1; wrong <= 4; wrong += 5) {
    for (int tap = 0; tap < 9; tap += 8) {
      for (int i = 0; i < 9; i++) phases[i] = t.tap_phases[i];
      phases[tap] = wrong;
      bad.tap_phases = phases;
      INVALID_SHAPE(9);
    }
  }
  // Three further phases of 2^29 elements fit behind the last channel, or do not.
  bad.row_stride = 0;
  bad.phase_stride = 1 << 29;
  CSK_CHECK(measure(&bad, 9, &sizes) == csk_status_ok, "three further phases of 2^29 elements fit");
  bad.row_stride = 1 << 27;
  CSK_CHECK(measure(&bad, 9, &sizes) == csk_status_overflow,
            "and behind a channel at 2^27 they do not");
  // Going forward there are none, whatever the shape says.
  bad = good;
  bad.direction = csk_direction_forward;
  bad.slab_rows = 7;
  CSK_CHECK(measure(&bad, 9, &sizes) == csk_status_ok && sizes.slabs == 1,
            "forward, phases in the shape do not matter");
  free_convolution(&t);
}

const csk_test csk_tests_sparse_phases[] = {
    {"sparse phases, convolutions of stride 2", test_convolutions},
    {"sparse phases, arguments", test_arguments},
    {0},
};
