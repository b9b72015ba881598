// dispatch/csk_isa.c: asks the CPU once, takes CSK_ISA at its word, and builds one kernel table per
// instruction set.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "csk_internal.h"

static csk_isa current = csk_isa_scalar;
enum { nothing_chosen = -1 };
static _Thread_local int chosen = nothing_chosen;  // by csk_isa_begin
static csk_kernels tables[csk_isa_count];
static pthread_once_t once = PTHREAD_ONCE_INIT;

bool csk_isa_is_supported(csk_isa isa) {
  switch (isa) {
    case csk_isa_scalar:
      return true;
    case csk_isa_avx2:
#if CSK_ARCH_X86_64
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
      return false;
#endif
    case csk_isa_avx512:  // these ask the operating system too
#if CSK_ARCH_X86_64
      return csk_isa_is_supported(csk_isa_avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw");
#else
      return false;
#endif
    case csk_isa_neon:
#if CSK_ARCH_AARCH64
      return true;
#else
      return false;
#endif
    case csk_isa_unsupported:
      return false;
  }
  return false;
}

csk_isa csk_isa_named(const char *name) {
  for (int isa = 0; isa < csk_isa_count; isa++)
    if (csk_isa_is_supported((csk_isa)isa) && strcmp(name, csk_isa_name((csk_isa)isa)) == 0)
      return (csk_isa)isa;
  return csk_isa_unsupported;
}

static void set_up(void) {
  csk_kernels *scalar = &tables[csk_isa_scalar];
  csk_sparse_scalar(scalar);
  csk_select_scalar(scalar);
  csk_update_scalar(scalar);
  csk_pack_scalar(scalar);
  csk_activation_scalar(scalar);
  csk_epilogue_scalar(scalar);
  csk_softmax_scalar(scalar);
  csk_recurrent_scalar(scalar);
  csk_layer_norm_scalar(scalar);
  csk_planes_scalar(scalar);
  csk_residual_scalar(scalar);
  csk_global_average_scalar(scalar);
  csk_depthwise_scalar(scalar);
  csk_pool2d_scalar(scalar);
  csk_dense_planes_scalar(scalar);
  csk_measure_scalar(scalar);
  csk_isa best = csk_isa_scalar;
#if CSK_ARCH_X86_64
  if (csk_isa_is_supported(csk_isa_avx2)) {
    csk_kernels *avx2 = &tables[csk_isa_avx2];
    *avx2 = *scalar;
    csk_select_avx2(avx2);
    csk_pack_avx2(avx2);
    csk_bodies_avx2(avx2);
    csk_dense_planes_avx2(avx2);
    best = csk_isa_avx2;
  }
  if (csk_isa_is_supported(csk_isa_avx512)) {
    csk_kernels *avx512 = &tables[csk_isa_avx512];
    *avx512 = tables[csk_isa_avx2];
    csk_sparse_avx512(avx512);
    csk_dense_planes_avx512(avx512);
    best = csk_isa_avx512;
  }
#elif CSK_ARCH_AARCH64
  csk_kernels *neon = &tables[csk_isa_neon];
  *neon = *scalar;
  csk_select_neon(neon);
  csk_pack_neon(neon);
  csk_bodies_neon(neon);
  csk_dense_planes_neon(neon);
  best = csk_isa_neon;
#endif
  const char *asked = getenv("CSK_ISA");
  current = asked ? csk_isa_named(asked) : best;
}

csk_isa csk_isa_current(void) {
  pthread_once(&once, set_up);
  return chosen == nothing_chosen ? current : (csk_isa)chosen;
}

void csk_isa_begin(csk_isa isa) {
  chosen = (int)isa;
}

csk_status csk_isa_end(csk_status status) {
  chosen = nothing_chosen;
  return status;
}

const csk_kernels *csk_kernels_for(csk_isa isa) {
  pthread_once(&once, set_up);
  return csk_isa_is_supported(isa) ? &tables[isa] : NULL;
}

const csk_kernels *csk_kernels_current(void) {
  return csk_kernels_for(csk_isa_current());
}

const char *csk_isa_name(csk_isa isa) {
  switch (isa) {
    case csk_isa_scalar:
      return "scalar";
    case csk_isa_avx2:
      return "avx2";
    case csk_isa_neon:
      return "neon";
    case csk_isa_avx512:
      return "avx512";
    case csk_isa_unsupported:
      break;
  }
  return "unsupported";
}
