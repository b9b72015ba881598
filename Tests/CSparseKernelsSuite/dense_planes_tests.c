// dense_planes_tests.c: dense convolutions on bands against doubles, on every instruction set.
#include <stdio.h>

#include "planes_cases.h"

enum { most_taps = 9, most_columns = 19 };

/// A product or gradient on a band: `outputs` by `inputs` channels, taps in any order.
typedef struct dense_case {
  int32_t outputs, inputs, taps, rows, columns;
  int32_t indices[most_taps], offsets[most_taps];
  int32_t low, high;                       // least and largest offset
  ptrdiff_t shifted_channel, shifted_row;  // of the operand that taps shift
  ptrdiff_t fixed_channel, fixed_row;      // of the other one
  int64_t shifted_size, fixed_size;
  char name[96];
} dense_case;

static dense_case make_case(int32_t outputs, int32_t inputs, int32_t taps, int32_t rows,
                            int32_t columns, int32_t shifted_channels, int32_t fixed_channels) {
  dense_case test = {.outputs = outputs, .inputs = inputs, .taps = taps};
  test.rows = rows;
  test.columns = columns;
  uint64_t seed = (uint64_t)taps + 1;
  for (int32_t t = 0; t < taps; t++) {
    test.indices[t] = t * 7 % (most_taps + 2);  // 7 and 11 are coprime: all differ
    test.offsets[t] = (int32_t)(csk_test_random(&seed) % 300) - 150;
    if (t == 0 || test.offsets[t] < test.low) test.low = test.offsets[t];
    if (t == 0 || test.offsets[t] > test.high) test.high = test.offsets[t];
  }
  // Rows outermost in one operand, channels in the other, something between all columns.
  const ptrdiff_t width = columns * 8;
  test.shifted_channel = width + 5;
  test.shifted_row = shifted_channels * test.shifted_channel + 2;
  test.fixed_row = width + 3;
  test.fixed_channel = rows * test.fixed_row + 1;
  test.shifted_size = test.high - test.low + (rows > 0 ? rows - 1 : 0) * test.shifted_row +
                      (shifted_channels > 0 ? shifted_channels - 1 : 0) * test.shifted_channel +
                      width;
  test.fixed_size = fixed_channels == 0 || rows == 0 ? 0
                                                     : (fixed_channels - 1) * test.fixed_channel +
                                                           (rows - 1) * test.fixed_row + width;
  snprintf(test.name, sizeof test.name, "%d outputs, %d inputs, %d taps, %d x %d", outputs, inputs,
           taps, rows, columns);
  return test;
}

/// The next supported instruction set from `isa` on, or csk_isa_count.
static int next_isa(int isa) {
  while (isa < csk_isa_count && !csk_isa_is_supported((csk_isa)isa)) isa++;
  return isa;
}
#define FOR_ALL_ISAS(isa) for (int isa = next_isa(0); isa < csk_isa_count; isa = next_isa(isa + 1))

/// weights[m, t, k]: outputs are the results. Others lie between them.
static csk_dense_order order_of(const dense_case *test) {
  return (csk_dense_order){.results = test->outputs,
                           .reduced = test->inputs,
                           .taps = test->taps,
                           .tap_indices = test->indices,
                           .result_stride = (most_taps + 2) * test->inputs + 1,
                           .reduced_stride = 1,
                           .tap_stride = test->inputs};
}

static csk_dense_band band_of(const dense_case *test) {
  return (csk_dense_band){.results = test->outputs,
                          .reduced = test->inputs,
                          .taps = test->taps,
                          .rows = test->rows,
                          .columns = test->columns,
                          .tap_offsets = test->offsets,
                          .x_channel_stride = test->shifted_channel,
                          .x_row_stride = test->shifted_row,
                          .y_channel_stride = test->fixed_channel,
                          .y_row_stride = test->fixed_row};
}

