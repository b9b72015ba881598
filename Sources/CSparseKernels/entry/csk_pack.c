// entry/csk_pack.c: checks the arguments of the packing operations once, then dispatches.
#include "csk_internal.h"

static bool block_is_valid(int32_t live, int32_t channel_begin, int32_t channel_end,
                           int32_t lanes) {
  return channel_begin >= 0 && channel_end >= channel_begin && lanes > 0 && lanes % 8 == 0 &&
         live >= 0 && live <= lanes;
}

csk_status csk_pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                            int32_t channel_begin, int32_t channel_end, int32_t lanes,
                            float *target) {
  if (!block_is_valid(live, channel_begin, channel_end, lanes)) return csk_status_invalid_argument;
  const bool empty = channel_begin == channel_end;
  if (!empty && (!target || (live > 0 && !samples))) return csk_status_invalid_argument;
  if (live > 1 && sample_stride < channel_end) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->pack_samples(samples, sample_stride, live, channel_begin, channel_end, lanes, target);
  return csk_status_ok;
}

csk_status csk_pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                          int32_t live, float scale, float shift, int32_t channel_begin,
                          int32_t channel_end, int32_t lanes, float *target) {
  if (!block_is_valid(live, channel_begin, channel_end, lanes)) return csk_status_invalid_argument;
  const bool empty = channel_begin == channel_end;
  if (!empty && (!target || (live > 0 && (!bytes || !rows)))) return csk_status_invalid_argument;
  if (live > 0 && sample_stride < channel_end) return csk_status_invalid_argument;
  for (int32_t lane = 0; !empty && lane < live; lane++)
    if (rows[lane] < 0) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  kernels->pack_bytes(bytes, sample_stride, rows, live, scale, shift, channel_begin, channel_end,
                      lanes, target);
  return csk_status_ok;
}
