// scalar/csk_pack_scalar.c: samples and bytes into groups.
#include <math.h>

#include "csk_internal.h"

// target[c, lane] = samples[lane][c]
static void pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                         int32_t channel_begin, int32_t channel_end, int32_t lanes, float *target) {
  for (int32_t c = channel_begin; c < channel_end; c++)
    for (int32_t lane = 0; lane < lanes; lane++)
      target[(ptrdiff_t)c * lanes + lane] = lane < live ? samples[lane * sample_stride + c] : 0;
}

// target[c, lane] = scale * bytes[rows[lane]][c] + shift, rounded once: the same bits everywhere
static void pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                       int32_t live, float scale, float shift, int32_t channel_begin,
                       int32_t channel_end, int32_t lanes, float *target) {
  for (int32_t c = channel_begin; c < channel_end; c++)
    for (int32_t lane = 0; lane < lanes; lane++)
      target[(ptrdiff_t)c * lanes + lane] =
          lane < live ? fmaf(scale, bytes[rows[lane] * sample_stride + c], shift) : 0;
}

void csk_pack_scalar(csk_kernels *kernels) {
  kernels->pack_samples = pack_samples;
  kernels->pack_bytes = pack_bytes;
}
