// entry/csk_list_choose.c: how to cut a list, from measurements of the kernels on it.
//
// A block's operand should fit L1 (256 columns of 32 lanes are 32 KiB), but a row's visit to a
// block costs as much as several entries, so sparser rows want wider blocks, out to L2 and beyond.
// All tiles pass over a slab's entries before the next one's, so those should stay near, unless
// each operand would then be used only a few times: fetching its lanes weighs as much as sixteen
// entries. Short slabs have short runs, but a layer should make some six slabs for the threads. The
// rates are flat within a factor of two around these numbers.
#include <math.h>

#include "csk_internal.h"

static double clamp(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

/// `total` in equal parts of about `wished`.
static int32_t part(int32_t total, double wished) {
  if (total < 1) return 1;
  const double parts = clamp(nearbyint(total / wished), 1, total);
  return (int32_t)ceil(total / parts);
}

void csk_list_choose(csk_direction direction, int32_t rows, int32_t channels, int32_t taps,
                     int64_t nnz, csk_list_shape *shape) {
  const bool forward = direction == csk_direction_forward;
  const int32_t list_rows = forward ? rows : channels, reduced = forward ? channels : rows;
  const double count = nnz > 0 ? (double)nnz : 1;
  // Connections per row and reduced index: taps times the density.
  const double filled = count / ((double)(rows > 0 ? rows : 1) * (channels > 0 ? channels : 1));

  const double good_row = forward ? 28 : 40, least_row = 8;  // entries of a row in a block
  const double low = 128.0 / taps, high = (forward ? 640.0 : 1152.0) / taps;
  double columns = clamp(good_row / filled, low, high);
  if (columns < least_row / filled) columns = least_row / filled;

  const double near = 1 << 16, reuse = 16;
  const double entries_a_row = count / (list_rows > 0 ? list_rows : 1);
  const double height = fmax(fmax(near, reuse * reduced) / entries_a_row, 256);

  shape->direction = direction;
  shape->phases = 0;
  shape->phase_stride = 0;
  shape->tap_phases = NULL;
  shape->slab_rows = part(list_rows, fmax(fmin(height, list_rows / 8.0), 64));
  shape->block_columns = part(reduced, columns);
}
