// softmax_tests.c: softmax and cross-entropy against the formula in double.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack_cases.h"

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

enum { max_lanes = 64 };

typedef struct result {
  csk_status status;
  double loss;
  int32_t predictions[max_lanes], ranks[max_lanes];
} result;

static result run(int isa, const float *logits, int32_t classes, int32_t lanes, int32_t live,
                  const int32_t *labels, float smoothing, float scale, float *gradient) {
  result r = {.loss = 0};
  r.status = CSK_ON((csk_isa)isa,
                    csk_softmax_cross_entropy(logits, classes, lanes, live, labels, smoothing,
                                              scale, gradient, &r.loss, r.predictions, r.ranks));
  return r;
}

static void check_lane_gradient(const char *name, const float *z, int32_t classes, int32_t lanes,
                                int32_t label, double smoothing, double scale,
                                const float *gradient, double *loss, double *bound) {
  double largest = -INFINITY, sum = 0, spread = 0, total = 0;
  for (int32_t c = 0; c < classes; c++) largest = fmax(largest, (double)z[c * lanes]);
  for (int32_t c = 0; c < classes; c++) {
    const double d = (double)z[c * lanes] - largest;
    sum += exp(d);
    spread += exp(d) * -d;
    total += d;
  }
  spread /= sum;  // mean |d| under p
  // Rounding d moves exp(d) by |d| eps / 2; exp itself is good to 2 eps; the sum is in double.
  const double eps = (double)FLT_EPSILON, sum_error = spread / 2 + 2;
  for (int32_t c = 0; c < classes; c++) {
    const double d = (double)z[c * lanes] - largest, p = exp(d) / sum;
    const double t = (c == label ? 1 - smoothing : 0) + smoothing / classes;
    const double error = p * (-d / 2 + 2 + sum_error + 1) + 2 * (p + t);
    const double actual = (double)gradient[c * lanes];
    CSK_CHECK(fabs(actual - (p - t) * scale) <= (error * eps + (double)FLT_MIN) * fabs(scale),
              "%s classes %d, class %d, label %d: %g not %g", name, classes, c, label, actual,
              (p - t) * scale);
  }
  *loss += log(sum) - (1 - smoothing) * ((double)z[label * lanes] - largest) -
           smoothing / classes * total;
  *bound += eps * (sum_error + smoothing / classes * -total) + 1e-12;
}

static void double_case(int32_t classes, int32_t lanes, int32_t live, float smoothing,
                        float spread) {
  const int64_t count = (int64_t)classes * lanes;
  float *logits = malloc((size_t)count * sizeof *logits);
  float *gradient = malloc((size_t)(count + 8) * sizeof *gradient);
  int32_t labels[max_lanes];
  uint64_t seed = (uint64_t)(classes + lanes + live);
  for (int64_t i = 0; i < count; i++) logits[i] = spread * csk_test_uniform(&seed);
  for (int32_t i = 0; i < live; i++)
    labels[i] = (int32_t)(csk_test_random(&seed) % (uint64_t)classes);
  FOR_EACH_ISA(isa) {
    const char *name = csk_isa_name((csk_isa)isa);
    const float scale = 0.25f;
    csk_canary_fill(gradient, count + 8);
    const result r = run(isa, logits, classes, lanes, live, labels, smoothing, scale, gradient);
    CSK_CHECK(r.status == csk_status_ok, "status %d", (int)r.status);
    CSK_CHECK(csk_canary_intact(gradient + count, 8), "wrote past the gradient");
    double loss = 0, bound = 0;
    for (int32_t lane = 0; lane < live; lane++) {
      check_lane_gradient(name, logits + lane, classes, lanes, labels[lane], (double)smoothing,
                          (double)scale, gradient + lane, &loss, &bound);
      int32_t best = 0, rank = 0;
      const float own = logits[labels[lane] * lanes + lane];
      for (int32_t c = 0; c < classes; c++) {
        const float z = logits[c * lanes + lane];
        if (z > logits[best * lanes + lane]) best = c;
        rank += z > own || (z == own && c < labels[lane]);
      }
      CSK_CHECK(r.predictions[lane] == best, "%s prediction of lane %d", name, lane);
      CSK_CHECK(r.ranks[lane] == rank, "%s rank of lane %d", name, lane);
    }
    for (int32_t c = 0; c < classes; c++)
      for (int32_t lane = live; lane < lanes; lane++)
        CSK_CHECK(gradient[c * lanes + lane] == 0, "%s dead lane %d", name, lane);
    CSK_CHECK(fabs(r.loss - loss) <= bound, "%s classes %d lanes %d live %d: loss %.9g not %.9g",
              name, classes, lanes, live, r.loss, loss);
    const result evaluated = run(isa, logits, classes, lanes, live, labels, smoothing, scale, NULL);
    CSK_CHECK(evaluated.loss == r.loss, "%s: the loss depends on the gradient's pointer", name);
  }
  free(gradient);
  free(logits);
}