static void check_product(const dense_case *test, const char *isa, const float *weights,
                          const float *x, float *y) {
  const csk_dense_order order = order_of(test);
  for (int32_t m = 0; m < test->outputs; m++) {
    for (int32_t row = 0; row < test->rows; row++) {
      float *ys = y + m * test->fixed_channel + row * test->fixed_row;
      for (int32_t i = 0; i < test->columns * 8; i++) {
        double sum = 0, magnitude = 0;
        for (int32_t k = 0; k < test->inputs; k++) {
          for (int32_t t = 0; t < test->taps; t++) {
            const double w =
                (double)weights[m * order.result_stride + k + test->indices[t] * order.tap_stride];
            const double v = (double)
                x[k * test->shifted_channel + row * test->shifted_row + i + test->offsets[t]];
            sum += w * v;
            magnitude += fabs(w * v);
          }
        }
        CSK_CHECK(planes_close((double)ys[i], sum, test->inputs * test->taps + 1, magnitude),
                  "%s, %s: channel %d row %d element %d is %g not %g", isa, test->name, m, row, i,
                  (double)ys[i], sum);
      }
      csk_canary_fill(ys, test->columns * 8);
    }
  }
  CSK_CHECK(csk_canary_intact(y, test->fixed_size), "%s, %s: wrote between rows", isa, test->name);
}

static void product_case(const dense_case *test) {
  const csk_dense_order order = order_of(test);
  const csk_dense_band band = band_of(test);
  float *memory = planes_random(test->shifted_size, 1);
  float *weights = planes_random(test->outputs * order.result_stride, 2);
  const int64_t count = (int64_t)test->outputs * test->inputs * test->taps;
  float *copy = planes_canaries(count);
  const int32_t blocks = (test->outputs + csk_dense_block - 1) / csk_dense_block;
  // Block by block, the last one first: they do not depend on each other.
  for (int32_t block = blocks - 1; block >= 0; block--)
    CSK_CHECK(csk_dense_copy_weights(weights, &order, block, block + 1, copy) == csk_status_ok,
              "%s", test->name);
  FOR_ALL_ISAS(isa) {
    float *y = planes_canaries(test->fixed_size);
    CSK_CHECK(CSK_ON((csk_isa)isa, csk_dense_product(copy, &band, memory - test->low, y)) ==
                  csk_status_ok,
              "%s", test->name);
    check_product(test, csk_isa_name((csk_isa)isa), weights, memory - test->low, y);
    free(y);
  }
  free(copy);
  free(weights);
  free(memory);
}

static void product(void) {
  static const int32_t outputs[] = {0, 1, 2, 3, 4, 5, 6, 7, 11, 13};
  static const int32_t inputs[] = {0, 1, 5};
  static const int32_t taps[] = {0, 1, 4, most_taps};
  static const int32_t columns[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, most_columns};
  for (int o = 0; o < COUNT(outputs); o++)
    for (int i = 0; i < COUNT(inputs); i++)
      for (int t = 0; t < COUNT(taps); t++)
        for (int x = 0; x < COUNT(columns); x++)
          for (int32_t rows = 0; rows <= 2; rows++) {
            const dense_case test =
                make_case(outputs[o], inputs[i], taps[t], rows, columns[x], inputs[i], outputs[o]);
            product_case(&test);
          }
  // More weights than are passed over at once.
  const dense_case wide = make_case(23, 700, most_taps, 2, 9, 700, 23);
  product_case(&wide);
}

