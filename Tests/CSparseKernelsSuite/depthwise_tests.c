// depthwise_tests.c: depthwise rows against doubles, on every instruction set.
#include "planes_cases.h"

#include <stdio.h>

enum { most_taps = 25, most_columns = 29, weight_stride = 31 };

/// A row of a depthwise convolution: taps anywhere, in any order, weights apart.
typedef struct depthwise_case {
  int32_t channels, columns, taps;
  int32_t indices[most_taps], offsets[most_taps];
  int32_t low, high;  // least and largest offset
  ptrdiff_t operand_stride, result_stride, input_stride;
  int64_t operand_size;
  char name[96];
} depthwise_case;

/// Contiguous columns of a few rows; two phases; anything, not even whole columns.
enum { contiguous, phased, anywhere, kinds };

static depthwise_case make_case(int32_t channels, int32_t columns, int32_t taps, int kind) {
  depthwise_case test = {.channels = channels, .columns = columns, .taps = taps};
  const int32_t pitch = (most_columns + 3) * 8, side = taps == 25 ? 5 : 3;
  uint64_t seed = (uint64_t)(taps * kinds + kind) + 1;
  for (int32_t t = 0; t < taps; t++) {
    const int32_t row = t / side, column = t % side;
    test.indices[t] = t * 7 % weight_stride;  // 7 and the stride are coprime: all differ
    if (kind == contiguous) test.offsets[t] = (row - 1) * pitch + (column - 1) * 8;
    if (kind == phased) test.offsets[t] = row * pitch + column % 2 * pitch / 2 + column / 2 * 8;
    if (kind == anywhere) test.offsets[t] = (int32_t)(csk_test_random(&seed) % 700) - 350;
    if (t == 0 || test.offsets[t] < test.low) test.low = test.offsets[t];
    if (t == 0 || test.offsets[t] > test.high) test.high = test.offsets[t];
  }
  test.result_stride = columns * 8 + 3;
  test.input_stride = columns * 8 + 1;
  test.operand_stride = columns * 8 + 5;
  const int32_t more = channels > 0 ? channels - 1 : 0;
  test.operand_size = more * test.operand_stride + test.high - test.low + columns * 8;
  snprintf(test.name, sizeof test.name, "%d channels, %d columns, %d taps, kind %d", channels,
           columns, taps, kind);
  return test;
}

static void for_each_case(void (*run)(const depthwise_case *test)) {
  static const int32_t channel_cases[] = {0, 1, 3};
  static const int32_t column_cases[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, most_columns};
  static const int32_t tap_cases[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 18, 19, 25};
  for (int c = 0; c < COUNT(channel_cases); c++)
    for (int x = 0; x < COUNT(column_cases); x++)
      for (int t = 0; t < COUNT(tap_cases); t++)
        for (int kind = 0; kind < kinds; kind++) {
          const depthwise_case test =
              make_case(channel_cases[c], column_cases[x], tap_cases[t], kind);
          run(&test);
        }
}

/// Elements of `channels` rows of the case's columns; nothing lies beyond the last.
static int64_t size_of(const depthwise_case *test, ptrdiff_t stride) {
  return test->channels == 0 ? 0 : (test->channels - 1) * stride + test->columns * 8;
}

static int64_t weight_count(const depthwise_case *test) {
  return (int64_t)test->channels * weight_stride;
}

/// Checks result[c, i] = sum over taps of weights * operand[i + sign * offset], then clears it.
static void check_products(const depthwise_case *test, const char *isa, const float *weights,
                           const float *operand, int sign, float *result) {
  for (int32_t c = 0; c < test->channels; c++) {
    float *row = result + c * test->result_stride;
    for (int32_t i = 0; i < test->columns * 8; i++) {
      double sum = 0, magnitude = 0;
      for (int32_t t = 0; t < test->taps; t++) {
        const double w = (double)weights[c * weight_stride + test->indices[t]];
        const double v =
            (double)operand[c * test->operand_stride + i + sign * (ptrdiff_t)test->offsets[t]];
        sum += w * v;
        magnitude += fabs(w * v);
      }
      CSK_CHECK(planes_close((double)row[i], sum, test->taps + 1, magnitude),
                "%s, %s: channel %d element %d is %g not %g", isa, test->name, c, i, (double)row[i],
                sum);
    }
    csk_canary_fill(row, test->columns * 8);
  }
  CSK_CHECK(csk_canary_intact(result, size_of(test, test->result_stride)),
            "%s, %s: wrote between rows", isa, test->name);
}

