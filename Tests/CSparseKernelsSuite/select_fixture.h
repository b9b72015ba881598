// select_fixture.h: the data of the selection's tests, and its specification.
#ifndef SELECT_FIXTURE_H
#define SELECT_FIXTURE_H

#include "CSparseKernels.h"

/// The shapes of data that a selection may meet.
typedef enum shape {
  random_values,
  few_distinct,
  all_equal,
  zeros_of_both_signs,
  mostly_zero,
  ascending,
  descending,
  extremes,  // infinities, denormals, the largest numbers, zeros
  shapes,
} shape;
extern const char *const select_shape_names[];

/// Values of a shape, to be freed.
float *select_values(shape shape, int64_t count);

/// positions[0..result) = the k best of values[i] at position i, without the excluded ones, found
/// by sorting.
int64_t select_naive(csk_select_order order, const float *values, int64_t count, int64_t k,
                     const bool *is_excluded, int64_t *positions);

/// The test of csk_find_magnitude_cut, in a file of its own.
void select_test_magnitude_cut(void);

/// The tests of selections that threads share, in a file of their own.
void select_test_parts(void);

#endif
