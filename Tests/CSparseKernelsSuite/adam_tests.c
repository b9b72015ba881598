// adam_tests.c: Adam's steps, by the training's count and by each connection's own age, against
// double references.
#include <float.h>
#include <math.h>
#include <string.h>

#include "CSparseKernels.h"
#include "update_fixture.h"

// MARK: - By the training's count

// As many rounding errors as operations, carried through to first order: the root's by its
// derivative, the quotient's by the rule for quotients.
static void adam_reference(const csk_adam *rule, double w, double gradient, double m, double s,
                           bounded *new_w, bounded *new_m, bounded *new_s) {
  const double eps = FLT_EPSILON;
  w *= 1 - (double)rule->learning_rate * rule->decoupled_decay;
  const double g = rule->scale * gradient + rule->weight_decay * w;
  const double g_error = 3 * eps * (fabs(rule->scale * gradient) + fabs(rule->weight_decay * w));
  const double rest1 = 1 - (double)rule->beta1, rest2 = 1 - (double)rule->beta2;
  new_m->value = rule->beta1 * m + rest1 * g;
  new_m->error = 3 * eps * (fabs(rule->beta1 * m) + fabs(rest1 * g)) + rest1 * g_error;
  new_s->value = rule->beta2 * s + rest2 * g * g;
  new_s->error = 4 * eps * new_s->value + rest2 * (2 * fabs(g) * g_error + g_error * g_error);
  const double root = sqrt(new_s->value), correction = rule->inverse_sqrt_correction2;
  const double divisor = root * correction + rule->epsilon;
  const double root_error = root > 0 ? new_s->error / root : 0;
  const double divisor_error = correction * root_error + 4 * eps * divisor;
  const double step = rule->step_size * new_m->value / divisor;
  const double step_error = rule->step_size * new_m->error / divisor +
                            fabs(step) * divisor_error / divisor + 4 * eps * fabs(step);
  *new_w = (bounded){w - step, step_error + 3 * eps * (fabs(w) + fabs(step))};
}

static csk_adam adam_rule(int t, float weight_decay, float decoupled_decay, float scale) {
  csk_adam rule = {.learning_rate = 1e-2f,
                   .beta1 = 0.9f,
                   .beta2 = 0.999f,
                   .epsilon = 1e-8f,
                   .weight_decay = weight_decay,
                   .decoupled_decay = decoupled_decay,
                   .scale = scale};
  rule.step_size = (float)(rule.learning_rate / (1 - pow(rule.beta1, t)));
  rule.inverse_sqrt_correction2 = (float)(1 / sqrt(1 - pow(rule.beta2, t)));
  return rule;
}

static void check_adam(csk_isa isa, const csk_adam *rule, int64_t count) {
  static buffer w_buffer, g_buffer, m_buffer, s_buffer, old_w_buffer, old_m_buffer, old_s_buffer;
  float *w = fill(&w_buffer, count, false, 1), *g = fill(&g_buffer, count, false, 2);
  float *m = fill(&m_buffer, count, false, 3), *s = fill(&s_buffer, count, true, 4);
  const float *old_w = fill(&old_w_buffer, count, false, 1);
  const float *old_m = fill(&old_m_buffer, count, false, 3);
  const float *old_s = fill(&old_s_buffer, count, true, 4);
  CSK_CHECK(CSK_ON(isa, csk_adam_step(rule, w, g, m, s, count)) == csk_status_ok);
  for (int64_t i = 0; i < count; i++) {
    bounded new_w, new_m, new_s;
    adam_reference(rule, old_w[i], g[i], old_m[i], old_s[i], &new_w, &new_m, &new_s);
    CSK_CHECK(fabs(w[i] - new_w.value) <= new_w.error, "%s, n = %lld: w[%lld] = %g, not %g",
              csk_isa_name(isa), (long long)count, (long long)i, w[i], new_w.value);
    CSK_CHECK(fabs(m[i] - new_m.value) <= new_m.error, "%s, n = %lld: m[%lld] = %g, not %g",
              csk_isa_name(isa), (long long)count, (long long)i, m[i], new_m.value);
    CSK_CHECK(fabs(s[i] - new_s.value) <= new_s.error, "%s, n = %lld: s[%lld] = %g, not %g",
              csk_isa_name(isa), (long long)count, (long long)i, s[i], new_s.value);
  }
  check_canaries(&w_buffer, count, "adam values");
  check_canaries(&m_buffer, count, "adam first moment");
  check_canaries(&s_buffer, count, "adam second moment");
}

