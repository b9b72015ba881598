// pool2d_tests.c: pooling rows against windows gathered one element at a time.
#include <stdio.h>

#include "planes_cases.h"

enum { most_kernel = 15 };

/// A row of windows; rows that are not stored lie outside the image.
typedef struct pool_case {
  csk_window window;
  int32_t channels, width, out_width;
  bool stored[most_kernel];
  char name[96];
} pool_case;

static int64_t in_count(const pool_case *test) {
  return (int64_t)test->channels * test->width * 8;
}

static int64_t out_count(const pool_case *test) {
  return (int64_t)test->channels * test->out_width * 8;
}

/// All rows, all but the first, all but the last, the middle one alone.
static void run_rows(pool_case *test, void (*run)(const pool_case *test)) {
  const int32_t kernel = test->window.kernel;
  for (int kept = 0; kept < (kernel == 1 ? 1 : 4); kept++) {
    for (int32_t r = 0; r < kernel; r++)
      test->stored[r] = kept == 0 || (kept == 1 && r > 0) || (kept == 2 && r < kernel - 1) ||
                        (kept == 3 && r == kernel / 2);
    snprintf(test->name, sizeof test->name,
             "kernel %d, stride %d, padding %d, %d channels, width %d, %d out, rows %d", kernel,
             test->window.stride, test->window.padding, test->channels, test->width,
             test->out_width, kept);
    run(test);
  }
}

static void for_each_case(void (*run)(const pool_case *test)) {
  static const int32_t kernels[] = {1, 2, 3, 5, most_kernel};
  static const int32_t widths[] = {1, 2, 3, 4, 7, 8, 16};
  pool_case test;
  for (int k = 0; k < COUNT(kernels); k++)
    for (int w = 0; w < COUNT(widths); w++)
      for (int32_t stride = 1; stride <= 3; stride++)
        for (int32_t padding = 0; padding < kernels[k]; padding += 1 + padding / 2)
          for (test.channels = 0; test.channels <= 2; test.channels++) {
            test.window = (csk_window){kernels[k], stride, padding};
            test.width = widths[w];
            // As many windows as begin within the row, and one fewer.
            const int32_t most = (test.width - 1 + padding) / stride + 1;
            for (test.out_width = most - 1; test.out_width <= most; test.out_width++)
              run_rows(&test, run);
          }
}

/// Few different values, so that windows have ties: infinities, both zeros, NaN if wanted.
static float *make_values(int64_t count, uint64_t seed, bool nan) {
  static const float values[] = {-INFINITY, -1, -0.0f, 0, 0.5f, 0.5f, 2, INFINITY};
  float *result = planes_canaries(count);
  for (int64_t i = 0; i < count; i++) {
    const uint64_t random = csk_test_random(&seed);
    result[i] = values[random % 8 * (random >> 8) % 8];
    if (nan && random >> 32 << 32 >> 61 == 0) result[i] = NAN;
  }
  return result;
}

typedef struct rows {
  float *memory[most_kernel];  // null where not stored
} rows;

static rows make_rows(const pool_case *test, int variant) {
  rows result = {{0}};
  for (int32_t r = 0; r < test->window.kernel; r++)
    if (test->stored[r])
      result.memory[r] =
          variant < 2 ? make_values(in_count(test), (uint64_t)(r + variant * 100), variant == 1)
                      : planes_random(in_count(test), (uint64_t)r);
  return result;
}

static void free_rows(rows *all) {
  for (int r = 0; r < most_kernel; r++) free(all->memory[r]);
}

/// The elements of a lane's window in row order.
typedef struct gathered {
  int32_t count, indices[most_kernel * most_kernel];
  float *places[most_kernel * most_kernel];
} gathered;

/// The window of element i of the results.
static gathered gather(const pool_case *test, const rows *all, int64_t i) {
  gathered result = {.count = 0};
  const csk_window *w = &test->window;
  const int64_t c = i / 8 / test->out_width, o = i / 8 % test->out_width;
  for (int32_t place = 0; place < w->kernel * w->kernel; place++) {
    const int32_t r = place / w->kernel;
    const int64_t x = o * w->stride - w->padding + place % w->kernel;
    if (!test->stored[r] || x < 0 || x >= test->width) continue;
    result.indices[result.count] = place;
    result.places[result.count++] = all->memory[r] + (c * test->width + x) * 8 + i % 8;
  }
  return result;
}

/// The first NaN, or else the first that no other is larger than.
static int32_t choose(const gathered *window) {
  for (int32_t i = 0; i < window->count; i++)
    if (isnan(*window->places[i])) return i;
  for (int32_t i = 0; i < window->count; i++) {
    bool largest = true;
    for (int32_t j = 0; j < window->count; j++)
      largest = largest && *window->places[j] <= *window->places[i];
    if (largest) return i;
  }
  return -1;
}

