// update_tests.c: optimizer steps, slot moves and sums against double references.
#include <float.h>
#include <math.h>
#include <string.h>

#include "CSparseKernels.h"
#include "update_fixture.h"

// MARK: - SGD

static const csk_sgd sgd_rules[] = {
    {.learning_rate = 0.1f, .scale = 1},
    {.learning_rate = 0.1f, .weight_decay = 5e-4f, .scale = 1},
    {.learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 5e-4f, .scale = 0.37f},
    {.learning_rate = 0.05f, .momentum = 0.9f, .scale = 1, .nesterov = true},
    {.learning_rate = 0.05f, .momentum = 0.8f, .decoupled_decay = 0.3f, .scale = 2},
    {0.3f, 0.7f, 0.1f, 0.2f, 0.5f, true},
};

// Each operation rounds once; six follow one another at most, so 8 eps of the sum of the terms'
// magnitudes bounds the error, contracted or not.
static void sgd_reference(const csk_sgd *rule, double w, double gradient, double velocity,
                          bool has_velocity, bounded *new_w, bounded *new_v) {
  w *= 1 - (double)rule->learning_rate * rule->decoupled_decay;
  const double g = rule->scale * gradient + rule->weight_decay * w;
  double terms = fabs(rule->scale * gradient) + fabs(rule->weight_decay * w), step = g;
  if (has_velocity) {
    const double v = rule->momentum * velocity + g;
    const double v_terms = terms + fabs(rule->momentum * velocity);
    *new_v = (bounded){v, 8 * FLT_EPSILON * v_terms};
    step = rule->nesterov ? g + rule->momentum * v : v;
    terms = rule->nesterov ? terms + rule->momentum * v_terms : v_terms;
  }
  *new_w = (bounded){w - rule->learning_rate * step,
                     8 * FLT_EPSILON * (fabs(w) + rule->learning_rate * terms)};
}

static void check_sgd(csk_isa isa, const csk_sgd *rule, bool has_velocity, int64_t count) {
  static buffer w_buffer, g_buffer, v_buffer, old_w_buffer, old_v_buffer;
  float *w = fill(&w_buffer, count, false, 1), *g = fill(&g_buffer, count, false, 2);
  float *v = fill(&v_buffer, count, false, 3);
  const float *old_w = fill(&old_w_buffer, count, false, 1);
  const float *old_v = fill(&old_v_buffer, count, false, 3);
  CSK_CHECK(CSK_ON(isa, csk_sgd_step(rule, w, g, has_velocity ? v : NULL, count)) == csk_status_ok);
  for (int64_t i = 0; i < count; i++) {
    bounded new_w, new_v = {old_v[i], 0};
    sgd_reference(rule, old_w[i], g[i], old_v[i], has_velocity, &new_w, &new_v);
    CSK_CHECK(fabs(w[i] - new_w.value) <= new_w.error, "%s, n = %lld: w[%lld] = %g, not %g",
              csk_isa_name(isa), (long long)count, (long long)i, w[i], new_w.value);
    CSK_CHECK(fabs(v[i] - new_v.value) <= new_v.error, "%s, n = %lld: v[%lld] = %g, not %g",
              csk_isa_name(isa), (long long)count, (long long)i, v[i], new_v.value);
  }
  check_canaries(&w_buffer, count, "sgd values");
  check_canaries(&v_buffer, count, "sgd velocity");
}

static void test_sgd(void) {
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (size_t rule = 0; rule < sizeof sgd_rules / sizeof *sgd_rules; rule++)
      for (int c = 0; c < count_kinds; c++)
        for (int has_velocity = 0; has_velocity < 2; has_velocity++)
          check_sgd(isa, sgd_rules + rule, has_velocity, counts[c]);
  }
}

