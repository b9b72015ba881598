// scalar/csk_select_scalar.c: filter(value) = key(value) passes the cut. The specification of the
// selection's kernels.
#include "csk_select_internal.h"

static int64_t filter(csk_selection *selection, const float *values, int64_t count,
                      int64_t first_position) {
  const csk_key_rule rule = csk_key_rule_of(selection->order);
  const int64_t before = csk_select_before_cut(selection, count, first_position);
  const int32_t cut = (int32_t)selection->cut_key;
  int64_t candidates = selection->count, nans = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t key = csk_key_of(rule, values[i]);
    nans += key < (int32_t)csk_key_lowest;
    // Stored always and kept if it passes: there is nothing to mispredict.
    selection->keys[candidates] = (uint32_t)key;
    selection->positions[candidates] = first_position + i;
    candidates += key > cut || (key == cut && i < before);
  }
  selection->count = candidates;
  return nans;
}

static int64_t count_from(const uint32_t *keys, int64_t count, uint32_t least) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; i++) found += keys[i] >= least;
  return found;
}

static int64_t keep_from(uint32_t *keys, int64_t *positions, int64_t count, uint32_t least) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) {
    const uint32_t key = keys[i];
    keys[kept] = key;
    positions[kept] = positions[i];
    kept += key >= least;
  }
  return kept;
}

void csk_select_scalar(csk_kernels *kernels) {
  kernels->select_filter = filter;
  kernels->select_count = count_from;
  kernels->select_keep = keep_from;
}
