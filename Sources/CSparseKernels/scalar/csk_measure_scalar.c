// scalar/csk_measure_scalar.c: x = multiplier x + addend in independent chains, and reading and
// copying one value at a time: what the other versions are tested against.
#include <string.h>

#include "csk_internal.h"

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

enum { chains = 8 };

static int64_t measure_fma(int64_t iterations, float multiplier, float addend, float *sum) {
  float x[chains];
  for (int c = 0; c < chains; c++) x[c] = (float)c;
  for (int64_t i = 0; i < iterations; i++)
    for (int c = 0; c < chains; c++) x[c] = x[c] * multiplier + addend;
  *sum = 0;
  for (int c = 0; c < chains; c++) *sum += x[c];
  return chains;
}

static uint32_t measure_read(const float *values, int64_t count) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < count; i++) {
    uint32_t one;
    memcpy(&one, values + i, sizeof one);
    bits ^= one;
  }
  return bits;
}

static void measure_copy(const float *source, float *target, int64_t count) {
  for (int64_t i = 0; i < count; i++) target[i] = source[i];
}

void csk_measure_scalar(csk_kernels *kernels) {
  kernels->measure_fma = measure_fma;
  kernels->measure_read = measure_read;
  kernels->measure_copy = measure_copy;
}
