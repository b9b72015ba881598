// avx2/csk_unpack_avx2.c: bias, ReLU and dropout after a product, and their gradients.
//
// Bounds: without dropout, bytes in the level where the activations live (8 an element forward, 12
// back); with dropout, Philox: some 200 instructions for 32 words.
#include "csk_pack_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

#define INLINE CSK_TARGET_AVX2 static inline __attribute__((always_inline))

/// Channels that bias, ReLU and dropout go over one after the other: few enough to stay in L1.
enum { channel_block = 8 };

/// One round on four counters, each word in the lower half of 64 bits. What the upper halves hold
/// does not matter: _mm256_mul_epu32 does not read them, the rest only moves them along.
INLINE void philox_round(__m256i c[4], __m256i k0, __m256i k1) {
  const __m256i p0 = _mm256_mul_epu32(c[0], _mm256_set1_epi64x(CSK_PHILOX_M0));
  const __m256i p1 = _mm256_mul_epu32(c[2], _mm256_set1_epi64x(CSK_PHILOX_M1));
  c[0] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c[1]), k0);
  c[1] = p1;
  c[2] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c[3]), k1);
  c[3] = p0;
}

/// Four counters' words in memory order: words[0] those of counters 0 and 2, words[1] of 1 and 3.
INLINE void interleave(const __m256i c[4], __m256i words[2]) {
  const __m256i w01 = _mm256_blend_epi32(c[0], _mm256_slli_epi64(c[1], 32), 0xaa);
  const __m256i w23 = _mm256_blend_epi32(c[2], _mm256_slli_epi64(c[3], 32), 0xaa);
  words[0] = _mm256_unpacklo_epi64(w01, w23);
  words[1] = _mm256_unpackhi_epi64(w01, w23);
}

typedef struct dropout {
  __m256i stream_low, stream_high;
  __m256i key0[csk_philox_rounds], key1[csk_philox_rounds];
  __m256i threshold;  // its top bit flipped, for the signed comparison
  __m256 keep;
} dropout;

/// kept ? v / keep : 0 for eight values and their words.
INLINE void drop_8(float *values, __m256i words, const dropout *d) {
  const __m256i flipped = _mm256_xor_si256(words, _mm256_set1_epi32(INT32_MIN));
  const __m256 kept = _mm256_castsi256_ps(_mm256_cmpgt_epi32(d->threshold, flipped));
  const __m256 scaled = _mm256_div_ps(_mm256_loadu_ps(values), d->keep);
  _mm256_storeu_ps(values, _mm256_and_ps(scaled, kept));
}

CSK_TARGET_AVX2
static dropout prepare(const csk_epilogue *epilogue) {
  dropout d;
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
INLINE void carry(__m256i *channel, __m256i *quad, __m256i quads) {
  for (;;) {
    const __m256i over = _mm256_cmpgt_epi64(*quad, _mm256_sub_epi64(quads, _mm256_set1_epi64x(1)));
    if (_mm256_testz_si256(over, over)) return;
    *quad = _mm256_sub_epi64(*quad, _mm256_and_si256(over, quads));
    *channel = _mm256_sub_epi64(*channel, over);
  }
}

/// Dropout over channels [begin, end), in place. A group is contiguous, so it is taken as one run
/// of quads (four samples, one counter), eight at a time, whatever the number of lanes.
CSK_TARGET_AVX2
static void drop(float *group, int32_t begin, int32_t end, int32_t lanes, int64_t first_sample,
                 const dropout *d) {
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

INLINE void add_bias_8(float *y, __m256 bias, bool relu) {
  const __m256 v = _mm256_add_ps(_mm256_loadu_ps(y), bias);
  // The second operand is the result if either is NaN, or both are zeros.
  _mm256_storeu_ps(y, relu ? _mm256_max_ps(_mm256_setzero_ps(), v) : v);
}

/// y[c, lane] = relu(y[c, lane] + bias[c]) over channels [begin, end).
INLINE void add_bias(float *y, int32_t begin, int32_t end, int32_t lanes, const float *bias,
                     bool relu) {
  for (int32_t c = begin; c < end; c++) {
    // Without a bias -0, the one number whose addition changes nothing.
    const __m256 b = _mm256_set1_ps(bias ? bias[c] : -0.0f);
    float *row = y + (ptrdiff_t)c * lanes;
    int32_t lane = 0;
    for (; lane + 32 <= lanes; lane += 32) {
      add_bias_8(row + lane, b, relu);
      add_bias_8(row + lane + 8, b, relu);
      add_bias_8(row + lane + 16, b, relu);
      add_bias_8(row + lane + 24, b, relu);
    }
    for (; lane < lanes; lane += 8) add_bias_8(row + lane, b, relu);
  }
}

// y[c, lane] = dropout(relu(y[c, lane] + bias[c]))
CSK_TARGET_AVX2
static void unpack_forward(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                           int64_t first_sample, const float *bias, const csk_epilogue *epilogue) {
  const bool drops = epilogue->keep < 1;
  dropout d;
  if (drops) d = prepare(epilogue);
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t rest = channel_end - c;
    const int32_t end = drops && rest > channel_block ? c + channel_block : channel_end;
    if (epilogue->relu) {
      add_bias(y, c, end, lanes, bias, true);
    } else if (bias) {
      add_bias(y, c, end, lanes, bias, false);
    }
    if (drops) drop(y, c, end, lanes, first_sample, &d);
    c = end;
  }
}

/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)), as the scalar version.
INLINE float sum_8(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE __m256 gradient_8(float *gradient, const float *y, __m256 live, __m256 keep, bool relu,
                         bool divide) {
  __m256 g = _mm256_loadu_ps(gradient);
  if (divide) g = _mm256_div_ps(g, keep);
  if (relu) {  // "not less or equal": true where y is NaN
    const __m256 v = _mm256_loadu_ps(y);
    g = _mm256_and_ps(g, _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NLE_UQ));
  }
  g = _mm256_and_ps(g, live);
  _mm256_storeu_ps(gradient, g);
  return g;
}