static void max_pool_case(const pool_case *test) {
  const int64_t count = out_count(test);
  for (int variant = 0; variant < 3; variant++) {
    rows all = make_rows(test, variant);
    FOR_EACH_ISA(isa) {
      const char *name = csk_isa_name((csk_isa)isa);
      float *y = planes_canaries(count), *alone = planes_canaries(count);
      uint8_t *indices = malloc((size_t)count + 1);
      if (count >= 0) indices[count] = 0xa5;
      const csk_status status = CSK_ON(
          (csk_isa)isa, csk_max_pool_row((const float *const *)all.memory, test->channels,
                                         test->width, test->out_width, &test->window, y, indices));
      CSK_CHECK(status == csk_status_ok, "%s: status %d", test->name, status);
      CSK_CHECK(CSK_ON((csk_isa)isa, csk_max_pool_row((const float *const *)all.memory,
                                                      test->channels, test->width, test->out_width,
                                                      &test->window, alone, NULL)) == csk_status_ok,
                "%s", test->name);
      CSK_CHECK(memcmp(y, alone, (size_t)count * sizeof *y) == 0, "%s, %s: without indices", name,
                test->name);
      for (int64_t i = 0; i < count; i++) {
        const gathered window = gather(test, &all, i);
        const int32_t chosen = choose(&window);
        CSK_CHECK(indices[i] == window.indices[chosen], "%s, %s, element %d: index %d not %d", name,
                  test->name, (int)i, indices[i], window.indices[chosen]);
        CSK_CHECK(memcmp(y + i, window.places[chosen], sizeof *y) == 0,
                  "%s, %s, element %d: %g not %g", name, test->name, (int)i, (double)y[i],
                  (double)*window.places[chosen]);
      }
      CSK_CHECK(indices[count] == 0xa5, "%s, %s: indices beyond", name, test->name);
      free(indices);
      free(alone);
      free(y);
    }
    free_rows(&all);
  }
}

static void pool2d_max_pool(void) {
  for_each_case(max_pool_case);
}

/// Checks rows += what `add` gives each element of each window, in doubles.
static void check_gradient(const pool_case *test, rows *found, const rows *old,
                           const float *gradient, const uint8_t *indices) {
  // Sums and magnitudes as doubles beside the elements that they belong to.
  const int64_t count = in_count(test);
  double *sums[most_kernel] = {0}, *magnitudes[most_kernel] = {0};
  for (int32_t r = 0; r < test->window.kernel; r++) {
    sums[r] = calloc((size_t)count + 1, sizeof(double));
    magnitudes[r] = calloc((size_t)count + 1, sizeof(double));
  }
  for (int64_t i = 0; i < out_count(test); i++) {
    const gathered window = gather(test, old, i);
    for (int32_t j = 0; j < window.count; j++) {
      if (indices && indices[i] != window.indices[j]) continue;
      const int32_t r = window.indices[j] / test->window.kernel;
      const int64_t place = window.places[j] - old->memory[r];
      const double share = indices ? (double)gradient[i] : (double)gradient[i] / window.count;
      sums[r][place] += share;
      magnitudes[r][place] += fabs(share);
    }
  }
  for (int32_t r = 0; r < test->window.kernel; r++) {
    for (int64_t i = 0; test->stored[r] && i < count; i++) {
      const double before = (double)old->memory[r][i], value = (double)found->memory[r][i];
      // A division, and a sum over the windows of one row that hold the element.
      CSK_CHECK(planes_close(value, before + sums[r][i], test->window.kernel + 1,
                             fabs(before) + magnitudes[r][i]),
                "%s, row %d, element %d: %g not %g", test->name, r, (int)i, value,
                before + sums[r][i]);
    }
    free(sums[r]);
    free(magnitudes[r]);
  }
}

static rows copy_rows(const pool_case *test, const rows *all) {
  rows result = {{0}};
  for (int r = 0; r < most_kernel; r++) {
    if (!all->memory[r]) continue;
    result.memory[r] = planes_canaries(in_count(test));
    memcpy(result.memory[r], all->memory[r], (size_t)in_count(test) * sizeof(float));
  }
  return result;
}

static void max_pool_gradient_case(const pool_case *test) {
  const int64_t count = out_count(test);
  rows all = make_rows(test, 2), found = copy_rows(test, &all);
  float *gradient = planes_random(count, 7);
  uint8_t *indices = malloc((size_t)count + 1);
  uint64_t seed = 8;
  for (int64_t i = 0; i < count; i++) {
    const gathered window = gather(test, &all, i);
    indices[i] = (uint8_t)window.indices[csk_test_random(&seed) % (uint64_t)window.count];
  }
  CSK_CHECK(
      csk_max_pool_gradient_row(gradient, indices, test->channels, test->width, test->out_width,
                                &test->window, found.memory) == csk_status_ok,
      "%s", test->name);
  check_gradient(test, &found, &all, gradient, indices);
  free(indices);
  free(gradient);
  free_rows(&found);
  free_rows(&all);
}

static void pool2d_max_pool_gradient(void) {
  for_each_case(max_pool_gradient_case);
}

