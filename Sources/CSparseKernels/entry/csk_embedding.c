// entry/csk_embedding.c: rows of a table by number; one version, whose order of sums is the
// specification.
#include "csk_internal.h"

static bool shape_is_valid(int32_t rows, int32_t features, int32_t begin, int32_t end,
                           const float *tokens, int32_t lanes, int32_t live) {
  return rows > 0 && begin >= 0 && end >= begin && features >= end && lanes > 0 && lanes % 8 == 0 &&
         live >= 0 && live <= lanes && tokens;
}

/// Whether the first `count` tokens are numbers of rows; NaN is none.
static bool tokens_are_valid(const float *tokens, int32_t count, int32_t rows) {
  for (int32_t lane = 0; lane < count; lane++) {
    // The largest float below 2^31 is 2^31 - 128, so the cast has a value.
    if (!(tokens[lane] >= 0 && tokens[lane] < 2147483648.0f)) return false;
    const int32_t row = (int32_t)tokens[lane];
    if (row >= rows || (float)row != tokens[lane]) return false;
  }
  return true;
}

csk_status csk_embed(const float *table, int32_t rows, int32_t features, int32_t begin, int32_t end,
                     const float *tokens, int32_t lanes, int32_t live, float *y) {
  if (!shape_is_valid(rows, features, begin, end, tokens, lanes, live))
    return csk_status_invalid_argument;
  if (end > begin && !(table && y)) return csk_status_invalid_argument;
  if (!tokens_are_valid(tokens, live, rows)) return csk_status_invalid_argument;
  for (int32_t lane = 0; lane < live; lane++) {
    const float *row = table + (ptrdiff_t)tokens[lane] * features;
    for (int32_t c = begin; c < end; c++) y[(ptrdiff_t)c * lanes + lane] = row[c];
  }
  for (int32_t c = begin; c < end; c++)
    for (int32_t lane = live; lane < lanes; lane++) y[(ptrdiff_t)c * lanes + lane] = 0;
  return csk_status_ok;
}

csk_status csk_embed_gradient(const float *gradient, int32_t rows, int32_t features, int32_t begin,
                              int32_t end, const float *tokens, int32_t lanes, int32_t live,
                              float *table_gradient) {
  if (!shape_is_valid(rows, features, begin, end, tokens, lanes, live))
    return csk_status_invalid_argument;
  if (end > begin && !(gradient && table_gradient)) return csk_status_invalid_argument;
  if (!tokens_are_valid(tokens, live, rows)) return csk_status_invalid_argument;
  for (int32_t lane = 0; lane < live; lane++) {
    float *row = table_gradient + (ptrdiff_t)tokens[lane] * features;
    for (int32_t c = begin; c < end; c++) row[c] += gradient[(ptrdiff_t)c * lanes + lane];
  }
  return csk_status_ok;
}
