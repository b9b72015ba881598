// epilogue_tests.c: bias, ReLU and dropout after a product, and their gradients. Everything here is
// exact: all instruction sets have the same bits, the bias gradients' sums included.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack_cases.h"

static const int32_t lane_cases[] = {8, 16, 24, 32, 40, 64};
static const int32_t channel_cases[] = {0, 1, 2, 3, 7, 8, 9, 21};
static const csk_epilogue epilogues[] = {
    {{csk_activation_identity, 0}, 1, {0, 0}, 0, NULL},
    {{csk_activation_relu, 0}, 1, {1, 2}, 3, NULL},
    {{csk_activation_identity, 0}, 0.75f, {0x12345678, 0x9abcdef0}, 0x123456789abcdef0u, NULL},
    {{csk_activation_relu, 0}, 0.5f, {7, 8}, 9, NULL},
    {{csk_activation_identity, 0}, 0x1p-20f, {3, 4}, UINT64_MAX, NULL},
    {{csk_activation_relu, 0}, 0x1.fffffep-1f, {5, 6}, 1, NULL},  // the largest keep below 1
};

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

/// The definition in csk_pack.h, one sample at a time.
static bool is_kept(int32_t c, int64_t sample, const csk_epilogue *e) {
  const uint32_t counter[4] = {(uint32_t)c, (uint32_t)(sample / 4), (uint32_t)e->dropout_stream,
                               (uint32_t)(e->dropout_stream >> 32)};
  uint32_t words[4];
  csk_philox4x32(counter, e->dropout_key, words);
  return e->keep == 1 || (double)words[sample % 4] < (double)e->keep * 0x1p32;
}

static bool same_bits(float a, float b) {
  return memcmp(&a, &b, sizeof a) == 0;
}

static float *random_floats(int64_t count, uint64_t seed) {
  float *values = malloc((size_t)count * sizeof *values + 1);
  for (int64_t i = 0; i < count; i++) values[i] = csk_test_uniform(&seed);
  return values;
}

static void forward_case(int32_t lanes, int32_t begin, int32_t end, int64_t group, bool with_bias,
                         const csk_epilogue *e) {
  const int64_t count = (int64_t)end * lanes;
  float *input = random_floats(count, 1), *bias = random_floats(end, 2);
  if (count > 0) input[count - 1] = -0.0f;
  float *y = malloc((size_t)(count + 8) * sizeof *y);
  FOR_EACH_ISA(isa) {
    csk_canary_fill(y, count + 8);
    memcpy(y, input, (size_t)count * sizeof *y);
    CSK_CHECK(CSK_ON((csk_isa)isa, csk_epilogue_forward(y, begin, end, lanes, group * lanes,
                                                        with_bias ? bias : NULL, e, NULL)) ==
                  csk_status_ok,
              "status");
    CSK_CHECK(csk_canary_intact(y + count, 8), "wrote past the end");
    CSK_CHECK(memcmp(y, input, (size_t)begin * (size_t)lanes * sizeof *y) == 0, "wrote before");
    for (int32_t c = begin; c < end; c++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        float v = input[c * lanes + lane];
        if (with_bias) v += bias[c];
        if ((e->activation.kind == csk_activation_relu) && v < 0) v = 0;
        if (e->keep < 1) v = is_kept(c, group * lanes + lane, e) ? v / e->keep : 0;
        CSK_CHECK(same_bits(y[c * lanes + lane], v), "%s lanes %d keep %g (%d, %d): %a not %a",
                  csk_isa_name((csk_isa)isa), lanes, (double)e->keep, c, lane,
                  (double)y[c * lanes + lane], (double)v);
      }
    }
  }
  free(y);
  free(bias);
  free(input);
}

