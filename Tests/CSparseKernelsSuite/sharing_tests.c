// sharing_tests.c: what the choice between one thread and all costs and gains, by a clock of the
// tests' own: jobs whose times alone and shared are known.
#include "CSparseKernels.h"
#include "csk_suite.h"

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static const int64_t microsecond = 1000, millisecond = 1000000, second = 1000000000;

/// Jobs that take so long alone and shared, in a network's order.
typedef struct load {
  int64_t alone, shared;  // of a job, nanoseconds
  int32_t kinds;
  // A thread loses its core for `stall` after every `stall_pause` of sharing; 0: never.
  int64_t stall, stall_pause;
} load;

typedef struct outcome {
  double time, alone, shared;  // seconds: as it went, and what both ways would have taken
  int64_t jobs, shared_jobs;
} outcome;

typedef struct machine {
  csk_sharing sharing;
  int64_t now;
  int64_t shared_since_stall;
  uint64_t random;
} machine;

static int64_t disturbed(machine *m, int64_t nanoseconds) {
  return (int64_t)((double)nanoseconds * (1 + .1 * (double)csk_test_uniform(&m->random)));
}

static void run_job(machine *m, const load *l, uint64_t kind, outcome *o) {
  const bool shared = csk_sharing_decide(&m->sharing, kind, m->now);
  int64_t time = disturbed(m, shared ? l->shared : l->alone);
  if (shared && l->stall > 0) {
    m->shared_since_stall += time;
    if (m->shared_since_stall >= l->stall_pause) {
      m->shared_since_stall = 0;
      time += l->stall;
    }
  }
  m->now += time;
  csk_sharing_learn(&m->sharing, kind, shared, m->now, time, shared ? l->alone : 0);
  o->time += (double)time * 1e-9;
  o->alone += (double)l->alone * 1e-9;
  o->shared += (double)l->shared * 1e-9;
  o->jobs++;
  o->shared_jobs += shared;
  m->now += 2 * microsecond;
}

static outcome run_for(machine *m, const load *l, int64_t nanoseconds) {
  outcome o = {0};
  const int64_t end = m->now + nanoseconds;
  while (m->now < end)
    for (int32_t kind = 0; kind < l->kinds; kind++) run_job(m, l, 100 + (uint64_t)kind, &o);
  return o;
}

static machine *new_machine(csk_sharing_policy policy) {
  static machine m;
  m = (machine){.now = 5 * second, .random = 1};
  csk_sharing_reset(&m.sharing, policy);
  return &m;
}

static void small_jobs_run_alone(void) {
  const load loads[] = {
      {.alone = 20 * microsecond, .shared = 50 * microsecond, .kinds = 20},
      {.alone = 5 * microsecond, .shared = 30 * microsecond, .kinds = 20},
      {.alone = 150 * microsecond, .shared = 160 * microsecond, .kinds = 8},
      {.alone = 20 * microsecond, .shared = 20 * microsecond, .kinds = 300},
  };
  for (int i = 0; i < COUNT(loads); i++) {
    const outcome o = run_for(new_machine(csk_sharing_adaptive), &loads[i], 2 * second);
    CSK_CHECK(o.time < 1.02 * o.alone, "load %d: %.3f s, %.3f alone", i, o.time, o.alone);
  }
}

static void jobs_that_gain_are_shared(void) {
  const load loads[] = {
      {.alone = 20 * microsecond, .shared = 11 * microsecond, .kinds = 5},
      {.alone = 100 * microsecond, .shared = 60 * microsecond, .kinds = 30},
      {.alone = 5 * millisecond, .shared = 3 * millisecond, .kinds = 300},
  };
  for (int i = 0; i < COUNT(loads); i++) {
    const outcome o = run_for(new_machine(csk_sharing_adaptive), &loads[i], 2 * second);
    CSK_CHECK(o.time < 1.03 * o.shared, "load %d: %.3f s, %.3f shared", i, o.time, o.shared);
  }
}

static void long_jobs_are_never_tried_alone(void) {
  const load l = {.alone = 800 * microsecond, .shared = 450 * microsecond, .kinds = 200};
  const outcome o = run_for(new_machine(csk_sharing_adaptive), &l, second);
  CSK_CHECK(o.shared_jobs == o.jobs, "%d of %d shared", (int)o.shared_jobs, (int)o.jobs);
}

