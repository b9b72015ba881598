// pack_tests.c: Philox, samples and bytes into groups, groups into panels.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack_cases.h"

enum { margin = 16 };  // canaries on either side of an output

static const int32_t lane_cases[] = {8, 16, 24, 32, 64};
static const int32_t channel_cases[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 70};

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static void philox_known_answers(void) {
  // The published vectors of Random123.
  static const uint32_t cases[][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
       0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
       0x94fdcceb, 0x5001e420, 0x24126ea1},
  };
  for (int i = 0; i < COUNT(cases); i++) {
    uint32_t out[4];
    csk_philox4x32(cases[i], cases[i] + 4, out);
    CSK_CHECK(memcmp(out, cases[i] + 6, sizeof out) == 0, "vector %d: %08x %08x %08x %08x", i,
              out[0], out[1], out[2], out[3]);
  }
}

/// Output memory with margins; returns its start. Freed through free_output.
static float *make_output(int64_t count) {
  float *memory = malloc((size_t)(count + 2 * margin) * sizeof *memory);
  csk_canary_fill(memory, count + 2 * margin);
  return memory + margin;
}

static void free_output(float *output, int64_t count, const char *what) {
  CSK_CHECK(csk_canary_intact(output - margin, margin) && csk_canary_intact(output + count, margin),
            "%s wrote outside its output", what);
  free(output - margin);
}

static void pack_samples_case(int32_t lanes, int32_t live, int32_t begin, int32_t end) {
  const ptrdiff_t stride = end + 3;
  uint64_t seed = 1;
  // Not a float more than the operation may read, so that the address sanitizer sees an overrun.
  const size_t count = live > 0 ? (size_t)((live - 1) * stride + end) : 0;
  float *samples = malloc(count * sizeof *samples + 1);
  for (size_t i = 0; i < count; i++) samples[i] = csk_test_uniform(&seed);
  FOR_EACH_ISA(isa) {
    float *target = make_output((int64_t)end * lanes);
    const csk_status status =
        CSK_ON((csk_isa)isa, csk_pack_samples(samples, stride, live, begin, end, lanes, target));
    CSK_CHECK(status == csk_status_ok, "status %d", (int)status);
    CSK_CHECK(csk_canary_intact(target, (int64_t)begin * lanes), "wrote before channel_begin");
    for (int32_t c = begin; c < end; c++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        const float expected = lane < live ? samples[lane * stride + c] : 0;
        CSK_CHECK(target[c * lanes + lane] == expected,
                  "%s lanes %d live %d channels %d..%d: (%d, %d) is %g, expected %g",
                  csk_isa_name((csk_isa)isa), lanes, live, begin, end, c, lane,
                  (double)target[c * lanes + lane], (double)expected);
      }
    }
    free_output(target, (int64_t)end * lanes, "pack_samples");
  }
  free(samples);
}

static void pack_bytes_case(int32_t lanes, int32_t live, int32_t begin, int32_t end) {
  enum { images = 9 };
  const ptrdiff_t stride = end + 5;
  uint64_t seed = 2;
  const size_t count = (size_t)((images - 1) * stride + end);
  uint8_t *bytes = malloc(count + 1);
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)csk_test_random(&seed);
  int64_t *rows = malloc((size_t)live * sizeof *rows + 1);
  for (int32_t i = 0; i < live; i++) rows[i] = (int64_t)(csk_test_random(&seed) % images);
  if (live > 0) rows[live - 1] = images - 1;  // the row that ends where the memory does
  const float scale = 1 / 255.0f / 0.3f, shift = -0.4242129f;  // products that must round
  FOR_EACH_ISA(isa) {
    float *target = make_output((int64_t)end * lanes);
    const csk_status status =
        CSK_ON((csk_isa)isa,
               csk_pack_bytes(bytes, stride, rows, live, scale, shift, begin, end, lanes, target));
    CSK_CHECK(status == csk_status_ok, "status %d", (int)status);
    CSK_CHECK(csk_canary_intact(target, (int64_t)begin * lanes), "wrote before channel_begin");
    for (int32_t c = begin; c < end; c++) {
      for (int32_t lane = 0; lane < lanes; lane++) {
        const double byte = lane < live ? bytes[rows[lane] * stride + c] : 0;
        const float expected = lane < live ? fmaf(scale, (float)byte, shift) : 0;
        const double exact = lane < live ? (double)scale * byte + (double)shift : 0;
        const float actual = target[c * lanes + lane];
        CSK_CHECK(actual == expected &&
                      fabs((double)actual - exact) <= (double)FLT_EPSILON / 2 * fabs(exact),
                  "%s lanes %d live %d channels %d..%d: (%d, %d) is %a, expected %a",
                  csk_isa_name((csk_isa)isa), lanes, live, begin, end, c, lane, (double)actual,
                  (double)expected);
      }
    }
    free_output(target, (int64_t)end * lanes, "pack_bytes");
  }
  free(rows);
  free(bytes);
}

