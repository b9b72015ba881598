// entry/csk_groups.c: panel[c, g * lanes + lane] = groups[g][c, lane], and back.
//
// Bound: bytes, 8 an element, in the level where groups and panel live. Plain copies, so there is
// one version for all instruction sets.
#include <string.h>

#include "csk_internal.h"

/// Channels copied from one group before the next one's turn: enough to read whole cache lines of
/// narrow groups, few enough that rows of the panel a multiple of 4096 bytes apart stay in L1.
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

/// One row of a group. Fixed-size copies become vector moves; a call to memcpy would cost more
/// than the copy.
static inline void copy_lanes(float *restrict to, const float *restrict from, int32_t lanes) {
  for (int32_t lane = 0; lane < lanes; lane += 8) memcpy(to + lane, from + lane, 8 * sizeof *to);
}

csk_status csk_gather_groups(const float *groups, ptrdiff_t group_stride, int32_t group_count,
                             int32_t lanes, int32_t channel_begin, int32_t channel_end,
                             float *panel, ptrdiff_t panel_stride) {
  const csk_status status = check(groups, group_stride, group_count, lanes, channel_begin,
                                  channel_end, panel, panel_stride);
  if (status != csk_status_ok) return status;
  for (int32_t begin = channel_begin; begin < channel_end; begin += channel_block) {
    const int32_t rest = channel_end - begin;
    const int32_t end = begin + (rest < channel_block ? rest : channel_block);
    for (int32_t g = 0; g < group_count; g++)
      for (int32_t c = begin; c < end; c++)
        copy_lanes(panel + c * panel_stride + (ptrdiff_t)g * lanes,
                   groups + g * group_stride + (ptrdiff_t)c * lanes, lanes);
  }
  return csk_status_ok;
}

csk_status csk_scatter_groups(const float *panel, ptrdiff_t panel_stride, int32_t group_count,
                              int32_t lanes, int32_t channel_begin, int32_t channel_end,
                              float *groups, ptrdiff_t group_stride) {
  const csk_status status = check(groups, group_stride, group_count, lanes, channel_begin,
                                  channel_end, panel, panel_stride);
  if (status != csk_status_ok) return status;
  for (int32_t begin = channel_begin; begin < channel_end; begin += channel_block) {
    const int32_t rest = channel_end - begin;
    const int32_t end = begin + (rest < channel_block ? rest : channel_block);
    for (int32_t g = 0; g < group_count; g++)
      for (int32_t c = begin; c < end; c++)
        copy_lanes(groups + g * group_stride + (ptrdiff_t)c * lanes,
                   panel + c * panel_stride + (ptrdiff_t)g * lanes, lanes);
  }
  return csk_status_ok;
}
