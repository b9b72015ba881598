// bodies/csk_planes_body.h: rows of planes into and out of scratch. Bound: bytes moved over the
// bandwidth of wherever the planes lie; scratch is in L2.
#include "csk_columns.h"

/// Phases whose spans are worked out once for all channels; more there hardly are.
enum { kept_spans = 4 };

/// `count` columns, `step` elements apart in x, next to each other in target.
CSK_TARGET CSK_INLINE void pack_columns(const float *x, ptrdiff_t step, int32_t count, csk_v scale,
                                        csk_v shift, bool relu, float *target) {
#define STEP(j)                                                           \
  do {                                                                    \
    const csk_v v = csk_fused(scale, csk_load(x + (j)*step), shift);      \
    csk_store(target + (ptrdiff_t)(j)*csk_lanes, relu ? csk_relu(v) : v); \
  } while (0)
  CSK_FOR_COLUMNS(0, count, STEP);
#undef STEP
}

CSK_TARGET CSK_INLINE void pack_activation_as(const float *x, int32_t channels, int32_t width,
                                              const float *scale, const float *shift,
                                              const csk_row_layout *layout, float *target,
                                              bool relu, bool strided, csk_activation activation) {
  const int32_t stride = strided ? layout->stride : 1, phases = strided ? layout->phases : 1;
  csk_phase_span spans[kept_spans];
  for (int32_t phase = 0; phase < phases && phase < kept_spans; phase++)
    spans[phase] = csk_span_of_phase(layout, width, phase);
  for (int32_t c = 0; c < channels; c++) {
    const csk_v a = csk_all(csk_scale_of(scale, c));
    const csk_v b = csk_all(csk_shift_of(shift, c));
    const float *channel = x + (ptrdiff_t)c * width * csk_lanes;
    for (int32_t phase = 0; phase < phases; phase++) {
      const csk_phase_span span =
          phase < kept_spans ? spans[phase] : csk_span_of_phase(layout, width, phase);
      float *columns = target + c * layout->channel_stride + phase * layout->phase_stride;
      csk_clear(columns, span.first);
      if (span.first < span.end) {
        const ptrdiff_t first = (ptrdiff_t)span.first * stride + phase - layout->before;
        pack_columns(channel + first * csk_lanes, (ptrdiff_t)stride * csk_lanes,
                     span.end - span.first, a, b, relu,
                     columns + (ptrdiff_t)span.first * csk_lanes);
        if (!relu && csk_activation_has_pass(activation))
          activate(activation, columns + (ptrdiff_t)span.first * csk_lanes,
                   (int64_t)(span.end - span.first) * csk_lanes);
      }
      csk_clear(columns + (ptrdiff_t)span.end * csk_lanes, layout->columns - span.end);
    }
  }
}

// target = f(scale[c] x + shift[c])
CSK_TARGET
static void pack_activation_row(const float *x, int32_t channels, int32_t width, const float *scale,
                                const float *shift, csk_activation activation,
                                const csk_row_layout *layout, float *target) {
  const bool relu = activation.kind == csk_activation_relu;
#define PACK(relu, strided) \
  pack_activation_as(x, channels, width, scale, shift, layout, target, relu, strided, activation)
  if (layout->stride == 1) {
    if (relu) {
      PACK(true, false);
    } else {
      PACK(false, false);
    }
  } else if (relu) {
    PACK(true, true);
  } else {
    PACK(false, true);
  }
#undef PACK
}

typedef struct gradient_source {
  const float *gradient, *y, *addend;  // a channel's
  csk_v a, b, c;
  csk_mask live;
} gradient_source;

CSK_TARGET CSK_INLINE void pack_gradient_column(const gradient_source *from, int32_t j,
                                                float *target, csk_sums *sums, bool affine,
                                                bool addend) {
  const ptrdiff_t at = (ptrdiff_t)j * csk_lanes;
  csk_v v = csk_load(from->gradient + at);
  if (affine) {
    const csk_v rest = csk_fused(from->b, csk_load(from->y + at), from->c);
    v = csk_fused(from->a, v, rest);
  }
  if (addend) v = csk_plus(v, csk_load(from->addend + at));
  v = csk_only(v, from->live);
  csk_store(target, v);
  sums->next = csk_plus(sums->next, v);
  csk_swap(sums);
}

CSK_TARGET CSK_INLINE void clear_padding(const csk_row_layout *layout, int32_t width,
                                         float *channel) {
  for (int32_t phase = 0; phase < layout->phases; phase++) {
    const csk_phase_span span = csk_span_of_phase(layout, width, phase);
    float *columns = channel + phase * layout->phase_stride;
    csk_clear(columns, span.first);
    csk_clear(columns + (ptrdiff_t)span.end * csk_lanes, layout->columns - span.end);
  }
}

