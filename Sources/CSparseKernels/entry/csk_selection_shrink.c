// entry/csk_selection_shrink.c: taking away the candidates that can not be selected, and putting
// the selected ones in order.
#include <math.h>

#include "csk_select_internal.h"

int64_t csk_select_sample_rank(int64_t samples, int64_t k, int64_t count) {
  const double share = (double)k / (double)count;
  const double deviation = sqrt((double)samples * share * (1 - share));
  const double rank = (double)samples * share + 4 * deviation + 1;
  return rank < (double)samples ? (int64_t)rank : samples;
}

// Keeps the candidates at or above a key that a sample says is little worse than the k-th best.
// False, and nothing changed, if too few or too many are.
static bool shrink_by_estimate(csk_selection *selection, const csk_kernels *kernels) {
  const int64_t count = selection->count, k = selection->k;
  const int64_t samples = count / 16 < csk_select_samples ? count / 16 : csk_select_samples;
  if (samples < 256 || k < 1) return false;
  uint32_t sample[csk_select_samples], histogram[csk_cut_histogram_size], least;
  const int64_t width = count / samples;
  for (int64_t i = 0; i < samples; i++)
    sample[i] = selection->keys[i * width + csk_select_jitter(i) * width / 65536];
  csk_kth_largest(sample, samples, csk_select_sample_rank(samples, k, count), histogram, &least);
  const int64_t kept = kernels->select_count(selection->keys, count, least);
  if (kept < k || kept > csk_selection_shrunk(k)) return false;
  selection->count = kernels->select_keep(selection->keys, selection->positions, count, least);
  if (least > selection->cut_key) {
    selection->cut_key = least;
    selection->cut_position = INT64_MAX;
  }
  return true;
}

// The rank-th lowest position, 1 <= rank, of the candidates with a key.
static int64_t tie_position(const csk_selection *selection, uint32_t key, int64_t rank) {
  if (selection->in_order) {
    for (int64_t i = 0;; i++)
      if (selection->keys[i] == key && --rank == 0) return selection->positions[i];
  }
  // By radix, 11 bits at a time from the top of a non-negative position.
  uint32_t histogram[2048];
  uint64_t prefix = 0;
  for (int shift = 55; shift >= 0; shift -= 11) {
    memset(histogram, 0, sizeof histogram);
    for (int64_t i = 0; i < selection->count; i++) {
      const uint64_t position = (uint64_t)selection->positions[i];
      if (selection->keys[i] == key && position >> shift >> 11 == prefix)
        histogram[position >> shift & 2047]++;
    }
    uint64_t digit = 0;
    while (rank > histogram[digit]) rank -= histogram[digit++];
    prefix = prefix << 11 | digit;
  }
  return (int64_t)prefix;
}

static void shrink_exactly(csk_selection *selection, const csk_kernels *kernels) {
  uint32_t histogram[csk_cut_histogram_size], cut;
  uint32_t *keys = selection->keys;
  int64_t *positions = selection->positions;
  const int64_t k = selection->k;
  if (k == 0) {
    selection->count = 0;
    return;
  }
  const int64_t ties = csk_kth_largest(keys, selection->count, k, histogram, &cut);
  const int64_t count = kernels->select_keep(keys, positions, selection->count, cut);
  selection->count = count;
  selection->cut_key = cut;
  selection->cut_position = INT64_MAX;
  if (count == k) return;
  const int64_t last = tie_position(selection, cut, ties);
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t key = keys[i];
    const int64_t position = positions[i];
    keys[kept] = key;
    positions[kept] = position;
    kept += key > cut || position <= last;
  }
  selection->count = kept;
  selection->cut_position = last;
}

void csk_selection_shrink(csk_selection *selection, const csk_kernels *kernels, bool exact) {
  if (selection->count <= selection->k) return;
  if (!exact && shrink_by_estimate(selection, kernels)) return;
  shrink_exactly(selection, kernels);
}

csk_status csk_selection_admit_zeros(csk_selection *selection, int64_t count, int64_t *admitted) {
  if (!selection || !selection->keys || !selection->positions || selection->is_part || count < 0 ||
      !admitted)
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  // Nothing is smaller than 0; among the largest, what is greater goes before.
  int64_t room = selection->k;
  if (count > 0 && selection->order == csk_select_largest) {
    csk_selection_shrink(selection, kernels, true);
    for (int64_t i = 0; i < selection->count; i++) room -= selection->keys[i] > csk_key_lowest;
  }
  *admitted = count < room ? count : room;
  selection->k -= *admitted;
  return csk_status_ok;
}

// positions[0..count) ascending, by radix with `spare` (count) to and fro, 11 bits at a time.
static void sort_positions(int64_t *positions, int64_t *spare, int64_t count) {
  uint64_t seen = 0;
  for (int64_t i = 0; i < count; i++) seen |= (uint64_t)positions[i];
  int64_t *from = positions, *to = spare;
  for (int shift = 0; shift < 64 && seen >> shift; shift += 11) {
    int64_t starts[2048] = {0};
    for (int64_t i = 0; i < count; i++) starts[(uint64_t)from[i] >> shift & 2047]++;
    int64_t start = 0;
    for (int digit = 0; digit < 2048; digit++) {
      const int64_t with_digit = starts[digit];
      starts[digit] = start;
      start += with_digit;
    }
    for (int64_t i = 0; i < count; i++) to[starts[(uint64_t)from[i] >> shift & 2047]++] = from[i];
    int64_t *sorted = to;
    to = from;
    from = sorted;
  }
  if (from != positions) memcpy(positions, from, (size_t)count * sizeof *positions);
}

csk_status csk_selection_finish(csk_selection *selection) {
  if (!selection || !selection->keys || !selection->positions || selection->is_part)
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  csk_selection_shrink(selection, kernels, true);
  // count <= k, and the arrays hold 3 k: the rest is room to sort in.
  if (!selection->in_order)
    sort_positions(selection->positions, selection->positions + selection->count, selection->count);
  selection->in_order = true;
  return csk_status_ok;
}
