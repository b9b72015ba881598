// bodies/csk_recurrent_body.h: the gates of recurrent layers, a register of lanes at a time, in the
// operations of scalar/csk_recurrent_scalar.c.
//
// Bound: arithmetic forward, some 95 (GRU) and 140 (LSTM) instructions a register of lanes, of
// which the exponentials and divisions of three or five activations are most; going back 18 loads
// and stores (GRU), or the activation of the cell (LSTM). Operands in L1 or L2.

CSK_TARGET CSK_INLINE ptrdiff_t gate_block(const csk_cell_part *part) {
  return (ptrdiff_t)part->features * part->lanes;
}
/// A gate's bias of feature c in all lanes.
CSK_TARGET CSK_INLINE csk_v gate_bias(const csk_cell_part *part, const float *bias, int gate,
                                      int32_t c) {
  return csk_all(bias ? bias[gate * (ptrdiff_t)part->features + c] : 0);
}
/// What comes of the input and of the state.
CSK_TARGET CSK_INLINE csk_v gate_sum(const float *gates, const float *recurrent, csk_v bias) {
  return csk_plus(csk_load(gates), csk_plus(csk_load(recurrent), bias));
}

CSK_TARGET static void gru_forward(const csk_cell_part *part, float *gates, float *recurrent,
                                   const float *bias, const float *state, float *next) {
  const ptrdiff_t block = gate_block(part);
  const csk_v none = csk_zero();  // the slope of functions that have none
  for (int32_t c = part->begin; c < part->end; c++) {
    const csk_v br = gate_bias(part, bias, 0, c), bz = gate_bias(part, bias, 1, c);
    const csk_v bn = gate_bias(part, bias, 2, c);
    for (int32_t lane = 0; lane < part->lanes; lane += csk_lanes) {
      const ptrdiff_t i = (ptrdiff_t)c * part->lanes + lane;
      float *g = gates + i, *w = recurrent + i;
      const csk_v r = sigmoid_of(gate_sum(g, w, br), none);
      const csk_v z = sigmoid_of(gate_sum(g + block, w + block, bz), none);
      const csk_v m = csk_plus(csk_load(w + 2 * block), bn);
      const csk_v n = tanh_of(csk_fused(r, m, csk_load(g + 2 * block)), none);
      csk_store(next + i, csk_fused(z, csk_minus(csk_load(state + i), n), n));
      csk_store(g, r);
      csk_store(g + block, z);
      csk_store(g + 2 * block, n);
      csk_store(w + 2 * block, m);
    }
  }
}

CSK_TARGET static void gru_backward(const csk_cell_part *part, const float *gates, float *recurrent,
                                    const float *state, const float *output_gradient,
                                    const float *product, float *carried, float *gates_gradient) {
  const ptrdiff_t block = gate_block(part);
  const ptrdiff_t end = (ptrdiff_t)part->end * part->lanes;
  const csk_v one = csk_all(1), none = csk_zero();
  for (ptrdiff_t i = (ptrdiff_t)part->begin * part->lanes; i < end; i += csk_lanes) {
    const csk_v r = csk_load(gates + i), z = csk_load(gates + block + i);
    const csk_v n = csk_load(gates + 2 * block + i), m = csk_load(recurrent + 2 * block + i);
    csk_v g = csk_load(output_gradient + i);
    if (product) g = csk_plus(g, csk_plus(csk_load(product + i), csk_load(carried + i)));
    const csk_v dn = tanh_back(csk_times(g, csk_minus(one, z)), n, none);
    const csk_v dz = sigmoid_back(csk_times(g, csk_minus(csk_load(state + i), n)), z, none);
    const csk_v dr = sigmoid_back(csk_times(dn, m), r, none);
    csk_store(carried + i, csk_times(g, z));
    csk_store(gates_gradient + i, dr);
    csk_store(gates_gradient + block + i, dz);
    csk_store(gates_gradient + 2 * block + i, dn);
    csk_store(recurrent + i, dr);
    csk_store(recurrent + block + i, dz);
    csk_store(recurrent + 2 * block + i, csk_times(dn, r));
  }
}

CSK_TARGET static void lstm_forward(const csk_cell_part *part, float *gates, const float *recurrent,
                                    const float *bias, const float *cell, float *next_cell,
                                    float *next) {
  const ptrdiff_t block = gate_block(part);
  const csk_v none = csk_zero();
  for (int32_t c = part->begin; c < part->end; c++) {
    const csk_v bi = gate_bias(part, bias, 0, c), bf = gate_bias(part, bias, 1, c);
    const csk_v bg = gate_bias(part, bias, 2, c), bo = gate_bias(part, bias, 3, c);
    for (int32_t lane = 0; lane < part->lanes; lane += csk_lanes) {
      const ptrdiff_t at = (ptrdiff_t)c * part->lanes + lane;
      float *v = gates + at;
      const float *w = recurrent + at;
      const csk_v i = sigmoid_of(gate_sum(v, w, bi), none);
      const csk_v f = sigmoid_of(gate_sum(v + block, w + block, bf), none);
      const csk_v g = tanh_of(gate_sum(v + 2 * block, w + 2 * block, bg), none);
      const csk_v o = sigmoid_of(gate_sum(v + 3 * block, w + 3 * block, bo), none);
      const csk_v memory = csk_fused(f, csk_load(cell + at), csk_times(i, g));
      csk_store(v, i);
      csk_store(v + block, f);
      csk_store(v + 2 * block, g);
      csk_store(v + 3 * block, o);
      csk_store(next_cell + at, memory);
      csk_store(next + at, csk_times(o, tanh_of(memory, none)));
    }
  }
}

CSK_TARGET static void lstm_backward(const csk_cell_part *part, const float *gates,
                                     const float *cell, const float *next_cell,
                                     const float *output_gradient, const float *product,
                                     float *carried, float *gates_gradient) {
  const ptrdiff_t block = gate_block(part);
  const ptrdiff_t end = (ptrdiff_t)part->end * part->lanes;
  const csk_v none = csk_zero();
  for (ptrdiff_t at = (ptrdiff_t)part->begin * part->lanes; at < end; at += csk_lanes) {
    const csk_v i = csk_load(gates + at), f = csk_load(gates + block + at);
    const csk_v g = csk_load(gates + 2 * block + at), o = csk_load(gates + 3 * block + at);
    const csk_v t = tanh_of(csk_load(next_cell + at), none);
    csk_v h = csk_load(output_gradient + at);
    if (product) h = csk_plus(h, csk_load(product + at));
    csk_v c = tanh_back(csk_times(h, o), t, none);
    if (product) c = csk_plus(csk_load(carried + at), c);
    const csk_v df = sigmoid_back(csk_times(c, csk_load(cell + at)), f, none);
    csk_store(carried + at, csk_times(c, f));
    csk_store(gates_gradient + at, sigmoid_back(csk_times(c, g), i, none));
    csk_store(gates_gradient + block + at, df);
    csk_store(gates_gradient + 2 * block + at, tanh_back(csk_times(c, i), g, none));
    csk_store(gates_gradient + 3 * block + at, sigmoid_back(csk_times(h, t), o, none));
  }
}

static void register_recurrent(csk_kernels *kernels) {
  kernels->gru_forward = gru_forward;
  kernels->gru_backward = gru_backward;
  kernels->lstm_forward = lstm_forward;
  kernels->lstm_backward = lstm_backward;
}
