// entry/csk_softmax.c: checks the arguments and the labels once, then dispatches.
#include "csk_internal.h"

csk_status csk_softmax_cross_entropy(const float *logits, int32_t classes, int32_t lanes,
                                     int32_t live, const int32_t *labels, float label_smoothing,
                                     float gradient_scale, float *gradient, double *loss,
                                     int32_t *predictions, int32_t *ranks) {
  if (!logits || !loss || gradient == logits || classes < 1) return csk_status_invalid_argument;
  if (lanes <= 0 || lanes % 8 != 0 || live < 0 || live > lanes) return csk_status_invalid_argument;
  if (live > 0 && (!labels || !predictions)) return csk_status_invalid_argument;
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) return csk_status_invalid_argument;
  for (int32_t lane = 0; lane < live; lane++)
    if (labels[lane] < 0 || labels[lane] >= classes) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->softmax_cross_entropy(logits, classes, lanes, live, labels, label_smoothing,
                                 gradient_scale, gradient, loss, predictions, ranks);
  return csk_status_ok;
}
