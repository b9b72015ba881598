// update_fixture.h: arrays for the tests of optimizer steps, and results with bounds of their
// errors.
#ifndef UPDATE_FIXTURE_H
#define UPDATE_FIXTURE_H

#include "csk_suite.h"

// Both sides of a vector, of four vectors, and of the 32 lanes of the sum of squares.
static const int64_t counts[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 257};
enum { count_kinds = sizeof counts / sizeof *counts, longest = 257, room = longest + 24 };

// Arrays start one float past an aligned one, and end in canaries.
typedef struct buffer {
  float memory[room];
} buffer;

static inline float *fill(buffer *buffer, int64_t count, bool is_square, uint64_t seed) {
  csk_canary_fill(buffer->memory, room);
  for (int64_t i = 0; i < count; i++) {
    const float value = csk_test_uniform(&seed);
    buffer->memory[1 + i] = is_square ? value * value : value;
  }
  return buffer->memory + 1;
}

static inline void check_canaries(const buffer *buffer, int64_t count, const char *what) {
  CSK_CHECK(csk_canary_intact(buffer->memory, 1) &&
                csk_canary_intact(buffer->memory + 1 + count, room - 1 - count),
            "%s, n = %lld", what, (long long)count);
}

// A result and the bound of its error, both carried through a formula in double.
typedef struct bounded {
  double value, error;
} bounded;

#endif