static void over_shapes(void (*run)(int32_t lanes, int32_t live, int32_t begin, int32_t end)) {
  for (int l = 0; l < COUNT(lane_cases); l++) {
    const int32_t lanes = lane_cases[l];
    const int32_t live_cases[] = {0, 1, 7, 8, 9, lanes / 2 + 3, lanes - 1, lanes};
    for (int i = 0; i < COUNT(live_cases); i++) {
      if (live_cases[i] > lanes) continue;
      for (int c = 0; c < COUNT(channel_cases); c++) {
        run(lanes, live_cases[i], 0, channel_cases[c]);
        run(lanes, live_cases[i], 5, 5 + channel_cases[c]);
      }
    }
  }
}

static void pack_samples_matches_reference(void) {
  over_shapes(pack_samples_case);
}

static void pack_bytes_matches_reference(void) {
  over_shapes(pack_bytes_case);
}

static void groups_to_panel_and_back(void) {
  for (int l = 0; l < COUNT(lane_cases); l++) {
    const int32_t lanes = lane_cases[l];
    for (int32_t groups = 0; groups <= 5; groups++) {
      for (int c = 0; c < COUNT(channel_cases); c++) {
        const int32_t begin = 2, end = begin + channel_cases[c];
        const ptrdiff_t group_stride = (ptrdiff_t)end * lanes + 7;
        const ptrdiff_t panel_stride = groups * lanes + 3;
        const int64_t grouped = groups * group_stride, flat = end * panel_stride;
        float *source = make_output(grouped), *panel = make_output(flat);
        float *target = make_output(grouped);
        uint64_t seed = 3;
        for (int64_t i = 0; i < grouped; i++) source[i] = csk_test_uniform(&seed);
        CSK_CHECK(csk_gather_groups(source, group_stride, groups, lanes, begin, end, panel,
                                    panel_stride) == csk_status_ok,
                  "gather");
        CSK_CHECK(csk_scatter_groups(panel, panel_stride, groups, lanes, begin, end, target,
                                     group_stride) == csk_status_ok,
                  "scatter");
        CSK_CHECK(csk_canary_intact(panel, begin * panel_stride), "wrote before channel_begin");
        for (int32_t k = begin; k < end; k++)
          CSK_CHECK(csk_canary_intact(panel + k * panel_stride + groups * lanes, 3),
                    "wrote into the panel's padding");
        for (int32_t g = 0; g < groups; g++) {
          const float *from = source + g * group_stride, *to = target + g * group_stride;
          CSK_CHECK(csk_canary_intact(to, (int64_t)begin * lanes), "wrote before channel_begin");
          CSK_CHECK(csk_canary_intact(to + (ptrdiff_t)end * lanes, 7), "wrote between groups");
          for (int32_t k = begin; k < end; k++) {
            const size_t bytes = (size_t)lanes * sizeof *from;
            CSK_CHECK(memcmp(panel + k * panel_stride + g * lanes, from + k * lanes, bytes) == 0,
                      "gathered: lanes %d, group %d, channel %d", lanes, g, k);
            CSK_CHECK(memcmp(to + k * lanes, from + k * lanes, bytes) == 0,
                      "scattered: lanes %d, group %d, channel %d", lanes, g, k);
          }
        }
        free_output(source, grouped, "gather");
        free_output(panel, flat, "gather");
        free_output(target, grouped, "scatter");
      }
    }
  }
}