static void forward_case(const depthwise_case *test) {
  float *memory = planes_random(test->operand_size, 1);
  const float *s = memory - test->low;
  float *weights = planes_random(weight_count(test), 2);
  FOR_EACH_ISA(isa) {
    float *y = planes_canaries(size_of(test, test->result_stride));
    CSK_CHECK(CSK_ON((csk_isa)isa, csk_depthwise_forward_row(
                                       s, test->operand_stride, weights, weight_stride, test->taps,
                                       test->indices, test->offsets, test->channels, test->columns,
                                       y, test->result_stride)) == csk_status_ok,
              "%s", test->name);
    check_products(test, csk_isa_name((csk_isa)isa), weights, s, 1, y);
    free(y);
  }
  free(weights);
  free(memory);
}

static void depthwise_forward(void) {
  for_each_case(forward_case);
}

/// Checks dw += sum of in * dy for the taps' weights, then clears them.
static void check_gradients(const depthwise_case *test, const char *isa, const float *in,
                            const float *dy, float old, float *dw) {
  for (int32_t c = 0; c < test->channels; c++) {
    for (int32_t t = 0; t < test->taps; t++) {
      double sum = (double)old, magnitude = fabs((double)old);
      for (int32_t i = 0; i < test->columns * 8; i++) {
        const double term = (double)in[c * test->input_stride + i] *
                            (double)dy[c * test->operand_stride + i - test->offsets[t]];
        sum += term;
        magnitude += fabs(term);
      }
      float *value = dw + c * weight_stride + test->indices[t];
      // A product, its column's sum, three for lanes, one for what was there.
      CSK_CHECK(planes_close((double)*value, sum, test->columns + 5, magnitude),
                "%s, %s: channel %d tap %d is %g not %g", isa, test->name, c, t, (double)*value,
                sum);
      csk_canary_fill(value, 1);
    }
  }
  CSK_CHECK(csk_canary_intact(dw, weight_count(test)), "%s, %s: other weights' gradients", isa,
            test->name);
}

/// What dw holds before a call: canaries where no tap is.
static float *make_gradients(const depthwise_case *test, float old) {
  float *dw = planes_canaries(weight_count(test));
  for (int32_t c = 0; c < test->channels; c++)
    for (int32_t t = 0; t < test->taps; t++) dw[c * weight_stride + test->indices[t]] = old;
  return dw;
}

static void backward_case(const depthwise_case *test) {
  const float old = 0.75f;
  float *memory = planes_random(test->operand_size, 3);
  const float *dy = memory + test->high;
  float *weights = planes_random(weight_count(test), 4);
  float *in = planes_random(size_of(test, test->input_stride), 5);
  FOR_EACH_ISA(isa) {
    const char *name = csk_isa_name((csk_isa)isa);
    float *dx = planes_canaries(size_of(test, test->result_stride));
    float *dw = make_gradients(test, old), *alone = make_gradients(test, old);
    CSK_CHECK(CSK_ON((csk_isa)isa,
                     csk_depthwise_backward_row(dy, test->operand_stride, in, test->input_stride,
                                                weights, weight_stride, test->taps, test->indices,
                                                test->offsets, test->channels, test->columns, dx,
                                                test->result_stride, dw)) == csk_status_ok,
              "%s", test->name);
    CSK_CHECK(
        CSK_ON((csk_isa)isa, csk_depthwise_backward_row(
                                 dy, test->operand_stride, in, test->input_stride, weights,
                                 weight_stride, test->taps, test->indices, test->offsets,
                                 test->channels, test->columns, NULL, 0, alone)) == csk_status_ok,
        "%s without dx", test->name);
    CSK_CHECK(memcmp(dw, alone, (size_t)weight_count(test) * sizeof *dw) == 0,
              "%s, %s: dw depends on dx", name, test->name);
    check_products(test, name, weights, dy, -1, dx);
    check_gradients(test, name, in, dy, old, dw);
    free(alone);
    free(dw);
    free(dx);
  }
  free(in);
  free(weights);
  free(memory);
}

static void depthwise_backward(void) {
  for_each_case(backward_case);
}

