// include/csk_common.h: what every kernel family shares: status codes, instruction sets.
//
// Conventions of the whole target: kernels borrow memory and never allocate, keep, free, thread,
// print or exit (the pool's creation is the one exception). `csk_<op>` checks its arguments and
// runs the current instruction set's version; `CSK_ON(isa, csk_<op>(...))` runs a chosen one.
// Strides and offsets count elements, never bytes. A pointer to zero elements may be null.
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
  csk_status_unsupported_isa = 2,   ///< CSK_ON or CSK_ISA asked for what this CPU does not run
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
  csk_isa_unsupported = 4,  ///< CSK_ISA names none that this CPU runs
} csk_isa;

/// Instruction sets are numbered from 0 to before here, run by this CPU or not.
enum { csk_isa_count = csk_isa_unsupported };

/// Whether this CPU runs `isa`.
bool csk_isa_is_supported(csk_isa isa);

/// The instruction set that `csk_<op>` entries use: the best one that this CPU runs, asked for
/// once; `CSK_ISA` in the environment forces another by name. Any other value of it, the empty one
/// too, is never ignored: this is csk_isa_unsupported then, and every entry that has versions
/// returns csk_status_unsupported_isa.
csk_isa csk_isa_current(void);

/// One call of an entry with a chosen instruction set's version, for tests and comparisons:
/// `status = CSK_ON(csk_isa_scalar, csk_gather(...))`. Not inside another one.
#define CSK_ON(isa, call) (csk_isa_begin(isa), csk_isa_end(call))

/// The two halves of CSK_ON: between them csk_isa_current() is `isa` in this thread, and entries
/// return csk_status_unsupported_isa if this CPU does not run it. The end returns `status`.
void csk_isa_begin(csk_isa isa);
csk_status csk_isa_end(csk_status status);

/// "scalar", "avx2", "neon" or "avx512"; "unsupported" for any other number.
const char *csk_isa_name(csk_isa isa);

/// The instruction set of exactly this name, csk_isa_unsupported if it is none that this CPU runs.
csk_isa csk_isa_named(const char *name);

#ifdef __cplusplus
}
#endif
#endif
