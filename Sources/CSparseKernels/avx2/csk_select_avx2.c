// avx2/csk_select_avx2.c: filter(value) = key(value) passes the cut, eight values at a time, each
// eight compressed to the front of a vector without a branch: a mispredicted one costs more than
// the whole vector. Bound: the bytes of the values / the bandwidth of where they are.
#include "csk_select_internal.h"

#if CSK_ARCH_X86_64
#include <immintrin.h>

// The lanes of each mask's ones, in order, a byte each; then lane 0.
#define BIT(m, i) ((uint64_t)((m) >> (i)&1))
#define ONES_BELOW(m, i)                                                                       \
  (((i) > 0 && ((m)&1)) + ((i) > 1 && ((m)&2)) + ((i) > 2 && ((m)&4)) + ((i) > 3 && ((m)&8)) + \
   ((i) > 4 && ((m)&16)) + ((i) > 5 && ((m)&32)) + ((i) > 6 && ((m)&64)))
#define LANE(m, i) (BIT(m, i) * (i) << 8 * ONES_BELOW(m, i))
#define LANES(m) \
  (LANE(m, 1) | LANE(m, 2) | LANE(m, 3) | LANE(m, 4) | LANE(m, 5) | LANE(m, 6) | LANE(m, 7))
#define LANES_4(m) LANES(m), LANES(m + 1), LANES(m + 2), LANES(m + 3)
#define LANES_16(m) LANES_4(m), LANES_4(m + 4), LANES_4(m + 8), LANES_4(m + 12)
#define LANES_64(m) LANES_16(m), LANES_16(m + 16), LANES_16(m + 32), LANES_16(m + 48)
static const uint64_t lanes_of[256] = {LANES_64(0), LANES_64(64), LANES_64(128), LANES_64(192)};

// What the loop needs in registers.
typedef struct filter_state {
  __m256i magnitude, flip, shift;  // of the key rule
  __m256i lowest, cut;
  __m256i nans;  // minus the NaNs of each lane
} filter_state;

// Appends those of eight values that pass; `live` masks the last, partial eight.
CSK_TARGET_AVX2
static inline int64_t append(filter_state *state, __m256i values, __m256i live, int64_t position,
                             uint32_t *keys, int64_t *positions) {
  const __m256i key = _mm256_add_epi32(
      _mm256_xor_si256(_mm256_and_si256(values, state->magnitude), state->flip), state->shift);
  // Lanes that are not live hold 0.
  state->nans = _mm256_add_epi32(state->nans, _mm256_cmpgt_epi32(state->lowest, key));
  const __m256i pass = _mm256_and_si256(_mm256_cmpgt_epi32(key, state->cut), live);
  const unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(pass));
  const __m128i lanes = _mm_loadl_epi64((const __m128i *)(lanes_of + mask));
  const __m256i base = _mm256_set1_epi64x(position);
  _mm256_storeu_si256((__m256i *)keys,
                      _mm256_permutevar8x32_epi32(key, _mm256_cvtepu8_epi32(lanes)));
  const __m256i low = _mm256_cvtepu8_epi64(lanes);
  const __m256i high = _mm256_cvtepu8_epi64(_mm_srli_si128(lanes, 4));
  _mm256_storeu_si256((__m256i *)positions, _mm256_add_epi64(base, low));
  _mm256_storeu_si256((__m256i *)positions + 1, _mm256_add_epi64(base, high));
  return __builtin_popcount(mask);
}

// Appends the values whose keys are greater than `cut`; returns the number of NaNs.
CSK_TARGET_AVX2
static int64_t filter_above(csk_selection *selection, const float *values, int64_t count,
                            int64_t position, int32_t cut) {
  const csk_key_rule rule = csk_key_rule_of(selection->order);
  filter_state state = {
      .magnitude = _mm256_set1_epi32(0x7fffffff),
      .flip = _mm256_set1_epi32((int32_t)rule.flip),
      .shift = _mm256_set1_epi32((int32_t)rule.shift),
      .lowest = _mm256_set1_epi32((int32_t)csk_key_lowest),
      .cut = _mm256_set1_epi32(cut),
      .nans = _mm256_setzero_si256(),
  };
  const __m256i all = _mm256_set1_epi32(-1);
  uint32_t *keys = selection->keys;
  int64_t *positions = selection->positions;
  int64_t candidates = selection->count, i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i eight = _mm256_loadu_si256((const __m256i *)(values + i));
    candidates +=
        append(&state, eight, all, position + i, keys + candidates, positions + candidates);
  }
  if (i < count) {
    const __m256i live = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)(count - i)),
                                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i rest = _mm256_maskload_epi32((const int *)(values + i), live);
    candidates +=
        append(&state, rest, live, position + i, keys + candidates, positions + candidates);
  }
  selection->count = candidates;
  int32_t nans[8];
  _mm256_storeu_si256((__m256i *)nans, state.nans);
  int64_t found = 0;
  for (int lane = 0; lane < 8; lane++) found -= nans[lane];
  return found;
}

