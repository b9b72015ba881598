// pack_cases.h: what tests of kernels on vectors share.
#ifndef CSK_PACK_CASES_H
#define CSK_PACK_CASES_H

#include "CSparseKernels.h"
#include "csk_suite.h"

/// The next supported instruction set from `isa` on, or -1.
static inline int pack_supported_isa(int isa) {
  while (isa < csk_isa_count && !csk_isa_is_supported((csk_isa)isa)) isa++;
  return isa < csk_isa_count ? isa : -1;
}

#define FOR_EACH_ISA(isa) \
  for (int isa = pack_supported_isa(0); isa >= 0; isa = pack_supported_isa(isa + 1))

#endif
