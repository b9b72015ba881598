// include/csk_pack.h: what happens to activations between the sparse products.
//
// Activations are grouped with the batch innermost: [group][channel][lane] for vectors, `lanes`
// samples a group; sample s is lane s % lanes of group s / lanes. The last group's lanes beyond
// the samples are dead: any finite value in activations, exactly zero in gradients.
#ifndef CSK_PACK_H
#define CSK_PACK_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What unpack applies to a channel's lanes after a product, in this order; and, going back, what
/// its gradient is multiplied with.
typedef struct csk_epilogue {
  bool relu;
  float keep;               // dropout: probability of keeping; 1: no dropout
  uint32_t dropout_key[2];  // Philox key: the caller's (seed, purpose, layer) ...
  uint64_t dropout_stream;  // ... and batches consumed
  /// (samples, rounded up to whole groups) the number by which each sample's mask is drawn; null:
  /// samples are drawn by where they are. All below 2^34.
  const int32_t *places;
} csk_epilogue;
// The dropout mask of (channel c, sample s) is word s % 4 of
// philox4x32_10(counter = {c, s / 4, lo(stream), hi(stream)}, key), kept iff word < keep * 2^32;
// kept values are divided by keep. It does not depend on `lanes`, so nothing is stored. With
// places, s is places[s]: samples keep their masks when others before them are left out.

/// One group's channels [channel_begin, channel_end), in place:
///   y[c, lane] = dropout(relu(y[c, lane] + bias[c]))
///
///   y             (channels, lanes), the group's first channel at y
///   bias          (channels) or null
///   lanes         a positive multiple of 8, here and below
///   first_sample  the group's first sample: group * lanes, below 2^34
///   epilogue      keep in (0, 1]
/// ReLU lets NaN through, so that a loss shows it. The result has the same bits on every
/// instruction set.
csk_status csk_unpack_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                              int64_t first_sample, const float *bias,
                              const csk_epilogue *epilogue);
csk_status csk_unpack_forward_on(csk_isa isa, float *y, int32_t channel_begin, int32_t channel_end,
                                 int32_t lanes, int64_t first_sample, const float *bias,
                                 const csk_epilogue *epilogue);

/// The same going back: turns the gradient of the epilogue's result into that of its input, in
/// place, zeroes dead lanes, and sums the bias gradient.
///
///   gradient   (channels, lanes)
///   y          (channels, lanes) the epilogue's result, for the ReLU's sign; null without relu
///   live       lanes of this group that are samples; the rest become 0
///   bias_gradient  (channels) or null: += sum over live lanes, lanes by a fixed tree
/// ReLU's gradient is 0 where y <= 0 and 1 where y is NaN. What was dropped has y = 0, so with ReLU
/// the mask is not generated again: y must be what csk_unpack_forward made. Same bits on every
/// instruction set.
csk_status csk_unpack_backward(float *gradient, const float *y, int32_t channel_begin,
                               int32_t channel_end, int32_t lanes, int32_t live,
                               int64_t first_sample, const csk_epilogue *epilogue,
                               float *bias_gradient);
csk_status csk_unpack_backward_on(csk_isa isa, float *gradient, const float *y,
                                  int32_t channel_begin, int32_t channel_end, int32_t lanes,
                                  int32_t live, int64_t first_sample, const csk_epilogue *epilogue,
                                  float *bias_gradient);

/// target[c, lane] = samples[lane][c] for c in [channel_begin, channel_end); lanes >= live are 0.
/// One group from row-major samples.
///
///   samples       (live) pointers' worth of rows: row i at samples + i * sample_stride
csk_status csk_pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                            int32_t channel_begin, int32_t channel_end, int32_t lanes,
                            float *target);
csk_status csk_pack_samples_on(csk_isa isa, const float *samples, ptrdiff_t sample_stride,
                               int32_t live, int32_t channel_begin, int32_t channel_end,
                               int32_t lanes, float *target);

/// target[c, lane] = scale * bytes[rows[lane] * sample_stride + c] + shift: one group straight from
/// a byte image set, normalised on the way; lanes >= live are 0.
///
///   rows  (live) indices of the samples to take; that they are below the number of samples is the
///         caller's care
/// One rounding (a fused multiply-add), the same bits on every instruction set.
csk_status csk_pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                          int32_t live, float scale, float shift, int32_t channel_begin,
                          int32_t channel_end, int32_t lanes, float *target);
csk_status csk_pack_bytes_on(csk_isa isa, const uint8_t *bytes, ptrdiff_t sample_stride,
                             const int64_t *rows, int32_t live, float scale, float shift,
                             int32_t channel_begin, int32_t channel_end, int32_t lanes,
                             float *target);

/// Between grouped activations and one panel for a dense product:
///   gather:  panel[c, g * lanes + lane] = groups[g][c, lane]
///   scatter: groups[g][c, lane] = panel[c, g * lanes + lane]
/// for c in [channel_begin, channel_end); panel rows are panel_stride >= group_count * lanes long,
/// groups are group_stride apart.
csk_status csk_gather_groups(const float *groups, ptrdiff_t group_stride, int32_t group_count,
                             int32_t lanes, int32_t channel_begin, int32_t channel_end,
                             float *panel, ptrdiff_t panel_stride);
csk_status csk_scatter_groups(const float *panel, ptrdiff_t panel_stride, int32_t group_count,
                              int32_t lanes, int32_t channel_begin, int32_t channel_end,
                              float *groups, ptrdiff_t group_stride);

/// Reads one float of each cache line of `count` floats, in order, so that they are in the cache
/// afterwards; bound: bandwidth of the level they come from. For operands that a sparse product is
/// about to read in an order that hardware cannot foresee. Loads, because a CPU drops prefetch
/// instructions when it has many (measured: half of the gain is lost with them).
void csk_warm(const float *values, int64_t count);

/// Softmax and cross-entropy with label smoothing a over C classes, one group:
///   p = softmax(logits);  t = (1 - a) one_hot(label) + a / C
///   *loss += sum over live lanes of -sum_c t_c log p_c        (double, lane by lane)
///   gradient[c, lane] = (p_c - t_c) * gradient_scale; dead lanes 0
///   predictions[lane] = argmax_c logits (ties to the lower class), probability-free
///
///   logits    (classes, lanes)
///   labels    (live) each in [0, classes), else csk_status_invalid_argument
///   gradient  (classes, lanes) or null (evaluation); may not overlap logits
///   ranks     (live) or null: how many classes have a larger logit than the label's, or an equal
///             one with a lower index: 0 is a top-1 hit, < 5 a top-5 hit
/// A logit that is not finite gives a loss that is not finite; never a trap. Predictions and ranks
/// order NaN below everything, so that a rank is 0 exactly where the prediction is the label.
/// Probabilities below about 1e-38 may be 0.
csk_status csk_softmax_cross_entropy(const float *logits, int32_t classes, int32_t lanes,
                                     int32_t live, const int32_t *labels, float label_smoothing,
                                     float gradient_scale, float *gradient, double *loss,
                                     int32_t *predictions, int32_t *ranks);
csk_status csk_softmax_cross_entropy_on(csk_isa isa, const float *logits, int32_t classes,
                                        int32_t lanes, int32_t live, const int32_t *labels,
                                        float label_smoothing, float gradient_scale,
                                        float *gradient, double *loss, int32_t *predictions,
                                        int32_t *ranks);

/// Philox4x32-10 (Salmon et al., SC 2011): out = philox(counter, key). The random numbers of the
/// whole project; counter-based, so there is no state to save.
void csk_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#ifdef __cplusplus
}
#endif
#endif
