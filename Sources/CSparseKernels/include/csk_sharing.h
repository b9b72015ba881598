// include/csk_sharing.h: whether a pool's job is worth sharing, from what such jobs took before.
//
// Results do not depend on who runs a chunk, so a pool may run any job on the caller alone. Sharing
// a job of microseconds costs more than it brings, since its operands come from another core's
// cache; and where a core is busy with something else, a thread that holds a chunk may lose the
// core for milliseconds while everyone waits.
#ifndef CSK_SHARING_H
#define CSK_SHARING_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Who runs jobs: a choice from measured times, or a fixed one for tests and measurements.
typedef enum csk_sharing_policy {
  csk_sharing_adaptive = 0,     ///< whatever took less time
  csk_sharing_always = 1,       ///< all threads
  csk_sharing_never = 2,        ///< the caller
  csk_sharing_alternating = 3,  ///< all threads and the caller in turns
} csk_sharing_policy;

/// What jobs of one kind took: moving averages in nanoseconds, of so many samples each.
typedef struct csk_job_times {
  uint64_t kind;
  float alone, shared;
  uint16_t alone_samples, shared_samples;  // these stop counting at 8
  uint32_t trial;                          // the last one that the kind was in
  int64_t next_trial, pause;               // when it wants the next one, and the pause after that
} csk_job_times;

enum { csk_sharing_kinds = 4096 };

/// The state of the choice. Plain memory without pointers, one caller at a time.
typedef struct csk_sharing {
  csk_sharing_policy policy;
  bool turn;  // of csk_sharing_alternating
  // Trials: for a while all short jobs are shared, and as long none is.
  uint32_t trial;
  int64_t trial_begin, next_trial, pause;
  // What shared jobs took lately, what they would have taken alone, and rests from sharing.
  double spent, alone;
  int64_t rest_end, rest;
  int64_t last_shared;  // when the last one ended
  csk_job_times times[csk_sharing_kinds];
} csk_sharing;

/// Forgets everything; times are nanoseconds of any clock that never goes back.
void csk_sharing_reset(csk_sharing *sharing, csk_sharing_policy policy);

/// Whether the job of this kind that begins at `now` is to be shared. A kind is any number that
/// stands for jobs that take about the same time; if there are more than csk_sharing_kinds, some
/// are forgotten.
///
/// Short jobs are shared if they take less time so, long ones always. A kind's first jobs try out
/// both, and so do all short jobs in trials of a few milliseconds, which a kind asks for after 10
/// ms at first and after a second in the end. When shared jobs together have lately taken longer
/// than they would have alone, as happens where another process has a core, nothing is shared for
/// 10 ms, and for twice as long each time it happens again, up to 2 s.
bool csk_sharing_decide(csk_sharing *sharing, uint64_t kind, int64_t now);

/// Takes note of a job that has run.
///
///   shared  what csk_sharing_decide said
///   nanoseconds  how long it took
///   alone   how long a shared job would have taken alone, by the caller's share in it; 0: unknown
void csk_sharing_learn(csk_sharing *sharing, uint64_t kind, bool shared, int64_t now,
                       int64_t nanoseconds, int64_t alone);

#ifdef __cplusplus
}
#endif
#endif
