// sparse_fixture.h: topologies and lists that the tests of the sparse kernels share.
#ifndef SPARSE_FIXTURE_H
#define SPARSE_FIXTURE_H

#include "CSparseKernels.h"
#include "csk_suite.h"

/// An owned CSR topology.
typedef struct topology {
  csk_csr csr;
  int64_t nnz;
  int64_t *row_offsets;
  int32_t *columns;
} topology;

/// Each position is a connection with probability `density`: 0 none, 1 all.
topology sparse_topology_random(int32_t rows, int32_t channels, int32_t taps, double density,
                                uint64_t seed);
/// Output o has `counts[o]` connections at random columns, at most channels * taps.
topology sparse_topology_with_counts(int32_t rows, int32_t channels, int32_t taps,
                                     const int32_t *counts, uint64_t seed);
void sparse_topology_free(topology *topology);

/// An owned list. Its arrays have exactly the measured sizes, so that sanitizers see the bounds.
typedef struct built_list {
  csk_status status;
  csk_list list;
  csk_list_sizes sizes;
  csk_list_storage storage;
} built_list;

/// Measures, allocates, builds; the list's weights are `weights` (CSR order) in list order.
built_list sparse_build_list(const csk_csr *csr, const csk_list_shape *shape, const float *weights);
void sparse_built_list_free(built_list *list);

/// What a call of malloc cannot be: null.
void *sparse_allocate(int64_t count, int64_t size);
float *sparse_allocate_uniform(int64_t count, uint64_t seed);

// The tests in sparse_list_tests.c.
void test_list_order(void);
void test_list_strides(void);
void test_list_bounds(void);
void test_list_measure_arguments(void);
void test_list_overflow(void);
void test_list_damaged_csr(void);
void test_list_empty(void);
void test_list_choose(void);

// The tests in sparse_convolution_tests.c.
void test_phases_1x1(void);
void test_phases_3x3(void);
void test_phases_5x5(void);
void test_phases_none(void);
void test_phases_arguments(void);
void test_phases_overflow(void);

#endif
