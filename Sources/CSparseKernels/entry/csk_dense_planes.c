// entry/csk_dense_planes.c: checks the arguments of dense convolutions on bands once, then
// dispatches; copies weights.
#include <string.h>

#include "csk_internal.h"

// MARK: - Weights

// Weights lie far apart in all directions but one, and powers of two apart, so that they share a
// few places in the caches. So each line is used up before the next one is read: a line's reduced
// channels for one block of results, or its results for several blocks.
enum { line = 16, blocks_at_once = 8 };

/// Reduced channels [k_begin, k_end) of the blocks from result channel `first` to before `end`.
static void copy_piece(const float *weights, const csk_dense_order *order, int32_t first,
                       int32_t end, int32_t k_begin, int32_t k_end, float *copy) {
  const ptrdiff_t reach = (ptrdiff_t)order->reduced * order->taps;
  for (int32_t t = 0; t < order->taps; t++) {
    const float *tap = weights + order->tap_indices[t] * order->tap_stride;
    for (int32_t k = k_begin; k < k_end; k++) {
      const float *source = tap + k * order->reduced_stride;
      const ptrdiff_t place = (ptrdiff_t)k * order->taps + t;
      for (int32_t m = first; m < end; m += csk_dense_block) {
        const int32_t channels = csk_min_i32(order->results - m, csk_dense_block);
        float *target = copy + m * reach + place * channels;
        for (int32_t i = 0; i < channels; i++) target[i] = source[(m + i) * order->result_stride];
      }
    }
  }
}

csk_status csk_dense_copy_weights(const float *weights, const csk_dense_order *order,
                                  int32_t block_begin, int32_t block_end, float *copy) {
  if (!order || order->results < 0 || order->reduced < 0 || order->taps < 0)
    return csk_status_invalid_argument;
  const int32_t blocks = order->results / csk_dense_block + (order->results % csk_dense_block > 0);
  if (block_begin < 0 || block_begin > block_end || block_end > blocks)
    return csk_status_invalid_argument;
  const int64_t reach = (int64_t)order->reduced * order->taps;
  if (block_begin == block_end || reach == 0) return csk_status_ok;
  if (!weights || !copy || !order->tap_indices) return csk_status_invalid_argument;
  const bool are_neighbours = order->result_stride == 1;
  const int32_t step = csk_dense_block * (are_neighbours ? blocks_at_once : 1);
  const int32_t k_step = are_neighbours ? 1 : line;
  const int32_t end = csk_min_i32(block_end * csk_dense_block, order->results);
  for (int32_t m = block_begin * csk_dense_block; m < end; m += step)
    for (int32_t k = 0; k < order->reduced; k += k_step)
      copy_piece(weights, order, m, csk_min_i32(m + step, end), k,
                 csk_min_i32(k + k_step, order->reduced), copy);
  return csk_status_ok;
}

// MARK: - Products

/// Rows of one channel must not be another's, nor a row another row's.
static bool result_is_valid(const csk_dense_band *band) {
  const int64_t width = (int64_t)band->columns * csk_plane_lanes;
  const ptrdiff_t channel = band->y_channel_stride, row = band->y_row_stride;
  if (band->results > 1 && channel < width) return false;
  if (band->rows > 1 && row < width) return false;
  if (band->results <= 1 || band->rows <= 1) return true;
  // One of the two lies within a step of the other.
  return row >= (band->results - 1) * channel + width || channel >= (band->rows - 1) * row + width;
}

static void clear_result(const csk_dense_band *band, float *y) {
  for (int32_t m = 0; m < band->results; m++)
    for (int32_t row = 0; row < band->rows; row++)
      memset(y + m * band->y_channel_stride + row * band->y_row_stride, 0,
             (size_t)band->columns * csk_plane_lanes * sizeof *y);
}

csk_status csk_dense_product(const float *copy, const csk_dense_band *band, const float *x,
                             float *y) {
  if (!band || band->results < 0 || band->reduced < 0 || band->taps < 0 || band->rows < 0 ||
      band->columns < 0)
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (band->results == 0 || band->rows == 0 || band->columns == 0) return csk_status_ok;
  if (!y || !result_is_valid(band)) return csk_status_invalid_argument;
  if (band->reduced == 0 || band->taps == 0) {
    clear_result(band, y);
    return csk_status_ok;
  }
  if (!copy || !x || !band->tap_offsets) return csk_status_invalid_argument;
  kernels->dense_product(copy, band, x, y);
  return csk_status_ok;
}

// MARK: - Gradients

csk_status csk_dense_transpose_row(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                                   int32_t columns, float *target) {
  if (channels < 0 || columns < 0) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (channels == 0 || columns == 0) return csk_status_ok;
  if (!x || !target) return csk_status_invalid_argument;
  kernels->dense_transpose_row(x, x_channel_stride, channels, columns, target);
  return csk_status_ok;
}

/// Inputs, taps and outputs of dw must not be another's.
static bool sums_are_valid(const csk_dense_sums *sums) {
  if (!sums || sums->outputs < 0 || sums->inputs < 0 || sums->taps < 0 || sums->rows < 0 ||
      sums->columns < 0)
    return false;
  if (sums->taps == 0) return true;
  if (!sums->tap_indices || !sums->tap_offsets) return false;
  if (sums->taps > 1 && sums->tap_stride < sums->inputs) return false;
  for (int32_t t = 0; t < sums->taps; t++) {
    if (sums->tap_indices[t] < 0) return false;
    const int64_t end = sums->tap_indices[t] * (int64_t)sums->tap_stride + sums->inputs;
    if (sums->outputs > 1 && sums->output_stride < end) return false;
  }
  return true;
}

typedef void gradient_kernel(const csk_dense_sums *sums, const float *y, const float *x,
                             bool accumulate, float *dw);

static csk_status run_gradient(gradient_kernel *kernel, const csk_dense_sums *sums, const float *y,
                               const float *x, bool accumulate, float *dw) {
  if (sums->outputs == 0 || sums->inputs == 0 || sums->taps == 0) return csk_status_ok;
  if (!dw) return csk_status_invalid_argument;
  if (sums->rows == 0 || sums->columns == 0) {  // a sum over nothing
    for (int32_t o = 0; !accumulate && o < sums->outputs; o++)
      for (int32_t t = 0; t < sums->taps; t++)
        memset(dw + o * sums->output_stride + sums->tap_indices[t] * sums->tap_stride, 0,
               (size_t)sums->inputs * sizeof *dw);
    return csk_status_ok;
  }
  if (!y || !x) return csk_status_invalid_argument;
  kernel(sums, y, x, accumulate, dw);
  return csk_status_ok;
}

csk_status csk_dense_gradient(const csk_dense_sums *sums, const float *y, const float *x,
                              bool accumulate, float *dw) {
  if (!sums_are_valid(sums)) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  return run_gradient(kernels->dense_gradient, sums, y, x, accumulate, dw);
}

csk_status csk_dense_gradient_narrow(const csk_dense_sums *sums, const float *y, const float *x,
                                     bool accumulate, float *dw) {
  if (!sums_are_valid(sums)) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  return run_gradient(kernels->dense_gradient_narrow, sums, y, x, accumulate, dw);
}
