// bodies/csk_exp_body.h: the exponential that bodies share, some 12 instructions.
#ifndef CSK_EXP_BODY_H
#define CSK_EXP_BODY_H

#include "../csk_exp_internal.h"

/// exp(d) for d <= 0; 0 where the result would not be a normal number; NaN stays.
CSK_TARGET CSK_INLINE csk_v csk_exp_of(csk_v d) {
  const csk_v n = csk_nearest(csk_times(d, csk_all(CSK_EXP_LOG2E)));
  csk_v r = csk_fused_from(n, csk_all(CSK_EXP_LN2_HIGH), d);
  r = csk_fused_from(n, csk_all(CSK_EXP_LN2_LOW), r);
  csk_v q = csk_all(CSK_EXP_Q4);
  q = csk_fused(q, r, csk_all(CSK_EXP_Q3));
  q = csk_fused(q, r, csk_all(CSK_EXP_Q2));
  q = csk_fused(q, r, csk_all(CSK_EXP_Q1));
  q = csk_fused(q, r, csk_all(CSK_EXP_Q0));
  q = csk_fused(q, r, csk_all(1));
  q = csk_fused(q, r, csk_all(1));
  // For a NaN the power is some number, and NaN times it is NaN.
  return csk_unless_less(csk_times(q, csk_power_of_two(n)), d, csk_all(CSK_EXP_LOWEST));
}

#endif
