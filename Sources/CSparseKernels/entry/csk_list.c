// entry/csk_list.c: measures and builds the lists that the sparse kernels walk.
//
// A list is the CSR topology sorted by (segment, count of the row within it, row, reduced index).
// Two stable counting sorts do it: connections go to their segments, which are then small enough
// for the cache, and within each segment rows go to their counts. Nothing here depends on strides
// except the values of the offsets, so an operand's layout never changes the order.
//
// Bound: three passes over 8 bytes a connection, most of them in cache: 6 to 10 ns where a row has
// ten entries or more in a block.
#include <limits.h>
#include <math.h>
#include <string.h>

#include "csk_internal.h"

/// What follows from a shape and a topology's size.
typedef struct geometry {
  int32_t list_rows, reduced;        // dimensions of the list
  int32_t slab_rows, block_columns;  // no larger than the dimensions
  int32_t slabs, blocks;
  int64_t segments;
  int64_t row_limit;      // connections that one row can have in one segment
  int64_t segment_limit;  // connections that one segment can have
} geometry;

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t quotient_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// Phases of a list row's channel: 1 without a stride, and always going forward.
static int32_t phases_of(const csk_list_shape *shape) {
  return shape->direction == csk_direction_backward && shape->phases > 1 ? shape->phases : 1;
}

static geometry geometry_of(const csk_list_shape *shape, int32_t rows, int32_t channels,
                            int32_t taps, int64_t nnz) {
  const bool forward = shape->direction == csk_direction_forward;
  geometry g = {.list_rows = forward ? rows : channels * phases_of(shape),
                .reduced = forward ? channels : rows};
  g.slab_rows = (int32_t)smaller(shape->slab_rows, g.list_rows > 0 ? g.list_rows : 1);
  g.block_columns = (int32_t)smaller(shape->block_columns, g.reduced > 0 ? g.reduced : 1);
  g.slabs = (int32_t)quotient_up(g.list_rows, g.slab_rows);
  // Even nothing to reduce makes one block: it writes the zeros.
  g.blocks = g.reduced > 0 ? (int32_t)quotient_up(g.reduced, g.block_columns) : 1;
  g.segments = (int64_t)g.slabs * g.blocks;
  g.row_limit = smaller((int64_t)g.block_columns * taps, nnz);
  g.segment_limit = smaller(g.row_limit * g.slab_rows, nnz);
  return g;
}

static bool is_valid(const csk_list_shape *shape, int32_t rows, int32_t channels, int32_t taps,
                     int64_t nnz) {
  if (!shape || rows < 0 || channels < 0 || taps < 1 || nnz < 0) return false;
  if (shape->direction != csk_direction_forward && shape->direction != csk_direction_backward)
    return false;
  if (shape->slab_rows < 1 || shape->block_columns < 1 || shape->phases < 0) return false;
  const int32_t phases = phases_of(shape);
  if (phases > 1) {
    if (shape->slab_rows % phases != 0 || !shape->tap_phases || phases > taps) return false;
    for (int32_t tap = 0; tap < taps; tap++)
      if (shape->tap_phases[tap] < 0 || shape->tap_phases[tap] >= phases) return false;
  }
  if (nnz == 0) return true;
  const int64_t columns = (int64_t)channels * taps;
  return columns > 0 && (nnz - 1) / columns < rows;
}

/// Whether every offset fits int32.
static bool offsets_fit(const csk_list_shape *shape, const geometry *g, int32_t taps) {
  int64_t low = 0, high = 0;
  for (int32_t tap = 0; shape->tap_offsets && tap < taps; tap++) {
    const int64_t offset = shape->direction == csk_direction_forward
                               ? shape->tap_offsets[tap]
                               : -(int64_t)shape->tap_offsets[tap];
    if (offset < low) low = offset;
    if (offset > high) high = offset;
  }
  const int64_t last_column = (g->reduced > 0 ? g->reduced - 1 : 0) * (int64_t)shape->column_stride;
  const int32_t phases = phases_of(shape), rows = g->list_rows / phases;
  const int64_t last_row = (rows > 0 ? rows - 1 : 0) * (int64_t)shape->row_stride +
                           (phases - 1) * (int64_t)shape->phase_stride;
  low += last_column < 0 ? last_column : 0;
  high += last_column > 0 ? last_column : 0;
  return low >= INT32_MIN && high <= INT32_MAX && last_row >= INT32_MIN && last_row <= INT32_MAX;
}

