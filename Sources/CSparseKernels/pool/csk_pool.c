// pool/csk_pool.c: the threads, and how they share out the chunks of a job.
//
// One atomic word holds (job, chunks left). Claiming a chunk is a compare-and-swap that takes one
// off, so it fails if the job has changed since the word was read: a late worker can never claim a
// chunk of a job that is over, nor count against the wrong one. What the job is (function,
// context, chunks) is read only after a claim: the job cannot end before that chunk does, so those
// fields stand still.
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "csk_internal.h"

/// How long to look for work, or for the end of the job, before sleeping: some ten times what a
/// sleep and a wake-up cost.
enum { spin_nanoseconds = 50000, looks_per_clock = 32 };

typedef struct worker {
  csk_pool *pool;
  int32_t index;  // 1 ... threads - 1; the caller is 0
  pthread_t thread;
} worker;

// 128: a pair of lines on x86-64, a line on Apple's CPUs.
struct csk_pool {
  alignas(128) _Atomic uint64_t claim;      // job << 32 | chunks left
  _Atomic bool stopping;                    // beside it, because a spinning worker looks at both
  alignas(128) _Atomic int32_t unfinished;  // chunks of the job that have not returned
  alignas(128) _Atomic int32_t sleepers;    // workers that sleep, or are about to
  _Atomic bool caller_sleeps;               // the same of the caller
  _Atomic bool running;                     // a job is on: refuses a second one
  csk_chunk_function function;
  void *context;
  int32_t chunks;
  uint32_t job;
  int32_t threads;
  int32_t started;  // threads that run, fewer than threads - 1 only if creation failed
  int64_t spin;     // nanoseconds
  pthread_mutex_t mutex;
  pthread_cond_t work;  // workers sleep here
  pthread_cond_t done;  // the caller sleeps here
  worker workers[];     // (threads - 1)
};

static inline void relax(void) {
#if CSK_ARCH_X86_64
  __builtin_ia32_pause();
#elif CSK_ARCH_AARCH64
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool has_work(csk_pool *pool) {
  return (uint32_t)atomic_load(&pool->claim) != 0 || atomic_load(&pool->stopping);
}

static bool is_done(csk_pool *pool) {
  return atomic_load(&pool->unfinished) == 0;
}

/// Looks for `condition` until the pool's spinning time is over; whether it came true.
static bool spin_until(csk_pool *pool, bool (*condition)(csk_pool *)) {
  if (condition(pool)) return true;
  if (pool->spin == 0) return false;
  const int64_t end = nanoseconds() + pool->spin;
  do {
    for (int look = 0; look < looks_per_clock; look++) {
      relax();
      if (condition(pool)) return true;
    }
  } while (nanoseconds() < end);
  return false;
}

/// Runs chunks of the current job until none is left to claim.
static void run_chunks(csk_pool *pool, int32_t index) {
  uint64_t claim = atomic_load(&pool->claim);
  while ((uint32_t)claim != 0) {
    if (!atomic_compare_exchange_weak(&pool->claim, &claim, claim - 1)) continue;
    const int32_t left = (int32_t)(uint32_t)claim;
    pool->function(pool->context, pool->chunks - left, index);
    // Sequentially consistent, as is the caller's flag: either it sees 0, or this sees the flag.
    if (atomic_fetch_sub(&pool->unfinished, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->done);
      pthread_mutex_unlock(&pool->mutex);
    }
    claim = atomic_load(&pool->claim);
  }
}

static void sleep_until_work(csk_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!has_work(pool)) pthread_cond_wait(&pool->work, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *argument) {
  const worker *self = argument;
  csk_pool *pool = self->pool;
  while (!atomic_load(&pool->stopping)) {
    run_chunks(pool, self->index);
    if (!spin_until(pool, has_work)) sleep_until_work(pool);
  }
  return NULL;
}

static void wake_workers(csk_pool *pool, int32_t chunks) {
  const int32_t sleepers = atomic_load(&pool->sleepers);
  if (sleepers == 0) return;
  pthread_mutex_lock(&pool->mutex);
  if (chunks - 1 >= sleepers) {
    pthread_cond_broadcast(&pool->work);
  } else {
    for (int32_t i = 1; i < chunks; i++) pthread_cond_signal(&pool->work);
  }
  pthread_mutex_unlock(&pool->mutex);
}

static void wait_until_done(csk_pool *pool) {
  if (spin_until(pool, is_done)) return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->caller_sleeps, true);
  while (!is_done(pool)) pthread_cond_wait(&pool->done, &pool->mutex);
  atomic_store(&pool->caller_sleeps, false);
  pthread_mutex_unlock(&pool->mutex);
}

static void run_alone(int32_t chunks, csk_chunk_function function, void *context) {
  for (int32_t chunk = 0; chunk < chunks; chunk++) function(context, chunk, 0);
}

csk_status csk_pool_run(csk_pool *pool, int32_t chunks, csk_chunk_function function,
                        void *context) {
  if (chunks < 0 || !function) return csk_status_invalid_argument;
  if (!pool) {
    run_alone(chunks, function, context);
    return csk_status_ok;
  }
  if (atomic_exchange(&pool->running, true)) return csk_status_invalid_argument;
  if (chunks < 2 || pool->threads == 1) {
    run_alone(chunks, function, context);
  } else {
    pool->function = function;
    pool->context = context;
    pool->chunks = chunks;
    atomic_store(&pool->unfinished, chunks);
    atomic_store(&pool->claim, (uint64_t)++pool->job << 32 | (uint32_t)chunks);
    wake_workers(pool, chunks);
    run_chunks(pool, 0);
    wait_until_done(pool);
  }
  atomic_store(&pool->running, false);
  return csk_status_ok;
}

csk_status csk_pool_create(int32_t threads, csk_pool **result) {
  if (threads < 1 || !result) return csk_status_invalid_argument;
  *result = NULL;
  void *memory;
  if (posix_memalign(&memory, alignof(csk_pool),
                     sizeof(csk_pool) + (size_t)(threads - 1) * sizeof(worker)) != 0)
    return csk_status_out_of_memory;
  csk_pool *pool = memory;
  *pool = (csk_pool){.threads = threads};
  // Where threads share a core, spinning only keeps the one with the work from running.
  pool->spin = threads <= sysconf(_SC_NPROCESSORS_ONLN) ? spin_nanoseconds : 0;
  if (pthread_mutex_init(&pool->mutex, NULL) != 0 || pthread_cond_init(&pool->work, NULL) != 0 ||
      pthread_cond_init(&pool->done, NULL) != 0) {
    free(pool);
    return csk_status_out_of_memory;
  }
  for (int32_t i = 0; i < threads - 1; i++) {
    worker *one = &pool->workers[i];
    *one = (worker){.pool = pool, .index = i + 1};
    if (pthread_create(&one->thread, NULL, work, one) != 0) {
      csk_pool_destroy(pool);
      return csk_status_out_of_memory;
    }
    pool->started++;
  }
  *result = pool;
  return csk_status_ok;
}

void csk_pool_destroy(csk_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->stopping, true);
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->mutex);
  for (int32_t i = 0; i < pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->work);
  pthread_mutex_destroy(&pool->mutex);
  free(pool);
}

int32_t csk_pool_threads(const csk_pool *pool) {
  return pool ? pool->threads : 1;
}