static void epilogue_forward_matches_reference(void) {
  for (int l = 0; l < COUNT(lane_cases); l++)
    for (int c = 0; c < COUNT(channel_cases); c++)
      for (int e = 0; e < COUNT(epilogues); e++)
        for (int bias = 0; bias < 2; bias++) {
          forward_case(lane_cases[l], 0, channel_cases[c], 0, bias, &epilogues[e]);
          forward_case(lane_cases[l], 3, 3 + channel_cases[c], 1000003, bias, &epilogues[e]);
          // The last group whose counters fit.
          forward_case(lane_cases[l], 1, 1 + channel_cases[c],
                       ((int64_t)1 << 34) / lane_cases[l] - 1, bias, &epilogues[e]);
        }
}

static void epilogue_forward_passes_nan(void) {
  const csk_epilogue e = {.activation = RELU(true), .keep = 1};
  FOR_EACH_ISA(isa) {
    float y[16] = {NAN, -INFINITY, INFINITY, 1, -1, 0, FLT_MIN, -FLT_MIN, NAN};
    const float bias[2] = {0, 0};
    CSK_ON((csk_isa)isa, csk_epilogue_forward(y, 0, 2, 8, 0, bias, &e, NULL));
    const float expected[8] = {0, 0, INFINITY, 1, 0, 0, FLT_MIN, 0};
    CSK_CHECK(isnan(y[0]) && isnan(y[8]), "%s: a NaN must stay", csk_isa_name((csk_isa)isa));
    for (int i = 1; i < 8; i++) CSK_CHECK(y[i] == expected[i], "%d is %g", i, (double)y[i]);
  }
}

static void epilogue_forward_without_dropout_or_bias(void) {
  const csk_epilogue nothing = {.keep = 1};
  FOR_EACH_ISA(isa) {
    float y[8] = {-0.0f, NAN, -1, 2, 3, 4, 5, 6}, before[8];
    memcpy(before, y, sizeof y);
    CSK_ON((csk_isa)isa, csk_epilogue_forward(y, 0, 1, 8, 0, NULL, &nothing, NULL));
    CSK_CHECK(memcmp(before, y, sizeof y) == 0, "changed");
    CSK_ON((csk_isa)isa, csk_epilogue_backward(y, NULL, 0, 1, 8, 8, 0, &nothing, NULL));
    CSK_CHECK(memcmp(before, y, sizeof y) == 0, "changed");
  }
}

void epilogue_dropout_mask_is_the_same_for_any_lanes(void) {
  enum { samples = 192, channels = 5 };  // a multiple of 8, 24, 32 and 64
  const csk_epilogue e = {.keep = 0.6f, .dropout_key = {11, 12}, .dropout_stream = 13};
  static const int32_t cases[] = {8, 24, 32, 64};
  FOR_EACH_ISA(isa) {
    for (int l = 0; l < COUNT(cases); l++) {
      const int32_t lanes = cases[l];
      for (int32_t group = 0; group < samples / lanes; group++) {
        float y[channels * 64];
        for (int32_t i = 0; i < channels * lanes; i++) y[i] = 1;
        CSK_ON((csk_isa)isa, csk_epilogue_forward(y, 0, 2, lanes, group * lanes, NULL, &e, NULL));
        CSK_ON((csk_isa)isa,
               csk_epilogue_forward(y, 2, channels, lanes, group * lanes, NULL, &e, NULL));
        for (int32_t c = 0; c < channels; c++)
          for (int32_t lane = 0; lane < lanes; lane++)
            CSK_CHECK((y[c * lanes + lane] != 0) == is_kept(c, group * lanes + lane, &e),
                      "lanes %d, channel %d, sample %d", lanes, c, group * lanes + lane);
      }
    }
  }
}

