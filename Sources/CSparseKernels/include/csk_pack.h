// include/csk_pack.h: samples into groups, and groups into panels.
//
// Activations are grouped with the batch innermost: [group][channel][lane] for vectors, `lanes`
// samples a group; sample s is lane s % lanes of group s / lanes. The last group's lanes beyond
// the samples are dead: any finite value in activations, exactly zero in gradients.
#ifndef CSK_PACK_H
#define CSK_PACK_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// target[c, lane] = samples[lane][c] for c in [channel_begin, channel_end); lanes >= live are 0.
/// One group from row-major samples.
///
///   samples       (live) pointers' worth of rows: row i at samples + i * sample_stride
csk_status csk_pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                            int32_t channel_begin, int32_t channel_end, int32_t lanes,
                            float *target);

/// target[c, lane] = scale * bytes[rows[lane] * sample_stride + c] + shift: one group straight from
/// a byte image set, normalised on the way; lanes >= live are 0.
///
///   rows  (live) indices of the samples to take; that they are below the number of samples is the
///         caller's care
/// One rounding (a fused multiply-add), the same bits on every instruction set.
csk_status csk_pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                          int32_t live, float scale, float shift, int32_t channel_begin,
                          int32_t channel_end, int32_t lanes, float *target);

/// Between grouped activations and one panel for a dense product:
///   gather:  panel[c, g * lanes + lane] = groups[g][c, lane]
///   scatter: groups[g][c, lane] = panel[c, g * lanes + lane]
/// for c in [channel_begin, channel_end); panel rows are panel_stride >= group_count * lanes long,
/// groups are group_stride apart.
csk_status csk_gather_groups(const float *groups, ptrdiff_t group_stride, int32_t group_count,
                             int32_t lanes, int32_t channel_begin, int32_t channel_end,
                             float *panel, ptrdiff_t panel_stride);
csk_status csk_scatter_groups(const float *panel, ptrdiff_t panel_stride, int32_t group_count,
                              int32_t lanes, int32_t channel_begin, int32_t channel_end,
                              float *groups, ptrdiff_t group_stride);

/// Reads one float of each cache line of `count` floats, in order, so that they are in the cache
/// afterwards; bound: bandwidth of the level they come from. For operands that a sparse product is
/// about to read in an order that hardware cannot foresee. Loads, because a CPU drops prefetch
/// instructions when it has many (measured: half of the gain is lost with them).
void csk_warm(const float *values, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
