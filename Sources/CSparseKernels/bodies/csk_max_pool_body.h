// bodies/csk_max_pool_body.h: the largest of each window, a column at a time.
//
// Bound: bytes moved over the bandwidth of memory; an element of a window in L1 costs a load, two
// comparisons and two blends.
#include "../csk_pool2d_internal.h"

/// The best so far and its index within the window.
typedef struct largest {
  csk_v value;
  csk_vi index;
} largest;

/// Takes v where it is larger: all bits of the comparison, so that ties stay and NaN wins once.
CSK_TARGET CSK_INLINE void take_larger(largest *best, csk_v v, csk_same_i index) {
  const csk_mask larger = csk_beats(v, best->value);
  best->value = csk_choose(larger, v, best->value);
  best->index = csk_choose_i(larger, index, best->index);
}

/// The window of `rows` from `first_row` on, whose first element lies at `place` in each.
CSK_TARGET CSK_INLINE largest largest_of_window(const float *const *rows, int32_t first_row,
                                                const csk_window_span *span, int32_t kernel,
                                                ptrdiff_t place) {
  // The first element is compared with itself, which changes nothing.
  largest best = {csk_load(rows[first_row] + place),
                  csk_spread_i(csk_all_i(first_row * kernel + span->first))};
  for (int32_t r = first_row; r < kernel; r++) {
    if (!rows[r]) continue;
    const float *row = rows[r] + place;
    csk_same_i index = csk_all_i(r * kernel + span->first);
    for (int32_t q = span->first; q < span->end; q++, row += csk_plane_lanes) {
      take_larger(&best, csk_load(row), index);
      index = csk_next_i(index);
    }
  }
  return best;
}

CSK_TARGET
static void max_pool_row(const float *const *rows, int32_t channels, int32_t width,
                         int32_t out_width, const csk_window *window, float *y, uint8_t *indices) {
  int32_t first_row = 0;
  while (!rows[first_row]) first_row++;
  for (int32_t c = 0; c < channels; c++) {
    for (int32_t o = 0; o < out_width; o++) {
      const csk_window_span span = csk_span_of_window(window, width, o);
      const ptrdiff_t place = ((ptrdiff_t)c * width + span.origin + span.first) * csk_plane_lanes;
      const ptrdiff_t result = ((ptrdiff_t)c * out_width + o) * csk_plane_lanes;
      const largest best = largest_of_window(rows, first_row, &span, window->kernel, place);
      csk_store(y + result, best.value);
      if (indices) csk_store_bytes(indices + result, best.index);
    }
  }
}

static void register_max_pool(csk_kernels *kernels) {
  kernels->max_pool_row = max_pool_row;
}