// By hand, PyTorch's first steps: v = g, then v = 0.5 g + g; every number is exact.
static void test_sgd_by_hand(void) {
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    csk_sgd rule = {.learning_rate = 0.25f, .momentum = 0.5f, .scale = 1};
    const float g = 4;
    float w = 8, v = 0;
    CSK_ON(isa, csk_sgd_step(&rule, &w, &g, &v, 1));
    CSK_CHECK(v == 4 && w == 7, "first step: v = %g, w = %g", v, w);
    CSK_ON(isa, csk_sgd_step(&rule, &w, &g, &v, 1));
    CSK_CHECK(v == 6 && w == 5.5f, "second step: v = %g, w = %g", v, w);
    rule.nesterov = true;  // v = 7; g + 0.5 v = 7.5
    CSK_ON(isa, csk_sgd_step(&rule, &w, &g, &v, 1));
    CSK_CHECK(v == 7 && w == 3.625f, "nesterov: v = %g, w = %g", v, w);
    // w = 0.5 w = 4; g = 0.5 * 4 + 0.25 * 4 = 3
    rule = (csk_sgd){
        .learning_rate = 0.25f, .weight_decay = 0.25f, .decoupled_decay = 2, .scale = 0.5f};
    w = 8;
    CSK_ON(isa, csk_sgd_step(&rule, &w, &g, NULL, 1));
    CSK_CHECK(w == 3.25f, "decays: w = %g", w);
  }
}

// Where a caller cuts the arrays does not show in the bits.
static void test_cut(void) {
  enum { count = 37 };
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int64_t cut = 0; cut <= count; cut++) {
      static buffer whole[3], parts[3];
      float *x[3], *y[3];
      for (int a = 0; a < 3; a++) {
        x[a] = fill(whole + a, count, false, 10 + (uint64_t)a);
        y[a] = fill(parts + a, count, false, 10 + (uint64_t)a);
      }
      const csk_sgd *sgd = sgd_rules + 5;
      CSK_ON(isa, csk_sgd_step(sgd, x[0], x[1], x[2], count));
      CSK_ON(isa, csk_sgd_step(sgd, y[0], y[1], y[2], cut));
      CSK_ON(isa, csk_sgd_step(sgd, y[0] + cut, y[1] + cut, y[2] + cut, count - cut));
      CSK_CHECK(memcmp(whole, parts, sizeof whole) == 0, "sgd, %s, cut at %lld", csk_isa_name(isa),
                (long long)cut);
    }
  }
}

// MARK: - Moves and sums

static void test_moves(void) {
  static buffer source_buffer, target_buffer;
  static int32_t indices[longest];
  for (int c = 0; c < count_kinds; c++) {
    const int64_t count = counts[c], source_count = count / 2 + 1;
    const float *source = fill(&source_buffer, source_count, false, 5);
    uint64_t seed = 6;
    for (int64_t i = 0; i < count; i++)
      indices[i] = (int32_t)(csk_test_random(&seed) % (uint64_t)source_count);
    for (int isa = 0; isa < csk_isa_count; isa++) {
      if (!csk_isa_is_supported(isa)) continue;
      float *target = fill(&target_buffer, count, false, 7);
      CSK_CHECK(CSK_ON(isa, csk_gather(source, source_count, indices, target, count)) ==
                csk_status_ok);
      for (int64_t i = 0; i < count; i++) CSK_CHECK(target[i] == source[indices[i]]);
      check_canaries(&target_buffer, count, "gather");
    }
    for (int64_t i = 0; i < count; i += 3) indices[i] = i % 2 ? -1 : INT32_MIN;
    float *target = fill(&target_buffer, count, false, 7);
    CSK_CHECK(csk_remap(source, source_count, indices, target, count) == csk_status_ok);
    for (int64_t i = 0; i < count; i++)
      CSK_CHECK(target[i] == (indices[i] < 0 ? 0 : source[indices[i]]));
    check_canaries(&target_buffer, count, "remap");
    if (count == 0) continue;
    indices[count - 1] = (int32_t)source_count;
    CSK_CHECK(csk_remap(source, source_count, indices, target, count) ==
              csk_status_invalid_argument);
  }
  const int32_t fresh[2] = {-1, -1};
  float target[2] = {1, 1};
  CSK_CHECK(csk_remap(NULL, 0, fresh, target, 2) == csk_status_ok);
  CSK_CHECK(target[0] == 0 && target[1] == 0);
}

