// pool_tests.c: every chunk exactly once, whatever the threads are doing meanwhile. Most of it is
// there for the thread sanitizer.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "CSparseKernels.h"
#include "csk_suite.h"

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static const int32_t thread_cases[] = {1, 2, 3, 8};

enum { max_chunks = 1000, max_threads = 8 };

typedef struct job {
  int32_t runs[max_chunks];  // plain: two runs of a chunk at once would be a race
  int32_t per_worker[max_threads];
  pthread_t thread_of[max_threads];
  _Atomic int32_t wrong_workers;
  int32_t threads;
} job;

static void count_chunk(void *context, int32_t chunk, int32_t worker) {
  job *j = context;
  j->runs[chunk]++;
  if (worker < 0 || worker >= j->threads) {
    atomic_fetch_add(&j->wrong_workers, 1);
    return;
  }
  // An index stands for thread-private scratch: no two threads may share it.
  if (j->per_worker[worker]++ == 0) j->thread_of[worker] = pthread_self();
  if (!pthread_equal(j->thread_of[worker], pthread_self())) atomic_fetch_add(&j->wrong_workers, 1);
}

static void sleep_microseconds(int64_t microseconds) {
  nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/// A pool that shares every job: most tests are about that.
static csk_pool *make_pool(int32_t threads) {
  csk_pool *pool = NULL;
  CSK_CHECK(csk_pool_create(threads, &pool) == csk_status_ok, "%d threads", threads);
  CSK_CHECK(csk_pool_threads(pool) == threads, "%d threads", csk_pool_threads(pool));
  CSK_CHECK(csk_pool_set_policy(pool, csk_sharing_always) == csk_status_ok, "policy");
  return pool;
}

static void run_and_check(csk_pool *pool, int32_t chunks) {
  job j = {.threads = csk_pool_threads(pool)};
  const csk_status status = csk_pool_run(pool, 1, chunks, count_chunk, &j);
  CSK_CHECK(status == csk_status_ok, "status %d", (int)status);
  int32_t total = 0;
  for (int32_t i = 0; i < max_threads; i++) total += j.per_worker[i];
  CSK_CHECK(total == chunks && j.wrong_workers == 0,
            "%d of %d chunks counted, %d with a wrong worker", total, chunks, j.wrong_workers);
  for (int32_t i = 0; i < max_chunks; i++)
    CSK_CHECK(j.runs[i] == (i < chunks), "chunk %d of %d ran %d times", i, chunks, j.runs[i]);
}

static void every_chunk_once(void) {
  static const int32_t chunk_cases[] = {0, 1, 2, 3, 7, 8, 9, 64, max_chunks};
  for (int t = 0; t < COUNT(thread_cases); t++) {
    csk_pool *pool = make_pool(thread_cases[t]);
    for (int round = 0; round < 20; round++)
      for (int c = 0; c < COUNT(chunk_cases); c++) run_and_check(pool, chunk_cases[c]);
    csk_pool_destroy(pool);
  }
}

static void every_policy(void) {
  static const csk_sharing_policy policies[] = {csk_sharing_adaptive, csk_sharing_always,
                                                csk_sharing_never, csk_sharing_alternating};
  for (int t = 0; t < COUNT(thread_cases); t++) {
    csk_pool *pool = make_pool(thread_cases[t]);
    for (int p = 0; p < COUNT(policies); p++) {
      CSK_CHECK(csk_pool_set_policy(pool, policies[p]) == csk_status_ok, "policy %d", p);
      for (int32_t i = 0; i < 2000; i++) {
        const int32_t chunks = 2 + i % 3;
        job j = {.threads = thread_cases[t]};
        csk_pool_run(pool, (uint64_t)i % 7, chunks, count_chunk, &j);
        int32_t total = 0;
        for (int k = 0; k < max_threads; k++) total += j.per_worker[k];
        CSK_CHECK(total == chunks && j.wrong_workers == 0, "policy %d: %d chunks", p, total);
        const bool is_alone = j.per_worker[0] == total;
        CSK_CHECK(policies[p] != csk_sharing_never || is_alone, "shared");
      }
    }
    csk_pool_destroy(pool);
  }
}

typedef struct tiny {
  int32_t runs[4];
} tiny;

static void count_tiny(void *context, int32_t chunk, int32_t worker) {
  (void)worker;
  ((tiny *)context)->runs[chunk]++;
}

static void many_small_jobs(void) {
  // Each job's context is gone when the job is: a late worker that still ran a chunk of it, or
  // claimed one of the next job by the old one's count, would be seen.
  for (int t = 0; t < COUNT(thread_cases); t++) {
    csk_pool *pool = make_pool(thread_cases[t]);
    const int32_t jobs = thread_cases[t] > 2 ? 3000 : 20000;
    for (int32_t i = 0; i < jobs; i++) {
      const int32_t chunks = 2 + i % 3;
      tiny counts = {{0}};
      csk_pool_run(pool, 1, chunks, count_tiny, &counts);
      for (int32_t k = 0; k < 4; k++)
        CSK_CHECK(counts.runs[k] == (k < chunks), "job %d chunk %d: %d", i, k, counts.runs[k]);
    }
    csk_pool_destroy(pool);
  }
}

static void workers_sleep_between_jobs(void) {
  // Around the 50 microseconds after which a worker goes to sleep, and well past them.
  for (int t = 0; t < COUNT(thread_cases); t++) {
    csk_pool *pool = make_pool(thread_cases[t]);
    for (int64_t pause = 0; pause < 120; pause += 3) {
      sleep_microseconds(pause);
      run_and_check(pool, 5);
    }
    for (int i = 0; i < 5; i++) {
      sleep_microseconds(3000);
      run_and_check(pool, 100);
    }
    csk_pool_destroy(pool);
  }
}

static void slow_chunk(void *context, int32_t chunk, int32_t worker) {
  if (chunk == 0) sleep_microseconds(2000);
  count_chunk(context, chunk, worker);
}

static void caller_waits_for_a_slow_chunk(void) {
  // Longer than the caller spins: whichever thread has the slow chunk, the other must wait.
  for (int t = 0; t < COUNT(thread_cases); t++) {
    csk_pool *pool = make_pool(thread_cases[t]);
    for (int i = 0; i < 20; i++) {
      job j = {.threads = thread_cases[t]};
      csk_pool_run(pool, 1, 3, slow_chunk, &j);
      CSK_CHECK(j.wrong_workers == 0, "%d chunks with a wrong worker", j.wrong_workers);
      for (int k = 0; k < 3; k++) CSK_CHECK(j.runs[k] == 1, "chunk %d: %d", k, j.runs[k]);
    }
    csk_pool_destroy(pool);
  }
}

enum { release_milliseconds = 10000 };

static int release_pipe[2];
static _Atomic int32_t held;

static void hold_thread(int number) {
  (void)number;
  atomic_fetch_add(&held, 1);
  poll(&(struct pollfd){.fd = release_pipe[0], .events = POLLIN}, 1, release_milliseconds);
  atomic_fetch_sub(&held, 1);
}

typedef struct meeting {
  _Atomic int32_t arrived;
  int32_t threads;
  pthread_t thread_of[max_threads];
} meeting;

static void meet(void *context, int32_t chunk, int32_t worker) {
  (void)chunk;
  meeting *m = context;
  m->thread_of[worker] = pthread_self();
  atomic_fetch_add(&m->arrived, 1);
  while (atomic_load(&m->arrived) < m->threads) sleep_microseconds(10);
}

static void nobody_waits_for_a_worker_that_does_not_come(void) {
  // Some workers do not get a core for ten seconds; meanwhile others come and go to sleep again.
  CSK_CHECK(pipe(release_pipe) == 0, "pipe");
  struct sigaction hold = {.sa_handler = hold_thread}, before;
  sigaction(SIGUSR1, &hold, &before);
  // Threads inherit what is blocked, and threads of a test runner may block every signal.
  sigset_t usr1, blocked;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &usr1, &blocked);
  for (int t = 1; t < COUNT(thread_cases); t++) {
    const int32_t threads = thread_cases[t];
    csk_pool *pool = make_pool(threads);
    meeting m = {.threads = threads};
    csk_pool_run(pool, 1, threads, meet, &m);
    sleep_microseconds(5000);  // until they sleep
    int32_t stopped = 0;
    for (int32_t i = 1; i < threads; i += 2, stopped++) pthread_kill(m.thread_of[i], SIGUSR1);
    while (atomic_load(&held) < stopped) sleep_microseconds(100);
    const time_t begin = time(NULL);
    for (int32_t i = 0; i < 300; i++) {
      job j = {.threads = threads};
      csk_pool_run(pool, 1, 10, count_chunk, &j);
      for (int32_t k = 1; k < threads; k += 2) CSK_CHECK(j.per_worker[k] == 0, "worker %d came", k);
      for (int32_t k = 0; k < 10; k++) CSK_CHECK(j.runs[k] == 1, "chunk %d: %d", k, j.runs[k]);
      sleep_microseconds(i % 3 * 100);
    }
    CSK_CHECK(time(NULL) - begin < release_milliseconds / 1000 - 2, "%d threads waited", threads);
    CSK_CHECK(write(release_pipe[1], "!", 1) == 1, "release");
    while (atomic_load(&held) > 0) sleep_microseconds(100);
    char byte;
    CSK_CHECK(read(release_pipe[0], &byte, 1) == 1, "released");
    run_and_check(pool, 100);
    csk_pool_destroy(pool);
  }
  pthread_sigmask(SIG_SETMASK, &blocked, NULL);
  sigaction(SIGUSR1, &before, NULL);
  close(release_pipe[0]), close(release_pipe[1]);
}

