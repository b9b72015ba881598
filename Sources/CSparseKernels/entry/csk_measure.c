// entry/csk_measure.c: the measuring loops' arguments are checked once, then the current ISA's
// loop runs.
#include "csk_internal.h"

csk_status csk_measure_fma(int64_t iterations, float multiplier, float addend, float *sum,
                           int64_t *lanes) {
  if (iterations < 0 || !sum || !lanes) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  *lanes = kernels->measure_fma(iterations, multiplier, addend, sum);
  return csk_status_ok;
}

csk_status csk_measure_read(const float *values, int64_t count, int64_t passes, uint32_t *bits) {
  if (count < 0 || passes < 0 || !bits || (count > 0 && !values))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  *bits = 0;
  for (int64_t pass = 0; pass < passes; pass++) *bits ^= kernels->measure_read(values, count);
  return csk_status_ok;
}

csk_status csk_measure_copy(const float *source, float *target, int64_t count, int64_t passes) {
  if (count < 0 || passes < 0 || (count > 0 && (!source || !target)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  for (int64_t pass = 0; pass < passes; pass++) kernels->measure_copy(source, target, count);
  return csk_status_ok;
}