/// ReLU's and dropout's gradient, dead lanes, and bias gradient over channels [begin, end).
INLINE void pass_back(float *gradient, const float *y, int32_t begin, int32_t end, int32_t lanes,
                      int32_t live, float keep, float *bias_gradient, bool relu, bool divide) {
  const __m256i lane_numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  const __m256 some =
      _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(live % 8), lane_numbers));
  const __m256 k = _mm256_set1_ps(keep);
  for (int32_t c = begin; c < end; c++) {
    float *g = gradient + (ptrdiff_t)c * lanes;
    const float *v = relu ? y + (ptrdiff_t)c * lanes : g;  // not read without relu
    __m256 sum = _mm256_setzero_ps();
    int32_t lane = 0;
    for (; lane + 8 <= live; lane += 8)
      sum = _mm256_add_ps(sum, gradient_8(g + lane, v + lane, all, k, relu, divide));
    if (lane < live) {
      sum = _mm256_add_ps(sum, gradient_8(g + lane, v + lane, some, k, relu, divide));
      lane += 8;
    }
    for (; lane < lanes; lane += 8) _mm256_storeu_ps(g + lane, _mm256_setzero_ps());
    if (bias_gradient) bias_gradient[c] += sum_8(sum);
  }
}

// gradient[c, lane] *= d dropout(relu(v)) / d v;  bias_gradient[c] += sum_lane gradient[c, lane]
CSK_TARGET_AVX2
static void unpack_backward(float *gradient, const float *y, int32_t channel_begin,
                            int32_t channel_end, int32_t lanes, int32_t live, int64_t first_sample,
                            const csk_epilogue *epilogue, float *bias_gradient) {
  const bool drops = epilogue->keep < 1;
  const float keep = epilogue->keep;
  if (epilogue->relu) {
    // What was dropped is 0 in y, where ReLU's gradient is 0 anyway: no need for the mask.
    if (drops) {
      pass_back(gradient, y, channel_begin, channel_end, lanes, live, keep, bias_gradient, true,
                true);
    } else {
      pass_back(gradient, y, channel_begin, channel_end, lanes, live, keep, bias_gradient, true,
                false);
    }
    return;
  }
  dropout d;
  if (drops) d = prepare(epilogue);
  for (int32_t c = channel_begin; c < channel_end;) {
    const int32_t rest = channel_end - c;
    const int32_t end = drops && rest > channel_block ? c + channel_block : channel_end;
    if (drops) drop(gradient, c, end, lanes, first_sample, &d);
    pass_back(gradient, NULL, c, end, lanes, live, keep, bias_gradient, false, false);
    c = end;
  }
}

void csk_unpack_avx2(csk_kernels *kernels) {
  kernels->unpack_forward = unpack_forward;
  kernels->unpack_backward = unpack_backward;
}

#endif
