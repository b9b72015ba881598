// select_tests.c: selections against a naive sort.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CSparseKernels.h"
#include "csk_suite.h"
#include "select_fixture.h"

static void selection_make(csk_selection *selection, csk_select_order order, int64_t k) {
  const int64_t capacity = csk_selection_capacity(k);
  uint32_t *keys = malloc((size_t)capacity * sizeof *keys);
  int64_t *positions = malloc((size_t)capacity * sizeof *positions);
  CSK_CHECK(csk_selection_begin(selection, order, k, keys, positions, capacity) == csk_status_ok);
}

static void selection_free(csk_selection *selection) {
  free(selection->keys);
  free(selection->positions);
}

static void check_same(const csk_selection *selection, const int64_t *expected, int64_t count,
                       const char *what) {
  CSK_CHECK(selection->count == count, "%s: k = %lld: %lld selected, expected %lld", what,
            (long long)selection->k, (long long)selection->count, (long long)count);
  for (int64_t i = 0; i < count && selection->count == count; i++) {
    if (selection->positions[i] == expected[i]) continue;
    CSK_CHECK(false, "%s: k = %lld: selected[%lld] = %lld, expected %lld", what,
              (long long)selection->k, (long long)i, (long long)selection->positions[i],
              (long long)expected[i]);
    return;
  }
}

// How an array is offered.
typedef enum cutting {
  whole,            // at once
  pieces,           // in random pieces, ascending
  shuffled_pieces,  // in random pieces in random order
  merged,           // in random pieces to three selections, merged
  cuttings,
} cutting;
static const char *const cutting_names[] = {"whole", "pieces", "shuffled", "merged"};

// Offers values[begin + i], i < count, of an array whose positions are its indices.
static csk_status offer(csk_isa isa, csk_selection *selection, const float *values,
                        const bool *is_excluded, int64_t begin, int64_t count) {
  float *copy = malloc((size_t)(count + 1) * sizeof *copy);
  int32_t *excluded = malloc((size_t)(count + 1) * sizeof *excluded);
  int64_t excluded_count = 0;
  for (int64_t i = 0; i < count; i++) {
    copy[i] = values[begin + i];
    if (is_excluded && is_excluded[begin + i]) excluded[excluded_count++] = (int32_t)i;
  }
  const csk_status status =
      CSK_ON(isa, csk_selection_offer(selection, copy, count, begin,
                                      excluded_count > 0 ? excluded : NULL, excluded_count));
  free(excluded);
  free(copy);
  return status;
}

