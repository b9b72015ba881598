// bodies/csk_softmax_body.h: softmax and cross-entropy, a block of lanes at a time.
//
// Bound: arithmetic, some 30 instructions an exponential of a register; three passes over the
// logits of one block of lanes, which are in L1 or L2.
//
// The file that includes this one says how many vectors of lanes a block has (softmax_vectors, 1 or
// 2): as many as the registers hold beside exp's constants.
#include "../csk_softmax_internal.h"
#include "csk_exp_body.h"

enum { block_lanes = csk_lanes * softmax_vectors };

/// Up to block_lanes lanes of the arguments: pointers are at the block's first lane.
typedef struct softmax_block {
  const float *logits;
  float *gradient;  // or null
  ptrdiff_t lanes;
  int32_t classes;
} softmax_block;

/// largest = max_c z_c and the first c that has it; a NaN is never larger.
CSK_TARGET CSK_INLINE void find_largest(const softmax_block *b, int vectors, float *largest,
                                        int32_t *best) {
  csk_v top[softmax_vectors];
  csk_vi at[softmax_vectors];
  for (int v = 0; v < vectors; v++) {
    top[v] = csk_all(-INFINITY);
    at[v] = csk_spread_i(csk_all_i(0));
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      const csk_v z = csk_load(b->logits + c * b->lanes + csk_lanes * v);
      const csk_mask larger = csk_is_greater(z, top[v]);
      top[v] = csk_choose(larger, z, top[v]);
      at[v] = csk_choose_i(larger, csk_all_i(c), at[v]);
    }
  }
  for (int v = 0; v < vectors; v++) {
    csk_store(largest + csk_lanes * v, top[v]);
    csk_store_i(best + csk_lanes * v, at[v]);
  }
}

/// The two sums of csk_softmax_lane, and every exponential into the gradient.
CSK_TARGET CSK_INLINE void exponentials(const softmax_block *b, int vectors, const float *largest,
                                        double *sum, double *shifted_sum) {
  csk_wide sums[softmax_vectors], shifted[softmax_vectors];
  csk_v top[softmax_vectors];
  for (int v = 0; v < vectors; v++) {
    top[v] = csk_load(largest + csk_lanes * v);
    sums[v] = shifted[v] = csk_no_wide();
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t at = c * b->lanes + csk_lanes * v;
      const csk_v d = csk_minus(csk_load(b->logits + at), top[v]);
      const csk_v e = csk_exp_of(d);
      shifted[v] = csk_plus_wide(shifted[v], csk_widen(d));
      sums[v] = csk_plus_wide(sums[v], csk_widen(e));
      if (b->gradient) csk_store(b->gradient + at, e);
    }
  }
  for (int v = 0; v < vectors; v++) {
    csk_store_wide(sum + csk_lanes * v, sums[v]);
    csk_store_wide(shifted_sum + csk_lanes * v, shifted[v]);
  }
}

/// gradient = (e / sum - off) * scale in live lanes, 0 in dead ones. `reciprocal` is 1 / sum.
CSK_TARGET CSK_INLINE void softmax_gradients(const softmax_block *b, int vectors,
                                             const float *reciprocal, int32_t live, float off,
                                             float scale) {
  csk_v r[softmax_vectors];
  csk_mask alive[softmax_vectors];
  for (int v = 0; v < vectors; v++) {
    r[v] = csk_load(reciprocal + csk_lanes * v);
    alive[v] = csk_first(live - csk_lanes * v);
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      float *at = b->gradient + c * b->lanes + csk_lanes * v;
      const csk_v p = csk_times(csk_load(at), r[v]);
      const csk_v g = csk_times(csk_minus(p, csk_all(off)), csk_all(scale));
      csk_store(at, csk_only(g, alive[v]));
    }
  }
}

