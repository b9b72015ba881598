// include/csk_layer_norm.h: normalization over a sample's features, and its gradient.
//
// Activations are grouped as csk_pack.h says: [group][feature][lane].
#ifndef CSK_LAYER_NORM_H
#define CSK_LAYER_NORM_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One group: y[c, lane] = n[c, lane] scale[c] + shift[c], n = (x[c, lane] - mean) inverse, with
///   mean    = (1 / features) sum_c x[c, lane]
///   inverse = 1 / sqrt((1 / features) sum_c (x[c, lane] - mean)^2 + epsilon)
///
///   x            (features, lanes); features > 0, lanes a positive multiple of 8
///   scale, shift (features)
///   epsilon      > 0
///   mean, inverse  (lanes) each, for the gradient
///   y            (features, lanes); may be x
/// Sums are in double, feature by feature. The same bits on every instruction set.
csk_status csk_layer_norm_forward(const float *x, int32_t features, int32_t lanes,
                                  const float *scale, const float *shift, float epsilon,
                                  float *mean, float *inverse, float *y);

/// The same going back: with g = gradient[c, lane] scale[c],
///   dx[c, lane] = inverse (g - mean_c(g) - n[c, lane] mean_c(g n))
///   scale_gradient[c] += sum over live lanes of gradient n;  shift_gradient[c] += ... of gradient
///
///   gradient  (features, lanes) of y
///   x, scale, mean, inverse  as forward
///   live      lanes that are samples: the gradient is taken as 0 in the others, and dx is
///   dx        (features, lanes); may be gradient
///   scale_gradient, shift_gradient  (features)
/// The same bits on every instruction set.
csk_status csk_layer_norm_backward(const float *gradient, const float *x, int32_t features,
                                   int32_t lanes, int32_t live, const float *scale,
                                   const float *mean, const float *inverse, float *dx,
                                   float *scale_gradient, float *shift_gradient);

#ifdef __cplusplus
}
#endif
#endif
