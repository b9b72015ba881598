// avx2/csk_pack_avx2.c: samples and bytes into groups, by transposing blocks in registers.
//
// Bound: bytes in L2: an element is 4 (or 1) read and 4 written.
#include <math.h>

#include "csk_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#define INLINE CSK_TARGET_AVX2 static inline __attribute__((always_inline))

/// Channels to do for all lanes before going on: as many as leave the tile of the target in L1,
/// where its lines are completed, while each sample is read some lines at a stretch. Reading a line
/// of every sample in turn is slower, the more so where the samples' stride aliases.
INLINE int32_t tile_channels(int32_t lanes) {
  const int32_t channels = 4096 / lanes / 64 * 64;
  return channels > 0 ? channels : 64;
}

/// rows[i][j] becomes rows[j][i].
INLINE void transpose_8x8(__m256 r[8]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; i++) {
    const __m256 low = r[i], high = r[i + 4];
    r[i] = _mm256_permute2f128_ps(low, high, 0x20);
    r[i + 4] = _mm256_permute2f128_ps(low, high, 0x31);
  }
}

/// target[j * lanes + i] = samples[i * stride + j] for eight channels and lanes, of which `rows`
/// are samples and the rest 0.
INLINE void transpose_samples(const float *samples, ptrdiff_t stride, int32_t rows, int32_t lanes,
                              float *target) {
  __m256 r[8];
  for (int i = 0; i < 8; i++)
    r[i] = i < rows ? _mm256_loadu_ps(samples + i * stride) : _mm256_setzero_ps();
  transpose_8x8(r);
  for (int j = 0; j < 8; j++) _mm256_storeu_ps(target + (ptrdiff_t)j * lanes, r[j]);
}

INLINE int32_t at_most(int32_t n, int32_t limit) {
  return n < 0 ? 0 : n < limit ? n : limit;
}

/// Channels [begin, end) of all lanes, eight by eight. `first`: the least channel there is.
INLINE void pack_sample_tile(const float *samples, ptrdiff_t stride, int32_t live, int32_t first,
                             int32_t begin, int32_t end, int32_t lanes, float *target) {
  for (int32_t lane = 0; lane < lanes; lane += 8) {
    const int32_t rows = at_most(live - lane, 8);
    const float *row = rows > 0 ? samples + lane * stride : samples;
    int32_t c = begin;
    while (c < end && end - first >= 8) {
      // The last block reaches back into channels that are done, rather than past the end.
      if (c + 8 > end) c = end - 8;
      const float *from = rows > 0 ? row + c : row;
      float *to = target + (ptrdiff_t)c * lanes + lane;
      if (rows == 8) {
        transpose_samples(from, stride, 8, lanes, to);
      } else {
        transpose_samples(from, stride, rows, lanes, to);
      }
      c += 8;
    }
    for (; c < end; c++)
      for (int32_t i = 0; i < 8; i++)
        target[(ptrdiff_t)c * lanes + lane + i] = i < rows ? row[i * stride + c] : 0;
  }
}

// target[c, lane] = samples[lane][c]
CSK_TARGET_AVX2
static void pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                         int32_t channel_begin, int32_t channel_end, int32_t lanes, float *target) {
  const int32_t width = tile_channels(lanes);
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t end = c + at_most(channel_end - c, width);
    pack_sample_tile(samples, sample_stride, live, channel_begin, c, end, lanes, target);
    c = end;
  }
}

/// Sixteen bytes of eight rows: out[k] holds the eight rows' bytes of channel 2 k, then 2 k + 1.
INLINE void transpose_bytes(const __m128i r[8], __m128i out[8]) {
  __m128i a[8], b[8];
  for (int i = 0; i < 4; i++) {  // pairs of rows (i, i + 4), channels 0-7 and 8-15
    a[i] = _mm_unpacklo_epi8(r[i], r[i + 4]);
    a[i + 4] = _mm_unpackhi_epi8(r[i], r[i + 4]);
  }
  for (int h = 0; h < 8; h += 4) {
    for (int i = 0; i < 2; i++) {  // rows (i, i + 2, i + 4, i + 6)
      b[h + i] = _mm_unpacklo_epi8(a[h + i], a[h + i + 2]);
      b[h + i + 2] = _mm_unpackhi_epi8(a[h + i], a[h + i + 2]);
    }
    out[h] = _mm_unpacklo_epi8(b[h], b[h + 1]);
    out[h + 1] = _mm_unpackhi_epi8(b[h], b[h + 1]);
    out[h + 2] = _mm_unpacklo_epi8(b[h + 2], b[h + 3]);
    out[h + 3] = _mm_unpackhi_epi8(b[h + 2], b[h + 3]);
  }
}

