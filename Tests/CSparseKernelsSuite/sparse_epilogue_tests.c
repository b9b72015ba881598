// sparse_epilogue_tests.c: bias, ReLU and writing past the caches on the forward kernel's way out.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sparse_layer.h"

/// The same, computed afterwards: what csk_epilogue_forward makes of a sum.
static float applied(float sum, const csk_row_epilogue *epilogue, int32_t row) {
  float v = epilogue->bias ? sum + epilogue->bias[row] : sum;
  csk_activate(epilogue->activation, &v, 1);
  return v;
}

/// What the activation was applied to is kept where its gradient needs it, else nothing is written.
static void check_inputs(csk_isa isa, const layer *t, const planes *sums,
                         const csk_row_epilogue *epilogue, const planes *inputs) {
  const bool are_kept = csk_activation_needs_input(epilogue->activation);
  for (int32_t i = 0; i < inputs->outer; i++)
    for (int32_t o = 0; o < t->csr->rows; o++)
      for (int32_t r = 0; r < inputs->rows; r++)
        for (int32_t l = 0; l < inputs->lanes; l++) {
          const float sum = sparse_at(sums, i, o, r)[l];
          const float v = epilogue->bias ? sum + epilogue->bias[o] : sum;
          const float kept = sparse_at(inputs, i, o, r)[l];
          const bool is_right =
              are_kept ? kept == v || (isnan(kept) && isnan(v)) : csk_canary_intact(&kept, 1);
          CSK_CHECK(is_right, "%s activation %d: kept %g of %g", csk_isa_name(isa),
                    epilogue->activation.kind, (double)kept, (double)v);
        }
  CSK_CHECK(sparse_halos_intact(inputs), "%s wrote beside the inputs", csk_isa_name(isa));
}

static void check_epilogue(csk_isa isa, const layer *t) {
  const planes *x = &t->x;
  const float before = sparse_at(x, 0, 0, 0)[3];
  sparse_at(x, 0, 0, 0)[3] = NAN;  // reaches whoever reads channel 0, through the ReLU, too
  const planes sums = sparse_run_forward(isa, t);
  float *bias = sparse_allocate_uniform(t->csr->rows, 23);
  for (int choice = 0; choice < 14; choice++) {
    planes y = sparse_planes_like(&t->dy, 0), inputs = sparse_planes_like(&t->dy, 0);
    const csk_row_epilogue epilogue = {
        .bias = choice & 1 ? bias : NULL,
        .row_stride = t->dy.rows * t->dy.width,
        .activation = {choice / 2, choice / 2 == csk_activation_leaky_relu ? 0.3f : 0},
        .input = inputs.memory + halo,
        .streams = true};  // but the rows are not aligned
    const csk_status status =
        CSK_ON(isa, csk_sparse_forward(&t->forward.list, 0, t->forward.list.slabs, x->memory + halo,
                                       y.memory + halo, &t->forward_tiles, &epilogue));
    CSK_CHECK(status == csk_status_ok, "status %d", status);
    for (int32_t i = 0; i < y.outer; i++)
      for (int32_t o = 0; o < t->csr->rows; o++)
        for (int32_t r = 0; r < y.rows; r++)
          for (int32_t l = 0; l < y.lanes; l++) {
            const float expected = applied(sparse_at(&sums, i, o, r)[l], &epilogue, o);
            const float result = sparse_at(&y, i, o, r)[l];
            CSK_CHECK(memcmp(&result, &expected, sizeof result) == 0 ||
                          (isnan(result) && isnan(expected)),
                      "%s %dx%d, choice %d: y[%d] lane %d is %g, not %g", csk_isa_name(isa),
                      t->forward_tiles.vectors, y.rows, choice, o, l, (double)result,
                      (double)expected);
          }
    CSK_CHECK(sparse_halos_intact(&y), "%s wrote beside y", csk_isa_name(isa));
    check_inputs(isa, t, &sums, &epilogue, &inputs);
    sparse_planes_free(&inputs);
    sparse_planes_free(&y);
  }
  sparse_at(x, 0, 0, 0)[3] = before;
  free(bias);
  planes freed = sums;
  sparse_planes_free(&freed);
}

