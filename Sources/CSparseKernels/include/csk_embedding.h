// include/csk_embedding.h: rows of a table by number, and the gradient of the table.
//
// Activations are grouped as csk_pack.h says: [group][feature][lane].
#ifndef CSK_EMBEDDING_H
#define CSK_EMBEDDING_H

#include "csk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

/// One group: y[c, lane] = table[tokens[lane], c] for features [begin, end); dead lanes are 0.
///
///   table   (rows, features)
///   tokens  (lanes) numbers of rows, as floats; lanes a positive multiple of 8
///   live    lanes whose tokens are looked at: whole and in 0..<rows, else
///           csk_status_invalid_argument
///   y       (features, lanes)
/// Bound: an element a cycle, in L1, where a group is: too little beside products to be written for
/// each instruction set.
csk_status csk_embed(const float *table, int32_t rows, int32_t features, int32_t begin, int32_t end,
                     const float *tokens, int32_t lanes, int32_t live, float *y);

/// The same going back: table_gradient[tokens[lane], c] += gradient[c, lane] for features
/// [begin, end) and lanes [0, live), in the order of lanes: who owns some features, and calls it
/// group by group, has sums in a fixed order.
csk_status csk_embed_gradient(const float *gradient, int32_t rows, int32_t features, int32_t begin,
                              int32_t end, const float *tokens, int32_t lanes, int32_t live,
                              float *table_gradient);

#ifdef __cplusplus
}
#endif
#endif
