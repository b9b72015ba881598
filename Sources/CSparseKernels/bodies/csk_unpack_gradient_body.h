// bodies/csk_unpack_gradient_body.h: a row of the input's gradient out of scratch. Bound: bytes
// moved over the bandwidth of wherever the planes lie; scratch is in L2.
#include "csk_columns.h"

/// A channel's rows and constants; each option is known when this is compiled.
typedef struct unpack_gradient {
  const float *d, *activation;  // in scratch
  const float *x, *addend;
  float *result;
  csk_v mean, scale, shift;
  csk_sums sum;
  bool streams;
} unpack_gradient;

CSK_TARGET CSK_INLINE void finish_column(unpack_gradient *row, ptrdiff_t at, csk_v v,
                                         bool with_sums) {
  csk_store_as(row->result + at, v, row->streams);
  if (!with_sums) return;
  csk_add_column(&row->sum, v, csk_minus(csk_load(row->x + at), row->mean));
}

CSK_TARGET CSK_INLINE void stored_column(unpack_gradient *row, int32_t j, ptrdiff_t inside,
                                         bool relu, bool with_addend, bool with_sums) {
  const ptrdiff_t at = (ptrdiff_t)j * csk_lanes;
  csk_v v = csk_load(row->d + inside);
  if (with_addend) v = csk_plus(v, csk_load(row->addend + at));
  if (relu) v = csk_where_active(v, csk_load(row->activation + inside));
  finish_column(row, at, v, with_sums);
}

/// A column that has no place in scratch: d is 0 there, the mask follows from x.
CSK_TARGET CSK_INLINE void other_column(unpack_gradient *row, int32_t j, bool relu,
                                        bool with_addend, bool with_sums) {
  const ptrdiff_t at = (ptrdiff_t)j * csk_lanes;
  csk_v v = csk_all(0);
  if (with_addend) {
    v = csk_load(row->addend + at);
    if (relu) {
      const csk_v x = csk_load(row->x + at);
      v = csk_where_active(v, csk_fused(row->scale, x, row->shift));
    }
  }
  finish_column(row, at, v, with_sums);
}

CSK_TARGET CSK_INLINE void unpack_gradient_as(const float *d, const float *activation,
                                              const float *x, const float *mean,
                                              const float *addend, int32_t channels, int32_t width,
                                              const csk_row_layout *layout, const float *scale,
                                              const float *shift, float *result, double (*sums)[2],
                                              bool streams, bool relu, bool with_addend,
                                              bool with_sums) {
  const csk_phase_span span = csk_span_of_phase(layout, width, 0);
  const int32_t stored = span.end - span.first;
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes, place = c * layout->channel_stride;
    unpack_gradient row = {
        .d = d + place, .result = result + first, .sum = csk_no_sums(), .streams = streams};
    if (relu) row.activation = activation + place;
    if (x) row.x = x + first;
    if (with_addend) row.addend = addend + first;
    if (with_sums) row.mean = csk_all(mean[c]);
    row.scale = csk_all(csk_scale_of(scale, c));
    row.shift = csk_all(csk_shift_of(shift, c));
    if (layout->stride == 1) {
      const ptrdiff_t before = (ptrdiff_t)span.first * csk_lanes;
#define STEP(j) \
  stored_column(&row, j, before + (ptrdiff_t)(j)*csk_lanes, relu, with_addend, with_sums)
      CSK_FOR_COLUMNS(0, stored, STEP);
#undef STEP
      for (int32_t j = stored; j < width; j++) other_column(&row, j, relu, with_addend, with_sums);
    } else {
      csk_layout_walk walk = csk_walk_start(layout);
      for (int32_t j = 0; j < width; j++, csk_walk_on(&walk, layout)) {
        if (csk_is_stored(&walk, layout))
          stored_column(&row, j, walk.offset, relu, with_addend, with_sums);
        else
          other_column(&row, j, relu, with_addend, with_sums);
      }
    }
    if (with_sums) csk_add_sums(&row.sum, sums[c]);
  }
}

// result = d + addend where the activation is not <= 0;
// sums[c] += {sum result, sum result (x - mean[c])}
CSK_TARGET
static void unpack_gradient_row(const float *d, const float *activation, const float *x,
                                const float *mean, const float *addend, int32_t channels,
                                int32_t width, const csk_row_layout *layout, const float *scale,
                                const float *shift, float *result, double (*sums)[2],
                                bool streams) {
#define CASE(n)                                                                               \
  case n:                                                                                     \
    unpack_gradient_as(d, activation, x, mean, addend, channels, width, layout, scale, shift, \
                       result, sums, streams, ((n)&4) != 0, ((n)&2) != 0, ((n)&1) != 0);      \
    break
  switch ((activation ? 4 : 0) | (addend ? 2 : 0) | (sums ? 1 : 0)) {
    CASE(0);
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
    CASE(7);
  }
#undef CASE
  if (streams) csk_drain();
}

static void register_unpack_gradient(csk_kernels *kernels) {
  kernels->unpack_gradient_row = unpack_gradient_row;
}
