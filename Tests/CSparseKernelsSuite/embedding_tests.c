// embedding_tests.c: rows of a table by number, some features and lanes at a time.
#include <math.h>
#include <string.h>

#include "pack_cases.h"

enum { rows = 11, features = 5, lanes = 16, count = features * lanes };

static void fill(float *values, int32_t number, uint64_t seed) {
  for (int32_t i = 0; i < number; i++) values[i] = csk_test_uniform(&seed);
}

static void embedding_takes_rows(void) {
  float table[rows * features], tokens[lanes], y[count + 8];
  fill(table, rows * features, 1);
  const int32_t live = lanes - 3;
  for (int i = 0; i < lanes; i++) tokens[i] = i < live ? (float)(i * 7 % rows) : NAN;
  csk_canary_fill(y, count + 8);
  CSK_CHECK(csk_embed(table, rows, features, 1, 4, tokens, lanes, live, y) == csk_status_ok,
            "status");
  CSK_CHECK(csk_canary_intact(y, lanes) && csk_canary_intact(y + 4 * lanes, lanes + 8),
            "other features");
  for (int c = 1; c < 4; c++)
    for (int i = 0; i < lanes; i++)
      CSK_CHECK(y[c * lanes + i] == (i < live ? table[(int)tokens[i] * features + c] : 0),
                "feature %d lane %d", c, i);
}

/// Rows that occur often are summed in the order of lanes, onto what was there.
static void embedding_gradient_sums_rows(void) {
  float gradient[count], tokens[lanes], sums[rows * features + 8], expected[rows * features];
  fill(gradient, count, 2);
  fill(expected, rows * features, 3);
  const int32_t live = lanes - 3;
  for (int i = 0; i < lanes; i++) tokens[i] = i < live ? (float)(i % 3 * 5) : NAN;
  csk_canary_fill(sums, rows * features + 8);
  memcpy(sums, expected, sizeof expected);
  CSK_CHECK(csk_embed_gradient(gradient, rows, features, 2, 5, tokens, lanes, live, sums) ==
                csk_status_ok,
            "status");
  for (int i = 0; i < live; i++)
    for (int c = 2; c < 5; c++) expected[(int)tokens[i] * features + c] += gradient[c * lanes + i];
  CSK_CHECK(memcmp(sums, expected, sizeof expected) == 0, "sums");
  CSK_CHECK(csk_canary_intact(sums + rows * features, 8), "wrote past the table");
}

static void embedding_rejects_what_is_no_row(void) {
  static const float wrong[] = {-1, rows, 0.5f, NAN, INFINITY, -INFINITY, 3e9f, 1e30f};
  float table[rows * features] = {0}, y[count], tokens[lanes];
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    for (int i = 0; i < lanes; i++) tokens[i] = 0;
    tokens[9] = wrong[k];
    INVALID(csk_embed(table, rows, features, 0, features, tokens, lanes, 10, y));
    INVALID(csk_embed_gradient(y, rows, features, 0, features, tokens, lanes, 10, table));
    CSK_CHECK(
        csk_embed(table, rows, features, 0, features, tokens, lanes, 9, y) == csk_status_ok &&
            csk_embed_gradient(y, rows, features, 0, 0, tokens, lanes, 9, table) == csk_status_ok,
        "dead lanes are not looked at");
  }
}

static void embedding_rejects_invalid_arguments(void) {
  float v[count] = {0}, tokens[lanes] = {0};
  static const int32_t wrong[][5] = {
      // rows, features, begin, end, lanes
      {0, 5, 0, 5, 16},  {11, 5, -1, 5, 16}, {11, 5, 0, 6, 16},
      {11, 5, 3, 2, 16}, {11, 5, 0, 5, 0},   {11, 5, 0, 5, 12},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const int32_t *w = wrong[i];
    INVALID(csk_embed(v, w[0], w[1], w[2], w[3], tokens, w[4], 0, v));
    INVALID(csk_embed_gradient(v, w[0], w[1], w[2], w[3], tokens, w[4], 0, v));
  }
  INVALID(csk_embed(NULL, 11, 5, 0, 5, tokens, 16, 16, v));
  INVALID(csk_embed(v, 11, 5, 0, 5, NULL, 16, 16, v));
  INVALID(csk_embed(v, 11, 5, 0, 5, tokens, 16, 16, NULL));
  INVALID(csk_embed(v, 11, 5, 0, 5, tokens, 16, 17, v));
  INVALID(csk_embed(v, 11, 5, 0, 5, tokens, 16, -1, v));
  INVALID(csk_embed_gradient(v, 11, 5, 0, 5, tokens, 16, 17, v));
  INVALID(csk_embed_gradient(v, 11, 5, 0, 5, tokens, 16, -1, v));
  INVALID(csk_embed_gradient(NULL, 11, 5, 0, 5, tokens, 16, 16, v));
  INVALID(csk_embed_gradient(v, 11, 5, 0, 5, tokens, 16, 16, NULL));
}

const csk_test csk_tests_embedding[] = {
    {"embedding_takes_rows", embedding_takes_rows},
    {"embedding_gradient_sums_rows", embedding_gradient_sums_rows},
    {"embedding_rejects_what_is_no_row", embedding_rejects_what_is_no_row},
    {"embedding_rejects_invalid_arguments", embedding_rejects_invalid_arguments},
    {NULL, NULL},
};
