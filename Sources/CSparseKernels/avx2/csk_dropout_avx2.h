// avx2/csk_dropout_avx2.h: dropout by Philox, eight counters at a time. Bound: some 200
// instructions for 32 words.
#ifndef CSK_DROPOUT_AVX2_H
#define CSK_DROPOUT_AVX2_H

#include "../csk_epilogue_internal.h"
#include "../vector/csk_vector_avx2.h"

/// One round on four counters, each word in the lower half of 64 bits. What the upper halves hold
/// does not matter: _mm256_mul_epu32 does not read them, the rest only moves them along.
CSK_TARGET CSK_INLINE void philox_round(__m256i c[4], __m256i k0, __m256i k1) {
  const __m256i p0 = _mm256_mul_epu32(c[0], _mm256_set1_epi64x(CSK_PHILOX_M0));
  const __m256i p1 = _mm256_mul_epu32(c[2], _mm256_set1_epi64x(CSK_PHILOX_M1));
  c[0] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c[1]), k0);
  c[1] = p1;
  c[2] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c[3]), k1);
  c[3] = p0;
}

/// Four counters' words in memory order: words[0] those of counters 0 and 2, words[1] of 1 and 3.
CSK_TARGET CSK_INLINE void interleave(const __m256i c[4], __m256i words[2]) {
  const __m256i w01 = _mm256_blend_epi32(c[0], _mm256_slli_epi64(c[1], 32), 0xaa);
  const __m256i w23 = _mm256_blend_epi32(c[2], _mm256_slli_epi64(c[3], 32), 0xaa);
  words[0] = _mm256_unpacklo_epi64(w01, w23);
  words[1] = _mm256_unpackhi_epi64(w01, w23);
}

typedef struct csk_dropout {
  __m256i stream_low, stream_high;
  __m256i key0[csk_philox_rounds], key1[csk_philox_rounds];
  __m256i threshold;  // its top bit flipped, for the signed comparison
  __m256 keep;
} csk_dropout;

/// kept ? v / keep : 0 for eight values and their words.
CSK_TARGET CSK_INLINE void drop_8(float *values, __m256i words, const csk_dropout *d) {
  const __m256i flipped = _mm256_xor_si256(words, _mm256_set1_epi32(INT32_MIN));
  const __m256 kept = _mm256_castsi256_ps(_mm256_cmpgt_epi32(d->threshold, flipped));
  const __m256 scaled = _mm256_div_ps(_mm256_loadu_ps(values), d->keep);
  _mm256_storeu_ps(values, _mm256_and_ps(scaled, kept));
}

CSK_TARGET
static csk_dropout csk_prepare_dropout(const csk_epilogue *epilogue) {
  csk_dropout d;
  d.stream_low = _mm256_set1_epi64x((uint32_t)epilogue->dropout_stream);
  d.stream_high = _mm256_set1_epi64x((int64_t)(epilogue->dropout_stream >> 32));
  uint32_t k0 = epilogue->dropout_key[0], k1 = epilogue->dropout_key[1];
  for (int round = 0; round < csk_philox_rounds; round++) {
    d.key0[round] = _mm256_set1_epi64x(k0);
    d.key1[round] = _mm256_set1_epi64x(k1);
    k0 += CSK_PHILOX_W0;
    k1 += CSK_PHILOX_W1;
  }
  const uint32_t threshold = csk_keep_threshold(epilogue->keep);
  d.threshold = _mm256_set1_epi32((int32_t)(threshold ^ 0x80000000u));
  d.keep = _mm256_set1_ps(epilogue->keep);
  return d;
}

/// Moves (channel, quad) pairs on whose quad is past the end of its channel.
CSK_TARGET CSK_INLINE void carry(__m256i *channel, __m256i *quad, __m256i quads) {
  for (;;) {
    const __m256i over = _mm256_cmpgt_epi64(*quad, _mm256_sub_epi64(quads, _mm256_set1_epi64x(1)));
    if (_mm256_testz_si256(over, over)) return;
    *quad = _mm256_sub_epi64(*quad, _mm256_and_si256(over, quads));
    *channel = _mm256_sub_epi64(*channel, over);
  }
}

/// Dropout over channels [begin, end), in place. A group is contiguous, so it is taken as one run
/// of quads (four samples, one counter), eight at a time, whatever the number of lanes.
CSK_TARGET
static void csk_drop(float *group, int32_t begin, int32_t end, int32_t lanes, int64_t first_sample,
                     const csk_dropout *d) {
  float *values = group + (ptrdiff_t)begin * lanes;
  const ptrdiff_t count = (ptrdiff_t)(end - begin) * lanes;
  const __m256i quads = _mm256_set1_epi64x(lanes / 4);
  const __m256i first = _mm256_set1_epi64x(first_sample / 4);
  __m256i channel[2], quad[2];
  for (int h = 0; h < 2; h++) {
    channel[h] = _mm256_set1_epi64x(begin);
    quad[h] = _mm256_setr_epi64x(4 * h, 4 * h + 2, 4 * h + 1, 4 * h + 3);  // see interleave
  }
  for (ptrdiff_t i = 0; i < count; i += 32) {
    __m256i c[2][4], words[4];
    for (int h = 0; h < 2; h++) {
      carry(&channel[h], &quad[h], quads);
      c[h][0] = channel[h];
      c[h][1] = _mm256_add_epi64(first, quad[h]);
      c[h][2] = d->stream_low;
      c[h][3] = d->stream_high;
      quad[h] = _mm256_add_epi64(quad[h], _mm256_set1_epi64x(8));
    }
    for (int round = 0; round < csk_philox_rounds; round++) {
      philox_round(c[0], d->key0[round], d->key1[round]);
      philox_round(c[1], d->key0[round], d->key1[round]);
    }
    interleave(c[0], words);
    interleave(c[1], words + 2);
    for (int j = 0; j < 4 && i + 8 * j < count; j++) drop_8(values + i + 8 * j, words[j], d);
  }
}

#endif