/// The parts of the workspace, in int64 elements.
typedef struct parts {
  int64_t counts, rows, positions, touched, entries;
} parts;

static parts parts_of(const geometry *g) {
  return (parts){
      .counts = quotient_up(g->slab_rows, 2),
      .rows = quotient_up(g->slab_rows, 2),
      .positions = g->row_limit + 1,
      .touched = quotient_up(g->slab_rows, 64),
      .entries = g->segment_limit,
  };
}

csk_status csk_list_measure(const csk_list_shape *shape, int32_t rows, int32_t channels,
                            int32_t taps, int64_t nnz, csk_list_sizes *sizes) {
  if (!sizes || !is_valid(shape, rows, channels, taps, nnz)) return csk_status_invalid_argument;
  if (nnz > INT32_MAX || (int64_t)channels * taps > INT32_MAX) return csk_status_overflow;
  const geometry g = geometry_of(shape, rows, channels, taps, nnz);
  if (!offsets_fit(shape, &g, taps)) return csk_status_overflow;
  sizes->slabs = g.slabs;
  sizes->blocks = g.blocks;
  sizes->segments = g.segments;
  // Block 0 stores every row, a later block at most one for each connection.
  sizes->rows = g.list_rows + smaller(nnz, (int64_t)g.list_rows * (g.blocks - 1));
  // d different counts above 0 need d (d + 1) / 2 connections, so a segment with n of them has
  // fewer than sqrt(2 n) runs, and all have at most sqrt(2 nnz segments) (Cauchy-Schwarz); count 0
  // makes one more in each block 0.
  const double distinct = ceil(sqrt(2.0 * (double)nnz * (double)g.segments) * (1 + 1e-12));
  const int64_t by_counts = g.segments * smaller(g.slab_rows, g.row_limit);
  sizes->runs = g.slabs + (distinct < (double)by_counts ? (int64_t)distinct : by_counts);
  sizes->runs = smaller(sizes->runs, sizes->rows);
  const parts parts = parts_of(&g);
  sizes->workspace = parts.counts + parts.rows + parts.positions + parts.touched + parts.entries;
  return csk_status_ok;
}

// MARK: - Building

/// A connection on its way: its index in the CSR and its output row.
typedef struct connection {
  int32_t index, output;
} connection;

/// Where the next row of some count goes, and its first entry.
typedef struct position {
  int32_t row, entry;
} position;

typedef struct builder {
  const csk_csr *csr;
  const csk_list_shape *shape;
  const csk_list_storage *storage;
  geometry geometry;
  int32_t *counts;          // (slab_rows) entries of each row; zero between segments
  int32_t *rows;            // (slab_rows) the segment's stored rows, ascending
  position *positions;      // (row_limit + 1) by count; zero between segments
  uint64_t *touched;        // (slab_rows / 64) rows with entries; zero between segments
  connection *connections;  // (segment_limit) the segment's connections in CSR order
} builder;

static builder builder_of(const csk_csr *csr, const csk_list_shape *shape,
                          const csk_list_storage *storage, const geometry *g, int64_t *workspace) {
  const parts parts = parts_of(g);
  int64_t *rows = workspace + parts.counts, *positions = rows + parts.rows;
  int64_t *touched = positions + parts.positions, *entries = touched + parts.touched;
  memset(workspace, 0, sizeof *workspace * (size_t)(entries - workspace));
  return (builder){
      .csr = csr,
      .shape = shape,
      .storage = storage,
      .geometry = *g,
      .counts = (int32_t *)workspace,
      .rows = (int32_t *)rows,
      .positions = (position *)positions,
      .touched = (uint64_t *)touched,
      .connections = (connection *)entries,
  };
}

/// The segments along one output row: columns [i * span, (i + 1) * span) lie in `first + i * step`.
typedef struct path {
  int64_t first, step, span;
} path;

static path path_of(const builder *b, int32_t output) {
  const geometry *g = &b->geometry;
  if (b->shape->direction == csk_direction_forward)
    return (path){(int64_t)(output / g->slab_rows) * g->blocks, 1,
                  (int64_t)g->block_columns * b->csr->taps};
  return (path){output / g->block_columns, g->blocks,
                (int64_t)(g->slab_rows / phases_of(b->shape)) * b->csr->taps};
}