static void destroyed_while_spinning_and_asleep(void) {
  for (int t = 0; t < COUNT(thread_cases); t++) {
    for (int i = 0; i < 20; i++) {
      csk_pool *pool = make_pool(thread_cases[t]);
      if (i % 4 > 0) run_and_check(pool, 10);
      if (i % 4 > 1) sleep_microseconds(i % 4 == 2 ? 60 : 1000);
      csk_pool_destroy(pool);
    }
  }
  csk_pool_destroy(NULL);
}

typedef struct nested {
  csk_pool *pool;
  _Atomic int32_t refused;
} nested;

static void run_nested(void *context, int32_t chunk, int32_t worker) {
  (void)chunk, (void)worker;
  nested *n = context;
  tiny counts = {{0}};
  if (csk_pool_run(n->pool, 1, 2, count_tiny, &counts) == csk_status_invalid_argument)
    atomic_fetch_add(&n->refused, 1);
}

static void second_job_is_refused(void) {
  for (int t = 0; t < COUNT(thread_cases); t++) {
    csk_pool *pool = make_pool(thread_cases[t]);
    for (int32_t chunks = 1; chunks < 4; chunks++) {
      nested n = {.pool = pool};
      CSK_CHECK(csk_pool_run(pool, 1, chunks, run_nested, &n) == csk_status_ok, "outer");
      CSK_CHECK(n.refused == chunks, "%d of %d refused", n.refused, chunks);
    }
    run_and_check(pool, 10);
    csk_pool_destroy(pool);
  }
}

