// scalar/csk_recurrent_scalar.c: the gates of recurrent layers, one element at a time.
#include <math.h>

#include "csk_activation_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs but those that are written.
#pragma STDC FP_CONTRACT OFF

static const csk_activation sigmoid = {csk_activation_sigmoid, 0},
                            tangent = {csk_activation_tanh, 0};

/// Elements of a block of gates.
static ptrdiff_t block_of(const csk_cell_part *part) {
  return (ptrdiff_t)part->features * part->lanes;
}

static void gru_forward(const csk_cell_part *part, float *gates, float *recurrent,
                        const float *bias, const float *state, float *next) {
  const ptrdiff_t block = block_of(part);
  for (int32_t c = part->begin; c < part->end; c++) {
    const float br = bias ? bias[c] : 0, bz = bias ? bias[part->features + c] : 0;
    const float bn = bias ? bias[2 * (ptrdiff_t)part->features + c] : 0;
    for (int32_t lane = 0; lane < part->lanes; lane++) {
      const ptrdiff_t i = (ptrdiff_t)c * part->lanes + lane;
      float *g = gates + i, *w = recurrent + i;
      const float r = csk_activation_value(sigmoid, g[0] + (w[0] + br));
      const float z = csk_activation_value(sigmoid, g[block] + (w[block] + bz));
      const float m = w[2 * block] + bn;
      const float n = csk_activation_value(tangent, fmaf(r, m, g[2 * block]));
      next[i] = fmaf(z, state[i] - n, n);
      g[0] = r;
      g[block] = z;
      g[2 * block] = n;
      w[2 * block] = m;
    }
  }
}

static void gru_backward(const csk_cell_part *part, const float *gates, float *recurrent,
                         const float *state, const float *output_gradient, const float *product,
                         float *carried, float *gates_gradient) {
  const ptrdiff_t block = block_of(part);
  for (ptrdiff_t i = (ptrdiff_t)part->begin * part->lanes; i < (ptrdiff_t)part->end * part->lanes;
       i++) {
    const float r = gates[i], z = gates[block + i], n = gates[2 * block + i];
    const float m = recurrent[2 * block + i];
    const float g = product ? output_gradient[i] + (product[i] + carried[i]) : output_gradient[i];
    const float dn = csk_activation_product(tangent, g * (1 - z), n);
    const float dz = csk_activation_product(sigmoid, g * (state[i] - n), z);
    const float dr = csk_activation_product(sigmoid, dn * m, r);
    carried[i] = g * z;
    gates_gradient[i] = recurrent[i] = dr;
    gates_gradient[block + i] = recurrent[block + i] = dz;
    gates_gradient[2 * block + i] = dn;
    recurrent[2 * block + i] = dn * r;
  }
}

static void lstm_forward(const csk_cell_part *part, float *gates, const float *recurrent,
                         const float *bias, const float *cell, float *next_cell, float *next) {
  const ptrdiff_t block = block_of(part);
  for (int32_t c = part->begin; c < part->end; c++) {
    float b[4] = {0};
    for (int gate = 0; bias && gate < 4; gate++)
      b[gate] = bias[gate * (ptrdiff_t)part->features + c];
    for (int32_t lane = 0; lane < part->lanes; lane++) {
      const ptrdiff_t i = (ptrdiff_t)c * part->lanes + lane;
      float v[4];
      for (int gate = 0; gate < 4; gate++) {
        const ptrdiff_t at = gate * block + i;
        const csk_activation f = gate == 2 ? tangent : sigmoid;
        v[gate] = csk_activation_value(f, gates[at] + (recurrent[at] + b[gate]));
        gates[at] = v[gate];
      }
      const float memory = fmaf(v[1], cell[i], v[0] * v[2]);
      next_cell[i] = memory;
      next[i] = v[3] * csk_activation_value(tangent, memory);
    }
  }
}

static void lstm_backward(const csk_cell_part *part, const float *gates, const float *cell,
                          const float *next_cell, const float *output_gradient,
                          const float *product, float *carried, float *gates_gradient) {
  const ptrdiff_t block = block_of(part);
  for (ptrdiff_t at = (ptrdiff_t)part->begin * part->lanes; at < (ptrdiff_t)part->end * part->lanes;
       at++) {
    const float i = gates[at], f = gates[block + at];
    const float g = gates[2 * block + at], o = gates[3 * block + at];
    const float t = csk_activation_value(tangent, next_cell[at]);
    const float h = product ? output_gradient[at] + product[at] : output_gradient[at];
    const float through = csk_activation_product(tangent, h * o, t);
    const float c = product ? carried[at] + through : through;
    carried[at] = c * f;
    gates_gradient[at] = csk_activation_product(sigmoid, c * g, i);
    gates_gradient[block + at] = csk_activation_product(sigmoid, c * cell[at], f);
    gates_gradient[2 * block + at] = csk_activation_product(tangent, c * i, g);
    gates_gradient[3 * block + at] = csk_activation_product(sigmoid, h * t, o);
  }
}

void csk_recurrent_scalar(csk_kernels *kernels) {
  kernels->gru_forward = gru_forward;
  kernels->gru_backward = gru_backward;
  kernels->lstm_forward = lstm_forward;
  kernels->lstm_backward = lstm_backward;
}
