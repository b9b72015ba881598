// pool/csk_sharing.c: whether a job is worth sharing, from what such jobs took before.
//
// Times of one kind decide on that kind. What they leave out is that a thread which loses its core
// stops everyone, at random: so all shared jobs of the last milliseconds are also held against
// what they would have taken alone, and sharing rests if they took longer.
#include <string.h>

#include "csk_internal.h"

/// Jobs this long are shared without trying them alone: what sharing costs is lost in them, and
/// trying would be seen.
static const float long_job = 300e3F;
/// A shared job must take less than this share of the time alone: a core is not worth a few
/// percent.
static const float least_gain = .92F;

/// Beyond these shares of it there is no doubt, and few trials are needed.
static const float clear_gain = .75F, clear_loss = 1.33F;

enum {
  trial_half = 2000000,    // a few steps of a small network
  settling_time = 200000,  // what a half's beginning takes to wake threads and to fill caches
  first_pause = 10000000,  // of a kind, between trials; doubles up to:
  last_pause = 1000000000,
  first_gap = 5000000,  // of all kinds, between trials; doubles up to:
  last_gap = 100000000,
  first_rest = 10000000,  // doubles up to:
  last_rest = 2000000000,
  memory = 10000000,  // of the comparison of all shared jobs
  tolerated_loss = 500000,
  awake_time = 50000,  // that threads look for work before they sleep
  enough_samples = 3,
  most_samples = 8,
  probes = 8,
};

static int64_t doubled(int64_t time, int64_t most) {
  return 2 * time < most ? 2 * time : most;
}

void csk_sharing_reset(csk_sharing *sharing, csk_sharing_policy policy) {
  memset(sharing, 0, sizeof *sharing);
  sharing->policy = policy;
  sharing->trial_begin = INT64_MIN / 2;
  sharing->pause = first_gap;
  sharing->rest = first_rest;
}

/// What is known of a kind; if it is nothing, a trial is due soon.
static csk_job_times *find(csk_sharing *sharing, uint64_t kind) {
  uint64_t hash = kind * 0x9E3779B97F4A7C15U;
  hash ^= hash >> 32;
  csk_job_times *times = &sharing->times[hash % csk_sharing_kinds];
  for (uint64_t i = 0; i < probes; i++) {
    csk_job_times *place = &sharing->times[(hash + i) % csk_sharing_kinds];
    if (place->pause > 0 && place->kind == kind) return place;
    if (place->pause > 0) continue;
    times = place;
    break;
  }
  *times = (csk_job_times){.kind = kind, .pause = first_pause};
  sharing->pause = first_gap;
  return times;
}

typedef enum half { half_none, half_shared, half_alone } half;

/// Which half of a trial it is. Halves take turns in being the first: a kind that runs once in a
/// long while is in the first one only.
static half half_at(const csk_sharing *sharing, int64_t now) {
  const int64_t number = (now - sharing->trial_begin) / trial_half;
  if (number > 1) return half_none;
  return (number + sharing->trial) % 2 == 0 ? half_shared : half_alone;
}

static void begin_trial(csk_sharing *sharing, int64_t now) {
  sharing->trial++;
  sharing->trial_begin = now;
  sharing->next_trial = now + 2 * trial_half + sharing->pause;
  sharing->pause = doubled(sharing->pause, last_gap);
}

/// The share of its time alone that a shared job may take.
static float limit(const csk_sharing *sharing, int64_t now) {
  if (now - sharing->last_shared >= awake_time) return least_gain;
  // Threads that are awake anyway cost nothing to call. And where they gain, a job that is left out
  // takes its operands away from them: the next ones pay for it.
  return sharing->spent < (double)least_gain * sharing->alone ? clear_loss : 1;
}

bool csk_sharing_decide(csk_sharing *sharing, uint64_t kind, int64_t now) {
  switch (sharing->policy) {
    case csk_sharing_always:
      return true;
    case csk_sharing_never:
      return false;
    case csk_sharing_alternating:
      return sharing->turn = !sharing->turn;
    case csk_sharing_adaptive:
      break;
  }
  if (now < sharing->rest_end) return false;
  const csk_job_times *times = find(sharing, kind);
  // A job that has not run may be long: one that is short costs little, either way.
  if (times->shared_samples == 0 || times->shared > long_job) return true;
  if (now >= times->next_trial && now >= sharing->next_trial) begin_trial(sharing, now);
  const half half = half_at(sharing, now);
  if (half != half_none) return half == half_shared;
  // In turns, both ways would find their operands in the other core's cache.
  if (times->shared_samples < enough_samples || times->alone_samples < enough_samples) return true;
  return times->shared < limit(sharing, now) * times->alone;
}

/// A kind's first job in a trial: what was measured before counts for little, and the next trial is
/// set.
static void enter_trial(const csk_sharing *sharing, csk_job_times *times, int64_t now) {
  times->trial = sharing->trial;
  const bool knows = times->alone_samples >= enough_samples &&
                     times->shared_samples >= enough_samples && times->pause > first_pause;
  const bool is_clear = knows && (times->shared < clear_gain * times->alone ||
                                  times->shared > clear_loss * times->alone);
  times->pause = is_clear ? last_pause : doubled(times->pause, last_pause);
  times->next_trial = now + times->pause;
  if (times->alone_samples > enough_samples) times->alone_samples = enough_samples;
  if (times->shared_samples > enough_samples) times->shared_samples = enough_samples;
}

static void average(float *mean, uint16_t *samples, int64_t nanoseconds) {
  float sample = (float)nanoseconds;
  // The first one meets cold caches and memory that was never touched; one that lost its core says
  // little about the kind.
  if (*samples < 2) {
    *mean = sample;
  } else {
    if (sample > 4 * *mean) sample = 4 * *mean;
    *mean += (sample - *mean) / (float)*samples;
  }
  if (*samples < most_samples) ++*samples;
}

/// Rests if sharing has cost time lately.
static void weigh(csk_sharing *sharing, int64_t now, double spent, double alone) {
  // What is remembered spans a few of the longest jobs.
  const double span = memory > 4 * spent ? memory : 4 * spent, kept = 1 / (1 + spent / span);
  sharing->spent = sharing->spent * kept + spent;
  sharing->alone = sharing->alone * kept + alone;
  if (sharing->spent <= sharing->alone + tolerated_loss) return;
  const bool again = now - sharing->rest_end < 8 * sharing->rest;
  sharing->rest = again ? doubled(sharing->rest, last_rest) : first_rest;
  sharing->rest_end = now + sharing->rest;
  sharing->spent = sharing->alone = 0;
}

void csk_sharing_learn(csk_sharing *sharing, uint64_t kind, bool shared, int64_t now,
                       int64_t nanoseconds, int64_t alone) {
  if (sharing->policy != csk_sharing_adaptive) return;
  csk_job_times *times = find(sharing, kind);
  const int64_t begin = now - nanoseconds;
  if (shared) {
    if (times->alone_samples >= 2) alone = (int64_t)times->alone;
    sharing->last_shared = now;
    if (alone > 0) weigh(sharing, now, (double)nanoseconds, (double)alone);
  }
  uint16_t *samples = shared ? &times->shared_samples : &times->alone_samples;
  if (half_at(sharing, begin) != half_none) {
    const bool settles = (begin - sharing->trial_begin) % trial_half < settling_time;
    if (times->trial != sharing->trial) enter_trial(sharing, times, now);
    if (settles && *samples > 0) return;
  }
  average(shared ? &times->shared : &times->alone, samples, nanoseconds);
}
