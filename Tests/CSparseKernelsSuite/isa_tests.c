// isa_tests.c: which instruction set is chosen, and that CSK_ISA is honoured.
#include <stdlib.h>
#include <string.h>

#include "CSparseKernels.h"
#include "csk_suite.h"

static void test_current(void) {
  csk_isa best = csk_isa_scalar;
  const char *asked = getenv("CSK_ISA");
  bool forced = false;
  for (int i = 0; i < csk_isa_count; i++) {
    const csk_isa isa = (csk_isa)i;
    if (!csk_isa_is_supported(isa)) continue;
    best = isa;  // numbered so that of two on one CPU the later is better
    if (asked && strcmp(asked, csk_isa_name(isa)) == 0) forced = true;
  }
  const char *expected = forced ? asked : csk_isa_name(best);
  const char *current = csk_isa_name(csk_isa_current());
  CSK_CHECK(strcmp(current, expected) == 0, "%s, not %s", current, expected);
}

static void test_names(void) {
  for (int i = 0; i < csk_isa_count; i++)
    for (int j = 0; j < i; j++)
      CSK_CHECK(strcmp(csk_isa_name((csk_isa)i), csk_isa_name((csk_isa)j)) != 0, "%d and %d", i, j);
  CSK_CHECK(strcmp(csk_isa_name((csk_isa)csk_isa_count), "unknown") == 0, "after the last");
}

static void test_supported(void) {
  CSK_CHECK(csk_isa_is_supported(csk_isa_scalar), "scalar runs everywhere");
  CSK_CHECK(!csk_isa_is_supported((csk_isa)csk_isa_count), "after the last");
  CSK_CHECK(!csk_isa_is_supported(csk_isa_avx512) || csk_isa_is_supported(csk_isa_avx2),
            "the AVX-512 table falls back on AVX2's kernels");
}

const csk_test csk_tests_isa[] = {
    {"instruction sets, current", test_current},
    {"instruction sets, names", test_names},
    {"instruction sets, supported", test_supported},
    {0},
};
