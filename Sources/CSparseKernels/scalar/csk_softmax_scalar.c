// scalar/csk_softmax_scalar.c: softmax and cross-entropy.
#include "csk_softmax_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

/// The order of predictions and ranks: NaN below everything.
static float ordered(float logit) {
  return logit > -INFINITY ? logit : -INFINITY;
}

/// The first class with the largest logit; the others read one lane with stride `lanes`.
static int32_t argmax(const float *z, int32_t classes, int32_t lanes) {
  int32_t best = 0;
  for (int32_t c = 1; c < classes; c++)
    if (ordered(z[(ptrdiff_t)c * lanes]) > ordered(z[(ptrdiff_t)best * lanes])) best = c;
  return best;
}

/// How many classes come before `label` in the order (logit descending, class ascending).
static int32_t rank_of(const float *z, int32_t classes, int32_t lanes, int32_t label) {
  const float own = ordered(z[(ptrdiff_t)label * lanes]);
  int32_t rank = 0;
  for (int32_t c = 0; c < classes; c++) {
    const float other = ordered(z[(ptrdiff_t)c * lanes]);
    rank += other > own || (other == own && c < label);
  }
  return rank;
}

/// One live lane: returns its loss, writes its gradient.
static double softmax_lane(const float *z, int32_t classes, int32_t lanes, int32_t label,
                           float largest, float smoothing, float gradient_scale, float *gradient) {
  csk_softmax_lane lane = {.largest = largest};
  for (int32_t c = 0; c < classes; c++) {
    const float d = z[(ptrdiff_t)c * lanes] - largest;
    lane.sum += (float)exp((double)d);
    lane.shifted_sum += d;
  }
  const float off = csk_target_off(smoothing, classes), on = csk_target_on(smoothing, classes);
  const float reciprocal = (float)(1 / lane.sum);
  for (int32_t c = 0; gradient && c < classes; c++) {
    const float p = (float)exp((double)(z[(ptrdiff_t)c * lanes] - largest)) * reciprocal;
    gradient[(ptrdiff_t)c * lanes] = (p - (c == label ? on : off)) * gradient_scale;
  }
  return csk_softmax_loss(&lane, z[(ptrdiff_t)label * lanes], smoothing, classes);
}

static void softmax_cross_entropy(const float *logits, int32_t classes, int32_t lanes, int32_t live,
                                  const int32_t *labels, float label_smoothing,
                                  float gradient_scale, float *gradient, double *loss,
                                  int32_t *predictions, int32_t *ranks) {
  for (int32_t lane = 0; lane < live; lane++) {
    const float *z = logits + lane;  // z[c * lanes]
    const int32_t best = argmax(z, classes, lanes);
    predictions[lane] = best;
    if (ranks) ranks[lane] = rank_of(z, classes, lanes, labels[lane]);
    *loss += softmax_lane(z, classes, lanes, labels[lane], ordered(z[(ptrdiff_t)best * lanes]),
                          label_smoothing, gradient_scale, gradient ? gradient + lane : NULL);
  }
  for (int32_t c = 0; gradient && c < classes; c++)
    for (int32_t lane = live; lane < lanes; lane++) gradient[(ptrdiff_t)c * lanes + lane] = 0;
}

void csk_softmax_scalar(csk_kernels *kernels) {
  kernels->softmax_cross_entropy = softmax_cross_entropy;
}
