// entry/csk_magnitude_cut.c: the rank-th largest of 31-bit words, by radix: counts of the upper 11
// bits say which bucket it is in, then the next 11 bits within that bucket, then the last 9.
// Bound: three reads of the words, and one to look for NaNs.
#include <math.h>
#include <string.h>

#include "csk_select_internal.h"

// Neighbours are often alike, and adding to the counter just written waits for that store: so four
// histograms in turn.
enum { bins = 2048, copies = csk_cut_histogram_size / bins };

static inline uint32_t word_at(const void *words, int64_t i) {
  uint32_t word;  // copied, because the words may be floats
  memcpy(&word, (const char *)words + i * (int64_t)sizeof word, sizeof word);
  return word & 0x7fffffff;
}

// Counts the digits ((word >> shift) & mask) of the words with word >> prefix_shift == prefix.
static void count_digits(const void *words, int64_t count, int shift, uint32_t mask,
                         int prefix_shift, uint32_t prefix, uint32_t *histogram) {
  memset(histogram, 0, csk_cut_histogram_size * sizeof *histogram);
  int64_t i = 0;
  for (; i + copies <= count; i += copies) {
    for (int copy = 0; copy < copies; copy++) {
      const uint32_t word = word_at(words, i + copy);
      histogram[copy * bins + (int)(word >> shift & mask)] += word >> prefix_shift == prefix;
    }
  }
  for (; i < count; i++) {
    const uint32_t word = word_at(words, i);
    histogram[word >> shift & mask] += word >> prefix_shift == prefix;
  }
}

// The digit of the rank-th largest word; `rank` becomes its rank among the words with that digit.
static uint32_t find_digit(const uint32_t *histogram, int64_t *rank) {
  for (int digit = bins - 1;; digit--) {
    int64_t with_digit = 0;
    for (int copy = 0; copy < copies; copy++) with_digit += histogram[copy * bins + digit];
    if (*rank <= with_digit || digit == 0) return (uint32_t)digit;
    *rank -= with_digit;
  }
}

int64_t csk_kth_largest(const void *words, int64_t count, int64_t rank, uint32_t *histogram,
                        uint32_t *kth) {
  count_digits(words, count, 20, 2047, 31, 0, histogram);
  uint32_t prefix = find_digit(histogram, &rank);
  count_digits(words, count, 9, 2047, 20, prefix, histogram);
  prefix = prefix << 11 | find_digit(histogram, &rank);
  count_digits(words, count, 0, 511, 9, prefix, histogram);
  *kth = prefix << 9 | find_digit(histogram, &rank);
  return rank;
}

static bool has_nan(const float *values, int64_t count) {
  uint32_t found = 0;
  for (int64_t i = 0; i < count; i++) found |= word_at(values, i) > 0x7f800000;
  return found;
}

csk_status csk_find_magnitude_cut(const float *values, int64_t count, int64_t keep,
                                  uint32_t *histogram, csk_magnitude_cut *cut) {
  if (!cut || !histogram || count < 0 || keep < 0 || keep > count || (count > 0 && !values))
    return csk_status_invalid_argument;
  if (count > UINT32_MAX) return csk_status_overflow;
  if (has_nan(values, count)) return csk_status_nan;
  if (keep == 0) {
    *cut = (csk_magnitude_cut){INFINITY, 0};
    return csk_status_ok;
  }
  uint32_t bits;
  cut->ties = csk_kth_largest(values, count, keep, histogram, &bits);
  memcpy(&cut->magnitude, &bits, sizeof bits);
  return csk_status_ok;
}
