// allocation_counter.c: malloc and its kin, and mmap, counting before they pass the call on.
#define _GNU_SOURCE  // dladdr

#include "allocation_counter.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

enum { most_counts = 4096 };  // beside each other: later ones begin where an old one ended

static _Thread_local int32_t watched = -1;
static _Atomic int32_t begun;
static _Atomic int64_t totals[most_counts];

int32_t allocation_counter_begin(void) {
  const int32_t new = atomic_fetch_add(&begun, 1) % most_counts;
  atomic_store(&totals[new], 0);
  return new;
}

void allocation_counter_watch_thread(int32_t count) {
  watched = count;
}

int64_t allocation_counter_total(int32_t count) {
  return atomic_load(&totals[count]);
}

#if defined(__GLIBC__) && !defined(HAS_SANITIZER)

bool allocation_counter_is_available(void) {
  return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t elements, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/// BLIS and the OpenMP below it grow pools of their own when more threads of the process multiply
/// at once than ever before, which is when the scheduler likes.
static bool is_dense_library(const void *caller) {
  Dl_info info;
  if (!dladdr(caller, &info) || !info.dli_fname) return false;
  return strstr(info.dli_fname, "libblis") || strstr(info.dli_fname, "libgomp");
}

static void count(const void *caller) {
  if (watched >= 0 && !is_dense_library(caller))
    atomic_fetch_add_explicit(&totals[watched], 1, memory_order_relaxed);
}

void *malloc(size_t size) {
  count(__builtin_return_address(0));
  return __libc_malloc(size);
}

void *calloc(size_t elements, size_t size) {
  count(__builtin_return_address(0));
  return __libc_calloc(elements, size);
}

void *realloc(void *memory, size_t size) {
  count(__builtin_return_address(0));
  return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
    return EINVAL;
  count(__builtin_return_address(0));
  void *const result = __libc_memalign(alignment, size);
  if (!result) return ENOMEM;
  *memory = result;
  return 0;
}

// malloc's own pages come by another name: what counts here is taken past it.
void *mmap(void *place, size_t size, int protection, int flags, int file, off_t offset) {
  count(__builtin_return_address(0));
  return (void *)syscall(SYS_mmap, place, size, protection, flags, file, offset);
}

#else

bool allocation_counter_is_available(void) {
  return false;
}

#endif
