// csk_softmax_internal.h: what the versions of the softmax must do alike.
#ifndef CSK_SOFTMAX_INTERNAL_H
#define CSK_SOFTMAX_INTERNAL_H

#include <math.h>

#include "csk_exp_internal.h"
#include "csk_internal.h"

/// What a lane's softmax boils down to before its loss and its label's gradient.
typedef struct csk_softmax_lane {
  float largest;       // max_c z_c, NaN left out
  double sum;          // sum_c exp(z_c - largest)
  double shifted_sum;  // sum_c (z_c - largest): not finite if any logit is not
} csk_softmax_lane;

/// -sum_c t_c log p_c = log(sum) - (1 - a) (z_label - largest) - a / C sum_c (z_c - largest)
/// The last term stays when a = 0: 0 * infinity is what makes the loss not finite.
static inline double csk_softmax_loss(const csk_softmax_lane *lane, float label_logit,
                                      double smoothing, int32_t classes) {
  return log(lane->sum) - (1 - smoothing) * ((double)label_logit - (double)lane->largest) -
         smoothing / classes * lane->shifted_sum;
}

/// The two values of t: every class, and the label.
static inline float csk_target_off(float smoothing, int32_t classes) {
  return (float)((double)smoothing / classes);
}
static inline float csk_target_on(float smoothing, int32_t classes) {
  return (float)(1 - (double)smoothing + (double)smoothing / classes);
}

#endif
