// include/csk_common.h: what every kernel family shares: status codes, instruction sets.
//
// Conventions of the whole target: kernels borrow memory and never allocate, keep, free, thread,
// print or exit (the pool's creation is the one exception). `csk_<op>` checks its arguments and
// runs the current instruction set's version; `csk_<op>_on(isa, ...)` runs a chosen one and exists
// for tests. Strides and offsets count elements, never bytes. A pointer to zero elements may be
// null.
#ifndef CSK_COMMON_H
#define CSK_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What an entry returns. Outputs are unspecified unless it is csk_status_ok.
typedef enum csk_status {
  csk_status_ok = 0,
  csk_status_invalid_argument = 1,  ///< a null pointer, a negative size, a stride too small
  csk_status_unsupported_isa = 2,   ///< `_on` asked for an instruction set this CPU lacks
  csk_status_nan = 3,               ///< a NaN where an order was needed
  csk_status_overflow = 4,          ///< an offset that does not fit its type
  csk_status_out_of_memory = 5,     ///< only from csk_pool_create
} csk_status;

/// The instruction sets that kernels are written for.
typedef enum csk_isa {
  csk_isa_scalar = 0,  ///< plain C: the specification the others are tested against
  csk_isa_avx2 = 1,    ///< x86-64 with AVX2 and FMA
  csk_isa_neon = 2,    ///< aarch64
  csk_isa_avx512 = 3,  ///< AVX-512 F, VL, DQ, BW: convolutions, the sparse pair; the rest as AVX2
} csk_isa;

/// Instruction sets are numbered from 0 to here, supported or not.
enum { csk_isa_count = 4 };

/// Whether this CPU runs `isa`.
bool csk_isa_is_supported(csk_isa isa);

/// The instruction set that `csk_<op>` entries use: the best supported one, asked for once;
/// `CSK_ISA` in the environment forces another supported one by name (`scalar`, `avx2`).
csk_isa csk_isa_current(void);

/// "scalar", "avx2", "neon" or "avx512".
const char *csk_isa_name(csk_isa isa);

#ifdef __cplusplus
}
#endif
#endif
