// include/csk_recurrent.h: the gates of recurrent layers, one step of one group at a time.
//
// The two products of a step, of its input and of the state before, are csk_sparse.h's or
// csk_dense.h's; what lies between them and the next state is here. Blocks of gates lie one below
// the other, each (features, lanes): gates in PyTorch's order. All functions work on features
// [begin, end) of each block, so that who multiplied some rows applies their gates while they are
// in the cache.
#ifndef CSK_RECURRENT_H
#define CSK_RECURRENT_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The part of a step that a call works on: 0 <= begin <= end <= features; lanes a positive
/// multiple of 8.
typedef struct csk_cell_part {
  int32_t features;    // of the state (H): rows of a block of gates
  int32_t begin, end;  // the features to work on
  int32_t lanes;
} csk_cell_part;

/// A step of a gated recurrent unit whose reset gate acts after the matrix product:
///   r = sigmoid(gates_r + (recurrent_r + bias_r))
///   z = sigmoid(gates_z + (recurrent_z + bias_z))
///   m = recurrent_n + bias_n
///   n = tanh(gates_n + r m)
///   next = n + z (state - n)
///
///   gates      (3 features, lanes) blocks r, z, n: what comes of the input; receives r, z, n
///   recurrent  (3 features, lanes) what comes of the state; its third block receives m
///   bias       (3 features) or null: 0
///   state      (features, lanes) the state before
///   next       (features, lanes) the new state; may be `state`
/// Otherwise no operands may overlap. NaN goes through to `next`. The same bits on every
/// instruction set.
csk_status csk_gru_forward(const csk_cell_part *part, float *gates, float *recurrent,
                           const float *bias, const float *state, float *next);

/// The same going back; steps go from the last to the first. With g the gradient of `next`,
/// g = output_gradient + (product + carried), or without product g = output_gradient:
///   dn = g (1 - z) (1 - n^2);  dz = g (state - n) z (1 - z);  dr = dn m r (1 - r)
///   carried = g z: what reaches `state` beside the product
///
///   gates            (3 features, lanes) r, z, n
///   recurrent        (3 features, lanes) its third block is m; receives the gradient of what came
///                    of the state: dr, dz, r dn
///   state            (features, lanes) the state before the step
///   output_gradient  (features, lanes) of `next`, from the layers above
///   product          (features, lanes) of `next`, from the step after, through its product with
///                    the recurrent weights; null: there is no step after
///   carried          (features, lanes) what the call for the step after wrote; not read without
///                    product
///   gates_gradient   (3 features, lanes) receives dr, dz, dn; may be `gates`
/// Otherwise no operands may overlap. Where g is 0, all gradients are. The same bits on every
/// instruction set.
csk_status csk_gru_backward(const csk_cell_part *part, const float *gates, float *recurrent,
                            const float *state, const float *output_gradient, const float *product,
                            float *carried, float *gates_gradient);

/// A step of a long short-term memory:
///   i, f, o = sigmoid(gates + (recurrent + bias));  g = tanh(gates_g + (recurrent_g + bias_g))
///   next_cell = f cell + i g;  next = o tanh(next_cell)
///
///   gates      (4 features, lanes) blocks i, f, g, o: what comes of the input; receives i, f, g, o
///   recurrent  (4 features, lanes) what comes of the state before
///   bias       (4 features) or null: 0
///   cell       (features, lanes)
///   next_cell  (features, lanes); may be `cell`
///   next       (features, lanes) the new state
/// Otherwise no operands may overlap. The same bits on every instruction set.
csk_status csk_lstm_forward(const csk_cell_part *part, float *gates, const float *recurrent,
                            const float *bias, const float *cell, float *next_cell, float *next);

/// The same going back; steps go from the last to the first. With h the gradient of `next`, h =
/// output_gradient + product, or without product h = output_gradient, and t = tanh(next_cell):
///   c = carried + h o (1 - t^2), without product h o (1 - t^2)
///   di = c g i (1 - i);  df = c cell f (1 - f);  dg = c i (1 - g^2);  do = h t o (1 - o)
///   carried = c f: the gradient of `cell`
///
///   gates            (4 features, lanes) i, f, g, o
///   cell, next_cell  (features, lanes) before and after the step
///   output_gradient, product, carried  as csk_gru_backward's
///   gates_gradient   (4 features, lanes) receives di, df, dg, do, the gradient of what came of the
///                    input and of the state alike; may be `gates`
/// Otherwise no operands may overlap. Where h and c are 0, all gradients are. The same bits on
/// every instruction set.
csk_status csk_lstm_backward(const csk_cell_part *part, const float *gates, const float *cell,
                             const float *next_cell, const float *output_gradient,
                             const float *product, float *carried, float *gates_gradient);

#ifdef __cplusplus
}
#endif
#endif
