// csk_select_internal.h: the keys of a selection, and what its parts share.
#ifndef CSK_SELECT_INTERNAL_H
#define CSK_SELECT_INTERNAL_H

#include <string.h>

#include "csk_internal.h"

// The key of a value, of its bits without the sign, is
//
//   largest:   bits + 0x007fffff        smallest:  0x7fffffff - bits
//
// Either way a better value has the greater key, keys compare as signed integers, numbers have
// keys in [csk_key_lowest, csk_key_highest], and a NaN's key is less than all of them: negative
// by overflow in the first case, the bits above infinity's in the second. So one comparison with
// the cut also keeps NaNs out. (Integers, because float comparisons depend on denormal modes.)
#define csk_key_lowest UINT32_C(0x007fffff)
#define csk_key_highest UINT32_C(0x7fffffff)

/// key = ((bits & 0x7fffffff) ^ flip) + shift, modulo 2^32.
typedef struct csk_key_rule {
  uint32_t flip, shift;
} csk_key_rule;

static inline csk_key_rule csk_key_rule_of(csk_select_order order) {
  return order == csk_select_largest ? (csk_key_rule){0, csk_key_lowest}
                                     : (csk_key_rule){0x7fffffff, 0};
}

static inline int32_t csk_key_of(csk_key_rule rule, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (int32_t)(((bits & 0x7fffffff) ^ rule.flip) + rule.shift);
}

// Vector versions store whole vectors of candidates, past the last one.
enum { csk_select_slack = 8 };

/// How many leading values of an offer lie before the cut's position. These pass with a key equal
/// to the cut's, the others need a greater one.
static inline int64_t csk_select_before_cut(const csk_selection *selection, int64_t count,
                                            int64_t first_position) {
  if (selection->cut_position <= first_position) return 0;
  const int64_t before = selection->cut_position - first_position;
  return before < count ? before : count;
}

/// Appends the values whose keys are greater than `cut`; returns how many are NaN.
typedef int64_t csk_filter_above(csk_selection *selection, const float *values, int64_t count,
                                 int64_t position, int32_t cut);

/// What passes the selection's cut, whose position splits the values in two.
static inline int64_t csk_filter_by(csk_filter_above *above, csk_selection *selection,
                                    const float *values, int64_t count, int64_t position) {
  const int64_t before = csk_select_before_cut(selection, count, position);
  const int32_t cut = (int32_t)selection->cut_key;
  int64_t nans = 0;
  if (before > 0) nans += above(selection, values, before, position, cut - 1);
  if (before < count)
    nans += above(selection, values + before, count - before, position + before, cut);
  return nans;
}

/// The rank-th largest of words[i] & 0x7fffffff, 1 <= rank <= count < 2^32, by three radix passes
/// over `histogram` (csk_cut_histogram_size). Returns how many of the words equal to it are among
/// the rank largest.
int64_t csk_kth_largest(const void *words, int64_t count, int64_t rank, uint32_t *histogram,
                        uint32_t *kth);

/// Takes away candidates that can not be selected and raises the cut. Exactly the best k are left
/// if `exact`; otherwise at most csk_selection_shrunk(k). Nothing happens while count <= k.
void csk_selection_shrink(csk_selection *selection, const csk_kernels *kernels, bool exact);

/// What may be left after an inexact shrink: little enough that shrinks stay rare.
static inline int64_t csk_selection_shrunk(int64_t k) {
  return k + k / 4 + 1024;
}

/// Samples for estimates: they cost a fraction of what they stand for, and suffice for 2 to 3 %.
enum { csk_select_samples = 4096 };

/// The rank to take among `samples` random samples of `count` values so that at least k values are
/// not worse, but for four standard deviations of bad luck.
int64_t csk_select_sample_rank(int64_t samples, int64_t k, int64_t count);

/// A fixed pseudo-random number in [0, 2^16) for sample i, to jitter it: samples at a fixed
/// distance would see only one column of a periodic array.
static inline int64_t csk_select_jitter(int64_t i) {
  return (int64_t)((uint32_t)i * UINT32_C(0x9e3779b1) >> 16);
}

#endif
