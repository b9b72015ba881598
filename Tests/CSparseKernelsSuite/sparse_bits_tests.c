// sparse_bits_tests.c: what the sparse kernels' results do not depend on, to the bit.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sparse_layer.h"

static void check_segments_do_not_matter(csk_isa isa, const layer *whole) {
  // Same blocks, one slab against slabs of 3: y, dx and dw have the same bits.
  const csk_tiles *tiles = &whole->forward_tiles;
  layer cut = sparse_layer_make(whole->csr, *tiles, 3, 7);
  planes y = sparse_run_forward(isa, whole), cut_y = sparse_run_forward(isa, &cut);
  CSK_CHECK(memcmp(y.memory, cut_y.memory, sizeof(float) * (size_t)y.count) == 0, "%s: y",
            csk_isa_name(isa));
  planes dx = sparse_planes_like(&whole->x, 0);
  planes cut_dx = sparse_planes_like(&whole->x, 0);
  float *dw = sparse_run_backward(isa, whole, &dx, 0, false);
  float *cut_dw = sparse_run_backward(isa, &cut, &cut_dx, 0, false);
  CSK_CHECK(memcmp(dx.memory, cut_dx.memory, sizeof(float) * (size_t)dx.count) == 0, "%s: dx",
            csk_isa_name(isa));
  CSK_CHECK(memcmp(dw, cut_dw, sizeof(float) * (size_t)whole->nnz) == 0, "%s: dw",
            csk_isa_name(isa));
  // Other blocks: the same dw.
  layer blocks = sparse_layer_make(whole->csr, *tiles, 5, 4);
  float *blocks_dw = sparse_run_backward(isa, &blocks, NULL, 0, false);
  CSK_CHECK(memcmp(dw, blocks_dw, sizeof(float) * (size_t)whole->nnz) == 0, "%s: dw by blocks",
            csk_isa_name(isa));
  free(blocks_dw);
  sparse_layer_free(&blocks);
  // Without dx: the same dw.
  float *only_dw = sparse_run_backward(isa, whole, NULL, 0, false);
  CSK_CHECK(memcmp(dw, only_dw, sizeof(float) * (size_t)whole->nnz) == 0, "%s: dw without dx",
            csk_isa_name(isa));
  // Added to what was there: exactly that sum where there is one tile.
  float *added = sparse_run_backward(isa, whole, NULL, 0.375f, true);
  for (int64_t k = 0; k < whole->nnz && tiles->outer * tiles->inner == 1; k++)
    CSK_CHECK(added[k] == 0.375f + dw[k], "%s: dw[%d] added", csk_isa_name(isa), (int)k);
  free(dw);
  free(cut_dw);
  free(only_dw);
  free(added);
  sparse_planes_free(&y);
  sparse_planes_free(&cut_y);
  sparse_planes_free(&dx);
  sparse_planes_free(&cut_dx);
  sparse_layer_free(&cut);
}

void test_same_bits_for_any_slabs(void) {
  topology t = sparse_topology_random(17, 21, 5, 0.2, 3);
  sparse_for_each_tile(&t.csr, 1, 1, 1000, 7, check_segments_do_not_matter);
  sparse_for_each_tile(&t.csr, 2, 2, 1000, 7, check_segments_do_not_matter);
  sparse_topology_free(&t);
}

/// y of one lane must not depend on the tile that computed it.
void test_same_bits_for_any_tile(void) {
  topology t = sparse_topology_random(17, 21, 1, 0.4, 3);
  for (int isa = 0; isa < csk_isa_count; isa++) {
    if (!csk_isa_is_supported((csk_isa)isa)) continue;
    planes first = {0};
    for (int32_t vectors = 1; vectors <= 8; vectors *= 2) {
      const csk_tiles tiles = {.vectors = vectors, .rows = 1, .outer = 2, .inner = 8 / vectors};
      layer l = sparse_layer_make(&t.csr, tiles, 4, 8);
      planes y = sparse_run_forward((csk_isa)isa, &l);
      if (!first.memory) {
        first = y;
      } else {
        CSK_CHECK(memcmp(first.memory, y.memory, sizeof(float) * (size_t)y.count) == 0,
                  "%s, %d vectors", csk_isa_name((csk_isa)isa), vectors);
        sparse_planes_free(&y);
      }
      sparse_layer_free(&l);
    }
    sparse_planes_free(&first);
  }
  sparse_topology_free(&t);
}