INLINE void store_bytes(__m128i bytes, __m256 scale, __m256 shift, __m256 live, float *target) {
  const __m256 v = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  _mm256_storeu_ps(target, _mm256_and_ps(_mm256_fmadd_ps(scale, v, shift), live));
}

typedef struct image_set {
  const uint8_t *bytes;
  ptrdiff_t stride;
  const int64_t *rows;
  int32_t live;
  __m256 scale, shift;
} image_set;

INLINE const uint8_t *row_of(const image_set *images, int32_t lane) {
  return images->bytes + images->rows[lane] * images->stride;
}

/// Sixteen channels from c on, eight lanes from `lane` on.
INLINE void pack_byte_block(const image_set *images, int32_t c, int32_t lane, int32_t rows,
                            __m256 live, int32_t lanes, float *target) {
  __m128i r[8], channels[8];
  for (int i = 0; i < 8; i++)
    r[i] = i < rows ? _mm_loadu_si128((const __m128i *)(row_of(images, lane + i) + c))
                    : _mm_setzero_si128();
  transpose_bytes(r, channels);
  float *to = target + (ptrdiff_t)c * lanes + lane;
  for (int k = 0; k < 8; k++, to += 2 * (ptrdiff_t)lanes) {
    store_bytes(channels[k], images->scale, images->shift, live, to);
    store_bytes(_mm_unpackhi_epi64(channels[k], channels[k]), images->scale, images->shift, live,
                to + lanes);
  }
}

/// Asks for channels [begin, end) of eight lanes: rows are scattered over a data set much larger
/// than the caches.
INLINE void prefetch_rows(const image_set *images, int32_t lane, int32_t begin, int32_t end) {
  const int32_t rows = at_most(images->live - lane, 8);
  for (int32_t i = 0; i < rows; i++)
    for (int32_t c = begin; c < end; c += 64)
      _mm_prefetch((const char *)(row_of(images, lane + i) + c), _MM_HINT_T0);
}

/// Channels [begin, end) of eight lanes. `first`: the least channel there is.
INLINE void pack_byte_lanes(const image_set *images, int32_t first, int32_t begin, int32_t end,
                            int32_t lane, int32_t lanes, float *target) {
  const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const int32_t rows = at_most(images->live - lane, 8);
  const __m256 live = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(rows), numbers));
  int32_t c = begin;
  while (c < end && end - first >= 16) {
    // The last block reaches back into channels that are done, rather than past the end.
    if (c + 16 > end) c = end - 16;
    if (rows == 8) {
      pack_byte_block(images, c, lane, 8, live, lanes, target);
    } else {
      pack_byte_block(images, c, lane, rows, live, lanes, target);
    }
    c += 16;
  }
  const float scale = _mm256_cvtss_f32(images->scale), shift = _mm256_cvtss_f32(images->shift);
  for (; c < end; c++)
    for (int32_t i = 0; i < 8; i++)
      target[(ptrdiff_t)c * lanes + lane + i] =
          i < rows ? fmaf(scale, row_of(images, lane + i)[c], shift) : 0;
}

// target[c, lane] = scale * bytes[rows[lane]][c] + shift
CSK_TARGET_AVX2
static void pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                       int32_t live, float scale, float shift, int32_t channel_begin,
                       int32_t channel_end, int32_t lanes, float *target) {
  const image_set images = {bytes, sample_stride,         rows,
                            live,  _mm256_set1_ps(scale), _mm256_set1_ps(shift)};
  const int32_t width = tile_channels(lanes);
  int32_t end = channel_begin + at_most(channel_end - channel_begin, width);
  for (int32_t lane = 0; lane < live; lane += 8) prefetch_rows(&images, lane, channel_begin, end);
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t next_end = end + at_most(channel_end - end, width);
    for (int32_t lane = 0; lane < lanes; lane += 8) {
      prefetch_rows(&images, lane, end, next_end);
      pack_byte_lanes(&images, channel_begin, c, end, lane, lanes, target);
    }
    c = end;
    end = next_end;
  }
}

void csk_pack_avx2(csk_kernels *kernels) {
  kernels->pack_samples = pack_samples;
  kernels->pack_bytes = pack_bytes;
}

#endif