static void offer_all(csk_isa isa, csk_selection *selections, const float *values, int64_t count,
                      const bool *is_excluded, cutting cutting, uint64_t *seed) {
  if (cutting == whole) {
    CSK_CHECK(offer(isa, selections, values, is_excluded, 0, count) == csk_status_ok);
    return;
  }
  // Borders: some pieces tiny, some long.
  int64_t *borders = malloc((size_t)(count + 2) * sizeof *borders), parts = 0;
  borders[0] = 0;
  while (borders[parts] < count) {
    const int64_t longest = csk_test_random(seed) % 4 == 0 ? count : count / 16 + 1;
    int64_t end = borders[parts] + (int64_t)(csk_test_random(seed) % (uint64_t)longest) + 1;
    borders[++parts] = end < count ? end : count;
  }
  int64_t *order = malloc((size_t)(parts + 1) * sizeof *order);
  for (int64_t i = 0; i < parts; i++) order[i] = i;
  for (int64_t i = parts - 1; i > 0 && cutting != pieces; i--) {
    const int64_t j = (int64_t)(csk_test_random(seed) % (uint64_t)(i + 1)), swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
  for (int64_t i = 0; i < parts; i++) {
    csk_selection *to = selections + (cutting == merged ? i % 3 : 0);
    const int64_t begin = borders[order[i]], end = borders[order[i] + 1];
    CSK_CHECK(offer(isa, to, values, is_excluded, begin, end - begin) == csk_status_ok);
  }
  free(order);
  free(borders);
}

static void check_selection(const float *values, int64_t count, int64_t k, const bool *is_excluded,
                            const char *what) {
  int64_t *expected = malloc((size_t)(count + 1) * sizeof *expected);
  uint64_t seed = 5 + (uint64_t)count + (uint64_t)k;
  for (int order = csk_select_largest; order <= csk_select_smallest; order++) {
    const int64_t selected = select_naive(order, values, count, k, is_excluded, expected);
    for (int isa = 0; isa < csk_isa_count; isa++) {
      if (!csk_isa_is_supported(isa)) continue;
      for (cutting cutting = whole; cutting < cuttings; cutting++) {
        csk_selection selections[3];
        for (int i = 0; i < 3; i++) selection_make(selections + i, order, k);
        offer_all(isa, selections, values, count, is_excluded, cutting, &seed);
        for (int i = 1; i < 3 && cutting == merged; i++)
          CSK_CHECK(csk_selection_merge(selections, selections + i) == csk_status_ok);
        CSK_CHECK(csk_selection_finish(selections) == csk_status_ok);
        char name[128];
        snprintf(name, sizeof name, "%s, n = %lld, %s, %s, %s", what, (long long)count,
                 order == csk_select_largest ? "largest" : "smallest", csk_isa_name(isa),
                 cutting_names[cutting]);
        check_same(selections, expected, selected, name);
        for (int i = 0; i < 3; i++) selection_free(selections + i);
      }
    }
  }
  free(expected);
}

static void test_small(void) {
  for (shape shape = 0; shape < shapes; shape++) {
    for (int64_t count = 0; count <= 35; count++) {
      float *values = select_values(shape, count);
      const int64_t ks[] = {0, 1, count / 3, count - 1, count, count + 1, 2 * count + 50};
      for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        if (ks[i] >= 0) check_selection(values, count, ks[i], NULL, select_shape_names[shape]);
      free(values);
    }
  }
}

// Past the first shrink (4096 + 3 k candidates), with sampled and exact cuts.
static void test_large(void) {
  const int64_t counts[] = {2047, 2048, 2049, 20000, 70000};
  for (shape shape = 0; shape < shapes; shape++) {
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
      const int64_t count = counts[c], ks[] = {0, 1, 100, count / 33, count / 4};
      float *values = select_values(shape, count);
      for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        check_selection(values, count, ks[i], NULL, select_shape_names[shape]);
      free(values);
    }
  }
}

// Excluded subsets, among them the very best and everything.
static void test_excluded(void) {
  const int64_t counts[] = {0, 1, 7, 8, 9, 33, 5000, 70000};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    const int64_t count = counts[c];
    bool *is_excluded = calloc((size_t)count + 1, sizeof *is_excluded);
    for (int kind = 0; kind < 5; kind++) {
      float *values = select_values(kind == 4 ? few_distinct : random_values, count);
      uint64_t seed = 3;
      for (int64_t i = 0; i < count; i++) {
        const uint64_t number = csk_test_random(&seed);
        is_excluded[i] = kind == 0   ? number % 10 == 0
                         : kind == 1 ? fabsf(values[i]) > 0.8f
                         : kind == 2 ? true
                         : kind == 3 ? i % 2048 == 2047 || i == 0
                                     : number % 3 == 0;
      }
      check_selection(values, count, count / 20 + 1, is_excluded, "excluded");
      check_selection(values, count, count, is_excluded, "excluded");
      free(values);
    }
    free(is_excluded);
  }
}

// A sample of nothing but the best values: the predicted cut is disproved and taken back. Where the
// samples are is copied from predict_cut; if it moves, this test loses its edge but stays right.
static void test_misled(void) {
  const int64_t count = 1 << 17, samples = 512, width = count / samples, k = 1000;
  float *values = select_values(random_values, count);
  bool *is_excluded = calloc((size_t)count, sizeof *is_excluded);
  for (int64_t i = 0; i < samples; i++) {
    const int64_t jitter = (uint32_t)i * UINT32_C(0x9e3779b1) >> 16;
    values[i * width + jitter * width / 65536] *= 100;
    is_excluded[(i * width + jitter * width / 65536 + 1) % count] = true;
  }
  check_selection(values, count, k, NULL, "misled");
  check_selection(values, count, k, is_excluded, "misled");
  for (int64_t i = 0; i < count; i++) values[i] = 1 / values[i];
  check_selection(values, count, k, is_excluded, "misled");
  free(is_excluded);
  free(values);
}

