// include/csk_philox.h: random numbers.
#ifndef CSK_PHILOX_H
#define CSK_PHILOX_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Philox4x32-10 (Salmon et al., SC 2011): out = philox(counter, key). The random numbers of the
/// whole project; counter-based, so there is no state to save.
void csk_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#ifdef __cplusplus
}
#endif
#endif