static void average_pool_case(const pool_case *test) {
  const int64_t count = out_count(test);
  rows all = make_rows(test, 2);
  float *y = planes_canaries(count);
  CSK_CHECK(csk_average_pool_row((const float *const *)all.memory, test->channels, test->width,
                                 test->out_width, &test->window, y) == csk_status_ok,
            "%s", test->name);
  for (int64_t i = 0; i < count; i++) {
    const gathered window = gather(test, &all, i);
    double sum = 0, magnitude = 0;
    for (int32_t j = 0; j < window.count; j++) {
      sum += (double)*window.places[j];
      magnitude += fabs((double)*window.places[j]);
    }
    CSK_CHECK(
        planes_close((double)y[i], sum / window.count, window.count + 1, magnitude / window.count),
        "%s, element %d: %g not %g", test->name, (int)i, (double)y[i], sum / window.count);
  }
  free(y);
  free_rows(&all);
}

static void pool2d_average_pool(void) {
  for_each_case(average_pool_case);
}

static void average_pool_gradient_case(const pool_case *test) {
  rows all = make_rows(test, 2), found = copy_rows(test, &all);
  float *gradient = planes_random(out_count(test), 9);
  CSK_CHECK(csk_average_pool_gradient_row(gradient, test->channels, test->width, test->out_width,
                                          &test->window, found.memory) == csk_status_ok,
            "%s", test->name);
  check_gradient(test, &found, &all, gradient, NULL);
  free(gradient);
  free_rows(&found);
  free_rows(&all);
}

static void pool2d_average_pool_gradient(void) {
  for_each_case(average_pool_gradient_case);
}

/// The four functions on the same arguments: all must say `expected`.
static void expect(csk_status expected, float *const *all, int32_t channels, int32_t width,
                   int32_t out_width, const csk_window *window) {
  float y[256] = {0};
  uint8_t indices[256] = {0};
  const float *const *read = (const float *const *)all;
#define EXPECT(...) CSK_CHECK((__VA_ARGS__) == expected, #__VA_ARGS__)
  EXPECT(csk_max_pool_row(read, channels, width, out_width, window, y, indices));
  EXPECT(csk_max_pool_gradient_row(y, indices, channels, width, out_width, window, all));
  EXPECT(csk_average_pool_row(read, channels, width, out_width, window, y));
  EXPECT(csk_average_pool_gradient_row(y, channels, width, out_width, window, all));
}

static void pool2d_rejects_invalid_arguments(void) {
  float row[128] = {0}, y[128] = {0};
  uint8_t indices[128] = {0};
  float *all[most_kernel + 1] = {row, row, row}, *none[3] = {NULL, NULL, NULL};
  const csk_window window = {3, 2, 1};
  expect(csk_status_ok, all, 2, 8, 4, &window);
  expect(csk_status_ok, NULL, 0, 8, 4, &window);
  expect(csk_status_ok, NULL, 2, 8, 0, &window);
  expect(csk_status_invalid_argument, NULL, 2, 8, 4, &window);
  expect(csk_status_invalid_argument, none, 2, 8, 4, &window);
  expect(csk_status_invalid_argument, all, -1, 8, 4, &window);
  expect(csk_status_invalid_argument, all, 2, -1, 4, &window);
  expect(csk_status_invalid_argument, all, 2, 0, 1, &window);
  expect(csk_status_invalid_argument, all, 2, 8, -1, &window);
  expect(csk_status_ok, all, 2, 8, 5, &window);
  expect(csk_status_invalid_argument, all, 2, 8, 6, &window);  // the last window has no element
  expect(csk_status_invalid_argument, all, 2, 7, 5, &window);
  expect(csk_status_invalid_argument, all, 2, 8, 4, NULL);
  static const csk_window bad[] = {{0, 1, 0}, {16, 1, 0}, {3, 0, 0}, {3, 1, -1}, {3, 1, 3}};
  for (int i = 0; i < COUNT(bad); i++) expect(csk_status_invalid_argument, all, 1, 8, 2, &bad[i]);
  const float *const *read = (const float *const *)all;
  INVALID(csk_max_pool_row(read, 2, 8, 4, &window, NULL, indices));
  INVALID(csk_max_pool_gradient_row(NULL, indices, 2, 8, 4, &window, all));
  INVALID(csk_max_pool_gradient_row(y, NULL, 2, 8, 4, &window, all));
  INVALID(csk_average_pool_row(read, 2, 8, 4, &window, NULL));
  INVALID(csk_average_pool_gradient_row(NULL, 2, 8, 4, &window, all));
  CSK_CHECK(CSK_ON(planes_missing_isa(), csk_max_pool_row(read, 2, 8, 4, &window, y, indices)) ==
                csk_status_unsupported_isa,
            "an instruction set that this CPU does not run");
}

const csk_test csk_tests_pool2d[] = {
    {"pool2d_max_pool", pool2d_max_pool},
    {"pool2d_max_pool_gradient", pool2d_max_pool_gradient},
    {"pool2d_average_pool", pool2d_average_pool},
    {"pool2d_average_pool_gradient", pool2d_average_pool_gradient},
    {"pool2d_rejects_invalid_arguments", pool2d_rejects_invalid_arguments},
    {NULL, NULL},
};