static void pack_rejects_invalid_arguments(void) {
  float f[64] = {0}, t[64];
  uint8_t b[64] = {0};
  const int64_t rows[8] = {0}, negative[8] = {0, -1};
  INVALID(csk_pack_samples(NULL, 4, 1, 0, 4, 8, t));
  INVALID(csk_pack_samples(f, 4, 1, 0, 4, 8, NULL));
  INVALID(csk_pack_samples(f, 3, 2, 0, 4, 8, t));
  INVALID(csk_pack_samples(f, 4, 9, 0, 4, 8, t));
  INVALID(csk_pack_samples(f, 4, -1, 0, 4, 8, t));
  INVALID(csk_pack_samples(f, 4, 1, -1, 4, 8, t));
  INVALID(csk_pack_samples(f, 4, 1, 4, 3, 8, t));
  INVALID(csk_pack_samples(f, 4, 1, 0, 4, 0, t));
  INVALID(csk_pack_samples(f, 4, 1, 0, 4, 12, t));
  INVALID(csk_pack_bytes(NULL, 4, rows, 1, 1, 0, 0, 4, 8, t));
  INVALID(csk_pack_bytes(b, 4, NULL, 1, 1, 0, 0, 4, 8, t));
  INVALID(csk_pack_bytes(b, 4, negative, 2, 1, 0, 0, 4, 8, t));
  INVALID(csk_pack_bytes(b, 4, rows, 1, 1, 0, 0, 4, 8, NULL));
  INVALID(csk_pack_bytes(b, 3, rows, 1, 1, 0, 0, 4, 8, t));
  INVALID(csk_pack_bytes(b, 4, rows, 1, 1, 0, 0, 4, 4, t));
  INVALID(csk_gather_groups(NULL, 32, 1, 8, 0, 4, t, 8));
  INVALID(csk_gather_groups(f, 31, 2, 8, 0, 4, t, 16));
  INVALID(csk_gather_groups(f, 32, 2, 8, 0, 4, t, 15));
  INVALID(csk_gather_groups(f, 32, -1, 8, 0, 4, t, 16));
  INVALID(csk_scatter_groups(NULL, 8, 1, 8, 0, 4, t, 32));
  INVALID(csk_scatter_groups(f, 8, 1, 7, 0, 4, t, 32));
  INVALID(csk_scatter_groups(f, 7, 1, 8, 0, 4, t, 32));
  CSK_CHECK(csk_pack_samples(NULL, 0, 0, 0, 0, 8, NULL) == csk_status_ok, "nothing to do");
  CSK_CHECK(csk_pack_samples(NULL, 0, 0, 0, 2, 8, t) == csk_status_ok, "dead lanes only");
  CSK_CHECK(csk_pack_bytes(NULL, 0, NULL, 0, 1, 0, 0, 0, 8, NULL) == csk_status_ok, "nothing");
  const csk_isa missing = csk_isa_is_supported(csk_isa_neon) ? csk_isa_avx2 : csk_isa_neon;
  CSK_CHECK(CSK_ON(missing, csk_pack_samples(f, 4, 1, 0, 4, 8, t)) == csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
  CSK_CHECK(CSK_ON(missing, csk_pack_bytes(b, 4, rows, 1, 1, 0, 0, 4, 8, t)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

const csk_test csk_tests_pack[] = {
    {"pack_philox_known_answers", philox_known_answers},
    {"pack_samples_matches_reference", pack_samples_matches_reference},
    {"pack_bytes_matches_reference", pack_bytes_matches_reference},
    {"pack_groups_to_panel_and_back", groups_to_panel_and_back},
    {"pack_rejects_invalid_arguments", pack_rejects_invalid_arguments},
    {NULL, NULL},
};
