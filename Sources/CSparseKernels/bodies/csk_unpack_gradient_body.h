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

/// A channel's gradient, times f' where f is a pass of its own; `packed` begins at the channel.
CSK_TARGET
static void activation_back_row(csk_activation activation, const float *packed, const float *x,
                                csk_v scale, csk_v shift, int32_t width, bool with_addend,
                                const csk_row_layout *layout, float *gradient) {
  if (csk_activation_needs_input(activation)) {
    csk_pass_back_from(activation, x, scale, shift, (int64_t)width * csk_lanes, gradient);
    return;
  }
  if (layout->stride == 1) {
    const csk_phase_span span = csk_span_of_phase(layout, width, 0);
    const int64_t stored = (int64_t)(span.end - span.first) * csk_lanes;
    activate_gradient(activation, gradient, packed + (ptrdiff_t)span.first * csk_lanes, stored);
    // Without an addend what is not stored is 0.
    if (with_addend && stored < (int64_t)width * csk_lanes)
      csk_pass_back_from(activation, x + stored, scale, shift, (int64_t)width * csk_lanes - stored,
                         gradient + stored);
    return;
  }
  csk_layout_walk walk = csk_walk_start(layout);
  for (int32_t j = 0; j < width; j++, csk_walk_on(&walk, layout)) {
    const ptrdiff_t at = (ptrdiff_t)j * csk_lanes;
    if (csk_is_stored(&walk, layout))
      activate_gradient(activation, gradient + at, packed + walk.offset, csk_lanes);
    else if (with_addend)
      csk_pass_back_from(activation, x + at, scale, shift, csk_lanes, gradient + at);
  }
}

/// A row's gradient where f is a pass of its own: channel by channel, in L1.
CSK_TARGET CSK_NOINLINE void unpack_gradient_pass(const float *d, csk_activation activation,
                                                  const float *packed, const float *x,
                                                  const float *mean, const float *addend,
                                                  int32_t channels, int32_t width,
                                                  const csk_row_layout *layout, const float *scale,
                                                  const float *shift, float *result,
                                                  double (*sums)[2]) {
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes, place = c * layout->channel_stride;
    float *v = result + first;
    const float *xc = x ? x + first : NULL;
    if (addend)
      unpack_gradient_as(d + place, NULL, NULL, NULL, addend + first, 1, width, layout, NULL, NULL,
                         v, NULL, false, false, true, false);
    else
      unpack_gradient_as(d + place, NULL, NULL, NULL, NULL, 1, width, layout, NULL, NULL, v, NULL,
                         false, false, false, false);
    activation_back_row(activation, packed ? packed + place : NULL, xc,
                        csk_all(csk_scale_of(scale, c)), csk_all(csk_shift_of(shift, c)), width,
                        addend != NULL, layout, v);
    if (sums) csk_add_row(v, xc, mean[c], width, sums[c]);
  }
}

// result = (d + addend) f'(scale[c] x + shift[c]);
// sums[c] += {sum result, sum result (x - mean[c])}
CSK_TARGET
static void unpack_gradient_row(const float *d, csk_activation activation, const float *packed,
                                const float *x, const float *mean, const float *addend,
                                int32_t channels, int32_t width, const csk_row_layout *layout,
                                const float *scale, const float *shift, float *result,
                                double (*sums)[2], bool streams) {
  if (csk_activation_has_pass(activation)) {
    unpack_gradient_pass(d, activation, packed, x, mean, addend, channels, width, layout, scale,
                         shift, result, sums);
    return;
  }
#define CASE(n)                                                                                   \
  case n:                                                                                         \
    unpack_gradient_as(d, packed, x, mean, addend, channels, width, layout, scale, shift, result, \
                       sums, streams, ((n)&4) != 0, ((n)&2) != 0, ((n)&1) != 0);                  \
    break
  switch ((activation.kind == csk_activation_relu ? 4 : 0) | (addend ? 2 : 0) | (sums ? 1 : 0)) {
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
