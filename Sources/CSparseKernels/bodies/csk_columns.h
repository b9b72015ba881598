// bodies/csk_columns.h: what bodies do with the columns of a plane's row, csk_lanes each, over a
// vector header: sums of even and odd columns, and the loop.
#ifndef CSK_COLUMNS_H
#define CSK_COLUMNS_H

#include "../csk_planes_internal.h"

/// Sums of even and odd columns: `next` is the one that the next column goes to. Whichever comes
/// last, their sum is the same.
typedef struct csk_sums {
  csk_v next, other;  // sums
  csk_v next_product, other_product;
} csk_sums;

CSK_TARGET CSK_INLINE csk_sums csk_no_sums(void) {
  return (csk_sums){csk_all(0), csk_all(0), csk_all(0), csk_all(0)};
}

CSK_TARGET CSK_INLINE void csk_swap(csk_sums *sums) {
  *sums = (csk_sums){sums->other, sums->next, sums->other_product, sums->next_product};
}

/// Adds v and v * factor, and turns to the other column's sums.
CSK_TARGET CSK_INLINE void csk_add_column(csk_sums *sums, csk_v v, csk_v factor) {
  sums->next = csk_plus(sums->next, v);
  sums->next_product = csk_fused(v, factor, sums->next_product);
  csk_swap(sums);
}

/// target[0] += the sum, by csk_row_total's tree.
CSK_TARGET CSK_INLINE void csk_add_sum(const csk_sums *sums, double *target) {
  *target += (double)csk_total(csk_plus(sums->next, sums->other));
}

/// target += both sums, each by csk_row_total's tree.
CSK_TARGET CSK_INLINE void csk_add_sums(const csk_sums *sums, double target[2]) {
  csk_add_totals(csk_plus(sums->next, sums->other),
                 csk_plus(sums->next_product, sums->other_product), target);
}

/// STEP(j) for j in [begin, end), four at a time. A step loads its column before it stores it: in
/// place is right.
#define CSK_FOR_COLUMNS(begin, end, STEP)               \
  do {                                                  \
    int32_t column_ = (begin);                          \
    for (; column_ <= (int64_t)(end)-4; column_ += 4) { \
      STEP(column_);                                    \
      STEP(column_ + 1);                                \
      STEP(column_ + 2);                                \
      STEP(column_ + 3);                                \
    }                                                   \
    for (; column_ < (end); column_++) STEP(column_);   \
  } while (0)

/// target += {sum v, sum v (x - mean)} over a channel's columns.
CSK_TARGET CSK_NOINLINE void csk_add_row(const float *v, const float *x, float mean, int32_t width,
                                         double target[2]) {
  const csk_v m = csk_all(mean);
  csk_sums sum = csk_no_sums();
#define STEP(j)                                                             \
  do {                                                                      \
    const ptrdiff_t at = (ptrdiff_t)(j)*csk_lanes;                          \
    csk_add_column(&sum, csk_load(v + at), csk_minus(csk_load(x + at), m)); \
  } while (0)
  CSK_FOR_COLUMNS(0, width, STEP);
#undef STEP
  csk_add_sums(&sum, target);
}

/// Columns whose activations are computed at once, in L1.
enum { csk_block_columns = 32 };

/// values = scale x + shift for `count` elements, or f of it, which the gradient of f needs.
CSK_TARGET
static void csk_make_values(csk_activation activation, const float *x, csk_v scale, csk_v shift,
                            int64_t count, float *values) {
  for (int64_t i = 0; i < count; i += csk_lanes)
    csk_store(values + i, csk_fused(scale, csk_load(x + i), shift));
  if (!csk_activation_needs_input(activation)) activate(activation, values, count);
}

/// gradient *= f'(scale x + shift) for `count` elements.
CSK_TARGET CSK_NOINLINE void csk_pass_back_from(csk_activation activation, const float *x,
                                                csk_v scale, csk_v shift, int64_t count,
                                                float *gradient) {
  enum { block = csk_block_columns * csk_lanes };
  float values[block];
  for (int64_t i = 0; i < count; i += block) {
    const int64_t some = count - i < block ? count - i : block;
    csk_make_values(activation, x + i, scale, shift, some, values);
    activate_gradient(activation, gradient + i, values, some);
  }
}

#endif
