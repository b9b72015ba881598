// include/csk_softmax.h: softmax and cross-entropy, and its gradient.
//
// Logits are grouped as csk_pack.h says: [group][class][lane].
#ifndef CSK_SOFTMAX_H
#define CSK_SOFTMAX_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif
#endif
