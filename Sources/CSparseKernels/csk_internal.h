// csk_internal.h: the kernel table. It starts as the scalar reference (AVX-512: as AVX2) and each
// instruction set overrides what it has: a missing kernel is slow, never wrong.
#ifndef CSK_INTERNAL_H
#define CSK_INTERNAL_H

#include "include/CSparseKernels.h"

#if defined(__x86_64__)
#define CSK_ARCH_X86_64 1
// SwiftPM compiles every file for the baseline CPU and forbids unsafeFlags in dependencies, so
// each vector function (and each static inline helper) names its own target.
#define CSK_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define CSK_TARGET_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#elif defined(__aarch64__)
#define CSK_ARCH_AARCH64 1
#endif

#define CSK_INLINE static inline __attribute__((always_inline))
/// What hot loops are not to grow by.
#define CSK_NOINLINE static __attribute__((noinline, unused))

// The loops over a tile's registers must vanish, or the tile lives in memory.
#if defined(__clang__)
#define CSK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CSK_UNROLL _Pragma("GCC unroll 32")
#endif

static inline int32_t csk_min_i32(int32_t a, int32_t b) {
  return a < b ? a : b;
}

/// Eight partial sums, one for each lane % 8, then halves onto halves: the tree that every
/// instruction set keeps to, so that all have the same bits.
static inline float csk_sum_lanes(const float *values, int32_t lanes) {
  float partial[8] = {0};
  for (int32_t lane = 0; lane < lanes; lane++) partial[lane % 8] += values[lane];
  for (int32_t half = 4; half > 0; half /= 2)
    for (int32_t i = 0; i < half; i++) partial[i] += partial[i + half];
  return partial[0];
}

