// scalar/csk_sparse_scalar.c: the pair of sparse kernels, the reference every other version is
// tested against.
//
//   y[row]     = sum over entries of weight * x[offset]
//   dx[row]    = sum over entries of weight * dy[offset]
//   dw[entry]  = sum over tiles of tree(sum over the tile's rows and vectors of x[row] *
//   dy[offset])
//
// Bound: two multiplications and additions an entry and lane (one forward), by SSE or not at all.
#include "csk_sparse_walk.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

enum { lanes = 8 };

static void forward_tile(const csk_segment *segment, const float *x, float *y,
                         const csk_tiles *tiles, const csk_row_epilogue *epilogue) {
  const int32_t *row_offset = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    for (uint32_t i = 0; i < run->rows; i++, row_offset++) {
      const float bias = epilogue ? csk_bias_at(epilogue, *row_offset) : -0.0f;
      const float least = epilogue ? csk_epilogue_floor(epilogue) : -INFINITY;
      for (int32_t r = 0; r < tiles->rows; r++) {
        for (int32_t v = 0; v < tiles->vectors; v++) {
          const float *xs = x + r * tiles->x_row + v * lanes;
          float *ys = y + *row_offset + r * tiles->y_row + v * lanes;
          float sums[lanes] = {0};
          if (!segment->starts)
            for (int l = 0; l < lanes; l++) sums[l] = ys[l];
          for (uint32_t k = 0; k < run->count; k++)
            for (int l = 0; l < lanes; l++) sums[l] += weights[k] * xs[offsets[k] + l];
          for (int l = 0; l < lanes; l++) {
            const float y_l = sums[l] + bias;
            ys[l] = least > y_l ? least : y_l;  // NaN stays
          }
        }
      }
      offsets += run->count;
      weights += run->count;
    }
  }
}

/// The sum of eight lanes, in the order that vectors of four add most cheaply.
static float tree(const float a[lanes]) {
  return ((a[0] + a[2]) + (a[1] + a[3])) + ((a[4] + a[6]) + (a[5] + a[7]));
}

static void backward_tile(const csk_segment *segment, const float *dy, const float *x, float *dx,
                          float *dw, bool fresh, const csk_tiles *tiles) {
  const int32_t *row_offset = segment->row_offsets;
  const int32_t *offsets = segment->offsets;
  const float *weights = segment->weights;
  for (const csk_run *run = segment->runs; run < segment->runs_end; run++) {
    for (uint32_t i = 0; i < run->rows; i++, row_offset++) {
      for (int32_t r = 0; dx && segment->starts && r < tiles->rows; r++)
        for (int32_t l = 0; l < tiles->vectors * lanes; l++)
          dx[*row_offset + r * tiles->y_row + l] = 0;
      for (uint32_t k = 0; k < run->count; k++) {
        float sums[lanes] = {0};
        for (int32_t r = 0; r < tiles->rows; r++) {
          for (int32_t v = 0; v < tiles->vectors; v++) {
            const float *dys = dy + offsets[k] + r * tiles->x_row + v * lanes;
            const ptrdiff_t place = *row_offset + r * tiles->y_row + v * lanes;
            for (int l = 0; l < lanes; l++) sums[l] += x[place + l] * dys[l];
            for (int l = 0; dx && l < lanes; l++) dx[place + l] += weights[k] * dys[l];
          }
        }
        dw[k] = fresh ? tree(sums) : dw[k] + tree(sums);
      }
      offsets += run->count;
      weights += run->count;
      dw += run->count;
    }
  }
}

static void sparse_forward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                           const float *x, float *y, const csk_tiles *tiles,
                           const csk_row_epilogue *epilogue) {
  csk_walk_forward(forward_tile, list, slab_begin, slab_end, x, y, tiles, epilogue);
}

static void sparse_backward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                            const float *dy, const float *x, float *dx, float *dw, bool accumulate,
                            const csk_tiles *tiles) {
  csk_walk_backward(backward_tile, list, slab_begin, slab_end, dy, x, dx, dw, accumulate, tiles);
}

void csk_sparse_scalar(csk_kernels *kernels) {
  kernels->sparse_forward = sparse_forward;
  kernels->sparse_backward = sparse_backward;
}