static void test_adam(void) {
  const csk_adam rules[] = {adam_rule(1, 0, 0, 1), adam_rule(2, 0.1f, 0, 0.7f),
                            adam_rule(100, 0, 0.3f, 1), adam_rule(7, 0.2f, 0.2f, 3)};
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int rule = 0; rule < 4; rule++)
      for (int c = 0; c < count_kinds; c++) check_adam(isa, rules + rule, counts[c]);
    // From nothing, the first step is the learning rate against the gradient's sign; none without
    // a gradient.
    const csk_adam rule = adam_rule(1, 0, 0, 1);
    float w[3] = {1, 1, 1}, m[3] = {0}, s[3] = {0};
    const float g[3] = {3, -0.02f, 0};
    CSK_CHECK(CSK_ON(isa, csk_adam_step(&rule, w, g, m, s, 3)) == csk_status_ok);
    CSK_CHECK(fabsf(w[0] - 0.99f) < 1e-6f && fabsf(w[1] - 1.01f) < 1e-6f && w[2] == 1);
  }
}

// MARK: - By age

enum { listed = 17000 };  // More than the ages at which there is anything to correct.
static float pairs[2 * listed];

// Corrections by age for the betas of adam_rule, of which tables have the first `count`.
static csk_adam_corrections adam_corrections(int32_t count) {
  const csk_adam rule = adam_rule(1, 0, 0, 1);
  const int32_t settled = csk_adam_settled_age(rule.beta1, rule.beta2);
  CSK_CHECK(settled > 15000 && settled < listed, "settled at %d", settled);
  CSK_CHECK(csk_adam_fill_corrections(rule.beta1, rule.beta2, pairs, listed) == csk_status_ok);
  return (csk_adam_corrections){.pairs = pairs,
                                .count = count < settled ? count : settled,
                                .settled = settled,
                                .beta1 = rule.beta1,
                                .beta2 = rule.beta2};
}

// The tables are the formula's, rounded once; they end where nothing is left to correct.
static void test_adam_corrections(void) {
  const csk_adam_corrections corrections = adam_corrections(listed);
  CSK_CHECK(pairs[2 * 0] == 1 && pairs[2 * 0 + 1] == 1);
  for (int32_t age = 1; age < listed; age++) {
    const double first = 1 / (1 - pow(corrections.beta1, age));
    const double second = 1 / sqrt(1 - pow(corrections.beta2, age));
    CSK_CHECK(fabs(pairs[2 * age] - first) <= 0.51 * FLT_EPSILON * first, "first, age %d", age);
    CSK_CHECK(fabs(pairs[2 * age + 1] - second) <= 0.51 * FLT_EPSILON * second, "second, age %d",
              age);
    const bool is_settled = pairs[2 * age] == 1 && pairs[2 * age + 1] == 1;
    CSK_CHECK(is_settled == (age >= corrections.settled), "age %d", age);
  }
  CSK_CHECK(csk_adam_settled_age(0, 0) == 1 && csk_adam_settled_age(0.5f, 0) == 25);
  // 1 as a float: never settled, and no infinite search.
  CSK_CHECK(csk_adam_settled_age(0.9f, (float)0.999999999) == INT32_MAX);
}

// Births of all ages from 1 on, of the first step and of many.
static void fill_births(int32_t *births, int64_t count, int32_t number, uint64_t seed) {
  for (int64_t i = 0; i < count; i++) {
    const uint64_t range = csk_test_random(&seed) % 3 ? 40 : (uint64_t)number;
    const uint64_t age =
        1 + csk_test_random(&seed) % (range < (uint64_t)number ? range : (uint64_t)number);
    births[i] = number - (int32_t)age;
  }
}

