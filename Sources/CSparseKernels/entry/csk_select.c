// entry/csk_select.c: the best k of a stream. Values that pass the cut are appended to the
// candidates; when these fill their arrays, all but about k are taken away and the cut rises.
//
// Bound: reading the values once. The worst case, where each value passes, also writes 12 bytes a
// value and moves a third of them again: long offers avoid it by predicting their cut.
#include "csk_select_internal.h"

// Values filtered at a time: they stay in the first-level cache between the stamping of excluded
// ones and the filter.
enum { piece_size = 2048 };

int64_t csk_selection_capacity(int64_t k) {
  return k < 0 || k > INT64_C(1) << 32 ? -1 : 3 * k + 4096;
}

csk_status csk_selection_begin(csk_selection *selection, csk_select_order order, int64_t k,
                               uint32_t *keys, int64_t *positions, int64_t capacity) {
  if (!selection || !keys || !positions || csk_selection_capacity(k) < 0 ||
      capacity < csk_selection_capacity(k) ||
      (order != csk_select_largest && order != csk_select_smallest))
    return csk_status_invalid_argument;
  *selection = (csk_selection){
      .order = order,
      .k = k,
      .capacity = capacity,
      .keys = keys,
      .positions = positions,
      .cut_key = k > 0 ? csk_key_lowest : csk_key_highest,
      .cut_position = k > 0 ? INT64_MAX : 0,
      .in_order = true,
  };
  return csk_status_ok;
}

csk_status csk_selection_begin_part(csk_selection *part, const csk_selection *whole, uint32_t *keys,
                                    int64_t *positions, int64_t capacity) {
  if (!part || !whole || part == whole || !whole->keys || !whole->positions || whole->is_part ||
      !keys || !positions || keys == whole->keys || capacity <= csk_select_slack)
    return csk_status_invalid_argument;
  // Whatever does not pass the cut of the whole is worse than k that it holds already.
  *part = (csk_selection){
      .order = whole->order,
      .k = whole->k,
      .capacity = capacity,
      .keys = keys,
      .positions = positions,
      .cut_key = whole->cut_key,
      .cut_position = whole->cut_position,
      .in_order = true,
      .is_part = true,
  };
  return csk_status_ok;
}

int64_t csk_selection_room(const csk_selection *selection) {
  return selection->is_part ? selection->capacity - csk_select_slack - selection->count : INT64_MAX;
}

// One offer on its way through the filter.
typedef struct offer {
  float *values;
  int64_t count, first_position;
  const int32_t *excluded;
  int64_t excluded_count;
  bool is_stamped;  // the excluded values are NaN already: the second time through
} offer;

// Overwrites the excluded values below `end` with NaN, which never passes. `next` is the first of
// `excluded` to look at, and moves on.
static csk_status stamp(const offer *offer, int64_t end, int64_t *next) {
  for (; *next < offer->excluded_count && offer->excluded[*next] < end; (*next)++) {
    const int32_t i = offer->excluded[*next];
    if (offer->is_stamped) continue;
    if (i < 0 || (*next > 0 && i <= offer->excluded[*next - 1])) return csk_status_invalid_argument;
    if (offer->values[i] != offer->values[i]) return csk_status_nan;
    const uint32_t nan = 0x7fc00000;
    memcpy(offer->values + i, &nan, sizeof nan);
  }
  return csk_status_ok;
}

// Filters a whole offer, shrinking when the candidates are full; `passed` counts what passed.
static csk_status filter(csk_selection *selection, const csk_kernels *kernels, const offer *offer,
                         int64_t *passed) {
  int64_t next = 0;
  *passed = 0;
  for (int64_t begin = 0; begin < offer->count;) {
    const int64_t piece = offer->count - begin < piece_size ? offer->count - begin : piece_size;
    if (selection->capacity - csk_select_slack - selection->count < piece)
      csk_selection_shrink(selection, kernels, false);
    const int64_t excluded_before = next;
    const csk_status status = stamp(offer, begin + piece, &next);
    if (status != csk_status_ok) return status;
    const int64_t first = offer->first_position + begin;
    const int64_t held = selection->count;
    const int64_t nans = kernels->select_filter(selection, offer->values + begin, piece, first);
    if (nans != next - excluded_before) return csk_status_nan;
    if (selection->count > held) {
      selection->in_order &= first >= selection->next_position;
      selection->next_position = first + piece;
      *passed += selection->count - held;
    }
    begin += piece;
  }
  return next == offer->excluded_count ? csk_status_ok : csk_status_invalid_argument;
}