CSK_TARGET CSK_INLINE void pack_gradient_as(const float *gradient, const float *y,
                                            const float *addend, int32_t channels, int32_t width,
                                            int32_t live, const csk_gradient_affine *affine,
                                            const csk_row_layout *layout, float *target,
                                            double *sums, bool with_affine, bool with_addend) {
  const csk_phase_span span = csk_span_of_phase(layout, width, 0);
  gradient_source from = {.live = csk_first(live)};
  for (int32_t c = 0; c < channels; c++) {
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes;
    from.gradient = gradient + first;
    if (with_affine) {
      from.y = y + first;
      from.a = csk_all(affine->a[c]);
      from.b = csk_all(affine->b[c]);
      from.c = csk_all(affine->c[c]);
    }
    if (with_addend) from.addend = addend + first;
    float *channel = target + c * layout->channel_stride;
    csk_sums sum = csk_no_sums();
    if (layout->stride == 1) {
      float *elements = channel + (ptrdiff_t)span.first * csk_lanes;
      csk_clear(channel, span.first);
#define STEP(j)                                                                          \
  pack_gradient_column(&from, j, elements + (ptrdiff_t)(j)*csk_lanes, &sum, with_affine, \
                       with_addend)
      CSK_FOR_COLUMNS(0, span.end - span.first, STEP);
#undef STEP
      csk_clear(channel + (ptrdiff_t)span.end * csk_lanes, layout->columns - span.end);
    } else {
      clear_padding(layout, width, channel);
      csk_layout_walk walk = csk_walk_start(layout);
      for (int32_t j = 0; j < width; j++, csk_walk_on(&walk, layout)) {
        if (csk_is_stored(&walk, layout))
          pack_gradient_column(&from, j, channel + walk.offset, &sum, with_affine, with_addend);
        else
          csk_swap(&sum);
      }
    }
    if (sums) csk_add_sum(&sum, sums + c);
  }
}

// target = a[c] gradient + (b[c] y + c[c]) + addend;  sums[c] += sum target
CSK_TARGET
static void pack_gradient_row(const float *gradient, const float *y, const float *addend,
                              int32_t channels, int32_t width, int32_t live,
                              const csk_gradient_affine *affine, const csk_row_layout *layout,
                              float *target, double *sums) {
#define PACK(with_affine, with_addend)                                                       \
  pack_gradient_as(gradient, y, addend, channels, width, live, affine, layout, target, sums, \
                   with_affine, with_addend)
  if (affine) {
    if (addend) {
      PACK(true, true);
    } else {
      PACK(true, false);
    }
  } else if (addend) {
    PACK(false, true);
  } else {
    PACK(false, false);
  }
#undef PACK
}

CSK_TARGET CSK_INLINE void unpack_output_as(const float *product, ptrdiff_t product_channel_stride,
                                            const float *bias, const float *residual,
                                            int32_t channels, int32_t width, int32_t live, float *y,
                                            csk_row_statistics *statistics, bool streams,
                                            bool with_residual, bool with_statistics) {
  const csk_mask alive = csk_first(live);
  for (int32_t c = 0; c < channels; c++) {
    const float *p = product + c * product_channel_stride;
    const ptrdiff_t first = (ptrdiff_t)c * width * csk_lanes;
    const float *r = with_residual ? residual + first : NULL;
    float *yc = y + first;
    const float shift = csk_shift_of(bias, c);
    const csk_v b = csk_all(shift);
    csk_v pivot = csk_all(0);
    if (with_statistics) {
      if (statistics->starts) {
        float value = 0;
        if (width > 0) value = with_residual ? p[0] + shift + r[0] : p[0] + shift;
        statistics->pivot[c] = value;
        statistics->sums[c][0] = statistics->sums[c][1] = 0;
      }
      pivot = csk_all(statistics->pivot[c]);
    }
    csk_sums sum = csk_no_sums();
#define STEP(j)                                             \
  do {                                                      \
    const ptrdiff_t at = (ptrdiff_t)(j)*csk_lanes;          \
    csk_v v = csk_plus(csk_load(p + at), b);                \
    if (with_residual) v = csk_plus(v, csk_load(r + at));   \
    csk_store_as(yc + at, v, streams);                      \
    if (with_statistics) {                                  \
      const csk_v d = csk_only(csk_minus(v, pivot), alive); \
      csk_add_column(&sum, d, d);                           \
    }                                                       \
  } while (0)
    CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
    if (with_statistics) csk_add_sums(&sum, statistics->sums[c]);
  }
}

// y = product + bias[c] + residual;  sums[c] += {sum d, sum d^2} with d = y - pivot[c]
CSK_TARGET
static void unpack_output_row(const float *product, ptrdiff_t product_channel_stride,
                              const float *bias, const float *residual, int32_t channels,
                              int32_t width, int32_t live, float *y, csk_row_statistics *statistics,
                              bool streams) {
#define UNPACK(with_residual, with_statistics)                                                \
  unpack_output_as(product, product_channel_stride, bias, residual, channels, width, live, y, \
                   statistics, streams, with_residual, with_statistics)
  if (residual) {
    if (statistics) {
      UNPACK(true, true);
    } else {
      UNPACK(true, false);
    }
  } else if (statistics) {
    UNPACK(false, true);
  } else {
    UNPACK(false, false);
  }
#undef UNPACK
  if (streams) csk_drain();
}

static void register_planes(csk_kernels *kernels) {
  kernels->pack_activation_row = pack_activation_row;
  kernels->pack_gradient_row = pack_gradient_row;
  kernels->unpack_output_row = unpack_output_row;
}
