// entry/csk_list_choose.c: how to cut a list, from measurements of the kernels on it.
//
// A block's operand should fit L1 (256 columns of 32 lanes are 32 KiB), but a row's visit to a
// block costs as much as several entries, so sparser rows want wider blocks, out to L2 and beyond:
// the rate is flat within a factor of two around these numbers. A slab's entries should stay in
// L2 while all tiles pass over them, unless each of its operands would then be used only a few
// times: an operand's lanes weigh sixteen entries. A layer should make at least eight slabs for
// the threads, and short slabs have short runs, so there is a least height.
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

  const double cached = 1 << 15, reuse = 16, least_height = 128;
  const double entries_a_row = count / (list_rows > 0 ? list_rows : 1);
  double height = fmax(cached, reuse * reduced) / entries_a_row;
  if (height > list_rows / 8.0) height = list_rows / 8.0;
  if (height < least_height) height = least_height;

  shape->direction = direction;
  shape->slab_rows = part(list_rows, height);
  shape->block_columns = part(reduced, columns);
}