// The same for a shrink: of the 4096 + 3 k - 8 candidates that fill the arrays, nothing but the
// best are looked at, so that the estimate keeps too few.
static void test_misled_shrink(void) {
  enum { k = 1000, filled = 4096 + 3 * k - 8, samples = filled / 16, count = 2 * filled };
  float *values = select_values(random_values, count);
  int64_t expected[k];
  for (int64_t i = 0; i < samples; i++) {
    const int64_t jitter = (uint32_t)i * UINT32_C(0x9e3779b1) >> 16;
    values[i * 16 + jitter * 16 / 65536] *= 100;
  }
  select_naive(csk_select_largest, values, count, k, NULL, expected);
  csk_selection selection;
  selection_make(&selection, csk_select_largest, k);
  for (int64_t i = 0; i < count; i += 16)
    CSK_CHECK(offer(csk_isa_current(), &selection, values, NULL, i, 16) == csk_status_ok);
  CSK_CHECK(csk_selection_finish(&selection) == csk_status_ok);
  check_same(&selection, expected, k, "misled shrink");
  selection_free(&selection);
  free(values);
}

// An earlier offer's candidates count too, whether the prediction of a later one holds or not.
static void test_earlier_offers(void) {
  const int64_t count = 3 << 16, k = 1500;
  float *values = select_values(random_values, count);
  int64_t *expected = malloc((size_t)count * sizeof *expected);
  for (int better = 0; better < 3; better++) {
    for (int64_t i = 0; i < 3000; i++) values[i + better * (1 << 16)] *= 4;
    select_naive(csk_select_largest, values, count, k, NULL, expected);
    for (int isa = 0; isa < csk_isa_count; isa++) {
      if (!csk_isa_is_supported(isa)) continue;
      csk_selection selection;
      selection_make(&selection, csk_select_largest, k);
      for (int64_t begin = 0; begin < count; begin += 1 << 16)
        CSK_CHECK(offer(isa, &selection, values, NULL, begin, 1 << 16) == csk_status_ok);
      CSK_CHECK(csk_selection_finish(&selection) == csk_status_ok);
      check_same(&selection, expected, k, csk_isa_name(isa));
      selection_free(&selection);
    }
  }
  free(expected);
  free(values);
}

// Zeros that are not offered come before those that are: the naive selection of an array in which
// the first of the latter are those, at positions before all others.
static void check_admitted(csk_select_order order, const float *values, int64_t count, int64_t k,
                           int64_t zeros, const char *what) {
  float *all = calloc((size_t)(zeros + count + 1), sizeof *all);
  memcpy(all + zeros, values, (size_t)count * sizeof *values);
  int64_t *expected = malloc((size_t)(zeros + count + 1) * sizeof *expected);
  const int64_t selected = select_naive(order, all, zeros + count, k, NULL, expected);
  int64_t before = 0;
  while (before < selected && expected[before] < zeros) before++;
  for (int64_t i = before; i < selected; i++) expected[i] -= zeros;
  csk_selection selection;
  selection_make(&selection, order, k);
  CSK_CHECK(offer(csk_isa_current(), &selection, values, NULL, 0, count) == csk_status_ok);
  int64_t admitted = -1;
  CSK_CHECK(csk_selection_admit_zeros(&selection, zeros, &admitted) == csk_status_ok);
  CSK_CHECK(admitted == before, "%s, order %d, k = %lld: %lld of %lld zeros, expected %lld", what,
            (int)order, (long long)k, (long long)admitted, (long long)zeros, (long long)before);
  CSK_CHECK(csk_selection_finish(&selection) == csk_status_ok);
  check_same(&selection, expected + before, selected - before, what);
  selection_free(&selection);
  free(expected);
  free(all);
}