typedef struct csk_kernels {
  // csk_sparse.h
  void (*sparse_forward)(const csk_list *list, int32_t slab_begin, int32_t slab_end, const float *x,
                         float *y, const csk_tiles *tiles, const csk_row_epilogue *epilogue);
  void (*sparse_backward)(const csk_list *list, int32_t slab_begin, int32_t slab_end,
                          const float *dy, const float *x, float *dx, float *dw, bool accumulate,
                          const csk_tiles *tiles);
  // csk_select.h: appends the values that pass the selection's cut and returns how many values are
  // NaN (they never pass). There is room for `count` candidates and csk_select_slack more.
  int64_t (*select_filter)(csk_selection *selection, const float *values, int64_t count,
                           int64_t first_position);
  // How many keys are >= least.
  int64_t (*select_count)(const uint32_t *keys, int64_t count, uint32_t least);
  // Moves the candidates with keys >= least to the front, in their order; returns how many.
  int64_t (*select_keep)(uint32_t *keys, int64_t *positions, int64_t count, uint32_t least);
  // csk_update.h
  void (*sgd_step)(const csk_sgd *rule, float *values, const float *gradient, float *velocity,
                   int64_t count);
  void (*adam_step)(const csk_adam *rule, float *values, const float *gradient, float *first_moment,
                    float *second_moment, int64_t count);
  void (*adam_age_step)(const csk_adam *rule, const csk_adam_corrections *corrections,
                        int32_t number, const int32_t *births, float *values, const float *gradient,
                        float *first_moment, float *second_moment, int64_t count);
  void (*gather)(const float *source, const int32_t *indices, float *target, int64_t count);
  double (*sum_of_squares)(const float *values, int64_t count);
  // csk_activation.h
  void (*activate)(csk_activation activation, float *values, int64_t count);
  void (*activate_gradient)(csk_activation activation, float *gradient, const float *values,
                            int64_t count);
  // csk_epilogue.h
  void (*epilogue_forward)(float *y, int32_t channel_begin, int32_t channel_end, int32_t lanes,
                           int64_t first_sample, const float *bias, const csk_epilogue *epilogue,
                           float *input);
  void (*epilogue_backward)(float *gradient, const float *y, int32_t channel_begin,
                            int32_t channel_end, int32_t lanes, int32_t live, int64_t first_sample,
                            const csk_epilogue *epilogue, float *bias_gradient);
  // csk_pack.h
  void (*pack_samples)(const float *samples, ptrdiff_t sample_stride, int32_t live,
                       int32_t channel_begin, int32_t channel_end, int32_t lanes, float *target);
  void (*pack_bytes)(const uint8_t *bytes, ptrdiff_t sample_stride, const int64_t *rows,
                     int32_t live, float scale, float shift, int32_t channel_begin,
                     int32_t channel_end, int32_t lanes, float *target);
  // csk_softmax.h
  void (*softmax_cross_entropy)(const float *logits, int32_t classes, int32_t lanes, int32_t live,
                                const int32_t *labels, float label_smoothing, float gradient_scale,
                                float *gradient, double *loss, int32_t *predictions,
                                int32_t *ranks);
  // csk_recurrent.h
  void (*gru_forward)(const csk_cell_part *part, float *gates, float *recurrent, const float *bias,
                      const float *state, float *next);
  void (*gru_backward)(const csk_cell_part *part, const float *gates, float *recurrent,
                       const float *state, const float *output_gradient, const float *product,
                       float *carried, float *gates_gradient);
  void (*lstm_forward)(const csk_cell_part *part, float *gates, const float *recurrent,
                       const float *bias, const float *cell, float *next_cell, float *next);
  void (*lstm_backward)(const csk_cell_part *part, const float *gates, const float *cell,
                        const float *next_cell, const float *output_gradient, const float *product,
                        float *carried, float *gates_gradient);
  // csk_layer_norm.h
  void (*layer_norm_forward)(const float *x, int32_t features, int32_t lanes, const float *scale,
                             const float *shift, float epsilon, float *mean, float *inverse,
                             float *y);
  void (*layer_norm_backward)(const float *gradient, const float *x, int32_t features,
                              int32_t lanes, int32_t live, const float *scale, const float *mean,
                              const float *inverse, float *dx, float *scale_gradient,
                              float *shift_gradient);
  // csk_planes.h
  void (*pack_activation_row)(const float *x, int32_t channels, int32_t width, const float *scale,
                              const float *shift, csk_activation activation,
                              const csk_row_layout *layout, float *target);
  void (*pack_gradient_row)(const float *gradient, const float *y, const float *addend,
                            int32_t channels, int32_t width, int32_t live,
                            const csk_gradient_affine *affine, const csk_row_layout *layout,
                            float *target, double *sums);
  void (*unpack_output_row)(const float *product, ptrdiff_t product_channel_stride,
                            const float *bias, const float *residual, int32_t channels,
                            int32_t width, int32_t live, float *y, csk_row_statistics *statistics,
                            bool streams);
  void (*unpack_gradient_row)(const float *d, csk_activation activation, const float *packed,
                              const float *x, const float *mean, const float *addend,
                              int32_t channels, int32_t width, const csk_row_layout *layout,
                              const float *scale, const float *shift, float *result,
                              double (*sums)[2], bool streams);
  void (*residual_row)(const float *x, const float *scale, const float *shift, const float *r,
                       const float *shortcut_scale, const float *shortcut_shift, int32_t channels,
                       int32_t width, csk_activation activation, float *y);
  void (*residual_gradient_row)(const float *gradient, csk_activation activation, const float *y,
                                const float *x, const float *mean, double (*sums)[2],
                                const float *r, const float *shortcut_mean,
                                double (*shortcut_sums)[2], int32_t channels, int32_t width,
                                float *result);
  void (*global_average_row)(const float *x, const float *scale, const float *shift,
                             csk_activation activation, int32_t channels, int32_t width,
                             float factor, float *y);
  void (*global_average_gradient_row)(const float *gradient, const float *x, const float *scale,
                                      const float *shift, csk_activation activation,
                                      const float *mean, int32_t channels, int32_t width,
                                      float factor, float *result, double (*sums)[2]);
  // csk_depthwise.h
  void (*depthwise_forward_row)(const float *s, ptrdiff_t s_channel_stride, const float *weights,
                                int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                float *y, ptrdiff_t y_channel_stride);
  void (*depthwise_backward_row)(const float *dy, ptrdiff_t dy_channel_stride, const float *in,
                                 ptrdiff_t in_channel_stride, const float *weights,
                                 int32_t weight_stride, int32_t taps, const int32_t *tap_indices,
                                 const int32_t *tap_offsets, int32_t channels, int32_t columns,
                                 float *dx, ptrdiff_t dx_channel_stride, float *dw);
  // csk_pool2d.h
  void (*max_pool_row)(const float *const *rows, int32_t channels, int32_t width, int32_t out_width,
                       const csk_window *window, float *y, uint8_t *indices);
  // csk_dense_planes.h: there is something to multiply, and a place for it
  void (*dense_product)(const float *copy, const csk_dense_band *band, const float *x, float *y);
  void (*dense_transpose_row)(const float *x, ptrdiff_t x_channel_stride, int32_t channels,
                              int32_t columns, float *target);
  void (*dense_gradient)(const csk_dense_sums *sums, const float *y, const float *x,
                         bool accumulate, float *dw);
  void (*dense_gradient_narrow)(const csk_dense_sums *sums, const float *y, const float *x,
                                bool accumulate, float *dw);
  // csk_measure.h: one pass of each; measure_fma returns its number of lanes.
  int64_t (*measure_fma)(int64_t iterations, float multiplier, float addend, float *sum);
  uint32_t (*measure_read)(const float *values, int64_t count);
  void (*measure_copy)(const float *source, float *target, int64_t count);
} csk_kernels;