/// A lane is the same sum wherever its column lies and however many channels there are.
static void product_bits(void) {
  const dense_case test = make_case(6, 5, most_taps, 1, 16, 5, 6);
  const csk_dense_order order = order_of(&test);
  const csk_dense_band band = band_of(&test);
  float *memory = planes_random(test.shifted_size, 1);
  float *weights = planes_random(6 * order.result_stride, 2);
  float copy[6 * 5 * most_taps];
  csk_dense_copy_weights(weights, &order, 0, 1, copy);
  FOR_ALL_ISAS(isa) {
    float *y = planes_canaries(test.fixed_size);
    CSK_ON((csk_isa)isa, csk_dense_product(copy, &band, memory - test.low, y));
    for (int32_t m = 0; m < 6; m++) {
      for (int32_t column = 0; column < 16; column++) {
        csk_dense_order one_order = order;
        csk_dense_band one = band;
        one_order.results = one.results = one.columns = 1;
        float one_copy[5 * most_taps], alone[8];
        csk_dense_copy_weights(weights + m * order.result_stride, &one_order, 0, 1, one_copy);
        CSK_ON((csk_isa)isa,
               csk_dense_product(one_copy, &one, memory - test.low + column * 8, alone));
        CSK_CHECK(memcmp(alone, y + m * test.fixed_channel + column * 8, sizeof alone) == 0,
                  "%s: channel %d column %d", csk_isa_name((csk_isa)isa), m, column);
      }
    }
    free(y);
  }
  free(weights);
  free(memory);
}

static void transpose(void) {
  for (int32_t channels = 0; channels <= 35; channels++) {
    for (int32_t columns = 0; columns <= 3; columns++) {
      const int32_t width = (channels + csk_dense_width - 1) / csk_dense_width * csk_dense_width;
      const ptrdiff_t stride = columns * 8 + 3;
      float *x = planes_random(channels > 0 ? (channels - 1) * stride + columns * 8 : 0, 1);
      FOR_ALL_ISAS(isa) {
        float *target = planes_canaries((int64_t)columns * 8 * width);
        CSK_CHECK(CSK_ON((csk_isa)isa, csk_dense_transpose_row(x, stride, channels, columns,
                                                               target)) == csk_status_ok,
                  "%d channels", channels);
        for (int32_t i = 0; i < columns * 8; i++)
          for (int32_t c = 0; c < width; c++)
            CSK_CHECK(target[i * width + c] == (c < channels ? x[c * stride + i] : 0),
                      "%s: %d channels, %d columns: (%d, %d)", csk_isa_name((csk_isa)isa), channels,
                      columns, i, c);
        free(target);
      }
      free(x);
    }
  }
}

static csk_dense_sums sums_of(const dense_case *test) {
  return (csk_dense_sums){.outputs = test->outputs,
                          .inputs = test->inputs,
                          .taps = test->taps,
                          .rows = test->rows,
                          .columns = test->columns,
                          .tap_indices = test->indices,
                          .tap_offsets = test->offsets,
                          .y_channel_stride = test->shifted_channel,
                          .y_row_stride = test->shifted_row,
                          .x_channel_stride = test->fixed_channel,
                          .x_row_stride = test->fixed_row,
                          .output_stride = (most_taps + 2) * (test->inputs + 1),
                          .tap_stride = test->inputs + 1};
}

/// Checks dw (+)= sum of y * x at the taps' places, then clears them.
static void check_sums(const dense_case *test, const char *isa, const float *y, const float *x,
                       float old, float *dw) {
  const csk_dense_sums sums = sums_of(test);
  for (int32_t o = 0; o < test->outputs; o++) {
    for (int32_t t = 0; t < test->taps; t++) {
      for (int32_t c = 0; c < test->inputs; c++) {
        double sum = (double)old, magnitude = fabs((double)old);
        for (int32_t row = 0; row < test->rows; row++)
          for (int32_t i = 0; i < test->columns * 8; i++) {
            const double term =
                (double)
                    y[o * test->shifted_channel + row * test->shifted_row + i - test->offsets[t]] *
                (double)x[c * test->fixed_channel + row * test->fixed_row + i];
            sum += term;
            magnitude += fabs(term);
          }
        float *value = dw + o * sums.output_stride + test->indices[t] * sums.tap_stride + c;
        // A product, the sums of all elements, one for each piece, one for what was there.
        const int32_t roundings = test->rows * (test->columns * 8 + 2) + 2;
        CSK_CHECK(planes_close((double)*value, sum, roundings, magnitude),
                  "%s, %s: output %d tap %d input %d is %g not %g", isa, test->name, o, t, c,
                  (double)*value, sum);
        csk_canary_fill(value, 1);
      }
    }
  }
  CSK_CHECK(csk_canary_intact(dw, test->outputs * sums.output_stride), "%s, %s: other elements",
            isa, test->name);
}