void test_row_epilogue(void) {
  // Runs of one row and of more than a narrow tile takes at once; row 17 has no connection.
  int32_t counts[18] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 5, 5, 1, 9, 9, 9, 2, 2, 0};
  topology t = sparse_topology_with_counts(18, 12, 1, counts, 5);
  sparse_for_each_tile(&t.csr, 2, 2, 7, 1000, check_epilogue);
  sparse_topology_free(&t);
}

/// Whole cache lines go past the caches; with any address or stride beside them nothing does, and
/// nothing traps. The results are the same.
void test_row_epilogue_streams(void) {
  enum { rows = 11, channels = 9, groups = 2, widest = 64, spare = 80 };
  topology t = sparse_topology_random(rows, channels, 1, 0.5, 3);
  float *weights = sparse_allocate_uniform(t.nnz, 5), *bias = sparse_allocate_uniform(rows, 6);
  float *x = sparse_allocate_uniform(groups * channels * spare, 7);
  static _Alignas(64) float memory[2][groups * rows * spare + 16];
  for (int32_t vectors = 1; vectors <= 8; vectors *= 2)
    for (int32_t beside = 0; beside <= 8; beside += 4)
      for (int32_t gap = 0; gap <= 16; gap += 8) {
        const int32_t stride = 8 * vectors + gap;
        const csk_list_shape shape = {.direction = csk_direction_forward,
                                      .slab_rows = rows,
                                      .block_columns = channels,
                                      .row_stride = stride,
                                      .column_stride = stride};
        built_list list = sparse_build_list(&t.csr, &shape, weights);
        const csk_tiles tiles = {.vectors = vectors,
                                 .rows = 1,
                                 .outer = groups,
                                 .inner = 1,
                                 .x_outer = channels * stride,
                                 .y_outer = rows * stride};
        for (int isa = 0; isa < csk_isa_count; isa++) {
          if (!csk_isa_is_supported((csk_isa)isa)) continue;
          for (int streams = 0; streams < 2; streams++) {
            csk_canary_fill(memory[streams], sizeof memory[0] / sizeof(float));
            const csk_row_epilogue epilogue = {
                .bias = bias, .row_stride = stride, .activation = RELU(true), .streams = streams};
            CSK_ON((csk_isa)isa, csk_sparse_forward(&list.list, 0, list.list.slabs, x,
                                                    memory[streams] + beside, &tiles, &epilogue));
          }
          CSK_CHECK(memcmp(memory[0], memory[1], sizeof memory[0]) == 0,
                    "%s, %d vectors, %d beside, gap %d", csk_isa_name((csk_isa)isa), vectors,
                    beside, gap);
          CSK_CHECK(!csk_canary_intact(memory[1] + beside, 8 * vectors), "nothing was written");
        }
        sparse_built_list_free(&list);
      }
  free(weights);
  free(bias);
  free(x);
  sparse_topology_free(&t);
}

/// Sums of a list in several blocks are not complete when they are stored.
void test_row_epilogue_arguments(void) {
  topology t = sparse_topology_random(8, 8, 1, 0.5, 1);
  for (int32_t block_columns = 4; block_columns <= 8; block_columns += 4) {
    layer l =
        sparse_layer_make(&t.csr, (csk_tiles){1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 8, block_columns);
    for (int32_t stride = 0; stride <= 8; stride += 8) {
      const csk_row_epilogue epilogue = {.row_stride = stride};
      const csk_status status = csk_sparse_forward(&l.forward.list, 0, 1, l.x.memory + halo,
                                                   l.dy.memory + halo, &l.forward_tiles, &epilogue);
      const bool valid = block_columns == 8 && stride > 0;
      CSK_CHECK(status == (valid ? csk_status_ok : csk_status_invalid_argument),
                "blocks of %d, stride %d: status %d", block_columns, stride, status);
    }
    sparse_layer_free(&l);
  }
  sparse_topology_free(&t);
}