/// The table of an instruction set, or null if this CPU does not run it.
const csk_kernels *csk_kernels_for(csk_isa isa);

/// The table that entries use, or null if this CPU does not run what was asked for.
const csk_kernels *csk_kernels_current(void);

/// Whether an activation is one, with a parameter that it can have.
bool csk_activation_is_valid(csk_activation activation);

/// Whether an activation is a pass of its own, over values that are in L1: identity and ReLU are
/// part of the loop before.
static inline bool csk_activation_has_pass(csk_activation activation) {
  return activation.kind > csk_activation_relu;
}

// Each family fills in its part of the table: scalar sets every field, the others override.
void csk_sparse_scalar(csk_kernels *kernels);
void csk_select_scalar(csk_kernels *kernels);
void csk_update_scalar(csk_kernels *kernels);
void csk_pack_scalar(csk_kernels *kernels);
void csk_activation_scalar(csk_kernels *kernels);
void csk_epilogue_scalar(csk_kernels *kernels);
void csk_softmax_scalar(csk_kernels *kernels);
void csk_recurrent_scalar(csk_kernels *kernels);
void csk_layer_norm_scalar(csk_kernels *kernels);
void csk_planes_scalar(csk_kernels *kernels);
void csk_residual_scalar(csk_kernels *kernels);
void csk_global_average_scalar(csk_kernels *kernels);
void csk_depthwise_scalar(csk_kernels *kernels);
void csk_pool2d_scalar(csk_kernels *kernels);
void csk_dense_planes_scalar(csk_kernels *kernels);
void csk_measure_scalar(csk_kernels *kernels);
#if CSK_ARCH_X86_64
void csk_select_avx2(csk_kernels *kernels);
void csk_pack_avx2(csk_kernels *kernels);
void csk_bodies_avx2(csk_kernels *kernels);
void csk_dense_planes_avx2(csk_kernels *kernels);
void csk_sparse_avx512(csk_kernels *kernels);
void csk_dense_planes_avx512(csk_kernels *kernels);
#elif CSK_ARCH_AARCH64
void csk_select_neon(csk_kernels *kernels);
void csk_pack_neon(csk_kernels *kernels);
void csk_bodies_neon(csk_kernels *kernels);
void csk_dense_planes_neon(csk_kernels *kernels);
#endif

#endif