/// Two taps of one weight: its gradient is the sum of both.
static void depthwise_same_weight_twice(void) {
  const int32_t indices[2] = {1, 1}, offsets[2] = {0, 8};
  const float dy[24] = {[8] = 2, [16] = 3}, in[8] = {5}, weights[2] = {100, 10};
  FOR_EACH_ISA(isa) {
    float dx[8], dw[2] = {1000, 2000};
    CSK_CHECK(
        CSK_ON((csk_isa)isa, csk_depthwise_backward_row(dy + 16, 8, in, 8, weights, 2, 2, indices,
                                                        offsets, 1, 1, dx, 8, dw)) == csk_status_ok,
        "%s: refused", csk_isa_name((csk_isa)isa));
    CSK_CHECK(dx[0] == 50 && dw[0] == 1000 && dw[1] == 2025, "%s: dx %g, dw %g %g",
              csk_isa_name((csk_isa)isa), (double)dx[0], (double)dw[0], (double)dw[1]);
  }
}

static void depthwise_rejects_invalid_arguments(void) {
  float s[64] = {0}, y[64], w[8] = {0}, dw[8] = {0};
  const int32_t indices[2] = {0, 1}, offsets[2] = {0, 8}, negative[2] = {0, -1};
#define FORWARD(s_, ss, w_, ws, t, i_, o_, c, x, y_, ys) \
  csk_depthwise_forward_row(s_, ss, w_, ws, t, i_, o_, c, x, y_, ys)
  CSK_CHECK(FORWARD(s, 24, w, 2, 2, indices, offsets, 2, 2, y, 16) == csk_status_ok,
            "two taps of two channels");
  INVALID(FORWARD(NULL, 24, w, 2, 2, indices, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, NULL, 2, 2, indices, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, NULL, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, indices, NULL, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, indices, offsets, 2, 2, NULL, 16));
  INVALID(FORWARD(s, 15, w, 2, 2, indices, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, indices, offsets, 2, 2, y, 15));
  INVALID(FORWARD(s, 24, w, 1, 2, indices, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, negative, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, -1, indices, offsets, 2, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, indices, offsets, -1, 2, y, 16));
  INVALID(FORWARD(s, 24, w, 2, 2, indices, offsets, 2, -1, y, 16));
  CSK_CHECK(FORWARD(NULL, 0, NULL, 0, 2, NULL, NULL, 0, 2, NULL, 0) == csk_status_ok, "no channel");
  CSK_CHECK(FORWARD(NULL, 0, w, 2, 2, indices, offsets, 2, 0, NULL, 0) == csk_status_ok, "none");
  CSK_CHECK(FORWARD(NULL, 0, NULL, 0, 0, NULL, NULL, 2, 2, y, 16) == csk_status_ok, "no taps");
#define BACKWARD(g, gs, i, is, w_, ws, t, i_, o_, c, x, dx, ds, dw_) \
  csk_depthwise_backward_row(g, gs, i, is, w_, ws, t, i_, o_, c, x, dx, ds, dw_)
  const float *dy = s + 8;
  CSK_CHECK(BACKWARD(dy, 16, s, 16, w, 2, 2, indices, offsets, 2, 2, y, 16, dw) == csk_status_ok,
            "two taps of two channels");
  INVALID(BACKWARD(NULL, 16, s, 16, w, 2, 2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 15, s, 16, w, 2, 2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, NULL, 16, w, 2, 2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 15, w, 2, 2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, NULL, 2, 2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 1, 2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, -2, indices, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, 2, negative, offsets, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, 2, indices, NULL, 2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, 2, indices, offsets, -2, 2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, 2, indices, offsets, 2, -2, y, 16, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, 2, indices, offsets, 2, 2, y, 15, dw));
  INVALID(BACKWARD(dy, 16, s, 16, w, 2, 2, indices, offsets, 2, 2, y, 16, NULL));
  CSK_CHECK(
      BACKWARD(NULL, 0, NULL, 0, NULL, 0, 2, NULL, NULL, 0, 2, NULL, 0, NULL) == csk_status_ok,
      "no channel");
  CSK_CHECK(CSK_ON(planes_missing_isa(),
                   csk_depthwise_forward_row(s, 24, w, 2, 2, indices, offsets, 2, 2, y, 16)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU does not run");
  CSK_CHECK(CSK_ON(planes_missing_isa(), csk_depthwise_backward_row(dy, 16, s, 16, w, 2, 2, indices,
                                                                    offsets, 2, 2, y, 16, dw)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU does not run");
}

const csk_test csk_tests_depthwise[] = {
    {"depthwise_forward", depthwise_forward},
    {"depthwise_backward", depthwise_backward},
    {"depthwise_same_weight_twice", depthwise_same_weight_twice},
    {"depthwise_rejects_invalid_arguments", depthwise_rejects_invalid_arguments},
    {NULL, NULL},
};
