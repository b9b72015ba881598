// pack_cases.h: what the pack family's test files share.
#ifndef CSK_PACK_CASES_H
#define CSK_PACK_CASES_H

#include "CSparseKernels.h"
#include "csk_suite.h"

// Each file's tests, listed in pack_tests.c.
void unpack_forward_matches_reference(void);
void unpack_forward_passes_nan(void);
void unpack_forward_without_dropout_or_bias(void);
void unpack_dropout_mask_is_the_same_for_any_lanes(void);
void unpack_dropout_follows_places(void);
void unpack_dropout_keeps_the_right_share(void);
void unpack_backward_matches_reference(void);
void unpack_backward_bias_gradient_sum(void);
void unpack_backward_nan_and_dead_lanes(void);
void unpack_rejects_invalid_arguments(void);
void softmax_matches_double(void);
void softmax_exponential_over_its_range(void);
void softmax_far_from_zero(void);
void softmax_not_finite(void);
void softmax_ties_and_ranks(void);
void softmax_dead_lanes_and_accumulation(void);
void softmax_rejects_invalid_arguments(void);

/// The next supported instruction set from `isa` on, or -1.
static inline int pack_supported_isa(int isa) {
  while (isa < csk_isa_count && !csk_isa_is_supported((csk_isa)isa)) isa++;
  return isa < csk_isa_count ? isa : -1;
}

#define FOR_EACH_ISA(isa) \
  for (int isa = pack_supported_isa(0); isa >= 0; isa = pack_supported_isa(isa + 1))

#endif
