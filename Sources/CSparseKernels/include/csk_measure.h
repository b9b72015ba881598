// include/csk_measure.h: work of known size, for a caller with a clock to measure what a machine
// can do at most. Benchmarks state every other kernel's rate as a share of these.
#ifndef CSK_MEASURE_H
#define CSK_MEASURE_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Independent chains of x = multiplier * x + addend, in registers, `iterations` long: as many as
/// keep every multiply-add unit busy. The k-th of all lanes starts at k.
///
///   sum    receives the sum of all lanes, so that the work cannot be left out
///   lanes  receives their number: 2 * lanes * iterations floating-point operations were done
csk_status csk_measure_fma(int64_t iterations, float multiplier, float addend, float *sum,
                           int64_t *lanes);

/// Reads an array `passes` times over, from its start to its end.
///
///   values  (count)
///   bits    receives the exclusive or of all values' bits, over all passes
csk_status csk_measure_read(const float *values, int64_t count, int64_t passes, uint32_t *bits);

/// target = source, `passes` times over, through the cache (memcpy writes past it where the array
/// is long).
///
///   source, target  (count) each; must not overlap
csk_status csk_measure_copy(const float *source, float *target, int64_t count, int64_t passes);

#ifdef __cplusplus
}
#endif
#endif
