// entry/csk_groups.c: panel[c, g * lanes + lane] = groups[g][c, lane], and back.
//
// Bound: bytes, 8 an element, in the level where groups and panel live. Plain copies, so there is
// one version for all instruction sets.
#include <string.h>

#include "csk_internal.h"

/// Channels copied from one group before the next one's turn: whole cache lines of narrow groups,
/// while rows of the panel a multiple of 4096 bytes apart still share L1. Best of 1
/// to 16, measured.
enum { channel_block = 4 };

static csk_status check(const float *groups, ptrdiff_t group_stride, int32_t group_count,
                        int32_t lanes, int32_t channel_begin, int32_t channel_end,
                        const float *panel, ptrdiff_t panel_stride) {
  if (channel_begin < 0 || channel_end < channel_begin || lanes <= 0 || lanes % 8 != 0 ||
      group_count < 0)
    return csk_status_invalid_argument;
  if (channel_begin == channel_end || group_count == 0) return csk_status_ok;
  if (!groups || !panel) return csk_status_invalid_argument;
  if (group_count > 1 && group_stride < (ptrdiff_t)channel_end * lanes)
    return csk_status_invalid_argument;
  if (panel_stride < (ptrdiff_t)group_count * lanes) return csk_status_invalid_argument;
  return csk_status_ok;
}

/// Where (group, channel)'s first lane lies: values + group * group_step + channel * channel_step.
typedef struct view {
  float *values;
  ptrdiff_t group_step, channel_step;
} view;

/// to(g, c) = from(g, c), `lanes` values each, for all groups and channels [begin, end).
static inline __attribute__((always_inline)) void copy_lanes(view from, view to, int32_t groups,
                                                             int32_t begin, int32_t end,
                                                             int32_t lanes) {
  for (int32_t block = begin; block < end; block += channel_block) {
    const int32_t rest = end - block;
    const int32_t block_end = block + (rest < channel_block ? rest : channel_block);
    for (int32_t g = 0; g < groups; g++)
      for (int32_t c = block; c < block_end; c++)
        memcpy(to.values + g * to.group_step + c * to.channel_step,
               from.values + g * from.group_step + c * from.channel_step,
               (size_t)lanes * sizeof *to.values);
  }
}

static void copy(view from, view to, int32_t groups, int32_t begin, int32_t end, int32_t lanes) {
  // With the usual sizes as constants there is no call, which costs more than copying 32 bytes.
  switch (lanes) {
    case 8:
      copy_lanes(from, to, groups, begin, end, 8);
      return;
    case 32:
      copy_lanes(from, to, groups, begin, end, 32);
      return;
    default:
      copy_lanes(from, to, groups, begin, end, lanes);
  }
}

csk_status csk_gather_groups(const float *groups, ptrdiff_t group_stride, int32_t group_count,
                             int32_t lanes, int32_t channel_begin, int32_t channel_end,
                             float *panel, ptrdiff_t panel_stride) {
  const csk_status status = check(groups, group_stride, group_count, lanes, channel_begin,
                                  channel_end, panel, panel_stride);
  if (status != csk_status_ok) return status;
  // The view's pointer is shared by both directions; what it is copied from is not written.
  copy((view){(float *)groups, group_stride, lanes}, (view){panel, lanes, panel_stride},
       group_count, channel_begin, channel_end, lanes);
  return csk_status_ok;
}

csk_status csk_scatter_groups(const float *panel, ptrdiff_t panel_stride, int32_t group_count,
                              int32_t lanes, int32_t channel_begin, int32_t channel_end,
                              float *groups, ptrdiff_t group_stride) {
  const csk_status status = check(groups, group_stride, group_count, lanes, channel_begin,
                                  channel_end, panel, panel_stride);
  if (status != csk_status_ok) return status;
  copy((view){(float *)panel, lanes, panel_stride}, (view){groups, group_stride, lanes},
       group_count, channel_begin, channel_end, lanes);
  return csk_status_ok;
}

void csk_warm(const float *values, int64_t count) {
  enum { line = 64 / sizeof(float) };
  for (int64_t i = 0; i < count; i += line) (void)*(const volatile float *)(values + i);
}