/// Counts each segment's connections into entry_starts[segment + 1], and checks the topology on
/// the way: what it lets through cannot make a kernel leave its operands.
static bool count_segments(const builder *b) {
  const csk_csr *csr = b->csr;
  int64_t *counts = b->storage->entry_starts + 1;
  memset(b->storage->entry_starts, 0,
         sizeof *b->storage->entry_starts * (size_t)(b->geometry.segments + 1));
  const int64_t width = (int64_t)csr->channels * csr->taps;
  for (int32_t output = 0; output < csr->rows; output++) {
    const path path = path_of(b, output);
    const int64_t end = csr->row_offsets[output + 1];
    int64_t index = csr->row_offsets[output], last = -1;
    if (index > end || end > csr->row_offsets[csr->rows]) return false;
    while (index < end) {
      const int64_t begin = index, place = csr->columns[index] / path.span;
      const int64_t border = smaller((place + 1) * path.span, width);
      for (; index < end && csr->columns[index] < border; index++) {
        if (csr->columns[index] <= last) return false;
        last = csr->columns[index];
      }
      if (index == begin) return false;  // not below width
      counts[path.first + place * path.step] += index - begin;
    }
  }
  return true;
}

/// Writes each connection's index and output into its segment's part of csr_indices and offsets.
static void fill_segments(const builder *b) {
  const csk_csr *csr = b->csr;
  int64_t *starts = b->storage->entry_starts;
  int32_t *indices = b->storage->csr_indices, *outputs = b->storage->offsets;
  for (int64_t s = 0; s < b->geometry.segments; s++) starts[s + 1] += starts[s];
  for (int32_t output = 0; output < csr->rows; output++) {
    const path path = path_of(b, output);
    const int64_t end = csr->row_offsets[output + 1];
    for (int64_t index = csr->row_offsets[output]; index < end;) {
      const int64_t place = csr->columns[index] / path.span;
      const int64_t border = (place + 1) * path.span;
      int64_t *start = &starts[path.first + place * path.step];
      int64_t entry = *start;
      for (; index < end && csr->columns[index] < border; index++, entry++) {
        indices[entry] = (int32_t)index;
        outputs[entry] = output;
      }
      *start = entry;
    }
  }
  // Each start has moved to its segment's end, which is the next one's start.
  for (int64_t s = b->geometry.segments; s > 0; s--) starts[s] = starts[s - 1];
  starts[0] = 0;
}

static inline int32_t channel_of(const csk_csr *csr, connection c) {
  const int32_t column = csr->columns[c.index];
  return csr->taps == 1 ? column : column / csr->taps;
}

/// The row of its slab that a connection belongs to.
static inline int32_t row_in_slab(const builder *b, connection c, int32_t first_row) {
  if (b->shape->direction == csk_direction_forward) return c.output - first_row;
  const int32_t channel = channel_of(b->csr, c), phases = phases_of(b->shape);
  if (phases == 1) return channel - first_row;
  const int32_t tap = b->csr->columns[c.index] - channel * b->csr->taps;
  return channel * phases + b->shape->tap_phases[tap] - first_row;
}

/// The offset of a list row's result.
static inline int32_t row_offset_of(const builder *b, int32_t row) {
  const int32_t phases = phases_of(b->shape);
  return row / phases * b->shape->row_stride + row % phases * b->shape->phase_stride;
}

static inline int32_t offset_of(const builder *b, connection c) {
  const csk_list_shape *shape = b->shape;
  const int32_t channel = channel_of(b->csr, c);
  int32_t tap_offset = 0;
  if (shape->tap_offsets)
    tap_offset = shape->tap_offsets[b->csr->columns[c.index] - channel * b->csr->taps];
  return shape->direction == csk_direction_forward ? channel * shape->column_stride + tap_offset
                                                   : c.output * shape->column_stride - tap_offset;
}

/// Counts the entries of each row of a segment and lists its stored rows, ascending.
static int32_t collect_rows(const builder *b, int64_t count, int32_t first_row, int32_t slab_rows,
                            bool starts) {
  // Looking at every row costs more than the connections where those are few.
  const bool few = !starts && count < slab_rows / 16;
  for (int64_t i = 0; i < count; i++) {
    const int32_t row = row_in_slab(b, b->connections[i], first_row);
    b->counts[row]++;
    if (few) b->touched[row / 64] |= (uint64_t)1 << row % 64;
  }
  int32_t stored = 0;
  if (!few) {
    for (int32_t row = 0; row < slab_rows; row++) {
      b->rows[stored] = row;
      stored += starts || b->counts[row] > 0;
    }
    return stored;
  }
  for (int32_t word = 0; word * (int64_t)64 < slab_rows; word++) {
    for (uint64_t bits = b->touched[word]; bits; bits &= bits - 1)
      b->rows[stored++] = word * 64 + __builtin_ctzll(bits);
    b->touched[word] = 0;
  }
  return stored;
}

