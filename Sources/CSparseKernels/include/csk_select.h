// include/csk_select.h: which k have the largest (or smallest) magnitude, streamed.
#ifndef CSK_SELECT_H
#define CSK_SELECT_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Which end of the order a selection keeps. Either way ties go to the lower position.
typedef enum csk_select_order {
  csk_select_largest = 0,
  csk_select_smallest = 1,
} csk_select_order;

/// A selection in progress: the best k of all values offered so far, and some that may still fall
/// out. The candidate arrays are borrowed; a selection with the same k and the same values offered
/// gives the same result whatever the order and the cut of the offers. No position may be offered
/// twice.
typedef struct csk_selection {
  csk_select_order order;
  int64_t k;              // how many to select
  int64_t capacity;       // of the two arrays; >= csk_selection_capacity(k)
  uint32_t *keys;         // (capacity) order-preserving keys of the magnitudes, better is greater
  int64_t *positions;     // (capacity)
  int64_t count;          // candidates held now
  uint32_t cut_key;       // the worst key that can still get in
  int64_t cut_position;   // ... and, at that key, the first position that can not
  bool in_order;          // the candidates' positions ascend
  int64_t next_position;  // ... and all lie below this one
  bool is_part;           // a part of another: csk_selection_begin_part
} csk_selection;

/// Elements that the candidate arrays need for a given k: 3 k + 4096, that is 36 bytes for each
/// selected position and 48 KiB. -1 if k is negative or beyond 2^32.
int64_t csk_selection_capacity(int64_t k);

/// Starts a selection over borrowed arrays.
csk_status csk_selection_begin(csk_selection *selection, csk_select_order order, int64_t k,
                               uint32_t *keys, int64_t *positions, int64_t capacity);

/// Starts one thread's part of a selection that several threads share: a short queue in front of
/// it, with the cut that `whole` has now, so that the memory of all threads together is that of one
/// selection and a queue each. Offers go to the part, which takes no lock; when it has no room for
/// the next one, and in the end, the thread locks `whole`, merges the part into it, and begins the
/// part again, with the cut that has risen meanwhile. What is selected does not depend on when.
///
/// `capacity` is the caller's choice, beyond 8 and the longest offer; long queues lock seldom.
csk_status csk_selection_begin_part(csk_selection *part, const csk_selection *whole, uint32_t *keys,
                                    int64_t *positions, int64_t capacity);

/// How many values can be offered to a part before it has to be merged; to a selection that is not
/// a part, any number: INT64_MAX.
int64_t csk_selection_room(const csk_selection *selection);

/// Offers values[i] at position first_position + i, i < count, by |value| (-0 counts as 0,
/// infinities are ordered). Long offers are faster than short ones: from 2^16 values and 2 k on, a
/// sample of the offer predicts the cut before anything is stored.
///
///   first_position  >= 0; csk_status_overflow if a position does not fit
///   excluded        (excluded_count) strictly increasing indices into `values` that must not be
///                   selected; their entries are overwritten. null if there are none, and then
///                   `values` is only read.
///
/// A NaN anywhere in `values`, excluded entries too, gives csk_status_nan; it is never selected. A
/// part that has no room for `count` values gives csk_status_invalid_argument.
csk_status csk_selection_offer(csk_selection *selection, float *values, int64_t count,
                               int64_t first_position, const int32_t *excluded,
                               int64_t excluded_count);

/// Offers everything `other` holds (a part, or another thread's selection) to `selection`, which
/// must not be a part itself. `other` must have the same order and at least the same k, and not be
/// finished; it is only read.
csk_status csk_selection_merge(csk_selection *selection, const csk_selection *other);

/// Lets in candidates that were not offered: `count` of value 0 that come before all others of that
/// value, which their positions do not say. `admitted` of them, 0 <= admitted <= count, are among
/// the best k, which of them is for the caller to say, and k becomes that much less. Only
/// csk_selection_finish may follow. A part cannot admit.
csk_status csk_selection_admit_zeros(csk_selection *selection, int64_t count, int64_t *admitted);

/// Finishes: positions[0..count) are the selected ones, ascending; count = min(k, offered).
/// The keys are gone afterwards: only csk_selection_begin may follow. A part cannot be finished.
csk_status csk_selection_finish(csk_selection *selection);

/// The cut that keeps the `keep` largest magnitudes of an array: everything above `magnitude`, and
/// of those equal to it the first `ties` in position order.
typedef struct csk_magnitude_cut {
  float magnitude;
  int64_t ties;
} csk_magnitude_cut;

/// Finds that cut for |values|, 0 <= keep <= count, in a few passes and no memory but `histogram`
/// (csk_cut_histogram_size elements). csk_status_nan if there is a NaN. keep == 0 gives
/// {+inf, 0}; with infinities present the ties still decide. csk_status_overflow from 2^32
/// values on.
csk_status csk_find_magnitude_cut(const float *values, int64_t count, int64_t keep,
                                  uint32_t *histogram, csk_magnitude_cut *cut);
enum { csk_cut_histogram_size = 4 * 2048 };

#ifdef __cplusplus
}
#endif
#endif
