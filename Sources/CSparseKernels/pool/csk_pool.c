// pool/csk_pool.c: the threads, and how they share out the chunks of a job.
//
// One atomic word holds (job, chunks left). Claiming a chunk is a compare-and-swap that takes one
// off, so it fails if the job has changed since the word was read: a late worker can never claim a
// chunk of a job that is over, nor count against the wrong one. What the job is (function,
// context, chunks) is read only after a claim: the job cannot end before that chunk does, so those
// fields stand still.
//
// Nobody waits for a worker that has not claimed a chunk: one that does not get a core in time
// finds its share done. There is no lock that it could hold meanwhile either, and no condition
// variable, whose signal may wait for threads that were woken before; a thread sleeps on a
// semaphore of its own.
#if defined(__linux__)
#define _GNU_SOURCE  // sched_getaffinity
#include <sched.h>
#endif
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "csk_internal.h"
#include "pool/csk_signal.h"

/// How long to look for work, or for the end of the job, before sleeping: some ten times what a
/// sleep and a wake-up cost.
enum { spin_nanoseconds = 50000, looks_per_clock = 32 };

/// What a worker is at: it spins or works, sleeps (or is about to), or has been called since.
enum { awake, asleep, called };

typedef struct worker {
  alignas(128) _Atomic int state;
  csk_signal call;  // raised once for each change from asleep to called
  csk_pool *pool;
  int32_t index;  // 1 ... threads - 1; the caller is 0
  pthread_t thread;
} worker;

// 128: a pair of lines on x86-64, a line on Apple's CPUs.
struct csk_pool {
  alignas(128) _Atomic uint64_t claim;      // job << 32 | chunks left
  _Atomic bool stopping;                    // beside it, because a spinning worker looks at both
  alignas(128) _Atomic int32_t unfinished;  // chunks of the job that have not returned
  _Atomic bool caller_sleeps;               // whoever takes it back raises `done`
  alignas(128) _Atomic bool running;        // a job is on: refuses a second one
  csk_chunk_function function;
  void *context;
  int32_t chunks;
  uint32_t job;
  int32_t threads;
  int32_t started;  // threads that run, fewer than threads - 1 only if creation failed
  int64_t spin;     // nanoseconds
  csk_signal done;  // the caller sleeps here
  csk_sharing sharing;
  worker workers[];  // (threads - 1)
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

/// Runs chunks of the current job until none is left to claim; how many there were.
static int32_t run_chunks(csk_pool *pool, int32_t index) {
  int32_t done = 0;
  uint64_t claim = atomic_load(&pool->claim);
  while ((uint32_t)claim != 0) {
    if (!atomic_compare_exchange_weak(&pool->claim, &claim, claim - 1)) continue;
    const int32_t left = (int32_t)(uint32_t)claim;
    pool->function(pool->context, pool->chunks - left, index);
    done++;
    // Sequentially consistent, as is the caller's flag: either it sees 0, or this sees the flag.
    if (atomic_fetch_sub(&pool->unfinished, 1) == 1 && atomic_exchange(&pool->caller_sleeps, false))
      csk_signal_raise(&pool->done);
    claim = atomic_load(&pool->claim);
  }
  return done;
}

static void sleep_until_called(csk_pool *pool, worker *self) {
  atomic_store(&self->state, asleep);
  // Sequentially consistent, as are the claim and the caller's look at the state: either the caller
  // sees that this one sleeps, or this one sees the work.
  int expected = asleep;
  if (has_work(pool) && atomic_compare_exchange_strong(&self->state, &expected, awake)) return;
  csk_signal_wait(&self->call);
  atomic_store(&self->state, awake);
}

static void *work(void *argument) {
  worker *self = argument;
  csk_pool *pool = self->pool;
  while (!atomic_load(&pool->stopping)) {
    run_chunks(pool, self->index);
    if (!spin_until(pool, has_work)) sleep_until_called(pool, self);
  }
  return NULL;
}

/// Wakes sleeping workers until `wanted` are on their way.
static void call_workers(csk_pool *pool, int32_t wanted) {
  for (int32_t i = 0; i < pool->started; i++)
    wanted -= atomic_load(&pool->workers[i].state) == awake;
  for (int32_t i = 0; i < pool->started && wanted > 0; i++) {
    worker *one = &pool->workers[i];
    int expected = asleep;
    if (!atomic_compare_exchange_strong(&one->state, &expected, called)) continue;
    csk_signal_raise(&one->call);
    wanted--;
  }
}

static void wait_until_done(csk_pool *pool) {
  if (spin_until(pool, is_done)) return;
  do {
    atomic_store(&pool->caller_sleeps, true);
    // If someone has taken the flag back, the signal is on its way; it may be a thread that
    // finished an earlier job and was late to look.
    if (is_done(pool) && atomic_exchange(&pool->caller_sleeps, false)) return;
    csk_signal_wait(&pool->done);
  } while (!is_done(pool));
}

static void run_alone(int32_t chunks, csk_chunk_function function, void *context) {
  for (int32_t chunk = 0; chunk < chunks; chunk++) function(context, chunk, 0);
}

/// Runs a job on all threads; about how long it would have taken alone, 0 if the caller had no part
/// in it.
static int64_t share(csk_pool *pool, int32_t chunks, csk_chunk_function function, void *context,
                     int64_t begin) {
  pool->function = function;
  pool->context = context;
  pool->chunks = chunks;
  atomic_store(&pool->unfinished, chunks);
  atomic_store(&pool->claim, (uint64_t)++pool->job << 32 | (uint32_t)chunks);
  call_workers(pool, chunks - 1);
  const int32_t own = run_chunks(pool, 0);
  const int64_t alone = own > 0 ? (nanoseconds() - begin) * chunks / own : 0;
  wait_until_done(pool);
  return alone;
}

static void choose_and_run(csk_pool *pool, uint64_t kind, int32_t chunks,
                           csk_chunk_function function, void *context) {
  const int64_t begin = nanoseconds();
  const bool shared = csk_sharing_decide(&pool->sharing, kind, begin);
  int64_t alone = 0;
  if (shared) {
    alone = share(pool, chunks, function, context, begin);
  } else {
    run_alone(chunks, function, context);
  }
  const int64_t end = nanoseconds();
  csk_sharing_learn(&pool->sharing, kind, shared, end, end - begin, alone);
}

csk_status csk_pool_run(csk_pool *pool, uint64_t kind, int32_t chunks, csk_chunk_function function,
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
    choose_and_run(pool, kind, chunks, function, context);
  }
  atomic_store(&pool->running, false);
  return csk_status_ok;
}

