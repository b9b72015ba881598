// csk_pack_internal.h: what the pack family's files share among themselves.
#ifndef CSK_PACK_INTERNAL_H
#define CSK_PACK_INTERNAL_H

#include <math.h>

#include "csk_internal.h"

// Parts of the family that have their own files; csk_pack_scalar registers them too.
void csk_unpack_scalar(csk_kernels *kernels);
void csk_softmax_scalar(csk_kernels *kernels);

// Philox4x32-10's multipliers and the steps of its key.
#define CSK_PHILOX_M0 0xd2511f53u
#define CSK_PHILOX_M1 0xcd9e8d57u
#define CSK_PHILOX_W0 0x9e3779b9u
#define CSK_PHILOX_W1 0xbb67ae85u
enum { csk_philox_rounds = 10 };

/// The integer that a kept word is below: word < keep * 2^32 and word < ceil(keep * 2^32) are the
/// same for integers. keep < 1, so it is at most 2^32 - 256.
static inline uint32_t csk_keep_threshold(float keep) {
  return (uint32_t)ceilf(keep * 0x1p32f);
}

// exp(d) for d <= 0: d = n ln 2 + r with |r| <= ln(2) / 2, exp(d) = 2^n (1 + r + r^2 q(r)). The
// product of n and the high part of ln 2 is exact; q is the minimax polynomial of relative error
// 3e-9, so rounding is what is left: about 1e-7. Below CSK_EXP_LOWEST, where float's normal
// numbers end, the result is 0.
#define CSK_EXP_LOWEST -87.3365447f
#define CSK_EXP_LOG2E 1.44269504f
#define CSK_EXP_LN2_HIGH 0.693359375f
#define CSK_EXP_LN2_LOW -2.12194440e-4f
#define CSK_EXP_Q0 0x1.fffffcp-2f
#define CSK_EXP_Q1 0x1.555492p-3f
#define CSK_EXP_Q2 0x1.5558f2p-5f
#define CSK_EXP_Q3 0x1.1239d4p-7f
#define CSK_EXP_Q4 0x1.6a244ep-10f

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