static void check_adam_age(csk_isa isa, const csk_adam *rule, int32_t number, int64_t count) {
  static buffer w_buffer, g_buffer, m_buffer, s_buffer, old_w_buffer, old_m_buffer, old_s_buffer;
  static int32_t births[longest];
  float *w = fill(&w_buffer, count, false, 1), *g = fill(&g_buffer, count, false, 2);
  float *m = fill(&m_buffer, count, false, 3), *s = fill(&s_buffer, count, true, 4);
  const float *old_w = fill(&old_w_buffer, count, false, 1);
  const float *old_m = fill(&old_m_buffer, count, false, 3);
  const float *old_s = fill(&old_s_buffer, count, true, 4);
  fill_births(births, count, number, 5);
  const csk_adam_corrections corrections = adam_corrections(listed);
  CSK_CHECK(CSK_ON(isa, csk_adam_age_step(rule, &corrections, number, births, w, g, m, s, count)) ==
            csk_status_ok);
  for (int64_t i = 0; i < count; i++) {
    const int32_t age = number - births[i];
    csk_adam own = *rule;
    own.step_size = rule->learning_rate * (age < listed ? pairs[2 * age] : 1);
    own.inverse_sqrt_correction2 = age < listed ? pairs[2 * age + 1] : 1;
    bounded new_w, new_m, new_s;
    adam_reference(&own, old_w[i], g[i], old_m[i], old_s[i], &new_w, &new_m, &new_s);
    CSK_CHECK(fabs(w[i] - new_w.value) <= new_w.error, "%s, n = %lld, age %d: w[%lld] = %g, not %g",
              csk_isa_name(isa), (long long)count, age, (long long)i, w[i], new_w.value);
    CSK_CHECK(fabs(m[i] - new_m.value) <= new_m.error && fabs(s[i] - new_s.value) <= new_s.error,
              "%s, n = %lld: moments %lld", csk_isa_name(isa), (long long)count, (long long)i);
  }
  check_canaries(&w_buffer, count, "adam by age, values");
  check_canaries(&m_buffer, count, "adam by age, first moment");
  check_canaries(&s_buffer, count, "adam by age, second moment");
}

static void test_adam_age(void) {
  const int32_t numbers[] = {1, 2, 300, 20000, INT32_MAX};
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int n = 0; n < 5; n++) {
      const csk_adam rule = adam_rule(1, n % 2 ? 0.1f : 0, n / 2 ? 0.3f : 0, n ? 0.7f : 1);
      for (int c = 0; c < count_kinds; c++) check_adam_age(isa, &rule, numbers[n], counts[c]);
    }
  }
}

// Ages that are not in the tables have the same bits, and a step of one age for all those of
// csk_adam_step with its corrections.
static void test_adam_age_bits(void) {
  enum { count = 203, number = 40000 };
  static int32_t births[longest];
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    const csk_adam rule = adam_rule(3, 0.1f, 0.2f, 0.9f);
    for (int same = 0; same < 2; same++) {
      const int32_t lengths[] = {listed, 0, 1, 20, 159, 9000};
      static buffer first[4], others[4];
      for (int length = 0; length < 6; length++) {
        buffer *buffers = length ? others : first;
        float *x[4];
        for (int a = 0; a < 4; a++) x[a] = fill(buffers + a, count, a == 3, 10 + (uint64_t)a);
        fill_births(births, count, number, 6);
        for (int i = 0; same && i < count; i++) births[i] = number - 21;
        csk_adam_corrections corrections = adam_corrections(lengths[length]);
        if (lengths[length] == 0) corrections.pairs = NULL;
        CSK_CHECK(CSK_ON(isa, csk_adam_age_step(&rule, &corrections, number, births, x[0], x[1],
                                                x[2], x[3], count)) == csk_status_ok);
        CSK_CHECK(memcmp(first, buffers, sizeof first) == 0, "%s, tables of %d", csk_isa_name(isa),
                  lengths[length]);
      }
      if (!same) continue;
      csk_adam own = rule;
      own.step_size = rule.learning_rate * pairs[2 * 21];
      own.inverse_sqrt_correction2 = pairs[2 * 21 + 1];
      float *x[4];
      for (int a = 0; a < 4; a++) x[a] = fill(others + a, count, a == 3, 10 + (uint64_t)a);
      CSK_ON(isa, csk_adam_step(&own, x[0], x[1], x[2], x[3], count));
      CSK_CHECK(memcmp(first, others, sizeof first) == 0, "%s, one age", csk_isa_name(isa));
    }
  }
}

// MARK: - Both

