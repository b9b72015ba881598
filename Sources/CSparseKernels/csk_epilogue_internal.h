// csk_epilogue_internal.h: what the versions of dropout must do alike.
#ifndef CSK_EPILOGUE_INTERNAL_H
#define CSK_EPILOGUE_INTERNAL_H

#include <math.h>

#include "csk_internal.h"

// Philox4x32-10's multipliers and the steps of its key.
#define CSK_PHILOX_M0 0xd2511f53u
#define CSK_PHILOX_M1 0xcd9e8d57u
#define CSK_PHILOX_W0 0x9e3779b9u
#define CSK_PHILOX_W1 0xbb67ae85u
enum { csk_philox_rounds = 10 };

/// The integer that a kept word is below: word < keep * 2^32 and word < ceil(keep * 2^32) are the
/// same for integers. keep < 1, so it is at most 2^32 - 256.
static inline uint32_t csk_keep_threshold(float keep) {
  return (uint32_t)ceilf(keep * 0x1p32f);
}

#endif
