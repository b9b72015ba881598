// magnitude_cut_tests.c: magnitude cuts against a naive sort.
#include <math.h>
#include <stdlib.h>

#include "csk_suite.h"
#include "select_fixture.h"

void select_test_magnitude_cut(void) {
  static uint32_t histogram[csk_cut_histogram_size];
  const int64_t counts[] = {0, 1, 2, 3, 4, 5, 100, 3001};
  for (shape shape = 0; shape < shapes; shape++) {
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
      const int64_t count = counts[c];
      float *values = select_values(shape, count);
      int64_t *expected = malloc((size_t)(count + 1) * sizeof *expected);
      for (int64_t keep = 0; keep <= count; keep += count > 100 ? 79 : 1) {
        csk_magnitude_cut cut;
        CSK_CHECK(csk_find_magnitude_cut(values, count, keep, histogram, &cut) == csk_status_ok);
        select_naive(csk_select_largest, values, count, keep, NULL, expected);
        int64_t kept = 0, ties = 0;
        bool same = true;
        for (int64_t i = 0; i < count; i++) {
          const float magnitude = fabsf(values[i]);
          const bool is_tie = magnitude == cut.magnitude;
          if (magnitude > cut.magnitude || (is_tie && ties < cut.ties))
            same = same && kept < keep && expected[kept++] == i;
          ties += is_tie;
        }
        CSK_CHECK(same && kept == keep && cut.ties <= ties, "%s: n = %lld, keep = %lld",
                  select_shape_names[shape], (long long)count, (long long)keep);
        if (keep == 0) CSK_CHECK(cut.magnitude == INFINITY && cut.ties == 0);
        if (keep > 0) CSK_CHECK(cut.ties >= 1);
      }
      for (int64_t at = 0; at<count; at += count> 100 ? 79 : 1) {
        const float value = values[at];
        csk_magnitude_cut cut;
        values[at] = NAN;
        CSK_CHECK(csk_find_magnitude_cut(values, count, at, histogram, &cut) == csk_status_nan);
        values[at] = value;
      }
      free(expected);
      free(values);
    }
  }
  csk_magnitude_cut cut;
  float one = 1;
  const csk_status bad = csk_status_invalid_argument;
  CSK_CHECK(csk_find_magnitude_cut(NULL, 1, 0, histogram, &cut) == bad);
  CSK_CHECK(csk_find_magnitude_cut(&one, -1, 0, histogram, &cut) == bad);
  CSK_CHECK(csk_find_magnitude_cut(&one, 1, 2, histogram, &cut) == bad);
  CSK_CHECK(csk_find_magnitude_cut(&one, 1, -1, histogram, &cut) == bad);
  CSK_CHECK(csk_find_magnitude_cut(&one, 1, 1, NULL, &cut) == bad);
  CSK_CHECK(csk_find_magnitude_cut(&one, 1, 1, histogram, NULL) == bad);
}
