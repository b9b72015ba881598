// include/allocation_counter.h: counts what chosen threads allocate.
//
// Replaces malloc and its kin in the test program. Only glibc has the names to pass the calls on
// to, and sanitizers replace malloc themselves: elsewhere nothing is counted, and
// allocation_counter_is_available() says so.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

bool allocation_counter_is_available(void);

/// A new count. Tests run beside each other: each has its own.
int32_t allocation_counter_begin(void);

/// Has the calling thread's allocations go into a count, those inside BLIS apart; -1: into none.
void allocation_counter_watch_thread(int32_t count);

/// Allocations that went into a count so far.
int64_t allocation_counter_total(int32_t count);

#endif
