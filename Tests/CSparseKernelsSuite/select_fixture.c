// select_fixture.c: selection by sorting, and data of many shapes.
#include "select_fixture.h"

#include <math.h>
#include <stdlib.h>

#include "csk_suite.h"

// The specification: (|value|, position), sorted.
typedef struct ranked {
  double magnitude;
  int64_t position;
} ranked;

static int by_largest(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->magnitude != y->magnitude) return x->magnitude > y->magnitude ? -1 : 1;
  return x->position < y->position ? -1 : x->position > y->position;
}

static int by_smallest(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->magnitude != y->magnitude) return x->magnitude < y->magnitude ? -1 : 1;
  return x->position < y->position ? -1 : x->position > y->position;
}

static int by_position(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

int64_t select_naive(csk_select_order order, const float *values, int64_t count, int64_t k,
                     const bool *is_excluded, int64_t *positions) {
  ranked *all = malloc((size_t)(count + 1) * sizeof *all);
  int64_t offered = 0;
  for (int64_t i = 0; i < count; i++)
    if (!is_excluded || !is_excluded[i]) all[offered++] = (ranked){fabs((double)values[i]), i};
  qsort(all, (size_t)offered, sizeof *all, order == csk_select_largest ? by_largest : by_smallest);
  if (k > offered) k = offered;
  for (int64_t i = 0; i < k; i++) positions[i] = all[i].position;
  qsort(positions, (size_t)k, sizeof *positions, by_position);
  free(all);
  return k;
}

const char *const select_shape_names[] = {"random",      "few distinct", "all equal",  "zeros",
                                          "mostly zero", "ascending",    "descending", "extremes"};

float *select_values(shape shape, int64_t count) {
  static const float extreme[] = {INFINITY,  -INFINITY,  0x1p-149f,     -0x1p-149f,
                                  0x1p-127f, 0x1p-126f,  0.0f,          -0.0f,
                                  0x1p127f,  -0x1p-130f, 3.4028235e38f, 1};
  float *values = malloc((size_t)(count + 1) * sizeof *values);
  uint64_t seed = 77 + (uint64_t)shape;
  for (int64_t i = 0; i < count; i++) {
    const float uniform = csk_test_uniform(&seed);
    const uint64_t number = csk_test_random(&seed);
    const float ramp = (float)(i + 1) * 0x1p-12f;
    switch (shape) {
      case random_values:
        values[i] = uniform;
        break;
      case few_distinct:
        values[i] = (float)((int)(number % 7) - 3);
        break;
      case all_equal:
        values[i] = number & 1 ? 0.25f : -0.25f;
        break;
      case zeros_of_both_signs:
        values[i] = number & 1 ? 0.0f : -0.0f;
        break;
      case mostly_zero:
        values[i] = number % 50 == 0 ? uniform : 0;
        break;
      case ascending:
        values[i] = number & 1 ? ramp : -ramp;
        break;
      case descending:
        values[i] = 1 / ramp;
        break;
      default:
        values[i] = extreme[number % (sizeof extreme / sizeof *extreme)];
        break;
    }
  }
  return values;
}