static void set_policy_nested(void *context, int32_t chunk, int32_t worker) {
  (void)chunk, (void)worker;
  nested *n = context;
  if (csk_pool_set_policy(n->pool, csk_sharing_never) == csk_status_invalid_argument)
    atomic_fetch_add(&n->refused, 1);
}

static void policy_within_a_job_is_refused(void) {
  csk_pool *pool = make_pool(2);
  nested n = {.pool = pool};
  csk_pool_run(pool, 1, 3, set_policy_nested, &n);
  CSK_CHECK(n.refused == 3, "%d of 3 refused", n.refused);
  CSK_CHECK(csk_pool_set_policy(NULL, csk_sharing_never) == csk_status_invalid_argument, "null");
  csk_pool_destroy(pool);
}

static void two_pools_at_once(void) {
  csk_pool *one = make_pool(2), *other = make_pool(3);
  for (int i = 0; i < 200; i++) {
    run_and_check(one, 6);
    run_and_check(other, 6);
  }
  csk_pool_destroy(one);
  run_and_check(other, 6);
  csk_pool_destroy(other);
}

static void null_pool_and_invalid_arguments(void) {
  run_and_check(NULL, 10);
  run_and_check(NULL, 0);
  CSK_CHECK(csk_pool_threads(NULL) == 1, "a null pool is the caller");
  csk_pool *pool = NULL;
  CSK_CHECK(csk_pool_create(0, &pool) == csk_status_invalid_argument && !pool, "0 threads");
  CSK_CHECK(csk_pool_create(-1, &pool) == csk_status_invalid_argument && !pool, "-1 threads");
  CSK_CHECK(csk_pool_create(1, NULL) == csk_status_invalid_argument, "no result");
  CSK_CHECK(csk_pool_run(NULL, 1, -1, count_tiny, NULL) == csk_status_invalid_argument,
            "-1 chunks");
  CSK_CHECK(csk_pool_run(NULL, 1, 1, NULL, NULL) == csk_status_invalid_argument, "no function");
}

const csk_test csk_tests_pool[] = {
    {"pool_every_chunk_once", every_chunk_once},
    {"pool_every_policy", every_policy},
    {"pool_many_small_jobs", many_small_jobs},
    {"pool_workers_sleep_between_jobs", workers_sleep_between_jobs},
    {"pool_caller_waits_for_a_slow_chunk", caller_waits_for_a_slow_chunk},
    {"pool_nobody_waits_for_a_worker_that_does_not_come",
     nobody_waits_for_a_worker_that_does_not_come},
    {"pool_destroyed_while_spinning_and_asleep", destroyed_while_spinning_and_asleep},
    {"pool_second_job_is_refused", second_job_is_refused},
    {"pool_policy_within_a_job_is_refused", policy_within_a_job_is_refused},
    {"pool_two_pools_at_once", two_pools_at_once},
    {"pool_null_pool_and_invalid_arguments", null_pool_and_invalid_arguments},
    {NULL, NULL},
};