static void test_admitted_zeros(void) {
  for (shape shape = 0; shape < shapes; shape++) {
    const int64_t counts[] = {0, 1, 40, 9000, 70000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
      float *values = select_values(shape, counts[c]);
      const int64_t ks[] = {0, 1, 10, counts[c] / 9, counts[c], counts[c] + 20};
      for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        const int64_t k = ks[i], zeros[] = {0, 1, k / 2, k, k + 30};
        for (size_t z = 0; z < sizeof zeros / sizeof *zeros; z++)
          for (int order = csk_select_largest; order <= csk_select_smallest; order++)
            check_admitted(order, values, counts[c], k, zeros[z], select_shape_names[shape]);
      }
      free(values);
    }
  }
}

static void test_wide_positions(void) {
  // Positions on both sides of 32 bits, and the largest that fit.
  const int64_t firsts[] = {0, INT32_MAX - 50, UINT32_MAX - INT64_C(50), INT64_MAX - 100};
  float values[100];
  uint64_t seed = 1;
  for (int i = 0; i < 100; i++) values[i] = csk_test_uniform(&seed);
  int64_t expected[10];
  select_naive(csk_select_largest, values, 100, 10, NULL, expected);
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
      csk_selection selection;
      selection_make(&selection, csk_select_largest, 10);
      // The second half first, so that the positions have to be sorted.
      for (int half = 1; half >= 0; half--)
        CSK_CHECK(CSK_ON(isa, csk_selection_offer(&selection, values + 50 * half, 50,
                                                  firsts[f] + 50 * half, NULL, 0)) ==
                  csk_status_ok);
      CSK_CHECK(CSK_ON(isa, csk_selection_offer(&selection, values, 100, INT64_MAX - 99, NULL,
                                                0)) == csk_status_overflow);
      CSK_CHECK(csk_selection_finish(&selection) == csk_status_ok);
      for (int i = 0; i < 10; i++)
        CSK_CHECK(selection.positions[i] == firsts[f] + expected[i], "%s, from %lld on",
                  csk_isa_name(isa), (long long)firsts[f]);
      selection_free(&selection);
    }
  }
}

static void test_nan(void) {
  static float values[70000];
  const int64_t counts[] = {1, 8, 37, 70000};
  uint64_t seed = 9;
  for (int i = 0; i < 70000; i++) values[i] = csk_test_uniform(&seed);
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int order = csk_select_largest; order <= csk_select_smallest; order++) {
      for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const int64_t count = counts[c];
        for (int64_t at = 0; at<count; at += count> 100 ? 9973 : 1) {
          for (int excluded = 0; excluded < 3; excluded++) {
            const float kept = values[at];
            const int32_t index = (int32_t)(excluded == 1 ? at : at > 0 ? at - 1 : count - 1);
            const float kept_too = values[index];
            values[at] = at & 1 ? NAN : -NAN;
            csk_selection selection;
            selection_make(&selection, order, at % 5);
            CSK_CHECK(CSK_ON(isa, csk_selection_offer(&selection, values, count, 0, &index,
                                                      excluded > 0)) == csk_status_nan,
                      "%s: NaN at %lld of %lld", csk_isa_name(isa), (long long)at,
                      (long long)count);
            selection_free(&selection);
            values[index] = kept_too;
            values[at] = kept;
          }
        }
      }
    }
  }
}

// Without exclusions the values are only read; the result does not depend on what lies beyond.
static void test_only_reads(void) {
  float values[61], copy[61];
  uint64_t seed = 4;
  for (int i = 0; i < 61; i++) values[i] = csk_test_uniform(&seed);
  values[60] = NAN;  // past the end of what is offered
  memcpy(copy, values, sizeof values);
  csk_selection selection;
  selection_make(&selection, csk_select_smallest, 5);
  CSK_CHECK(csk_selection_offer(&selection, values, 60, 0, NULL, 0) == csk_status_ok);
  CSK_CHECK(memcmp(values, copy, sizeof values) == 0);
  selection_free(&selection);
}

