// entry/csk_sparse.c: checks the arguments of the sparse kernels once, then runs the current
// instruction set's version.
#include "csk_internal.h"

static bool is_valid(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                     const csk_tiles *tiles) {
  if (!list || !tiles) return false;
  if (slab_begin < 0 || slab_begin > slab_end || slab_end > list->slabs) return false;
  const int32_t vectors = tiles->vectors, rows = tiles->rows;
  if (vectors != 1 && vectors != 2 && vectors != 4 && vectors != 8) return false;
  if (rows != 1 && (rows != 2 || vectors > 4)) return false;
  if (tiles->outer < 0 || tiles->inner < 0) return false;
  if (slab_begin == slab_end) return true;
  return list->blocks > 0 && list->entry_starts && list->run_starts && list->row_starts;
}

/// What the slabs [slab_begin, slab_end) of a list hold.
typedef struct extent {
  int64_t entry_begin, entry_end;
  bool has_rows;
} extent;

static extent extent_of(const csk_list *list, int32_t slab_begin, int32_t slab_end) {
  const int64_t begin = (int64_t)slab_begin * list->blocks;
  const int64_t end = (int64_t)slab_end * list->blocks;
  return (extent){list->entry_starts[begin], list->entry_starts[end],
                  list->row_starts[begin] < list->row_starts[end]};
}

static const int32_t no_offset;
static const float no_weight;

/// A copy that kernels may compute addresses from: a list without entries may have null arrays.
/// False if an array is missing.
static bool complete(csk_list *list, extent extent) {
  if (!list->runs || !list->row_offsets) return false;
  if (extent.entry_begin < extent.entry_end) return list->offsets && list->weights;
  if (!list->offsets) list->offsets = &no_offset;
  if (!list->weights) list->weights = &no_weight;
  return true;
}

/// Whether all of a tile's rows begin at whole cache lines.
static bool can_stream(const float *y, const csk_tiles *tiles, const csk_row_epilogue *epilogue) {
  enum { line = 64 / sizeof(float) };
  const ptrdiff_t strides = tiles->y_outer | tiles->y_inner | tiles->y_row | epilogue->row_stride;
  return (uintptr_t)y % 64 == 0 && strides % line == 0 && tiles->vectors % 2 == 0;
}

csk_status csk_sparse_forward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                              const float *x, float *y, const csk_tiles *tiles,
                              const csk_row_epilogue *epilogue) {
  if (!is_valid(list, slab_begin, slab_end, tiles)) return csk_status_invalid_argument;
  if (epilogue && (list->blocks > 1 || epilogue->row_stride < 1 ||
                   !csk_activation_is_valid(epilogue->activation)))
    return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (slab_begin == slab_end || tiles->outer == 0 || tiles->inner == 0) return csk_status_ok;
  const extent extent = extent_of(list, slab_begin, slab_end);
  if (!extent.has_rows) return csk_status_ok;
  csk_list view = *list;
  if (!x || !y || !complete(&view, extent)) return csk_status_invalid_argument;
  csk_row_epilogue applied;
  if (epilogue) {
    applied = *epilogue;
    applied.streams = epilogue->streams && can_stream(y, tiles, epilogue) &&
                      !csk_activation_has_pass(epilogue->activation);
    epilogue = &applied;
  }
  kernels->sparse_forward(&view, slab_begin, slab_end, x, y, tiles, epilogue);
  return csk_status_ok;
}

csk_status csk_sparse_backward(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                               const float *dy, const float *x, float *dx, float *dw,
                               bool accumulate, const csk_tiles *tiles) {
  if (!is_valid(list, slab_begin, slab_end, tiles)) return csk_status_invalid_argument;
  const csk_kernels *kernels = csk_kernels_current();
  if (!kernels) return csk_status_unsupported_isa;
  if (slab_begin == slab_end) return csk_status_ok;
  const extent extent = extent_of(list, slab_begin, slab_end);
  if (!extent.has_rows) return csk_status_ok;
  float no_gradient;
  if (!dw && extent.entry_begin < extent.entry_end) return csk_status_invalid_argument;
  if (!dw) dw = &no_gradient;
  if (tiles->outer == 0 || tiles->inner == 0) {  // a sum over nothing
    for (int64_t k = extent.entry_begin; !accumulate && k < extent.entry_end; k++) dw[k] = 0;
    return csk_status_ok;
  }
  csk_list view = *list;
  if (!dy || !x || !complete(&view, extent)) return csk_status_invalid_argument;
  kernels->sparse_backward(&view, slab_begin, slab_end, dy, x, dx, dw, accumulate, tiles);
  return csk_status_ok;
}