static void softmax_matches_double(void) {
  static const int32_t class_cases[] = {1, 2, 3, 10, 129, 1000, 5000};
  static const int32_t lane_cases[] = {8, 16, 24, 32, 40, 64};
  static const float smoothings[] = {0, 0.1f, 1};
  static const float spreads[] = {1, 30};
  for (int c = 0; c < COUNT(class_cases); c++) {
    for (int l = 0; l < COUNT(lane_cases); l++) {
      const int32_t lanes = lane_cases[l], classes = class_cases[c];
      if (classes > 1000 && lanes > 16) continue;
      const int32_t live_cases[] = {0, 1, 7, 8, 9, lanes - 1, lanes};
      for (int i = 0; i < COUNT(live_cases); i++)
        if (live_cases[i] <= lanes && (classes < 1000 || i > 3))
          double_case(classes, lanes, live_cases[i], smoothings[(i + l) % 3], spreads[(i + c) % 2]);
    }
  }
}

static void softmax_exponential_over_its_range(void) {
  // Of two logits 0 and d <= 0 the second's probability is e / (1 + e), e = exp(d).
  static const int32_t labels[16] = {0};
  const float lowest = -87.3365447f;  // where normal numbers end
  FOR_EACH_ISA(isa) {
    double worst = 0;
    for (int64_t step = 0; step < 120000; step += 16) {
      float logits[32] = {0}, gradient[32];
      for (int i = 0; i < 16; i++) logits[16 + i] = -0.001f * (float)(step + i);
      run(isa, logits, 2, 16, 16, labels, 0, 1, gradient);
      for (int i = 0; i < 16; i++) {
        const double d = (double)logits[16 + i], e = exp(d), p = e / (1 + e);
        const double error = fabs((double)gradient[16 + i] - p);
        if (d > (double)lowest) worst = fmax(worst, error / p);
        CSK_CHECK(error <= 3.5 * (double)FLT_EPSILON * p + (double)FLT_MIN,
                  "%s: exp(%g): %g not %g", csk_isa_name((csk_isa)isa), d, (double)gradient[16 + i],
                  p);
      }
    }
    CSK_CHECK(worst < 3.5 * (double)FLT_EPSILON, "%s: worst relative error %g",
              csk_isa_name((csk_isa)isa), worst);
    static const float far[] = {-1e3f, -1e10f, -FLT_MAX, 0, -0.0f, -FLT_TRUE_MIN};
    for (int i = 0; i < COUNT(far); i++) {
      float logits[16] = {0}, gradient[16];
      logits[8] = far[i];
      run(isa, logits, 2, 8, 1, labels, 0, 1, gradient);
      CSK_CHECK(gradient[8] == (far[i] < -1 ? 0 : 0.5f), "exp(%g): %g", (double)far[i],
                (double)gradient[8]);
    }
  }
}