/// Samples 3 and 9 of a batch are left out: the others are dropped, forward and back, as if they
/// were not.
static void epilogue_dropout_follows_places(void) {
  enum { lanes = 16, channels = 3 };
  csk_epilogue e = {.keep = 0.6f, .dropout_key = {11, 12}, .dropout_stream = 13};
  int32_t places[2 * lanes];
  for (int32_t s = 0; s < 2 * lanes; s++) places[s] = s + (s >= 3) + (s >= 8);
  FOR_EACH_ISA(isa) {
    for (int32_t group = 0; group < 2; group++) {
      float y[channels * lanes], back[channels * lanes];
      for (int32_t i = 0; i < channels * lanes; i++) y[i] = back[i] = 1;
      e.places = places;
      const int64_t first = group * lanes;
      CSK_CHECK(CSK_ON((csk_isa)isa, csk_epilogue_forward(y, 0, channels, lanes, first, NULL, &e,
                                                          NULL)) == csk_status_ok,
                "status");
      CSK_CHECK(CSK_ON((csk_isa)isa, csk_epilogue_backward(back, NULL, 0, channels, lanes, lanes,
                                                           first, &e, NULL)) == csk_status_ok,
                "status");
      for (int32_t c = 0; c < channels; c++)
        for (int32_t lane = 0; lane < lanes; lane++) {
          const bool kept = is_kept(c, places[first + lane], &e);
          CSK_CHECK((y[c * lanes + lane] != 0) == kept, "channel %d, lane %d", c, lane);
          CSK_CHECK((back[c * lanes + lane] != 0) == kept, "channel %d, lane %d back", c, lane);
        }
    }
  }
}

static void epilogue_dropout_keeps_the_right_share(void) {
  enum { channels = 500, lanes = 64 };
  static float y[channels * lanes];
  for (uint64_t stream = 0; stream < 4; stream++) {
    const csk_epilogue e = {.keep = 0.3f, .dropout_key = {1, 2}, .dropout_stream = stream};
    for (int32_t i = 0; i < channels * lanes; i++) y[i] = 1;
    csk_epilogue_forward(y, 0, channels, lanes, 0, NULL, &e, NULL);
    int32_t kept = 0;
    for (int32_t i = 0; i < channels * lanes; i++) kept += y[i] != 0;
    // Five standard deviations of a binomial.
    const double n = channels * lanes, bound = 5 * sqrt(n * 0.3 * 0.7);
    CSK_CHECK(fabs(kept - 0.3 * n) < bound, "kept %d of %g", kept, n);
  }
}

static void backward_case(int32_t lanes, int32_t live, int32_t begin, int32_t end,
                          const csk_epilogue *e) {
  const int64_t count = (int64_t)end * lanes, first_sample = (int64_t)77 * lanes;
  float *dy = random_floats(count, 4), *y = random_floats(count, 5), *db = random_floats(end, 6);
  CSK_ON(csk_isa_scalar, csk_epilogue_forward(y, 0, end, lanes, first_sample, NULL, e, NULL));
  float *gradient = malloc((size_t)(count + 8) * sizeof *gradient);
  float *bias_gradient = malloc((size_t)end * sizeof *bias_gradient + 1);
  FOR_EACH_ISA(isa) {
    csk_canary_fill(gradient, count + 8);
    memcpy(gradient, dy, (size_t)count * sizeof *gradient);
    memcpy(bias_gradient, db, (size_t)end * sizeof *db);
    CSK_CHECK(CSK_ON((csk_isa)isa,
                     csk_epilogue_backward(
                         gradient, (e->activation.kind == csk_activation_relu) ? y : NULL, begin,
                         end, lanes, live, first_sample, e, bias_gradient)) == csk_status_ok,
              "instruction set %d, lanes %d, live %d", isa, lanes, live);
    CSK_CHECK(csk_canary_intact(gradient + count, 8), "wrote past the end");
    CSK_CHECK(memcmp(gradient, dy, (size_t)begin * (size_t)lanes * sizeof *dy) == 0, "before");
    for (int32_t c = 0; c < end; c++) {
      if (c < begin) {
        CSK_CHECK(bias_gradient[c] == db[c], "wrote before channel_begin");
        continue;
      }
      float partial[8] = {0};
      for (int32_t lane = 0; lane < lanes; lane++) {
        float g = lane < live ? dy[c * lanes + lane] : 0;
        if (lane < live && e->keep < 1) g = is_kept(c, first_sample + lane, e) ? g / e->keep : 0;
        if ((e->activation.kind == csk_activation_relu) && !(y[c * lanes + lane] > 0)) g = 0;
        CSK_CHECK(same_bits(gradient[c * lanes + lane], g),
                  "%s lanes %d live %d keep %g (%d, %d): %a not %a", csk_isa_name((csk_isa)isa),
                  lanes, live, (double)e->keep, c, lane, (double)gradient[c * lanes + lane],
                  (double)g);
        partial[lane % 8] += g;
      }
      const float sum = ((partial[0] + partial[4]) + (partial[2] + partial[6])) +
                        ((partial[1] + partial[5]) + (partial[3] + partial[7]));
      CSK_CHECK(same_bits(bias_gradient[c], db[c] + sum), "%s lanes %d live %d channel %d: %a",
                csk_isa_name((csk_isa)isa), lanes, live, c, (double)bias_gradient[c]);
    }
  }
  free(bias_gradient);
  free(gradient);
  free(db);
  free(y);
  free(dy);
}

