// include/csk_pool.h: the one place that owns threads.
#ifndef CSK_POOL_H
#define CSK_POOL_H

#include "csk_common.h"
#include "csk_sharing.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A fixed set of threads that share out the chunks of one job at a time, where that gains.
typedef struct csk_pool csk_pool;

/// One chunk of work. `worker` is in [0, threads): the chunk's thread, for thread-private scratch.
typedef void (*csk_chunk_function)(void *context, int32_t chunk, int32_t worker);

/// Creates a pool of `threads` >= 1, the caller's own included: threads - 1 are started. This is
/// the target's only allocation. csk_status_out_of_memory if memory or threads run out.
csk_status csk_pool_create(int32_t threads, csk_pool **pool);

/// Stops and joins the threads; null is allowed.
void csk_pool_destroy(csk_pool *pool);

/// The number of threads, the caller's included; 1 for null.
int32_t csk_pool_threads(const csk_pool *pool);

/// Runs function(context, chunk, worker) for every chunk in [0, chunks) and returns when all are
/// done. Chunks are claimed one by one from an atomic counter, the caller takes part; which worker
/// runs which chunk is not fixed, so results must depend on the chunk alone.
///
/// The pool's threads are the most that take part: where sharing has lately made jobs of this
/// `kind`, or all jobs, no quicker, the caller runs all chunks; see csk_sharing.h. The caller never
/// waits for a worker that has claimed no chunk, and no chunk may wait for another. After a job
/// workers spin some 50 microseconds and then sleep, so does the caller before the end of a chunk
/// that another has claimed; they do not spin where there are more threads than cores to run them.
/// Not reentrant: if a chunk or a second thread asks the same pool for another job meanwhile, that
/// call does nothing and returns csk_status_invalid_argument. A null pool runs all chunks on the
/// caller.
csk_status csk_pool_run(csk_pool *pool, uint64_t kind, int32_t chunks, csk_chunk_function function,
                        void *context);

/// Fixes who runs the jobs from now on, or makes the choice adaptive again, with nothing learnt.
/// csk_status_invalid_argument while a job runs, or for null.
csk_status csk_pool_set_policy(csk_pool *pool, csk_sharing_policy policy);

#ifdef __cplusplus
}
#endif
#endif