static void test_arguments(void) {
  csk_selection s, other;
  float values[4] = {1, 2, 3, 4};
  const int32_t falling[] = {2, 1}, twice[] = {1, 1}, outside[] = {4}, negative[] = {-1};
  CSK_CHECK(csk_selection_capacity(-1) == -1);
  CSK_CHECK(csk_selection_capacity(INT64_MAX) == -1);
  selection_make(&s, csk_select_largest, 2);
  selection_make(&other, csk_select_smallest, 2);
  const csk_status bad = csk_status_invalid_argument;
  uint32_t *k = s.keys;
  int64_t *p = s.positions, capacity = s.capacity;
  CSK_CHECK(csk_selection_begin(NULL, csk_select_largest, 2, k, p, capacity) == bad);
  CSK_CHECK(csk_selection_begin(&s, csk_select_largest, 2, NULL, p, capacity) == bad);
  CSK_CHECK(csk_selection_begin(&s, csk_select_largest, 2, k, NULL, capacity) == bad);
  CSK_CHECK(csk_selection_begin(&s, csk_select_largest, 2, k, p, capacity - 1) == bad);
  CSK_CHECK(csk_selection_begin(&s, csk_select_largest, -1, k, p, capacity) == bad);
  CSK_CHECK(csk_selection_begin(&s, (csk_select_order)2, 2, k, p, capacity) == bad);
  CSK_CHECK(csk_selection_offer(NULL, values, 4, 0, NULL, 0) == bad);
  CSK_CHECK(csk_selection_offer(&s, NULL, 4, 0, NULL, 0) == bad);
  CSK_CHECK(csk_selection_offer(&s, NULL, 0, 0, NULL, 0) == csk_status_ok);
  CSK_CHECK(csk_selection_offer(&s, values, -1, 0, NULL, 0) == bad);
  CSK_CHECK(csk_selection_offer(&s, values, 4, -1, NULL, 0) == bad);
  CSK_CHECK(csk_selection_offer(&s, values, 4, INT64_MAX - 3, NULL, 0) == csk_status_overflow);
  CSK_CHECK(csk_selection_offer(&s, values, 4, 0, NULL, 1) == bad);
  CSK_CHECK(csk_selection_offer(&s, values, 4, 0, outside, 1) == bad);
  CSK_CHECK(csk_selection_offer(&s, values, 4, 0, negative, 1) == bad);
  CSK_CHECK(csk_selection_offer(&s, values, 4, 0, falling, 2) == bad);
  values[2] = 3;
  CSK_CHECK(csk_selection_offer(&s, values, 4, 0, twice, 2) == bad);
  CSK_CHECK(csk_selection_merge(&s, &other) == bad);
  CSK_CHECK(csk_selection_merge(&s, &s) == bad);
  CSK_CHECK(csk_selection_merge(&s, NULL) == bad);
  CSK_CHECK(csk_selection_finish(NULL) == bad);
  int64_t admitted;
  CSK_CHECK(csk_selection_admit_zeros(NULL, 1, &admitted) == bad);
  CSK_CHECK(csk_selection_admit_zeros(&s, -1, &admitted) == bad);
  CSK_CHECK(csk_selection_admit_zeros(&s, 1, NULL) == bad);
  for (int isa = 0; isa < csk_isa_count; isa++)
    if (!csk_isa_is_supported(isa))
      CSK_CHECK(CSK_ON(isa, csk_selection_offer(&s, values, 4, 0, NULL, 0)) ==
                csk_status_unsupported_isa);
  selection_free(&s);
  selection_free(&other);
}

const csk_test csk_tests_select[] = {
    {"select.offer: every shape of data, n to 35, every k", test_small},
    {"select.offer: every shape of data, both sides of a piece and of a shrink", test_large},
    {"select.offer: excluded indices, the best, all, at piece ends", test_excluded},
    {"select.offer: a misleading sample", test_misled},
    {"select.shrink: a misleading sample", test_misled_shrink},
    {"select.offer: earlier offers' candidates and a predicted cut", test_earlier_offers},
    {"select.admit: zeros before the others, every shape of data", test_admitted_zeros},
    {"select.offer: positions beyond 32 bits", test_wide_positions},
    {"select.offer: a NaN at every lane, excluded or not", test_nan},
    {"select.offer: values are only read, and only to the end", test_only_reads},
    {"select: invalid arguments", test_arguments},
    {"select.part: 1 to 8 parts, every shape of data, both sides of every capacity, threads",
     select_test_parts},
    {"select.magnitude_cut: every shape of data, every NaN, invalid arguments",
     select_test_magnitude_cut},
    {0},
};