static void epilogue_backward_matches_reference(void) {
  for (int l = 0; l < COUNT(lane_cases); l++) {
    const int32_t lanes = lane_cases[l];
    const int32_t live_cases[] = {0, 1, 7, 8, lanes - 1, lanes};
    for (int i = 0; i < COUNT(live_cases); i++)
      for (int c = 0; c < COUNT(channel_cases); c++)
        for (int e = 0; e < COUNT(epilogues); e++) {
          backward_case(lanes, live_cases[i], 0, channel_cases[c], &epilogues[e]);
          backward_case(lanes, live_cases[i], 2, 2 + channel_cases[c], &epilogues[e]);
        }
  }
}

static void epilogue_backward_bias_gradient_sum(void) {
  // Against a double sum: a tree of 64 lanes is at most 8 + 3 additions deep, one more joins the
  // old value.
  enum { lanes = 64, live = 61, channels = 40 };
  const csk_epilogue e = {.keep = 1};
  FOR_EACH_ISA(isa) {
    float *gradient = random_floats(channels * lanes, 8);
    float sums[channels] = {0};
    CSK_ON((csk_isa)isa,
           csk_epilogue_backward(gradient, NULL, 0, channels, lanes, live, 0, &e, sums));
    for (int32_t c = 0; c < channels; c++) {
      double sum = 0, magnitude = 0;
      for (int32_t lane = 0; lane < live; lane++) {
        sum += (double)gradient[c * lanes + lane];
        magnitude += fabs((double)gradient[c * lanes + lane]);
      }
      CSK_CHECK(fabs((double)sums[c] - sum) <= 12 * (double)FLT_EPSILON / 2 * magnitude,
                "%s channel %d: %g not %g", csk_isa_name((csk_isa)isa), c, (double)sums[c], sum);
    }
    free(gradient);
  }
}

static void epilogue_backward_nan_and_dead_lanes(void) {
  const csk_epilogue e = {.activation = RELU(true), .keep = 1};
  FOR_EACH_ISA(isa) {
    float gradient[16] = {1, 2, 3, 4, 5, 6, NAN, INFINITY, NAN, NAN, 1, 1, 1, 1, 1, 1};
    const float y[16] = {NAN, 0, -0.0f, 1, -1, FLT_MIN, 1, 1, 1, 1, NAN, 1, 1, 1, 1, 1};
    const float expected[16] = {1, 0, 0, 4, 0, 6};
    float sum[1] = {100};
    CSK_ON((csk_isa)isa, csk_epilogue_backward(gradient, y, 0, 1, 16, 6, 0, &e, sum));
    for (int i = 0; i < 16; i++)
      CSK_CHECK(gradient[i] == expected[i], "%s lane %d: %g", csk_isa_name((csk_isa)isa), i,
                (double)gradient[i]);
    CSK_CHECK(sum[0] == 111, "%g", (double)sum[0]);
    float seen[8] = {0, NAN};
    const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    CSK_ON((csk_isa)isa, csk_epilogue_backward(seen, ones, 0, 1, 8, 8, 0, &e, NULL));
    CSK_CHECK(isnan(seen[1]), "a NaN gradient must stay");
  }
}

