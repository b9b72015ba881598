// select_part_tests.c: parts of a shared selection against a naive sort.
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CSparseKernels.h"
#include "csk_suite.h"
#include "select_fixture.h"

enum { most_parts = 8, longest_offer = 64 };

// A whole, its parts, and the arrays of all of them; beyond each part's arrays a canary.
typedef struct shared {
  csk_selection whole, parts[most_parts];
  int64_t capacity;
  pthread_mutex_t lock;
} shared;

static void shared_make(shared *shared, csk_select_order order, int64_t k, int64_t capacity) {
  const int64_t all = csk_selection_capacity(k);
  uint32_t *keys = malloc((size_t)all * sizeof *keys);
  int64_t *positions = malloc((size_t)all * sizeof *positions);
  CSK_CHECK(csk_selection_begin(&shared->whole, order, k, keys, positions, all) == csk_status_ok);
  shared->capacity = capacity;
  pthread_mutex_init(&shared->lock, NULL);
  for (int i = 0; i < most_parts; i++) {
    uint32_t *part_keys = malloc((size_t)(capacity + 1) * sizeof *part_keys);
    int64_t *part_positions = malloc((size_t)(capacity + 1) * sizeof *part_positions);
    part_keys[capacity] = 0xabcdef01;
    part_positions[capacity] = INT64_C(-0x123456789);
    CSK_CHECK(csk_selection_begin_part(shared->parts + i, &shared->whole, part_keys, part_positions,
                                       capacity) == csk_status_ok);
  }
}

static void shared_free(shared *shared) {
  for (int i = 0; i < most_parts; i++) {
    CSK_CHECK(shared->parts[i].keys[shared->capacity] == 0xabcdef01 &&
                  shared->parts[i].positions[shared->capacity] == INT64_C(-0x123456789),
              "written beyond a part of %lld", (long long)shared->capacity);
    free(shared->parts[i].keys);
    free(shared->parts[i].positions);
  }
  free(shared->whole.keys);
  free(shared->whole.positions);
  pthread_mutex_destroy(&shared->lock);
}

static void hand_over(shared *shared, csk_selection *part) {
  pthread_mutex_lock(&shared->lock);
  CSK_CHECK(csk_selection_merge(&shared->whole, part) == csk_status_ok);
  CSK_CHECK(csk_selection_begin_part(part, &shared->whole, part->keys, part->positions,
                                     shared->capacity) == csk_status_ok);
  pthread_mutex_unlock(&shared->lock);
}

static void offer(csk_isa isa, shared *shared, csk_selection *part, const float *values,
                  int64_t begin, int64_t count) {
  float copy[longest_offer];
  memcpy(copy, values + begin, (size_t)count * sizeof *copy);
  if (csk_selection_room(part) < count) hand_over(shared, part);
  CSK_CHECK(CSK_ON(isa, csk_selection_offer(part, copy, count, begin, NULL, 0)) == csk_status_ok);
}

static void check_result(shared *shared, const int64_t *expected, int64_t count, const char *what) {
  for (int i = 0; i < most_parts; i++) hand_over(shared, shared->parts + i);
  CSK_CHECK(csk_selection_finish(&shared->whole) == csk_status_ok);
  CSK_CHECK(shared->whole.count == count &&
                memcmp(shared->whole.positions, expected, (size_t)count * sizeof *expected) == 0,
            "%s: k = %lld, parts of %lld: %lld selected, or others", what,
            (long long)shared->whole.k, (long long)shared->capacity,
            (long long)shared->whole.count);
}

// Offers of 1 to 64 values in turn or in random order to 1, 2, 3, 8 parts, whose capacities lie on
// both sides of what one, two, many offers fill, of k, and of the whole's capacity.
static void check_parts(shape shape, int64_t count, int64_t k) {
  static const int64_t part_counts[] = {1, 2, 3, most_parts};
  const int64_t capacities[] = {8 + longest_offer, 9 + longest_offer, 8 + 2 * longest_offer - 1,
                                k + 4096,          3 * k + 4096 + 8,  3 * k + 4097 + 8};
  float *values = select_values(shape, count);
  int64_t *expected = malloc((size_t)(count + 1) * sizeof *expected);
  uint64_t seed = 11 + (uint64_t)k;
  for (int order = csk_select_largest; order <= csk_select_smallest; order++) {
    const int64_t selected = select_naive(order, values, count, k, NULL, expected);
    for (int isa = csk_isa_scalar; isa <= csk_isa_neon; isa++) {
      if (!csk_isa_is_supported(isa)) continue;
      for (size_t run = 0; run < 4 * sizeof capacities / sizeof *capacities; run++) {
        const int64_t parts = part_counts[run % 4];
        shared shared;
        shared_make(&shared, order, k, capacities[run / 4]);
        const int64_t length = 1 + (int64_t)(csk_test_random(&seed) % longest_offer);
        const int64_t offers = (count + length - 1) / length;
        // A step prime to the number of offers goes through all of them, far from in order.
        int64_t step = run % 3 == 0 || offers % 7919 == 0 ? 1 : 7919;
        for (int64_t i = 0, at = 0; i < offers; i++, at = (at + step) % offers) {
          const int64_t begin = at * length, rest = count - begin;
          offer(isa, &shared, shared.parts + csk_test_random(&seed) % (uint64_t)parts, values,
                begin, rest < length ? rest : length);
        }
        char name[96];
        snprintf(name, sizeof name, "%s, n = %lld, order %d, %s, %lld parts",
                 select_shape_names[shape], (long long)count, order, csk_isa_name(isa),
                 (long long)parts);
        check_result(&shared, expected, selected, name);
        shared_free(&shared);
      }
    }
  }
  free(expected);
  free(values);
}