static float *make_sums(const dense_case *test, float old) {
  const csk_dense_sums sums = sums_of(test);
  float *dw = planes_canaries(test->outputs * sums.output_stride);
  for (int32_t o = 0; o < test->outputs; o++)
    for (int32_t t = 0; t < test->taps; t++)
      for (int32_t c = 0; c < test->inputs; c++)
        dw[o * sums.output_stride + test->indices[t] * sums.tap_stride + c] = old;
  return dw;
}

static void gradient_case(const dense_case *test, bool is_narrow) {
  float *memory = planes_random(test->shifted_size, 3);
  const float *y = memory + test->high;
  float *x = planes_random(test->fixed_size, 4);
  csk_dense_sums sums = sums_of(test);
  const float *operand = x;
  float *transposed = NULL;
  if (!is_narrow) {
    const int32_t width = (test->inputs + csk_dense_width - 1) / csk_dense_width * csk_dense_width;
    sums.x_row_stride = (ptrdiff_t)test->columns * 8 * width + 1;
    sums.x_channel_stride = 0;
    operand = transposed = planes_canaries(test->rows * sums.x_row_stride);
    for (int32_t row = 0; row < test->rows; row++)
      CSK_ON(csk_isa_scalar,
             csk_dense_transpose_row(x + row * test->fixed_row, test->fixed_channel, test->inputs,
                                     test->columns, transposed + row * sums.x_row_stride));
  }
  FOR_ALL_ISAS(isa) {
    for (int accumulate = 0; accumulate <= 1; accumulate++) {
      const float old = accumulate ? 0.75f : NAN;  // not to be read
      float *dw = make_sums(test, old);
      const csk_status status =
          is_narrow
              ? CSK_ON((csk_isa)isa, csk_dense_gradient_narrow(&sums, y, operand, accumulate, dw))
              : CSK_ON((csk_isa)isa, csk_dense_gradient(&sums, y, operand, accumulate, dw));
      CSK_CHECK(status == csk_status_ok, "%s", test->name);
      check_sums(test, csk_isa_name((csk_isa)isa), y, x, accumulate ? old : 0, dw);
      free(dw);
    }
  }
  free(transposed);
  free(x);
  free(memory);
}

static void run_gradients(int32_t outputs, int32_t inputs, int32_t taps, bool is_narrow) {
  // One piece of one row and of several, rows of two pieces, what is left.
  static const int32_t sizes[][2] = {{0, 3}, {1, 0}, {1, 1}, {3, 2}, {2, 7}, {7, 9}, {2, 33}};
  for (int i = 0; i < COUNT(sizes); i++) {
    const dense_case test =
        make_case(outputs, inputs, taps, sizes[i][0], sizes[i][1], outputs, inputs);
    gradient_case(&test, is_narrow);
  }
}

static void gradient(void) {
  static const int32_t outputs[] = {0, 1, 2, 3, 4, 5, 6, 7, 13};
  static const int32_t inputs[] = {0, 1, 7, 8, 9, 15, 16, 17, 33, 48, 64, 65, 81};
  for (int o = 0; o < COUNT(outputs); o++)
    for (int i = 0; i < COUNT(inputs); i++) run_gradients(outputs[o], inputs[i], 2, false);
  for (int32_t taps = 0; taps <= most_taps; taps++) run_gradients(7, 17, taps, false);
}

static void gradient_narrow(void) {
  for (int32_t inputs = 0; inputs <= 9; inputs++)
    for (int32_t taps = 0; taps <= most_taps; taps++) run_gradients(3, inputs, taps, true);
}