static void a_core_that_is_taken_away_is_given_up(void) {
  // Half of the time of another core, in slices of 3 ms, takes the thread away while it has a
  // chunk; between two stalls sharing looks like a gain.
  const load loads[] = {
      {.alone = 20 * microsecond, .shared = 12 * microsecond, .kinds = 20},
      {.alone = 60 * microsecond, .shared = 40 * microsecond, .kinds = 20},
      {.alone = 400 * microsecond, .shared = 360 * microsecond, .kinds = 20},
  };
  for (int i = 0; i < COUNT(loads); i++) {
    load stalled = loads[i];
    stalled.stall = 4 * millisecond;
    stalled.stall_pause = 3 * millisecond;
    machine *m = new_machine(csk_sharing_adaptive);
    const outcome o = run_for(m, &stalled, 4 * second);
    CSK_CHECK(o.time < 1.05 * o.alone, "load %d: %.3f s, %.3f alone", i, o.time, o.alone);
    // When the other process is gone, sharing comes back.
    run_for(m, &loads[i], 4 * second);
    const outcome after = run_for(m, &loads[i], second);
    CSK_CHECK(after.time < 1.03 * after.shared, "load %d: afterwards %.3f s, %.3f shared", i,
              after.time, after.shared);
  }
}

static void long_jobs_outweigh_stalls(void) {
  // A thread that comes and goes still helps where jobs last longer than it is away.
  const load l = {.alone = 30 * millisecond,
                  .shared = 18 * millisecond,
                  .kinds = 20,
                  .stall = 4 * millisecond,
                  .stall_pause = 18 * millisecond};
  const outcome o = run_for(new_machine(csk_sharing_adaptive), &l, 10 * second);
  CSK_CHECK(o.time < .8 * o.alone, "%.3f s, %.3f alone", o.time, o.alone);
}

static void a_change_is_noticed(void) {
  machine *m = new_machine(csk_sharing_adaptive);
  const load before = {.alone = 20 * microsecond, .shared = 30 * microsecond, .kinds = 20};
  const load after = {.alone = 40 * microsecond, .shared = 24 * microsecond, .kinds = 20};
  run_for(m, &before, 3 * second);
  run_for(m, &after, 4 * second);
  const outcome gains = run_for(m, &after, second);
  CSK_CHECK(gains.time < 1.03 * gains.shared, "%.3f s, %.3f shared", gains.time, gains.shared);
  run_for(m, &before, second);
  const outcome loses = run_for(m, &before, 2 * second);
  CSK_CHECK(loses.time < 1.03 * loses.alone, "%.3f s, %.3f alone", loses.time, loses.alone);
}

static void kinds_are_chosen_apart(void) {
  machine *m = new_machine(csk_sharing_adaptive);
  const load large = {.alone = 90 * microsecond, .shared = 50 * microsecond, .kinds = 1};
  const load small = {.alone = 10 * microsecond, .shared = 20 * microsecond, .kinds = 1};
  outcome o = {0};
  double best = 0;
  for (int i = 0; i < 20000; i++) {
    run_job(m, &large, 7, &o);
    run_job(m, &small, 8, &o);
    best += 60e-6;
  }
  CSK_CHECK(o.time < 1.03 * best, "%.3f s, at best %.3f", o.time, best);
}

static void more_kinds_than_places(void) {
  const load l = {.alone = 20 * microsecond, .shared = 50 * microsecond, .kinds = 5000};
  const outcome o = run_for(new_machine(csk_sharing_adaptive), &l, second);
  // Forgotten kinds are new ones: shared once more, but never all of them for long.
  CSK_CHECK(o.time < 2.5 * o.alone, "%.3f s, %.3f alone", o.time, o.alone);
}

static void fixed_policies(void) {
  const load l = {.alone = 20 * microsecond, .shared = 50 * microsecond, .kinds = 20};
  const outcome always = run_for(new_machine(csk_sharing_always), &l, 50 * millisecond);
  CSK_CHECK(always.shared_jobs == always.jobs, "%d shared", (int)always.shared_jobs);
  const outcome never = run_for(new_machine(csk_sharing_never), &l, 50 * millisecond);
  CSK_CHECK(never.shared_jobs == 0, "%d shared", (int)never.shared_jobs);
  const outcome turns = run_for(new_machine(csk_sharing_alternating), &l, 50 * millisecond);
  CSK_CHECK(turns.shared_jobs * 2 == turns.jobs, "%d of %d shared", (int)turns.shared_jobs,
            (int)turns.jobs);
}

const csk_test csk_tests_sharing[] = {
    {"sharing_small_jobs_run_alone", small_jobs_run_alone},
    {"sharing_jobs_that_gain_are_shared", jobs_that_gain_are_shared},
    {"sharing_long_jobs_are_never_tried_alone", long_jobs_are_never_tried_alone},
    {"sharing_a_core_that_is_taken_away_is_given_up", a_core_that_is_taken_away_is_given_up},
    {"sharing_long_jobs_outweigh_stalls", long_jobs_outweigh_stalls},
    {"sharing_a_change_is_noticed", a_change_is_noticed},
    {"sharing_kinds_are_chosen_apart", kinds_are_chosen_apart},
    {"sharing_more_kinds_than_places", more_kinds_than_places},
    {"sharing_fixed_policies", fixed_policies},
    {NULL, NULL},
};
