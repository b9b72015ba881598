// include/csk_epilogue.h: bias, activation and dropout after a product on vectors, and their
// gradients.
//
// Activations are grouped as csk_pack.h says: [group][channel][lane].
#ifndef CSK_EPILOGUE_H
#define CSK_EPILOGUE_H

#include "csk_activation.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What the epilogue applies to a channel's lanes after a product, in this order; and, going back,
/// what its gradient is multiplied with.
typedef struct csk_epilogue {
  csk_activation activation;
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
///   y[c, lane] = dropout(f(y[c, lane] + bias[c])), f the activation
///
///   y             (channels, lanes), the group's first channel at y
///   bias          (channels) or null
///   lanes         a positive multiple of 8, here and below
///   first_sample  the group's first sample: group * lanes, below 2^34
///   epilogue      keep in (0, 1]
///   input         (channels, lanes) or null: if csk_activation_needs_input it receives y + bias,
///                 for the way back; may not overlap y
/// Activations let NaN through, so that a loss shows it. The result has the same bits on every
/// instruction set.
csk_status csk_epilogue_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                                int64_t first_sample, const float *bias,
                                const csk_epilogue *epilogue, float *input);

/// The same going back: turns the gradient of the epilogue's result into that of its input, in
/// place, zeroes dead lanes, and sums the bias gradient.
///
///   gradient   (channels, lanes)
///   y          (channels, lanes) the epilogue's result, or, if csk_activation_needs_input, what
///              csk_epilogue_forward put into `input`; null without activation
///   live       lanes of this group that are samples; the rest become 0
///   bias_gradient  (channels) or null: += sum over live lanes, lanes by a fixed tree
/// ReLU's gradient is 0 where y <= 0 and 1 where y is NaN. What was dropped has y = 0, so with ReLU
/// the mask is not generated again: y must be what csk_epilogue_forward made. Other results are
/// brought back to the activation's by y keep. Same bits on every
/// instruction set.
csk_status csk_epilogue_backward(float *gradient, const float *y, int32_t channel_begin,
                                 int32_t channel_end, int32_t lanes, int32_t live,
                                 int64_t first_sample, const csk_epilogue *epilogue,
                                 float *bias_gradient);

#ifdef __cplusplus
}
#endif
#endif