static void softmax_far_from_zero(void) {
  // Subtracting the largest logit first: neither overflow nor loss of the label's probability.
  FOR_EACH_ISA(isa) {
    const int32_t label[1] = {1};
    float gradient[16], logits[16] = {0};
    logits[0] = 1e30f;
    logits[8] = 1e30f;
    result r = run(isa, logits, 2, 8, 1, label, 0, 1, gradient);
    CSK_CHECK(fabs(r.loss - log(2)) < 1e-7, "%g", r.loss);
    CSK_CHECK(gradient[0] == 0.5f && gradient[8] == -0.5f, "%g", (double)gradient[0]);
    logits[8] = -1e30f;
    r = run(isa, logits, 2, 8, 1, label, 0, 1, gradient);
    CSK_CHECK(r.loss == (double)1e30f - (double)-1e30f, "%g", r.loss);
    CSK_CHECK(gradient[0] == 1 && gradient[8] == -1, "%g", (double)gradient[8]);
  }
}

static void softmax_not_finite(void) {
  enum { classes = 3, lanes = 24 };
  static const float values[] = {NAN, -NAN, INFINITY, -INFINITY};
  FOR_EACH_ISA(isa) {
    for (int v = 0; v < COUNT(values); v++)
      for (int32_t at = 0; at < classes; at++)
        for (int32_t lane = 0; lane < lanes; lane += 5)
          for (int s = 0; s < 2; s++) {
            float logits[classes * lanes], gradient[classes * lanes], clean[classes * lanes];
            int32_t labels[lanes];
            uint64_t seed = 5;
            for (int i = 0; i < classes * lanes; i++) logits[i] = csk_test_uniform(&seed);
            for (int i = 0; i < lanes; i++) labels[i] = i % classes;
            run(isa, logits, classes, lanes, lanes, labels, s ? 0.1f : 0, 1, clean);
            logits[at * lanes + lane] = values[v];
            const result r =
                run(isa, logits, classes, lanes, lanes, labels, s ? 0.1f : 0, 1, gradient);
            CSK_CHECK(r.status == csk_status_ok && !isfinite(r.loss),
                      "%s: %g in class %d gives loss %g", csk_isa_name((csk_isa)isa),
                      (double)values[v], at, r.loss);
            for (int i = 0; i < lanes; i++) {
              CSK_CHECK(r.predictions[i] >= 0 && r.predictions[i] < classes, "%d",
                        r.predictions[i]);
              CSK_CHECK((r.ranks[i] == 0) == (r.predictions[i] == labels[i]), "rank, prediction");
              for (int32_t c = 0; c < classes && i != lane; c++)
                CSK_CHECK(gradient[c * lanes + i] == clean[c * lanes + i], "another lane changed");
            }
          }
    float all[16];
    for (int i = 0; i < 16; i++) all[i] = i < 8 ? NAN : -INFINITY;
    const int32_t labels[8] = {1, 0, 1, 0, 1, 0, 1, 0};
    const result r = run(isa, all, 2, 8, 8, labels, 0, 1, NULL);
    CSK_CHECK(!isfinite(r.loss) && r.predictions[0] == 0 && r.ranks[0] == 1 && r.ranks[1] == 0,
              "nothing but NaN and -infinity");
  }
}

static void softmax_ties_and_ranks(void) {
  enum { classes = 6, lanes = 8 };
  // Logits by class, the same in every lane; the label is the lane.
  static const float z[classes] = {1, 3, 2, 3, 0, 3};
  static const int32_t expected[classes] = {4, 0, 3, 1, 5, 2};
  float logits[classes * lanes];
  for (int i = 0; i < classes * lanes; i++) logits[i] = z[i / lanes];
  static const int32_t labels[classes] = {0, 1, 2, 3, 4, 5};
  FOR_EACH_ISA(isa) {
    const result r = run(isa, logits, classes, lanes, classes, labels, 0, 1, NULL);
    for (int i = 0; i < classes; i++) {
      CSK_CHECK(r.ranks[i] == expected[i], "label %d: rank %d", i, r.ranks[i]);
      CSK_CHECK(r.predictions[i] == 1, "prediction %d", r.predictions[i]);
    }
  }
}