// Whether `index` is excluded. Asked for ascending indices: `from` moves on.
static bool is_excluded(const offer *offer, int64_t index, int64_t *from) {
  int64_t low = *from, high = offer->excluded_count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (offer->excluded[middle] < index)
      low = middle + 1;
    else
      high = middle;
  }
  *from = low;
  return low < offer->excluded_count && offer->excluded[low] == index;
}

// A key that k values of the offer should reach, from a sample of it; 0 if it is no help.
static uint32_t predict_cut(const csk_selection *selection, const offer *offer) {
  if (selection->k == 0 || offer->count < 1 << 16 || offer->count / 2 < selection->k) return 0;
  const csk_key_rule rule = csk_key_rule_of(selection->order);
  int64_t samples = offer->count / 256, taken = 0, from = 0;
  if (samples > csk_select_samples) samples = csk_select_samples;
  uint32_t sample[csk_select_samples], histogram[csk_cut_histogram_size], cut;
  const int64_t width = offer->count / samples;
  for (int64_t i = 0; i < samples; i++) {
    const int64_t index = i * width + csk_select_jitter(i) * width / 65536;
    if (offer->excluded_count > 0 && is_excluded(offer, index, &from)) continue;
    const int32_t key = csk_key_of(rule, offer->values[index]);
    if (key >= (int32_t)csk_key_lowest) sample[taken++] = (uint32_t)key;
  }
  const int64_t rank = csk_select_sample_rank(samples, selection->k, offer->count);
  if (rank >= taken) return 0;
  csk_kth_largest(sample, taken, rank, histogram, &cut);
  return cut;
}

// Filters by a predicted cut. If k values of the offer reach it, that proves it: whatever did not
// is out. If not, the offer is filtered again without it.
static csk_status filter_predicted(csk_selection *selection, const csk_kernels *kernels,
                                   offer *offer) {
  int64_t passed;
  const uint32_t predicted = predict_cut(selection, offer);
  if (predicted <= selection->cut_key) return filter(selection, kernels, offer, &passed);
  // With room for k, the candidates fill up, and lose what was there before, only after the proof.
  if (selection->capacity - csk_select_slack - selection->count < selection->k + piece_size)
    csk_selection_shrink(selection, kernels, false);
  csk_selection before = *selection;
  if (predicted > selection->cut_key) {
    selection->cut_key = predicted;
    selection->cut_position = INT64_MAX;
  }
  const csk_status status = filter(selection, kernels, offer, &passed);
  if (status != csk_status_ok || passed >= selection->k) return status;
  *selection = before;
  offer->is_stamped = true;
  return filter(selection, kernels, offer, &passed);
}

csk_status csk_selection_offer(csk_selection *selection, float *values, int64_t count,
                               int64_t first_position, const int32_t *excluded,
                               int64_t excluded_count) {
  if (!selection || !selection->keys || !selection->positions || count < 0 ||
      (count > 0 && !values) || first_position < 0 || excluded_count < 0 ||
      (excluded_count > 0 && !excluded) || count > csk_selection_room(selection))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  int64_t end;  // past the last position, which must fit too
  if (__builtin_add_overflow(count, first_position, &end)) return csk_status_overflow;
  offer offer = {values, count, first_position, excluded, excluded_count, false};
  return filter_predicted(selection, kernels, &offer);
}

// Appends candidates that pass the cut, without a branch: the arrays have room for all of them.
static void append(csk_selection *selection, const uint32_t *restrict from_keys,
                   const int64_t *restrict from_positions, int64_t count) {
  uint32_t *restrict keys = selection->keys;
  int64_t *restrict positions = selection->positions;
  const uint32_t cut_key = selection->cut_key;
  const int64_t cut_position = selection->cut_position;
  int64_t held = selection->count, next = selection->next_position;
  bool in_order = selection->in_order;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t key = from_keys[i];
    const int64_t position = from_positions[i];
    keys[held] = key;
    positions[held] = position;
    const bool passes = (key > cut_key) | ((key == cut_key) & (position < cut_position));
    in_order &= !passes | (position >= next);
    next = passes ? position + 1 : next;
    held += passes;
  }
  selection->count = held;
  selection->next_position = next;
  selection->in_order = in_order;
}

csk_status csk_selection_merge(csk_selection *selection, const csk_selection *other) {
  if (!selection || !other || selection == other || selection->is_part ||
      selection->order != other->order || other->k < selection->k)
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  for (int64_t begin = 0; begin < other->count;) {
    if (selection->count == selection->capacity) csk_selection_shrink(selection, kernels, false);
    const int64_t room = selection->capacity - selection->count;
    const int64_t rest = other->count - begin, count = rest < room ? rest : room;
    append(selection, other->keys + begin, other->positions + begin, count);
    begin += count;
  }
  return csk_status_ok;
}