/// Sorts the listed rows by count, ties by row: writes runs and row offsets, and leaves in `counts`
/// where each row's entries start in the segment. Returns the end of the runs.
static csk_run *place_rows(const builder *b, int32_t stored, int32_t first_row, csk_run *run,
                           int32_t *row_offsets) {
  int32_t highest = 0;
  for (int32_t i = 0; i < stored; i++) {
    const int32_t entries = b->counts[b->rows[i]];
    b->positions[entries].row++;
    if (entries > highest) highest = entries;
  }
  position next = {0, 0};
  for (int32_t entries = 0; entries <= highest; entries++) {
    const int32_t rows = b->positions[entries].row;
    b->positions[entries] = next;
    if (rows > 0) *run++ = (csk_run){(uint32_t)entries, (uint32_t)rows};
    next.row += rows;
    next.entry += rows * entries;
  }
  for (int32_t i = 0; i < stored; i++) {
    const int32_t row = b->rows[i], entries = b->counts[row];
    position *position = &b->positions[entries];
    row_offsets[position->row++] = row_offset_of(b, first_row + row);
    b->counts[row] = position->entry;
    position->entry += entries;
  }
  memset(b->positions, 0, sizeof *b->positions * (size_t)(highest + 1));
  return run;
}

/// Brings one segment into its final order; sets where the next one's runs and rows start.
static void sort_segment(const builder *b, int64_t segment) {
  const csk_list_storage *storage = b->storage;
  const geometry *g = &b->geometry;
  const int32_t first_row = (int32_t)(segment / g->blocks) * g->slab_rows;
  const int32_t slab_rows = (int32_t)smaller(g->slab_rows, g->list_rows - first_row);
  const int64_t begin = storage->entry_starts[segment];
  const int64_t count = storage->entry_starts[segment + 1] - begin;
  for (int64_t i = 0; i < count; i++)
    b->connections[i] = (connection){storage->csr_indices[begin + i], storage->offsets[begin + i]};

  const int32_t stored = collect_rows(b, count, first_row, slab_rows, segment % g->blocks == 0);
  const int64_t first_stored = storage->row_starts[segment];
  const csk_run *end =
      place_rows(b, stored, first_row, storage->runs + storage->run_starts[segment],
                 storage->row_offsets + first_stored);
  storage->run_starts[segment + 1] = end - storage->runs;
  storage->row_starts[segment + 1] = first_stored + stored;

  for (int64_t i = 0; i < count; i++) {
    const connection c = b->connections[i];
    const int64_t entry = begin + b->counts[row_in_slab(b, c, first_row)]++;
    storage->csr_indices[entry] = c.index;
    storage->offsets[entry] = offset_of(b, c);
  }
  for (int32_t i = 0; i < stored; i++) b->counts[b->rows[i]] = 0;
}

csk_status csk_list_build(const csk_csr *csr, const csk_list_shape *shape,
                          const csk_list_storage *storage, int64_t *workspace) {
  if (!csr || !storage || csr->rows < 0 || !csr->row_offsets || csr->row_offsets[0] != 0)
    return csk_status_invalid_argument;
  const int64_t nnz = csr->row_offsets[csr->rows];
  csk_list_sizes sizes;
  const csk_status status =
      csk_list_measure(shape, csr->rows, csr->channels, csr->taps, nnz, &sizes);
  if (status != csk_status_ok) return status;
  if (!storage->entry_starts || !storage->run_starts || !storage->row_starts || !workspace)
    return csk_status_invalid_argument;
  if (sizes.rows > 0 && (!storage->runs || !storage->row_offsets))
    return csk_status_invalid_argument;
  if (nnz > 0 && (!csr->columns || !storage->offsets || !storage->csr_indices))
    return csk_status_invalid_argument;

  const geometry g = geometry_of(shape, csr->rows, csr->channels, csr->taps, nnz);
  const builder b = builder_of(csr, shape, storage, &g, workspace);
  if (!count_segments(&b)) return csk_status_invalid_argument;
  fill_segments(&b);
  storage->run_starts[0] = storage->row_starts[0] = 0;
  for (int64_t s = 0; s < g.segments; s++) sort_segment(&b, s);
  return csk_status_ok;
}
