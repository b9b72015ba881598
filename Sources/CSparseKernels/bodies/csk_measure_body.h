// bodies/csk_measure_body.h: x = multiplier x + addend in twelve chains of eight lanes, and reading
// and copying some vectors at a time.
//
// Bound of each: itself. Two units of latency four or five need ten chains (four units of 16 bytes,
// sixteen of half the width), and the registers hold twelve beside the constants; reading does one
// cheap operation a load.
#include <string.h>

enum { measure_chains = 12 };

CSK_TARGET
static int64_t measure_fma(int64_t iterations, float multiplier, float addend, float *sum) {
  static const float steps[csk_lanes] = {0, 1, 2, 3, 4, 5, 6, 7};
  const csk_v m = csk_all(multiplier), a = csk_all(addend);
  csk_v x[measure_chains];
  for (int c = 0; c < measure_chains; c++)
    x[c] = csk_plus(csk_all((float)(csk_lanes * c)), csk_load(steps));
  for (int64_t i = 0; i < iterations; i++)
    for (int c = 0; c < measure_chains; c++) x[c] = csk_fused(x[c], m, a);
  *sum = 0;
  for (int c = 0; c < measure_chains; c++) {
    float eight[csk_lanes];
    csk_store(eight, x[c]);
    for (int lane = 0; lane < csk_lanes; lane++) *sum += eight[lane];
  }
  return csk_lanes * measure_chains;
}

CSK_TARGET
static uint32_t measure_read(const float *values, int64_t count) {
  enum { vectors = 8, step = vectors * csk_lanes };
  csk_vi bits[vectors];
  for (int v = 0; v < vectors; v++) bits[v] = csk_spread_i(csk_all_i(0));
  int64_t i = 0;
  for (; i + step <= count; i += step)
    for (int v = 0; v < vectors; v++)
      bits[v] = csk_xor_i(bits[v], csk_load_bits(values + i + csk_lanes * v));
  for (int v = 1; v < vectors; v++) bits[0] = csk_xor_i(bits[0], bits[v]);
  int32_t eight[csk_lanes];
  csk_store_i(eight, bits[0]);
  uint32_t joined = 0;
  for (int lane = 0; lane < csk_lanes; lane++) joined ^= (uint32_t)eight[lane];
  for (; i < count; i++) {
    uint32_t one;
    memcpy(&one, values + i, sizeof one);
    joined ^= one;
  }
  return joined;
}

CSK_TARGET
static void measure_copy(const float *source, float *target, int64_t count) {
  enum { vectors = 4, step = vectors * csk_lanes };
  int64_t i = 0;
  for (; i + step <= count; i += step)
    for (int v = 0; v < vectors; v++)
      csk_store(target + i + csk_lanes * v, csk_load(source + i + csk_lanes * v));
  for (; i < count; i++) target[i] = source[i];
}

static void register_measure(csk_kernels *kernels) {
  kernels->measure_fma = measure_fma;
  kernels->measure_read = measure_read;
  kernels->measure_copy = measure_copy;
}
