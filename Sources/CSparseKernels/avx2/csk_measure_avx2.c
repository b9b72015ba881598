// avx2/csk_measure_avx2.c: x = multiplier x + addend in twelve chains of eight lanes, and reading
// and copying four vectors at a time.
//
// Bound of each: itself. Two units of latency four or five need ten chains, sixteen registers hold
// twelve beside the constants; reading does one cheap operation a load.
#include "csk_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

enum { lanes = 8, chains = 12 };

CSK_TARGET_AVX2
static inline __m256 chain_start(int chain) {
  return _mm256_add_ps(_mm256_set1_ps((float)(lanes * chain)),
                       _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7));
}

CSK_TARGET_AVX2
static int64_t measure_fma(int64_t iterations, float multiplier, float addend, float *sum) {
  const __m256 m = _mm256_set1_ps(multiplier), a = _mm256_set1_ps(addend);
  __m256 x[chains];
  for (int c = 0; c < chains; c++) x[c] = chain_start(c);
  for (int64_t i = 0; i < iterations; i++)
    for (int c = 0; c < chains; c++) x[c] = _mm256_fmadd_ps(x[c], m, a);
  *sum = 0;
  for (int c = 0; c < chains; c++) {
    float eight[lanes];
    _mm256_storeu_ps(eight, x[c]);
    for (int lane = 0; lane < lanes; lane++) *sum += eight[lane];
  }
  return lanes * chains;
}

CSK_TARGET_AVX2
static inline __m256i load(const float *values) {
  return _mm256_loadu_si256((const __m256i *)values);
}

CSK_TARGET_AVX2
static uint32_t measure_read(const float *values, int64_t count) {
  __m256i bits[8];
  for (int v = 0; v < 8; v++) bits[v] = _mm256_setzero_si256();
  int64_t i = 0;
  for (; i + 64 <= count; i += 64)
    for (int v = 0; v < 8; v++) bits[v] = _mm256_xor_si256(bits[v], load(values + i + 8 * v));
  for (int v = 1; v < 8; v++) bits[0] = _mm256_xor_si256(bits[0], bits[v]);
  uint32_t eight[lanes], joined = 0;
  _mm256_storeu_si256((__m256i *)eight, bits[0]);
  for (int lane = 0; lane < lanes; lane++) joined ^= eight[lane];
  for (; i < count; i++)
    joined ^= (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(_mm_load_ss(values + i)));
  return joined;
}

CSK_TARGET_AVX2
static void measure_copy(const float *source, float *target, int64_t count) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (int v = 0; v < 4; v++)
      _mm256_storeu_ps(target + i + 8 * v, _mm256_loadu_ps(source + i + 8 * v));
  for (; i < count; i++) target[i] = source[i];
}

void csk_measure_avx2(csk_kernels *kernels) {
  kernels->measure_fma = measure_fma;
  kernels->measure_read = measure_read;
  kernels->measure_copy = measure_copy;
}
#endif
