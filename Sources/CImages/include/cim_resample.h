// include/cim_resample.h: photos to the size that a network takes.
#ifndef CIM_RESAMPLE_H
#define CIM_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A part of a picture, in pixels, not necessarily whole ones.
typedef struct cim_box {
  double left;
  double top;
  double width;   // > 0
  double height;  // > 0
} cim_box;

/// The pixels that may be looked at: columns [left, right), rows [top, bottom).
typedef struct cim_clip {
  int32_t left;
  int32_t top;
  int32_t right;   // > left
  int32_t bottom;  // > top
} cim_clip;

/// Bytes of workspace that cim_resample needs; 0 for arguments that it would refuse.
size_t cim_resample_workspace(cim_clip clip, cim_box box, int32_t columns, int32_t rows);

/// target[c, y, x] = round(sum_ij v_yi h_xj pixels[i, j, c]): bilinear, against aliasing by a
/// triangle as wide as the step between results (or a pixel, where it enlarges), weights summing
/// to 1 over what the clip leaves of it:
///   h_xj ~ max(0, 1 - |j + 1/2 - (left + (x + 1/2) s)| / max(s, 1)),  s = width / columns
/// and v likewise.
///
///   pixels      rows of 4 bytes a pixel (the fourth is ignored), row_stride bytes apart
///   clip        within the picture
///   mirrored    whether results are written right to left
///   workspace   cim_resample_workspace(...) bytes, aligned to 16
///   target      (3, rows, columns) bytes
/// Returns false, and writes nothing, for an empty clip, box or target, for boxes that leave the
/// clip by more than a pixel, and for sizes beyond 2^20. The result has the same bits everywhere.
bool cim_resample(const uint8_t *pixels, ptrdiff_t row_stride, cim_clip clip, cim_box box,
                  int32_t columns, int32_t rows, bool mirrored, void *workspace, uint8_t *target);

#ifdef __cplusplus
}
#endif
#endif