/// An entry's dw must not depend on its neighbours in the row: it is summed by four or alone.
static void check_neighbours_do_not_matter(csk_isa isa, const layer *all) {
  const csk_csr *csr = all->csr;
  float *dw = sparse_run_backward(isa, all, NULL, 0, false);
  for (int32_t modulus = 2; modulus <= 5; modulus++) {
    topology some = sparse_topology_random(csr->rows, csr->channels, csr->taps, 0, 0);
    float *kept = sparse_allocate(all->nnz, sizeof *kept);
    for (int32_t o = 0; o < csr->rows; o++) {
      for (int64_t k = csr->row_offsets[o]; k < csr->row_offsets[o + 1]; k++) {
        if ((o * 7 + csr->columns[k] * 3) % modulus == 0) continue;
        kept[some.nnz] = dw[k];
        some.columns[some.nnz++] = csr->columns[k];
      }
      some.row_offsets[o + 1] = some.nnz;
    }
    layer t = sparse_layer_make(&some.csr, all->forward_tiles, 1000, 1000);
    float *fewer = sparse_run_backward(isa, &t, NULL, 0, false);
    CSK_CHECK(memcmp(fewer, kept, sizeof(float) * (size_t)some.nnz) == 0, "%s, %d vectors",
              csk_isa_name(isa), all->forward_tiles.vectors);
    free(fewer);
    free(kept);
    sparse_layer_free(&t);
    sparse_topology_free(&some);
  }
  free(dw);
}

void test_same_bits_for_any_neighbours(void) {
  topology t = sparse_topology_random(13, 15, 1, 0.7, 3);
  sparse_for_each_tile(&t.csr, 1, 2, 1000, 1000, check_neighbours_do_not_matter);
  sparse_topology_free(&t);
}

/// A call for some slabs writes those rows and entries only; slab by slab is the whole.
static void check_slab_by_slab(csk_isa isa, const layer *t) {
  planes whole = sparse_run_forward(isa, t), parts = sparse_planes_like(&t->dy, 0);
  for (int32_t slab = t->forward.list.slabs - 1; slab >= 0; slab--) {
    CSK_ON(isa, csk_sparse_forward(&t->forward.list, slab, slab + 1, t->x.memory + halo,
                                   parts.memory + halo, &t->forward_tiles, NULL));
    if (slab > 0)
      CSK_CHECK(csk_canary_intact(sparse_at(&parts, 0, 0, 0), parts.lanes), "slab %d", slab);
  }
  CSK_CHECK(memcmp(whole.memory, parts.memory, sizeof(float) * (size_t)whole.count) == 0, "y");
  sparse_planes_free(&whole);
  sparse_planes_free(&parts);
  float *dw = sparse_allocate(t->nnz, sizeof *dw);
  csk_canary_fill(dw, t->nnz);
  const csk_list *list = &t->backward.list;
  if (list->slabs > 1) {
    CSK_ON(isa, csk_sparse_backward(list, 1, 2, t->dy.memory + halo, t->x.memory + halo, NULL, dw,
                                    false, &t->backward_tiles));
    const int64_t begin = list->entry_starts[list->blocks];
    const int64_t end = list->entry_starts[2 * list->blocks];
    CSK_CHECK(csk_canary_intact(dw, begin) && csk_canary_intact(dw + end, t->nnz - end), "dw");
    for (int64_t k = begin; k < end; k++) CSK_CHECK(!csk_canary_intact(dw + k, 1), "dw");
  }
  free(dw);
}

void test_slab_by_slab(void) {
  topology t = sparse_topology_random(17, 21, 1, 0.4, 3);
  sparse_for_each_tile(&t.csr, 2, 2, 5, 7, check_slab_by_slab);
  sparse_topology_free(&t);
}
