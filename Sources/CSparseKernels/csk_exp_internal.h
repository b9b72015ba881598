// csk_exp_internal.h: the exponential that kernels share.
#ifndef CSK_EXP_INTERNAL_H
#define CSK_EXP_INTERNAL_H

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

#endif