csk_status csk_pool_set_policy(csk_pool *pool, csk_sharing_policy policy) {
  if (!pool || atomic_exchange(&pool->running, true)) return csk_status_invalid_argument;
  csk_sharing_reset(&pool->sharing, policy);
  atomic_store(&pool->running, false);
  return csk_status_ok;
}

/// Cores that the process may use at once.
static int64_t usable_cores(void) {
#if defined(__linux__)
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
#endif
  return sysconf(_SC_NPROCESSORS_ONLN);
}

/// Starts the pool's workers; fewer if the system refuses.
static void start_workers(csk_pool *pool) {
  for (int32_t i = 0; i < pool->threads - 1; i++) {
    worker *one = &pool->workers[i];
    atomic_init(&one->state, awake);
    one->pool = pool;
    one->index = i + 1;
    if (!csk_signal_init(&one->call)) return;
    if (pthread_create(&one->thread, NULL, work, one) != 0) {
      csk_signal_destroy(&one->call);
      return;
    }
    pool->started++;
  }
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
  pool->spin = threads <= usable_cores() ? spin_nanoseconds : 0;
  csk_sharing_reset(&pool->sharing, csk_sharing_adaptive);
  if (!csk_signal_init(&pool->done)) {
    free(pool);
    return csk_status_out_of_memory;
  }
  start_workers(pool);
  if (pool->started < threads - 1) {
    csk_pool_destroy(pool);
    return csk_status_out_of_memory;
  }
  *result = pool;
  return csk_status_ok;
}

void csk_pool_destroy(csk_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->stopping, true);
  call_workers(pool, INT32_MAX);
  for (int32_t i = 0; i < pool->started; i++) {
    pthread_join(pool->workers[i].thread, NULL);
    csk_signal_destroy(&pool->workers[i].call);
  }
  csk_signal_destroy(&pool->done);
  free(pool);
}

int32_t csk_pool_threads(const csk_pool *pool) {
  return pool ? pool->threads : 1;
}