/// The ranks of csk_softmax_cross_entropy for `live` of the block's lanes.
CSK_TARGET CSK_INLINE void count_ranks(const softmax_block *b, int vectors, int32_t live,
                                       const int32_t *labels, int32_t *ranks) {
  const csk_v lowest = csk_all(-INFINITY);  // what NaN counts as
  float own_logits[block_lanes] = {0};
  int32_t own_labels[block_lanes] = {0}, counts[block_lanes];
  csk_v own[softmax_vectors];
  csk_vi label[softmax_vectors], count[softmax_vectors];
  for (int32_t i = 0; i < live; i++) {
    own_labels[i] = labels[i];
    own_logits[i] = b->logits[labels[i] * b->lanes + i];
  }
  for (int v = 0; v < vectors; v++) {
    own[v] = csk_larger(csk_load(own_logits + csk_lanes * v), lowest);
    label[v] = csk_load_i(own_labels + csk_lanes * v);
    count[v] = csk_spread_i(csk_all_i(0));
  }
  for (int32_t c = 0; c < b->classes; c++) {
    for (int v = 0; v < vectors; v++) {
      const csk_v z = csk_larger(csk_load(b->logits + c * b->lanes + csk_lanes * v), lowest);
      const csk_mask lower = csk_is_greater_i(label[v], csk_all_i(c));
      const csk_mask equal_and_lower = csk_both(csk_is_equal(z, own[v]), lower);
      count[v] = csk_count(count[v], csk_either(csk_is_greater(z, own[v]), equal_and_lower));
    }
  }
  for (int v = 0; v < vectors; v++) csk_store_i(counts + csk_lanes * v, count[v]);
  for (int32_t i = 0; i < live; i++) ranks[i] = counts[i];
}

/// `vectors` vectors of lanes, of which `live` are samples; labels, predictions and ranks begin
/// there too.
CSK_TARGET CSK_INLINE void finish_block(const softmax_block *b, int vectors, int32_t live,
                                        const int32_t *labels, float smoothing, float scale,
                                        double *loss, int32_t *predictions, int32_t *ranks) {
  float largest[block_lanes], reciprocal[block_lanes], label_e[block_lanes];
  int32_t best[block_lanes];
  double sum[block_lanes], shifted_sum[block_lanes];
  find_largest(b, vectors, largest, best);
  exponentials(b, vectors, largest, sum, shifted_sum);
  if (ranks) count_ranks(b, vectors, live, labels, ranks);
  for (int32_t i = 0; i < live; i++) {
    const csk_softmax_lane lane = {largest[i], sum[i], shifted_sum[i]};
    const ptrdiff_t at = labels[i] * b->lanes + i;
    *loss += csk_softmax_loss(&lane, b->logits[at], smoothing, b->classes);
    predictions[i] = best[i];
    if (b->gradient) label_e[i] = b->gradient[at];
  }
  if (!b->gradient) return;
  for (int i = 0; i < csk_lanes * vectors; i++) reciprocal[i] = (float)(1 / sum[i]);
  softmax_gradients(b, vectors, reciprocal, live, csk_target_off(smoothing, b->classes), scale);
  const float on = csk_target_on(smoothing, b->classes);
  for (int32_t i = 0; i < live; i++)
    b->gradient[labels[i] * b->lanes + i] = (label_e[i] * reciprocal[i] - on) * scale;
}

CSK_TARGET
static void softmax_cross_entropy(const float *logits, int32_t classes, int32_t lanes, int32_t live,
                                  const int32_t *labels, float label_smoothing,
                                  float gradient_scale, float *gradient, double *loss,
                                  int32_t *predictions, int32_t *ranks) {
  int32_t lane = 0;
  while (lane < live) {
    const softmax_block b = {logits + lane, gradient ? gradient + lane : NULL, lanes, classes};
    const int32_t rest = live - lane;
    int32_t *r = ranks ? ranks + lane : NULL;
    if (softmax_vectors > 1 && lane + block_lanes <= lanes) {
      finish_block(&b, softmax_vectors, rest < block_lanes ? rest : block_lanes, labels + lane,
                   label_smoothing, gradient_scale, loss, predictions + lane, r);
      lane += block_lanes;
    } else {
      finish_block(&b, 1, rest < csk_lanes ? rest : csk_lanes, labels + lane, label_smoothing,
                   gradient_scale, loss, predictions + lane, r);
      lane += csk_lanes;
    }
  }
  for (int32_t c = 0; gradient && c < classes; c++)
    for (int32_t dead = lane; dead < lanes; dead += csk_lanes)
      csk_store(gradient + (ptrdiff_t)c * lanes + dead, csk_zero());
}

static void register_softmax(csk_kernels *kernels) {
  kernels->softmax_cross_entropy = softmax_cross_entropy;
}
