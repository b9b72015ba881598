// avx2/csk_pack_avx2.c: samples and bytes into groups, by transposing blocks in registers.
//
// Bound: bytes in L2: an element is 4 (or 1) read and 4 written. A block spans one cache line of
// every sample, so that each line is needed once only, however the rows alias in L1.
#include "csk_pack_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#define INLINE CSK_TARGET_AVX2 static inline __attribute__((always_inline))

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

INLINE int32_t at_most_8(int32_t n) {
  return n < 0 ? 0 : n < 8 ? n : 8;
}

/// `width` channels, a multiple of 8, of all lanes; samples and target begin at the first channel.
INLINE void pack_sample_channels(const float *samples, ptrdiff_t stride, int32_t live,
                                 int32_t lanes, int32_t width, float *target) {
  for (int32_t lane = 0; lane < lanes; lane += 8) {
    const int32_t rows = at_most_8(live - lane);
    for (int32_t j = 0; j < width; j += 8) {
      float *to = target + (ptrdiff_t)j * lanes + lane;
      if (rows == 8) {
        transpose_samples(samples + lane * stride + j, stride, 8, lanes, to);
      } else {
        // Null plus an offset where there is no row to read: not formed.
        transpose_samples(rows > 0 ? samples + lane * stride + j : samples, stride, rows, lanes,
                          to);
      }
    }
  }
}

// target[c, lane] = samples[lane][c]
CSK_TARGET_AVX2
static void pack_samples(const float *samples, ptrdiff_t sample_stride, int32_t live,
                         int32_t channel_begin, int32_t channel_end, int32_t lanes, float *target) {
  int32_t c = channel_begin;
  for (; c + 16 <= channel_end; c += 16)
    pack_sample_channels(live > 0 ? samples + c : NULL, sample_stride, live, lanes, 16,
                         target + (ptrdiff_t)c * lanes);
  while (c < channel_end && channel_end - channel_begin >= 8) {
    // The last block reaches back into channels that are done, rather than past the end.
    if (c + 8 > channel_end) c = channel_end - 8;
    pack_sample_channels(live > 0 ? samples + c : NULL, sample_stride, live, lanes, 8,
                         target + (ptrdiff_t)c * lanes);
    c += 8;
  }
  for (; c < channel_end; c++)
    for (int32_t lane = 0; lane < lanes; lane++)
      target[(ptrdiff_t)c * lanes + lane] = lane < live ? samples[lane * sample_stride + c] : 0;
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

/// The first line of a block's rows is asked for while the block before is being converted: rows
/// are scattered over a data set much larger than the caches.
INLINE void prefetch_rows(const image_set *images, int32_t c, int32_t lane) {
  const int32_t rows = at_most_8(images->live - lane);
  for (int32_t i = 0; i < rows; i++)
    _mm_prefetch((const char *)(row_of(images, lane + i) + c), _MM_HINT_T0);
}

// target[c, lane] = scale * bytes[rows[lane]][c] + shift
CSK_TARGET_AVX2
static void pack_bytes(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                       int32_t live, float scale, float shift, int32_t channel_begin,
                       int32_t channel_end, int32_t lanes, float *target) {
  const image_set images = {bytes, sample_stride,         rows,
                            live,  _mm256_set1_ps(scale), _mm256_set1_ps(shift)};
  const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  for (int32_t c = channel_begin; c < channel_end; c += 64) prefetch_rows(&images, c, 0);
  for (int32_t lane = 0; lane < lanes; lane += 8) {
    const int32_t count = at_most_8(live - lane);
    const __m256 some = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), numbers));
    int32_t c = channel_begin;
    while (c < channel_end && channel_end - channel_begin >= 16) {
      // The last block reaches back into channels that are done, rather than past the end.
      if (c + 16 > channel_end) c = channel_end - 16;
      if ((c - channel_begin) % 64 == 0) prefetch_rows(&images, c, lane + 8);
      if (count == 8) {
        pack_byte_block(&images, c, lane, 8, all, lanes, target);
      } else {
        pack_byte_block(&images, c, lane, count, some, lanes, target);
      }
      c += 16;
    }
    for (; c < channel_end; c++)
      for (int32_t i = 0; i < 8; i++)
        target[(ptrdiff_t)c * lanes + lane + i] =
            i < count ? fmaf(scale, row_of(&images, lane + i)[c], shift) : 0;
  }
}

void csk_pack_avx2(csk_kernels *kernels) {
  csk_unpack_avx2(kernels);
  csk_softmax_avx2(kernels);
  kernels->pack_samples = pack_samples;
  kernels->pack_bytes = pack_bytes;
}

#endif