static void rejects_invalid_arguments(void) {
  float values[64] = {0};
  const int32_t taps[2] = {0, 1}, negative[1] = {-1};
  csk_dense_order order = {2, 2, 2, taps, 4, 1, 2};
#define COPY(begin, end) csk_dense_copy_weights(values, &order, begin, end, values + 32)
  INVALID(csk_dense_copy_weights(values, NULL, 0, 0, values));
  INVALID(COPY(-1, 1));
  INVALID(COPY(1, 0));
  INVALID(COPY(0, 2));
  INVALID(csk_dense_copy_weights(NULL, &order, 0, 1, values));
  INVALID(csk_dense_copy_weights(values, &order, 0, 1, NULL));
  order.tap_indices = NULL;
  INVALID(COPY(0, 1));
  CSK_CHECK(COPY(0, 0) == csk_status_ok, "nothing");

  const csk_dense_band valid = {2, 1, 1, 2, 1, taps, 8, 8, 8, 16};
#define PRODUCT(field, value)                                       \
  do {                                                              \
    csk_dense_band band = valid;                                    \
    band.field = value;                                             \
    INVALID(csk_dense_product(values, &band, values + 16, values)); \
  } while (0)
  INVALID(csk_dense_product(values, NULL, values, values));
  INVALID(csk_dense_product(NULL, &valid, values, values));
  INVALID(csk_dense_product(values, &valid, NULL, values));
  INVALID(csk_dense_product(values, &valid, values, NULL));
  PRODUCT(results, -1);
  PRODUCT(reduced, -1);
  PRODUCT(taps, -1);
  PRODUCT(rows, -1);
  PRODUCT(columns, -1);
  PRODUCT(tap_offsets, NULL);
  PRODUCT(y_channel_stride, 7);
  PRODUCT(y_row_stride, 7);
  PRODUCT(y_row_stride, 15);
  CSK_CHECK(csk_dense_product(values, &valid, values + 16, values + 32) == csk_status_ok, "valid");
  CSK_CHECK(CSK_ON(planes_missing_isa(), csk_dense_product(values, &valid, values, values)) ==
                csk_status_unsupported_isa,
            "missing");

  INVALID(csk_dense_transpose_row(values, 8, -1, 1, values));
  INVALID(csk_dense_transpose_row(values, 8, 1, -1, values));
  INVALID(csk_dense_transpose_row(NULL, 8, 1, 1, values));
  INVALID(csk_dense_transpose_row(values, 8, 1, 1, NULL));

  const csk_dense_sums sums = {1, 1, 1, 1, 1, taps, taps, 8, 8, 8, 8, 1, 1};
#define SUMS(field, value)                                                     \
  do {                                                                         \
    csk_dense_sums wrong = sums;                                               \
    wrong.field = value;                                                       \
    INVALID(csk_dense_gradient_narrow(&wrong, values, values, false, values)); \
    INVALID(csk_dense_gradient(&wrong, values, values, false, values));        \
  } while (0)
  INVALID(csk_dense_gradient(NULL, values, values, false, values));
  INVALID(csk_dense_gradient(&sums, NULL, values, false, values));
  INVALID(csk_dense_gradient_narrow(&sums, values, NULL, false, values));
  INVALID(csk_dense_gradient_narrow(&sums, values, values, false, NULL));
  SUMS(outputs, -1);
  SUMS(inputs, -1);
  SUMS(taps, -1);
  SUMS(rows, -1);
  SUMS(columns, -1);
  SUMS(tap_indices, NULL);
  SUMS(tap_indices, negative);
  SUMS(tap_offsets, NULL);
  SUMS(outputs, 2; wrong.output_stride = 0);
  SUMS(taps, 2; wrong.tap_stride = 0);
}

const csk_test csk_tests_dense_planes[] = {
    {"dense_planes_product", product},
    {"dense_planes_product_bits", product_bits},
    {"dense_planes_transpose", transpose},
    {"dense_planes_gradient", gradient},
    {"dense_planes_gradient_narrow", gradient_narrow},
    {"dense_planes_rejects_invalid_arguments", rejects_invalid_arguments},
    {NULL, NULL},
};
