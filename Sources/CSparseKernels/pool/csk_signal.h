// pool/csk_signal.h: a counting semaphore: what one thread sleeps on and another raises, without a
// lock between them. POSIX's own where there is one that needs no name.
#ifndef CSK_SIGNAL_H
#define CSK_SIGNAL_H

#include <stdbool.h>

#if defined(__APPLE__)

#include <dispatch/dispatch.h>

typedef dispatch_semaphore_t csk_signal;

static inline bool csk_signal_init(csk_signal *signal) {
  *signal = dispatch_semaphore_create(0);
  return *signal != NULL;
}

static inline void csk_signal_raise(csk_signal *signal) {
  dispatch_semaphore_signal(*signal);
}

static inline void csk_signal_wait(csk_signal *signal) {
  dispatch_semaphore_wait(*signal, DISPATCH_TIME_FOREVER);
}

static inline void csk_signal_destroy(csk_signal *signal) {
  dispatch_release(*signal);
}

#else

#include <semaphore.h>

typedef sem_t csk_signal;

static inline bool csk_signal_init(csk_signal *signal) {
  return sem_init(signal, 0, 0) == 0;
}

static inline void csk_signal_raise(csk_signal *signal) {
  sem_post(signal);
}

static inline void csk_signal_wait(csk_signal *signal) {
  // A signal handler may interrupt it.
  while (sem_wait(signal) != 0) {
  }
}

static inline void csk_signal_destroy(csk_signal *signal) {
  sem_destroy(signal);
}

#endif
#endif