static void softmax_dead_lanes_and_accumulation(void) {
  enum { classes = 4, lanes = 32, live = 13 };
  float logits[classes * lanes], gradient[classes * lanes], expected[classes * lanes];
  int32_t labels[live];
  uint64_t seed = 9;
  for (int i = 0; i < classes * lanes; i++) logits[i] = csk_test_uniform(&seed);
  for (int i = 0; i < live; i++) labels[i] = i % classes;
  FOR_EACH_ISA(isa) {
    int32_t predictions[lanes], ranks[lanes];
    for (int i = 0; i < lanes; i++) predictions[i] = ranks[i] = -7;
    const result first = run(isa, logits, classes, lanes, live, labels, 0.1f, 1, expected);
    float changed[classes * lanes];
    for (int i = 0; i < classes * lanes; i++) changed[i] = i % lanes < live ? logits[i] : 1e3f;
    double loss = 100;
    CSK_ON((csk_isa)isa, csk_softmax_cross_entropy(changed, classes, lanes, live, labels, 0.1f, 1,
                                                   gradient, &loss, predictions, ranks));
    CSK_CHECK(memcmp(gradient, expected, sizeof gradient) == 0, "dead lanes reached the gradient");
    CSK_CHECK(fabs(loss - (100 + first.loss)) < 1e-11, "loss %g is not added to", loss);
    for (int i = live; i < lanes; i++)
      CSK_CHECK(predictions[i] == -7 && ranks[i] == -7, "wrote past the live lanes");
  }
}

static void softmax_rejects_invalid_arguments(void) {
  float z[32] = {0}, g[32];
  double loss = 0;
  int32_t p[8];
  const int32_t labels[8] = {0, 1, 2, 3}, high[8] = {0, 4}, low[8] = {-1};
  INVALID(csk_softmax_cross_entropy(NULL, 4, 8, 4, labels, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 0, 8, 0, labels, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 0, 0, labels, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 12, 4, labels, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 9, labels, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, -1, labels, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 4, NULL, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 4, labels, 0, 1, z, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 4, labels, 0, 1, g, NULL, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 4, labels, 0, 1, g, &loss, NULL, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 2, high, 0, 1, g, &loss, p, NULL));
  INVALID(csk_softmax_cross_entropy(z, 4, 8, 1, low, 0, 1, g, &loss, p, NULL));
  static const float smoothings[] = {-0.1f, 1.1f, NAN};
  for (int i = 0; i < COUNT(smoothings); i++)
    INVALID(csk_softmax_cross_entropy(z, 4, 8, 4, labels, smoothings[i], 1, g, &loss, p, NULL));
  const csk_isa missing = csk_isa_is_supported(csk_isa_neon) ? csk_isa_avx2 : csk_isa_neon;
  CSK_CHECK(run(missing, z, 4, 8, 4, labels, 0, 1, g).status == csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(loss == 0, "an invalid call changed the loss");
}

const csk_test csk_tests_softmax[] = {
    {"softmax_matches_double", softmax_matches_double},
    {"softmax_exponential_over_its_range", softmax_exponential_over_its_range},
    {"softmax_far_from_zero", softmax_far_from_zero},
    {"softmax_not_finite", softmax_not_finite},
    {"softmax_ties_and_ranks", softmax_ties_and_ranks},
    {"softmax_dead_lanes_and_accumulation", softmax_dead_lanes_and_accumulation},
    {"softmax_rejects_invalid_arguments", softmax_rejects_invalid_arguments},
    {NULL, NULL},
};
