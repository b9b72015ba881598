// measure_tests.c: the measuring loops do the work they say, all of it and nothing beside.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "CSparseKernels.h"
#include "csk_suite.h"

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

// Both sides of every loop's step.
static const int64_t counts[] = {0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000};

static float *random_values(int64_t count) {
  uint64_t seed = (uint64_t)count + 1;
  float *values = malloc((size_t)count * sizeof *values + 1);
  for (int64_t i = 0; i < count; i++) values[i] = csk_test_uniform(&seed);
  return values;
}

static void fma_runs_every_chain(void) {
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    float sum = -1;
    int64_t lanes = 0;
    CSK_CHECK(CSK_ON(isa, csk_measure_fma(0, 0.5f, 0.5f, &sum, &lanes)) == csk_status_ok, "status");
    // 0 + 1 + ... + (lanes - 1): exact, so all chains are there, and all differ.
    CSK_CHECK(lanes > 0 && sum == (float)(lanes * (lanes - 1) / 2), "%s: %d lanes, sum %g",
              csk_isa_name(isa), (int)lanes, (double)sum);
    const float start = sum;
    CSK_ON(isa, csk_measure_fma(1, 1, 2, &sum, &lanes));
    CSK_CHECK(sum == start + 2 * (float)lanes, "%s, one iteration: %g", csk_isa_name(isa),
              (double)sum);
    CSK_ON(isa, csk_measure_fma(10, 1, 2, &sum, &lanes));
    CSK_CHECK(sum == start + 20 * (float)lanes, "%s, ten iterations: %g", csk_isa_name(isa),
              (double)sum);
    // x = x / 2 + 1 / 2 halves the distance to 1 until it is rounded away.
    CSK_ON(isa, csk_measure_fma(100, 0.5f, 0.5f, &sum, &lanes));
    CSK_CHECK(sum == (float)lanes, "%s, converged: %g", csk_isa_name(isa), (double)sum);
  }
}

static void read_reads_every_value(void) {
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int c = 0; c < COUNT(counts); c++) {
      float *values = random_values(counts[c]);
      uint32_t expected = 0, bits = 1;
      for (int64_t i = 0; i < counts[c]; i++) {
        uint32_t one;
        memcpy(&one, values + i, sizeof one);
        expected ^= one;
      }
      for (int64_t passes = 0; passes < 4; passes++) {
        const csk_status status = CSK_ON(isa, csk_measure_read(values, counts[c], passes, &bits));
        CSK_CHECK(status == csk_status_ok, "status %d", (int)status);
        CSK_CHECK(bits == (passes & 1 ? expected : 0), "%s, %d values, %d passes: %x",
                  csk_isa_name(isa), (int)counts[c], (int)passes, bits);
      }
      free(values);
    }
  }
}

static void copy_copies_and_stops(void) {
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int c = 0; c < COUNT(counts); c++) {
      const int64_t count = counts[c];
      float *source = random_values(count);
      float *target = malloc((size_t)(count + 16) * sizeof *target);
      csk_canary_fill(target, count + 16);
      CSK_CHECK(CSK_ON(isa, csk_measure_copy(source, target, count, 0)) == csk_status_ok, "status");
      CSK_CHECK(csk_canary_intact(target, count + 16), "%s copied in no pass", csk_isa_name(isa));
      CSK_ON(isa, csk_measure_copy(source, target, count, 2));
      CSK_CHECK(count == 0 || memcmp(source, target, (size_t)count * sizeof *source) == 0,
                "%s, %d values", csk_isa_name(isa), (int)count);
      CSK_CHECK(csk_canary_intact(target + count, 16), "%s, %d values: wrote beyond",
                csk_isa_name(isa), (int)count);
      free(target);
      free(source);
    }
  }
}

static void rejects_invalid_arguments(void) {
  float a[4] = {0}, b[4] = {0};
  uint32_t bits;
  int64_t lanes;
  INVALID(csk_measure_fma(-1, 1, 1, a, &lanes));
  INVALID(csk_measure_fma(1, 1, 1, NULL, &lanes));
  INVALID(csk_measure_fma(1, 1, 1, a, NULL));
  INVALID(csk_measure_read(NULL, 4, 1, &bits));
  INVALID(csk_measure_read(a, -1, 1, &bits));
  INVALID(csk_measure_read(a, 4, -1, &bits));
  INVALID(csk_measure_read(a, 4, 1, NULL));
  INVALID(csk_measure_copy(NULL, b, 4, 1));
  INVALID(csk_measure_copy(a, NULL, 4, 1));
  INVALID(csk_measure_copy(a, b, -1, 1));
  INVALID(csk_measure_copy(a, b, 4, -1));
  CSK_CHECK(csk_measure_read(NULL, 0, 1, &bits) == csk_status_ok && bits == 0, "nothing to read");
  CSK_CHECK(csk_measure_copy(NULL, NULL, 0, 1) == csk_status_ok, "nothing to copy");
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (csk_isa_is_supported(isa)) continue;
    CSK_CHECK(CSK_ON(isa, csk_measure_fma(1, 1, 1, a, &lanes)) == csk_status_unsupported_isa,
              "fma");
    CSK_CHECK(CSK_ON(isa, csk_measure_read(a, 4, 1, &bits)) == csk_status_unsupported_isa, "read");
    CSK_CHECK(CSK_ON(isa, csk_measure_copy(a, b, 4, 1)) == csk_status_unsupported_isa, "copy");
  }
}

const csk_test csk_tests_measure[] = {
    {"measure_fma_runs_every_chain", fma_runs_every_chain},
    {"measure_read_reads_every_value", read_reads_every_value},
    {"measure_copy_copies_and_stops", copy_copies_and_stops},
    {"measure_rejects_invalid_arguments", rejects_invalid_arguments},
    {NULL, NULL},
};