// Where a caller cuts the arrays does not show in the bits.
static void test_cut(void) {
  enum { count = 37 };
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported(isa)) continue;
    for (int64_t cut = 0; cut <= count; cut++) {
      static buffer whole[4], parts[4];
      float *x[4], *y[4];
      for (int a = 0; a < 4; a++) {
        x[a] = fill(whole + a, count, a == 3, 10 + (uint64_t)a);
        y[a] = fill(parts + a, count, a == 3, 10 + (uint64_t)a);
      }
      const csk_adam adam = adam_rule(3, 0.1f, 0.2f, 0.9f);
      CSK_ON(isa, csk_adam_step(&adam, x[0], x[1], x[2], x[3], count));
      CSK_ON(isa, csk_adam_step(&adam, y[0], y[1], y[2], y[3], cut));
      CSK_ON(isa,
             csk_adam_step(&adam, y[0] + cut, y[1] + cut, y[2] + cut, y[3] + cut, count - cut));
      CSK_CHECK(memcmp(whole, parts, sizeof whole) == 0, "adam, %s, cut at %lld", csk_isa_name(isa),
                (long long)cut);
      int32_t births[count];
      fill_births(births, count, 300, 6);
      const csk_adam_corrections corrections = adam_corrections(listed);
      CSK_ON(isa,
             csk_adam_age_step(&adam, &corrections, 300, births, x[0], x[1], x[2], x[3], count));
      CSK_ON(isa, csk_adam_age_step(&adam, &corrections, 300, births, y[0], y[1], y[2], y[3], cut));
      CSK_ON(isa, csk_adam_age_step(&adam, &corrections, 300, births + cut, y[0] + cut, y[1] + cut,
                                    y[2] + cut, y[3] + cut, count - cut));
      CSK_CHECK(memcmp(whole, parts, sizeof whole) == 0, "adam by age, %s, cut at %lld",
                csk_isa_name(isa), (long long)cut);
    }
  }
}

static void test_arguments(void) {
  float x[1] = {0};
  const int32_t index[1] = {0};
  const csk_adam adam = {.scale = 1, .epsilon = 1};
  const csk_status bad = csk_status_invalid_argument;
  CSK_CHECK(csk_adam_step(NULL, x, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_step(&adam, NULL, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_step(&adam, x, NULL, x, x, 1) == bad);
  CSK_CHECK(csk_adam_step(&adam, x, x, NULL, x, 1) == bad);
  CSK_CHECK(csk_adam_step(&adam, x, x, x, NULL, 1) == bad);
  CSK_CHECK(csk_adam_step(&adam, x, x, x, x, -1) == bad);
  CSK_CHECK(csk_adam_step(&adam, NULL, NULL, NULL, NULL, 0) == csk_status_ok);
  csk_adam_corrections tables = {.pairs = x, .count = 1, .settled = 1};
  CSK_CHECK(csk_adam_age_step(NULL, &tables, 1, index, x, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, NULL, 1, index, x, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, NULL, x, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, NULL, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, x, NULL, x, x, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, x, x, NULL, x, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, x, x, x, NULL, 1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, x, x, x, x, -1) == bad);
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, NULL, NULL, NULL, NULL, NULL, 0) == csk_status_ok);
  tables.count = 2;  // Beyond the age at which there is nothing to correct.
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, x, x, x, x, 1) == bad);
  tables = (csk_adam_corrections){.count = 1, .settled = 1};
  CSK_CHECK(csk_adam_age_step(&adam, &tables, 1, index, x, x, x, x, 1) == bad);
  CSK_CHECK(csk_adam_fill_corrections(0.9f, 0.9f, NULL, 1) == bad);
  CSK_CHECK(csk_adam_fill_corrections(0.9f, 0.9f, x, -1) == bad);
  tables = (csk_adam_corrections){.pairs = x, .count = 1, .settled = 1};
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (csk_isa_is_supported(isa)) continue;
    const csk_status none = csk_status_unsupported_isa;
    CSK_CHECK(CSK_ON(isa, csk_adam_step(&adam, x, x, x, x, 1)) == none);
    CSK_CHECK(CSK_ON(isa, csk_adam_age_step(&adam, &tables, 1, index, x, x, x, x, 1)) == none);
  }
}

const csk_test csk_tests_adam[] = {
    {"adam: every rule, n around the vectors", test_adam},
    {"adam_age: tables are the formula's, and end at 1", test_adam_corrections},
    {"adam_age: every age, n around the vectors", test_adam_age},
    {"adam_age: same bits without tables, and for one age", test_adam_age_bits},
    {"adam: an array cut anywhere gives the same bits", test_cut},
    {"adam: invalid arguments", test_arguments},
    {0},
};