// Counts on both sides of the whole's first shrink, 4096 + 3 k.
static void test_parts(void) {
  for (shape shape = 0; shape < shapes; shape++) {
    const int64_t ks[] = {0, 1, 300, 5000};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
      const int64_t full = 4096 + 3 * ks[i];
      check_parts(shape, full, ks[i]);
      check_parts(shape, full + 1, ks[i]);
    }
    check_parts(shape, 40000, 1000);
    check_parts(shape, 50, 70);
  }
}

typedef struct job {
  shared *shared;
  const float *values;
  int64_t count, *next;
  int part;
} job;

static void *work(void *argument) {
  job *job = argument;
  const csk_isa isa = csk_isa_current();
  while (true) {
    const int64_t begin = __atomic_fetch_add(job->next, longest_offer, __ATOMIC_RELAXED);
    if (begin >= job->count) return NULL;
    const int64_t rest = job->count - begin;
    offer(isa, job->shared, job->shared->parts + job->part, job->values, begin,
          rest < longest_offer ? rest : longest_offer);
  }
}

// Threads that share a selection, in whatever order they come to it.
static void test_threads(void) {
  enum { count = 200000, k = 3000 };
  int64_t *expected = malloc(k * sizeof *expected);
  for (shape shape = 0; shape < shapes; shape++) {
    float *values = select_values(shape, count);
    const int64_t selected = select_naive(csk_select_largest, values, count, k, NULL, expected);
    for (int threads = 1; threads <= most_parts; threads *= 2) {
      shared shared;
      shared_make(&shared, csk_select_largest, k, 500);
      pthread_t ids[most_parts];
      job jobs[most_parts];
      int64_t next = 0;
      for (int i = 0; i < threads; i++) {
        jobs[i] = (job){&shared, values, count, &next, i};
        CSK_CHECK(pthread_create(ids + i, NULL, work, jobs + i) == 0);
      }
      for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
      check_result(&shared, expected, selected, select_shape_names[shape]);
      shared_free(&shared);
    }
    free(values);
  }
  free(expected);
}

// Ascending and equal values: each passes, or none after the first. Either way the memory is what
// was lent, and what a thread has to look at twice does not grow with the number of values.
static void test_part_takes_the_cut(void) {
  enum { k = 100, full = 4096 + 3 * k };
  shared shared;
  shared_make(&shared, csk_select_largest, k, 8 + longest_offer);
  float values[longest_offer];
  for (int i = 0; i < longest_offer; i++) values[i] = 1;
  for (int64_t begin = 0; begin < 2 * full; begin += longest_offer) {
    if (csk_selection_room(shared.parts) < longest_offer) hand_over(&shared, shared.parts);
    CSK_CHECK(csk_selection_offer(shared.parts, values, longest_offer, begin, NULL, 0) ==
              csk_status_ok);
  }
  CSK_CHECK(shared.parts->count == 0, "%lld equal values still pass",
            (long long)shared.parts->count);
  CSK_CHECK(shared.parts->cut_position == k - 1, "cut at %lld",
            (long long)shared.parts->cut_position);
  shared_free(&shared);
}

static void test_part_nan(void) {
  shared shared;
  shared_make(&shared, csk_select_largest, 5, 100);
  float values[20] = {0};
  for (int i = 0; i < 20; i++) {
    values[i] = NAN;
    CSK_CHECK(csk_selection_offer(shared.parts, values, 20, 0, NULL, 0) == csk_status_nan);
    values[i] = 0;
    hand_over(&shared, shared.parts);
  }
  shared_free(&shared);
}

static void test_part_arguments(void) {
  shared shared;
  shared_make(&shared, csk_select_largest, 5, 8 + longest_offer);
  csk_selection *whole = &shared.whole, *part = shared.parts, *other = shared.parts + 1;
  uint32_t *keys = part->keys;
  int64_t *positions = part->positions;
  float values[longest_offer + 1] = {0};
  const csk_status bad = csk_status_invalid_argument;
  CSK_CHECK(csk_selection_begin_part(NULL, whole, keys, positions, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(part, NULL, keys, positions, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(whole, whole, keys, positions, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(part, other, keys, positions, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(part, whole, NULL, positions, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(part, whole, keys, NULL, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(part, whole, whole->keys, positions, 100) == bad);
  CSK_CHECK(csk_selection_begin_part(part, whole, keys, positions, 8) == bad);
  CSK_CHECK(csk_selection_merge(part, whole) == bad);
  CSK_CHECK(csk_selection_merge(part, other) == bad);
  CSK_CHECK(csk_selection_finish(part) == bad);
  int64_t admitted;
  CSK_CHECK(csk_selection_admit_zeros(part, 1, &admitted) == bad);
  CSK_CHECK(csk_selection_room(whole) == INT64_MAX);
  CSK_CHECK(csk_selection_room(part) == longest_offer);
  CSK_CHECK(csk_selection_offer(part, values, longest_offer + 1, 0, NULL, 0) == bad);
  CSK_CHECK(csk_selection_offer(part, values, longest_offer, 0, NULL, 0) == csk_status_ok);
  CSK_CHECK(csk_selection_room(part) == 0);
  CSK_CHECK(csk_selection_offer(part, values, 1, longest_offer, NULL, 0) == bad);
  shared_free(&shared);
}

void select_test_parts(void) {
  test_parts();
  test_threads();
  test_part_takes_the_cut();
  test_part_nan();
  test_part_arguments();
}
