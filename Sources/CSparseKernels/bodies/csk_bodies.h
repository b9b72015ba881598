// bodies/csk_bodies.h: every body over the vector header that was included before, and what puts
// them into a table.
#include "csk_activation_body.h"
#include "csk_sparse_forward_body.h"
#include "csk_sparse_backward_body.h"
#include "csk_dense_body.h"
#include "csk_depthwise_body.h"
#include "csk_epilogue_body.h"
#include "csk_global_average_body.h"
#include "csk_layer_norm_body.h"
#include "csk_max_pool_body.h"
#include "csk_measure_body.h"
#include "csk_planes_body.h"
#include "csk_recurrent_body.h"
#include "csk_residual_body.h"
#include "csk_softmax_body.h"
#include "csk_unpack_gradient_body.h"
#include "csk_update_body.h"

static void register_bodies(csk_kernels *kernels) {
  register_activation(kernels);
  register_sparse_forward(kernels);
  register_sparse_backward(kernels);
  register_dense(kernels);
  register_depthwise(kernels);
  register_epilogue(kernels);
  register_global_average(kernels);
  register_layer_norm(kernels);
  register_max_pool(kernels);
  register_measure(kernels);
  register_planes(kernels);
  register_recurrent(kernels);
  register_residual(kernels);
  register_softmax(kernels);
  register_unpack_gradient(kernels);
  register_update(kernels);
}