static void epilogue_rejects_invalid_arguments(void) {
  float y[64] = {0};
  const csk_epilogue e = {.activation = RELU(true), .keep = 1};
  csk_epilogue bad = e;
  INVALID(csk_epilogue_forward(NULL, 0, 1, 8, 0, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, 8, 0, NULL, NULL, NULL));
  INVALID(csk_epilogue_forward(y, -1, 1, 8, 0, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 1, 0, 8, 0, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, 0, 0, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, 12, 0, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, -8, 0, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, 8, -8, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, 8, 4, NULL, &e, NULL));
  INVALID(csk_epilogue_forward(y, 0, 1, 8, (int64_t)1 << 34, NULL, &e, NULL));
  static const float keeps[] = {0, -1, 1.5f, NAN};
  for (int i = 0; i < COUNT(keeps); i++) {
    bad.keep = keeps[i];
    INVALID(csk_epilogue_forward(y, 0, 1, 8, 0, NULL, &bad, NULL));
    INVALID(csk_epilogue_backward(y, y, 0, 1, 8, 8, 0, &bad, NULL));
  }
  INVALID(csk_epilogue_backward(NULL, y, 0, 1, 8, 8, 0, &e, NULL));
  INVALID(csk_epilogue_backward(y, NULL, 0, 1, 8, 8, 0, &e, NULL));
  INVALID(csk_epilogue_backward(y, y, 0, 1, 8, 9, 0, &e, NULL));
  INVALID(csk_epilogue_backward(y, y, 0, 1, 8, -1, 0, &e, NULL));
  CSK_CHECK(csk_epilogue_forward(NULL, 0, 0, 8, 0, NULL, &e, NULL) == csk_status_ok, "no channels");
  CSK_CHECK(csk_epilogue_backward(NULL, NULL, 0, 0, 8, 8, 0, &e, NULL) == csk_status_ok, "none");
  const csk_isa missing = csk_isa_is_supported(csk_isa_neon) ? csk_isa_avx2 : csk_isa_neon;
  CSK_CHECK(CSK_ON(missing, csk_epilogue_forward(y, 0, 1, 8, 0, NULL, &e, NULL)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(CSK_ON(missing, csk_epilogue_backward(y, y, 0, 1, 8, 8, 0, &e, NULL)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

const csk_test csk_tests_epilogue[] = {
    {"epilogue_forward_matches_reference", epilogue_forward_matches_reference},
    {"epilogue_forward_passes_nan", epilogue_forward_passes_nan},
    {"epilogue_forward_without_dropout_or_bias", epilogue_forward_without_dropout_or_bias},
    {"epilogue_dropout_mask_is_the_same_for_any_lanes",
     epilogue_dropout_mask_is_the_same_for_any_lanes},
    {"epilogue_dropout_follows_places", epilogue_dropout_follows_places},
    {"epilogue_dropout_keeps_the_right_share", epilogue_dropout_keeps_the_right_share},
    {"epilogue_backward_matches_reference", epilogue_backward_matches_reference},
    {"epilogue_backward_bias_gradient_sum", epilogue_backward_bias_gradient_sum},
    {"epilogue_backward_nan_and_dead_lanes", epilogue_backward_nan_and_dead_lanes},
    {"epilogue_rejects_invalid_arguments", epilogue_rejects_invalid_arguments},
    {NULL, NULL},
};
