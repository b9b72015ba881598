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

/// Whether the calling thread's allocations count. Tests run beside each other: a test counts its
/// own threads only.
void allocation_counter_watch_thread(bool watched);

/// Allocations of all watched threads so far, but for those inside BLIS.
int64_t allocation_counter_total(void);

#endif