static void test_sums(void) {
  static buffer source_buffer;
  for (int64_t count = 0; count <= longest; count++) {
    float *source = fill(&source_buffer, count, false, 8);
    // Of all sizes: the sums of uniform numbers' squares hardly round, in whatever order.
    for (int64_t i = 0; i < count; i++) source[i] *= ldexpf(1, (int)(i * 7 % 25) - 12);
    long double expected = 0;
    for (int64_t i = 0; i < count; i++) expected += (long double)source[i] * source[i];
    double first = 0;
    for (int isa = 0; isa < csk_isa_count; isa++) {
      if (!csk_isa_is_supported(isa)) continue;
      double sum = -1;
      CSK_CHECK(CSK_ON(isa, csk_sum_of_squares(source, count, &sum)) == csk_status_ok);
      // A lane's sum and then five levels of the tree; the squares are exact.
      CSK_CHECK(fabs((double)(sum - expected)) <=
                    (double)(count / 32 + 5) * DBL_EPSILON * (double)expected,
                "%s, n = %lld: %.17g", csk_isa_name(isa), (long long)count, sum);
      if (isa == csk_isa_scalar) first = sum;
      CSK_CHECK(memcmp(&first, &sum, sizeof sum) == 0, "%s differs from scalar, n = %lld",
                csk_isa_name(isa), (long long)count);
    }
  }
  const float large[2] = {3e38f, -3e38f};
  double sum = 0;
  CSK_CHECK(csk_sum_of_squares(large, 2, &sum) == csk_status_ok && sum > 1.7e77);
}

static void test_arguments(void) {
  float x[1] = {0};
  double sum;
  const int32_t index[1] = {0};
  const csk_sgd sgd = {.scale = 1};
  const csk_status bad = csk_status_invalid_argument;
  CSK_CHECK(csk_sgd_step(NULL, x, x, NULL, 1) == bad);
  CSK_CHECK(csk_sgd_step(&sgd, NULL, x, NULL, 1) == bad);
  CSK_CHECK(csk_sgd_step(&sgd, x, NULL, NULL, 1) == bad);
  CSK_CHECK(csk_sgd_step(&sgd, x, x, NULL, -1) == bad);
  CSK_CHECK(csk_sgd_step(&sgd, NULL, NULL, NULL, 0) == csk_status_ok);
  CSK_CHECK(csk_remap(NULL, 1, index, x, 1) == bad);
  CSK_CHECK(csk_remap(x, -1, index, x, 1) == bad);
  CSK_CHECK(csk_remap(x, 1, NULL, x, 1) == bad);
  CSK_CHECK(csk_remap(x, 1, index, NULL, 1) == bad);
  CSK_CHECK(csk_remap(x, 1, index, x, -1) == bad);
  CSK_CHECK(csk_gather(NULL, 1, index, x, 1) == bad);
  CSK_CHECK(csk_gather(x, -1, index, x, 1) == bad);
  CSK_CHECK(csk_gather(x, 1, NULL, x, 1) == bad);
  CSK_CHECK(csk_gather(x, 1, index, NULL, 1) == bad);
  CSK_CHECK(csk_gather(x, 1, index, x, -1) == bad);
  CSK_CHECK(csk_sum_of_squares(NULL, 1, &sum) == bad);
  CSK_CHECK(csk_sum_of_squares(x, -1, &sum) == bad);
  CSK_CHECK(csk_sum_of_squares(x, 1, NULL) == bad);
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (csk_isa_is_supported(isa)) continue;
    const csk_status none = csk_status_unsupported_isa;
    CSK_CHECK(CSK_ON(isa, csk_sgd_step(&sgd, x, x, NULL, 1)) == none);
    CSK_CHECK(CSK_ON(isa, csk_gather(x, 1, index, x, 1)) == none);
    CSK_CHECK(CSK_ON(isa, csk_sum_of_squares(x, 1, &sum)) == none);
  }
}

const csk_test csk_tests_update[] = {
    {"update.sgd: every rule, n around the vectors", test_sgd},
    {"update.sgd: the first steps by hand", test_sgd_by_hand},
    {"update.sgd: an array cut anywhere gives the same bits", test_cut},
    {"update.remap, update.gather: n around the vectors, new slots, wrong origins", test_moves},
    {"update.sum_of_squares: n around the lanes, same bits everywhere", test_sums},
    {"update: invalid arguments", test_arguments},
    {0},
};
