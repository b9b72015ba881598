// bodies/csk_dense_body.h: dense convolutions; a column, or eight input channels, is one vector.
//
//   y[m, i] = sum_k,t copy[k, t, m] x[k, i + o_t]
//   dw[o, t, c] = sum_i y[o, i - o_t] x[i, c]
//
// Six channels by two vectors are 12 sums that stay in registers over all channels and taps.
// Transposing and the gradient for few inputs are each instruction set's own.
//
// Bound: FMA peak: 12 FMAs for 2 loads and 6 broadcasts.
#include "../csk_dense_walk.h"

enum { most_columns = 2 };

CSK_TARGET CSK_INLINE void product_tile(const int channels, const int columns, const float *copy,
                                        const csk_dense_band *band, const float *x, float *y) {
  csk_v sums[csk_dense_block * most_columns];
  CSK_UNROLL
  for (int i = 0; i < channels * columns; i++) sums[i] = csk_zero();
  const int32_t taps = band->taps;
  for (int32_t k = 0; k < band->reduced; k++, x += band->x_channel_stride) {
    for (int32_t t = 0; t < taps; t++, copy += channels) {
      const float *xs = x + band->tap_offsets[t];
      csk_v values[most_columns];
      CSK_UNROLL
      for (int i = 0; i < columns; i++) values[i] = csk_load(xs + i * csk_lanes);
      CSK_UNROLL
      for (int m = 0; m < channels; m++) {
        const csk_v w = csk_load_all(copy + m);
        CSK_UNROLL
        for (int i = 0; i < columns; i++)
          sums[m * columns + i] = csk_fused(w, values[i], sums[m * columns + i]);
      }
    }
  }
  CSK_UNROLL
  for (int m = 0; m < channels; m++) {
    CSK_UNROLL
    for (int i = 0; i < columns; i++)
      csk_store(y + m * band->y_channel_stride + i * csk_lanes, sums[m * columns + i]);
  }
}

#define PRODUCT(m, n)                                                                     \
  CSK_TARGET static void product_##m##x##n(const float *copy, const csk_dense_band *band, \
                                           const float *x, float *y) {                    \
    product_tile(m, n, copy, band, x, y);                                                 \
  }
CSK_DENSE_COLUMNS_2(PRODUCT, 1)
CSK_DENSE_COLUMNS_2(PRODUCT, 2)
CSK_DENSE_COLUMNS_2(PRODUCT, 3)
CSK_DENSE_COLUMNS_2(PRODUCT, 4)
CSK_DENSE_COLUMNS_2(PRODUCT, 5)
CSK_DENSE_COLUMNS_2(PRODUCT, 6)

#define PRODUCT_NAME(m, n) product_##m##x##n,
static const csk_dense_tiles product_tiles = {
    {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 1)}, {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 2)},
    {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 3)}, {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 4)},
    {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 5)}, {CSK_DENSE_COLUMNS_2(PRODUCT_NAME, 6)},
};

static void dense_product(const float *copy, const csk_dense_band *band, const float *x, float *y) {
  csk_walk_product(product_tiles, most_columns, copy, band, x, y);
}

/// Adds or stores the inputs that exist, all but always all.
CSK_TARGET CSK_INLINE void store_sums(const csk_dense_sum *sum, csk_v value, int32_t input,
                                      float *dw) {
  if (sum->inputs >= input + csk_lanes) {
    if (sum->accumulate) value = csk_plus(csk_load(dw), value);
    csk_store(dw, value);
    return;
  }
  const csk_part left = csk_part_of(sum->inputs - input);
  if (sum->accumulate) value = csk_plus(csk_load_part(dw, left), value);
  csk_store_part(dw, value, left);
}

CSK_TARGET CSK_INLINE void sum_tile(const int outputs, const csk_dense_sum *sum) {
  csk_v sums[csk_dense_block * 2];
  CSK_UNROLL
  for (int i = 0; i < 2 * outputs; i++) sums[i] = csk_zero();
  for (int32_t row = 0; row < sum->rows; row++) {
    const float *x = sum->x + row * sum->x_row_stride, *y = sum->y + row * sum->y_row_stride;
    for (int32_t k = 0; k < sum->count; k++, x += sum->x_stride, y++) {
      const csk_v low = csk_load(x), high = csk_load(x + csk_lanes);
      CSK_UNROLL
      for (int o = 0; o < outputs; o++) {
        const csk_v g = csk_load_all(y + o * sum->y_channel_stride);
        sums[2 * o] = csk_fused(g, low, sums[2 * o]);
        sums[2 * o + 1] = csk_fused(g, high, sums[2 * o + 1]);
      }
    }
  }
  CSK_UNROLL
  for (int o = 0; o < outputs; o++) {
    store_sums(sum, sums[2 * o], 0, sum->dw + o * sum->dw_stride);
    store_sums(sum, sums[2 * o + 1], csk_lanes, sum->dw + o * sum->dw_stride + csk_lanes);
  }
}

#define SUM(m)                                               \
  CSK_TARGET static void sum_##m(const csk_dense_sum *sum) { \
    sum_tile(m, sum);                                        \
  }
SUM(1)
SUM(2)
SUM(3)
SUM(4)
SUM(5)
SUM(6)

static void dense_gradient(const csk_dense_sums *sums, const float *y, const float *x,
                           bool accumulate, float *dw) {
  static const csk_dense_sum_tiles tiles = {{sum_1}, {sum_2}, {sum_3}, {sum_4}, {sum_5}, {sum_6}};
  csk_walk_gradient(tiles, 1, sums, y, x, accumulate, dw);
}

static void register_dense(csk_kernels *kernels) {
  kernels->dense_product = dense_product;
  kernels->dense_gradient = dense_gradient;
}
