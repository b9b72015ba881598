// avx2/csk_windows_avx2.c: depthwise convolution and max-pooling.
#include "csk_windows_internal.h"

#if CSK_ARCH_X86_64
void csk_windows_avx2(csk_kernels *kernels) {
  (void)kernels;
}
#endif
