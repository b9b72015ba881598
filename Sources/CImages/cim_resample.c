// cim_resample.c: bilinear resampling against aliasing, rows first.
#include "cim_resample.h"

#include <math.h>

// One rounding per operation, on every CPU: no contraction into FMAs.
#pragma STDC FP_CONTRACT OFF

#define LARGEST (1 << 20)

/// Which pixels make a result, along one axis.
typedef struct window {
  int32_t begin;
  int32_t count;
} window;

/// Along one axis: results are `scale` pixels apart, the first one's middle at origin + scale / 2.
typedef struct axis {
  double origin;
  double scale;
  double support;  // how far a result looks to each side
  int32_t begin;   // the clip
  int32_t end;
} axis;

static axis axis_of(double origin, double extent, int32_t results, int32_t begin, int32_t end) {
  const double scale = extent / results;
  return (axis){origin, scale, scale > 1 ? scale : 1, begin, end};
}

/// The most pixels that make one result.
static int32_t most_taps(axis a) {
  const double taps = floor(2 * a.support) + 2;
  return taps < a.end - a.begin ? (int32_t)taps : a.end - a.begin;
}

/// The pixels that make result i, and their weights, which sum to 1.
static window weights_of(axis a, int32_t i, float *weights) {
  const double center = a.origin + (i + 0.5) * a.scale;
  double from = ceil(center - a.support - 0.5), to = floor(center + a.support - 0.5);
  // A result in the middle of the clip's last pixel or beyond still has one.
  if (from > a.end - 1) from = a.end - 1;
  if (to < a.begin) to = a.begin;
  const int32_t begin = from < a.begin ? a.begin : (int32_t)from;
  const int32_t end = to > a.end - 1 ? a.end : (int32_t)to + 1;
  double sum = 0;
  for (int32_t j = begin; j < end; j++) {
    const double distance = fabs(j + 0.5 - center) / a.support;
    sum += distance < 1 ? 1 - distance : 0;
  }
  for (int32_t j = begin; j < end; j++) {
    const double distance = fabs(j + 0.5 - center) / a.support;
    const double weight = distance < 1 ? 1 - distance : 0;
    weights[j - begin] = sum > 0 ? (float)(weight / sum) : 1.0f / (float)(end - begin);
  }
  return (window){begin, end - begin};
}

static bool is_valid(cim_clip clip, cim_box box, int32_t columns, int32_t rows) {
  return columns > 0 && rows > 0 && columns <= LARGEST && rows <= LARGEST && clip.left >= 0 &&
         clip.top >= 0 && clip.right > clip.left && clip.bottom > clip.top &&
         clip.right <= LARGEST && clip.bottom <= LARGEST && box.width > 0 && box.height > 0 &&
         box.left >= clip.left - 1.0 && box.top >= clip.top - 1.0 &&
         box.left + box.width <= clip.right + 1.0 && box.top + box.height <= clip.bottom + 1.0;
}

static size_t rounded(size_t bytes) {
  return (bytes + 15) / 16 * 16;
}

size_t cim_resample_workspace(cim_clip clip, cim_box box, int32_t columns, int32_t rows) {
  if (!is_valid(clip, box, columns, rows)) return 0;
  const axis x = axis_of(box.left, box.width, columns, clip.left, clip.right);
  const axis y = axis_of(box.top, box.height, rows, clip.top, clip.bottom);
  return rounded((size_t)(clip.right - clip.left) * 4 * sizeof(float)) +
         rounded((size_t)columns * (size_t)most_taps(x) * sizeof(float)) +
         rounded((size_t)most_taps(y) * sizeof(float)) + rounded((size_t)columns * sizeof(window));
}

static uint8_t to_byte(float value) {
  return value <= 0 ? 0 : value >= 254.5f ? 255 : (uint8_t)(value + 0.5f);
}

/// row[i] = sum_k weights[k] source[k][i]
static void mix_rows(const uint8_t *source, ptrdiff_t row_stride, const float *weights,
                     int32_t taps, int32_t count, float *restrict row) {
  const float first = weights[0];
  for (int32_t i = 0; i < count; i++) row[i] = first * (float)source[i];
  for (int32_t k = 1; k < taps; k++) {
    const uint8_t *from = source + k * row_stride;
    const float weight = weights[k];
    for (int32_t i = 0; i < count; i++) row[i] += weight * (float)from[i];
  }
}

bool cim_resample(const uint8_t *pixels, ptrdiff_t row_stride, cim_clip clip, cim_box box,
                  int32_t columns, int32_t rows, bool mirrored, void *workspace, uint8_t *target) {
  if (!pixels || !workspace || !target || !is_valid(clip, box, columns, rows)) return false;
  const axis x_axis = axis_of(box.left, box.width, columns, clip.left, clip.right);
  const axis y_axis = axis_of(box.top, box.height, rows, clip.top, clip.bottom);
  const int32_t width = clip.right - clip.left, taps = most_taps(x_axis);

  char *memory = workspace;
  float *row = (float *)memory;  // (width, 4) a row of the picture, as tall as a result
  memory += rounded((size_t)width * 4 * sizeof(float));
  float *weights = (float *)memory;  // (columns, taps)
  memory += rounded((size_t)columns * (size_t)taps * sizeof(float));
  float *row_weights = (float *)memory;  // (most_taps(y_axis))
  memory += rounded((size_t)most_taps(y_axis) * sizeof(float));
  window *windows = (window *)memory;  // (columns)

  for (int32_t x = 0; x < columns; x++)
    windows[x] = weights_of(x_axis, x, weights + (size_t)x * (size_t)taps);

  const size_t plane = (size_t)columns * (size_t)rows;
  for (int32_t y = 0; y < rows; y++) {
    const window from = weights_of(y_axis, y, row_weights);
    mix_rows(pixels + from.begin * row_stride + (ptrdiff_t)clip.left * 4, row_stride, row_weights,
             from.count, width * 4, row);
    for (int32_t x = 0; x < columns; x++) {
      const float *weight = weights + (size_t)x * (size_t)taps;
      const float *pixel = row + (ptrdiff_t)(windows[x].begin - clip.left) * 4;
      float sum[4] = {0, 0, 0, 0};
      for (int32_t k = 0; k < windows[x].count; k++)
        for (int32_t c = 0; c < 4; c++) sum[c] += weight[k] * pixel[4 * k + c];
      uint8_t *result =
          target + (size_t)y * (size_t)columns + (size_t)(mirrored ? columns - 1 - x : x);
      for (int32_t c = 0; c < 3; c++) result[(size_t)c * plane] = to_byte(sum[c]);
    }
  }
  return true;
}
