// neon/csk_windows_neon.c: depthwise convolution and max-pooling.
#include "csk_windows_internal.h"

#if CSK_ARCH_AARCH64
void csk_windows_neon(csk_kernels *kernels) {
  (void)kernels;
}
#endif
