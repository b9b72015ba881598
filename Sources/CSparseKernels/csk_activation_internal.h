// csk_activation_internal.h: what the versions of activation functions must do alike. Every
// operation is one rounding, fused ones are written as such, so that all have the same bits.
#ifndef CSK_ACTIVATION_INTERNAL_H
#define CSK_ACTIVATION_INTERNAL_H

#include "csk_exp_internal.h"
#include "csk_internal.h"

// With e = exp(-|v|): sigmoid(-|v|) = e / (1 + e), sigmoid(|v|) = 1 / (1 + e). SiLU takes the
// factor v as no less than -CSK_SILU_MOST, where the sigmoid is 0: 0 infinity is not a number.
#define CSK_SILU_MOST 88.0f

// tanh(v) = sign(v) (1 - e) / (1 + e) with e = exp(-2 |v|) for |v| > CSK_TANH_SMALL; below, where
// that cancels, v + v^3 p(v^2), p the minimax polynomial of relative error 2e-10.
#define CSK_TANH_SMALL 0.625f
#define CSK_TANH_P0 -0x1.555554p-2f
#define CSK_TANH_P1 0x1.111066p-3f
#define CSK_TANH_P2 -0x1.b9ee9p-5f
#define CSK_TANH_P3 0x1.638b58p-6f
#define CSK_TANH_P4 -0x1.0bf4fep-7f
#define CSK_TANH_P5 0x1.18e1ep-9f

// The normal distribution's tail: Phi(-t) = exp(-t^2 / 2) u q(u) with u = 1 / (1 + t CSK_TAIL_C), q
// of relative error 7e-8 for t in [0, 14]; exp(-14^2 / 2) is 0. The rounding of t^2, which the
// exponential would enlarge, is put right: exp(-(h + l) / 2) = exp(-h / 2) (1 - l / 2).
#define CSK_TAIL_MOST 14.0f
#define CSK_TAIL_C 0.26f
#define CSK_TAIL_Q0 0x1.a8ff42p-4f
#define CSK_TAIL_Q1 0x1.a5f4e6p-4f
#define CSK_TAIL_Q2 0x1.a603p-4f
#define CSK_TAIL_Q3 0x1.a2053cp-5f
#define CSK_TAIL_Q4 0x1.499ec2p-3f
#define CSK_TAIL_Q5 -0x1.35244ep-3f
#define CSK_TAIL_Q6 0x1.0186bap-2f
#define CSK_TAIL_Q7 -0x1.38fe1cp-3f
#define CSK_TAIL_Q8 0x1.f3ca62p-6f
#define CSK_DENSITY 0.398942280f  // 1 / sqrt(2 pi)

/// f(v), as the specification has it.
float csk_activation_value(csk_activation activation, float v);

/// g f'(v), as the specification has it; `value` is f(v), or v itself if
/// csk_activation_needs_input.
float csk_activation_product(csk_activation activation, float g, float value);

#endif
