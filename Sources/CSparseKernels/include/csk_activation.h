// include/csk_activation.h: activation functions, and their gradients.
//
// Kernels that apply something on the way (csk_epilogue.h, csk_planes.h, csk_sparse.h) take a
// csk_activation for it, with the bits of these functions.
#ifndef CSK_ACTIVATION_H
#define CSK_ACTIVATION_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The functions f that there are. NaN stays NaN, infinities give the limits (GELU and SiLU: 0 at
/// -infinity). Relative errors against exact results, over all floats whose result is more than
/// 1e-36: at most 7e-7 (GELU near -13; the others 2e-7); smaller results may be 0.
typedef enum csk_activation_kind {
  csk_activation_identity = 0,    ///< v
  csk_activation_relu = 1,        ///< max(0, v); -0 stays
  csk_activation_leaky_relu = 2,  ///< v > 0 ? v : slope v
  csk_activation_gelu = 3,     ///< v Phi(v) = v (1 + erf(v / sqrt 2)) / 2: exact, not tanh's form
  csk_activation_silu = 4,     ///< v / (1 + exp(-v))
  csk_activation_tanh = 5,     ///< tanh(v)
  csk_activation_sigmoid = 6,  ///< 1 / (1 + exp(-v))
} csk_activation_kind;

/// A function with its parameter.
typedef struct csk_activation {
  csk_activation_kind kind;
  /// Leaky ReLU's: finite and >= 0, so that a result has its input's sign. Others ignore it.
  float slope;
} csk_activation;

/// What the gradient needs: false: the function's result; true: its input (GELU and SiLU, which
/// two inputs can have the same result of).
bool csk_activation_needs_input(csk_activation activation);

/// values[i] = f(values[i]). The same bits on every instruction set. Bound: arithmetic, some 10
/// (leaky ReLU: 2) to 35 (GELU) instructions a register of lanes.
csk_status csk_activate(csk_activation activation, float *values, int64_t count);

/// gradient[i] *= f'(v) where values[i] is f(v), or v itself if csk_activation_needs_input.
///
/// ReLU's is 0 where values[i] <= 0 and 1 where it is NaN; leaky ReLU's is `slope` where
/// values[i] <= 0. Absolute error of f' at most 3e-7. The same bits on every instruction set.
csk_status csk_activate_gradient(csk_activation activation, float *gradient, const float *values,
                                 int64_t count);

#ifdef __cplusplus
}
#endif
#endif
