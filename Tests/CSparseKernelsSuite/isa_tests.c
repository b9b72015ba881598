// isa_tests.c: which instruction set is chosen, and that CSK_ISA is honoured.
#include <stdlib.h>
#include <string.h>

#include "CSparseKernels.h"
#include "csk_suite.h"

static void test_current(void) {
  csk_isa best = csk_isa_scalar;
  const char *asked = getenv("CSK_ISA");
  bool is_run = false;
  for (int i = 0; i < csk_isa_count; i++) {
    const csk_isa isa = (csk_isa)i;
    if (!csk_isa_is_supported(isa)) continue;
    best = isa;  // numbered so that of two on one CPU the later is better
    if (asked && strcmp(asked, csk_isa_name(isa)) == 0) is_run = true;
  }
  const char *expected = !asked ? csk_isa_name(best) : is_run ? asked : "unsupported";
  const char *current = csk_isa_name(csk_isa_current());
  CSK_CHECK(strcmp(current, expected) == 0, "%s, not %s", current, expected);
}

static void test_names(void) {
  for (int i = 0; i < csk_isa_count; i++)
    for (int j = 0; j < i; j++)
      CSK_CHECK(strcmp(csk_isa_name((csk_isa)i), csk_isa_name((csk_isa)j)) != 0, "%d and %d", i, j);
  CSK_CHECK(strcmp(csk_isa_name((csk_isa)csk_isa_count), "unsupported") == 0, "after the last");
}

static void test_supported(void) {
  CSK_CHECK(csk_isa_is_supported(csk_isa_scalar), "scalar runs everywhere");
  CSK_CHECK(!csk_isa_is_supported((csk_isa)csk_isa_count), "after the last");
  CSK_CHECK(!csk_isa_is_supported(csk_isa_avx512) || csk_isa_is_supported(csk_isa_avx2),
            "the AVX-512 table falls back on AVX2's kernels");
}

static void test_named(void) {
  for (int i = 0; i < csk_isa_count; i++) {
    const csk_isa isa = (csk_isa)i,
                  expected = csk_isa_is_supported(isa) ? isa : csk_isa_unsupported;
    CSK_CHECK(csk_isa_named(csk_isa_name(isa)) == expected, "%s", csk_isa_name(isa));
  }
  static const char *const wrong[] = {"",        "avx",     "avx9",  "AVX2",  " scalar",
                                      "scalar ", "scalar2", "scala", "avx2,", "unsupported"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CSK_CHECK(csk_isa_named(wrong[i]) == csk_isa_unsupported, "'%s' was accepted", wrong[i]);
}

// With a CSK_ISA that names nothing, nothing may run, whatever the CPU could; else everything does.
static void test_entries(void) {
  const csk_status expected =
      csk_isa_current() == csk_isa_unsupported ? csk_status_unsupported_isa : csk_status_ok;
  float x[1] = {1}, y[1] = {0};
  const csk_sgd sgd = {.scale = 1};
  double sum;
  const int32_t index[1] = {0};
  CSK_CHECK(csk_sgd_step(&sgd, y, x, NULL, 1) == expected, "an update");
  CSK_CHECK(csk_gather(x, 1, index, y, 1) == expected, "a gather");
  CSK_CHECK(csk_sum_of_squares(x, 1, &sum) == expected, "a sum of squares");
  CSK_CHECK(csk_pack_samples(x, 1, 0, 0, 0, 8, y) == expected, "packing");
  CSK_CHECK(csk_measure_copy(x, y, 1, 1) == expected, "a measurement");
  static uint32_t keys[4099], more_keys[4099];
  static int64_t positions[4099], more_positions[4099];
  csk_selection selection, more;
  int64_t admitted;
  csk_selection_begin(&selection, csk_select_largest, 1, keys, positions, 4099);
  csk_selection_begin(&more, csk_select_largest, 1, more_keys, more_positions, 4099);
  CSK_CHECK(csk_selection_offer(&selection, x, 1, 0, NULL, 0) == expected, "an offer");
  CSK_CHECK(csk_selection_merge(&selection, &more) == expected, "a merge");
  CSK_CHECK(csk_selection_admit_zeros(&selection, 1, &admitted) == expected, "admitted zeros");
  CSK_CHECK(csk_selection_finish(&selection) == expected, "a finished selection");
}

// A chosen instruction set is one call's, whatever CSK_ISA says.
static void test_chosen(void) {
  const csk_isa before = csk_isa_current();
  float x[1] = {2}, y[1] = {0};
  const int32_t index[1] = {0};
  for (int i = 0; i <= csk_isa_count; i++) {
    const csk_isa isa = (csk_isa)i;
    y[0] = 0;
    const csk_status status = CSK_ON(isa, csk_gather(x, 1, index, y, 1));
    const bool runs = csk_isa_is_supported(isa);
    CSK_CHECK(status == (runs ? csk_status_ok : csk_status_unsupported_isa), "%s",
              csk_isa_name(isa));
    CSK_CHECK(y[0] == (runs ? 2.0f : 0.0f), "%s: %g", csk_isa_name(isa), (double)y[0]);
    CSK_CHECK(csk_isa_current() == before, "%s stayed chosen", csk_isa_name(isa));
    csk_isa_begin(isa);
    CSK_CHECK(csk_isa_current() == isa, "%s was not chosen", csk_isa_name(isa));
    CSK_CHECK(csk_isa_end(csk_status_nan) == csk_status_nan, "the status is not passed on");
  }
}

const csk_test csk_tests_isa[] = {
    {"instruction sets, current", test_current},
    {"instruction sets, names", test_names},
    {"instruction sets, supported", test_supported},
    {"instruction sets, by name", test_named},
    {"instruction sets, chosen for a call", test_chosen},
    {"instruction sets, entries run, or refuse a wrong CSK_ISA", test_entries},
    {0},
};
