// Everything the Swift side sees.
#include "csk_common.h"
#include "csk_dense.h"
#include "csk_measure.h"
#include "csk_pack.h"
#include "csk_pool.h"
#include "csk_select.h"
#include "csk_sparse.h"
#include "csk_update.h"