static int64_t filter(csk_selection *selection, const float *values, int64_t count,
                      int64_t first_position) {
  return csk_filter_by(filter_above, selection, values, count, first_position);
}

CSK_TARGET_AVX2
static int64_t count_from(const uint32_t *keys, int64_t count, uint32_t least) {
  const __m256i below = _mm256_set1_epi32((int32_t)least - 1);
  int64_t found = 0, i = 0;
  for (; i + 32 <= count; i += 32) {
    __m256i four[4];
    for (int v = 0; v < 4; v++)
      four[v] = _mm256_cmpgt_epi32(_mm256_loadu_si256((const __m256i *)(keys + i + 8 * v)), below);
    // 0 or -1 in each of 32 lanes, narrowed to bytes in some order.
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(four[0], four[1]),
                                             _mm256_packs_epi32(four[2], four[3]));
    found += __builtin_popcount((unsigned)_mm256_movemask_epi8(bytes));
  }
  for (; i < count; i++) found += keys[i] >= least;
  return found;
}

// As lanes_of, for four 64-bit lanes, which are moved as pairs of 32-bit lanes.
#define PAIR(lane) ((UINT64_C(0x0100) | (lane)*UINT64_C(0x0202)))
#define FIRST(m) ((m)&1 ? 0 : (m)&2 ? 1 : (m)&4 ? 2 : (m)&8 ? 3 : 0)
#define REST(m) ((m) & ((m)-1))
#define PAIRS(m)                                                                    \
  (PAIR(FIRST(m)) | PAIR(FIRST(REST(m))) << 16 | PAIR(FIRST(REST(REST(m)))) << 32 | \
   PAIR(FIRST(REST(REST(REST(m))))) << 48)
#define PAIRS_4(m) PAIRS(m), PAIRS(m + 1), PAIRS(m + 2), PAIRS(m + 3)
static const uint64_t pairs_of[16] = {PAIRS_4(0), PAIRS_4(4), PAIRS_4(8), PAIRS_4(12)};

CSK_TARGET_AVX2
static inline __m256i lanes_at(const uint64_t *bytes) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
}

CSK_TARGET_AVX2
static int64_t keep_from(uint32_t *keys, int64_t *positions, int64_t count, uint32_t least) {
  const __m256i below = _mm256_set1_epi32((int32_t)least - 1);
  int64_t kept = 0, i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i key = _mm256_loadu_si256((const __m256i *)(keys + i));
    const unsigned mask =
        (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(key, below)));
    if (mask == 0) continue;
    // All eight are loaded before any is stored, and kept <= i: nothing unread is overwritten.
    const __m256i low = _mm256_loadu_si256((const __m256i *)(positions + i));
    const __m256i high = _mm256_loadu_si256((const __m256i *)(positions + i + 4));
    _mm256_storeu_si256((__m256i *)(keys + kept),
                        _mm256_permutevar8x32_epi32(key, lanes_at(lanes_of + mask)));
    _mm256_storeu_si256((__m256i *)(positions + kept),
                        _mm256_permutevar8x32_epi32(low, lanes_at(pairs_of + (mask & 15))));
    _mm256_storeu_si256((__m256i *)(positions + kept + __builtin_popcount(mask & 15)),
                        _mm256_permutevar8x32_epi32(high, lanes_at(pairs_of + (mask >> 4))));
    kept += __builtin_popcount(mask);
  }
  for (; i < count; i++) {
    const uint32_t key = keys[i];
    keys[kept] = key;
    positions[kept] = positions[i];
    kept += key >= least;
  }
  return kept;
}

void csk_select_avx2(csk_kernels *kernels) {
  kernels->select_filter = filter;
  kernels->select_count = count_from;
  kernels->select_keep = keep_from;
}
#endif
