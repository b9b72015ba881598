// A sparse classifier in C, on the kernels alone: 64 features, 10 classes, three connections in
// ten.
//
//   logits = W x + b;  loss = softmax cross-entropy;  SGD with momentum
//
//     swift run --package-path Examples c-kernels
//
// Everything the kernels work on is allocated once; a training step allocates nothing. Ends with
// status 1 if a kernel fails, the products are not those of plain loops, or it does not learn.
#include <CSparseKernels.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  inputs = 64,
  outputs = 10,
  lanes = 32,   // samples of a group, side by side
  groups = 16,  // 512 samples, all in one batch
  samples = groups * lanes,
  steps = 60,
};

static void require(csk_status status, const char *what) {
  if (status == csk_status_ok) return;
  fprintf(stderr, "%s: status %d\n", what, status);
  exit(1);
}

static void *allocate(int64_t count, size_t size) {
  // Float's alignment will do; whole cache lines are quickest.
  const size_t bytes = ((size_t)count * size + 63) / 64 * 64;
  void *memory = aligned_alloc(64, bytes > 0 ? bytes : 64);
  if (!memory) exit(1);
  return memory;
}

/// The index-th number of a stream, uniform in [0, 1).
static float uniform(uint32_t stream, uint32_t index) {
  const uint32_t counter[4] = {index, 0, 0, 0}, key[2] = {stream, 1};
  uint32_t words[4];
  csk_philox4x32(counter, key, words);
  return (float)(words[0] >> 8) * 0x1p-24f;
}

/// A list in memory of its own, with offsets into one group's activations [channel][lane].
typedef struct owned_list {
  csk_list list;
  int32_t *csr_indices;  // (nnz) each entry's index in the CSR
} owned_list;

static owned_list make_list(const csk_csr *csr, csk_direction direction) {
  const int64_t nnz = csr->row_offsets[csr->rows];
  csk_list_shape shape = {.row_stride = lanes, .column_stride = lanes};
  csk_list_choose(direction, csr->rows, csr->channels, csr->taps, nnz, &shape);
  csk_list_sizes sizes;
  require(csk_list_measure(&shape, csr->rows, csr->channels, csr->taps, nnz, &sizes), "sizes");
  const csk_list_storage memory = {
      .entry_starts = allocate(sizes.segments + 1, sizeof(int64_t)),
      .run_starts = allocate(sizes.segments + 1, sizeof(int64_t)),
      .row_starts = allocate(sizes.segments + 1, sizeof(int64_t)),
      .runs = allocate(sizes.runs, sizeof(csk_run)),
      .row_offsets = allocate(sizes.rows, sizeof(int32_t)),
      .offsets = allocate(nnz, sizeof(int32_t)),
      .csr_indices = allocate(nnz, sizeof(int32_t)),
  };
  int64_t *workspace = allocate(sizes.workspace, sizeof(int64_t));
  require(csk_list_build(csr, &shape, &memory, workspace), "list");
  free(workspace);
  const csk_list list = {
      .slabs = sizes.slabs,
      .blocks = sizes.blocks,
      .entry_starts = memory.entry_starts,
      .run_starts = memory.run_starts,
      .row_starts = memory.row_starts,
      .runs = memory.runs,
      .row_offsets = memory.row_offsets,
      .offsets = memory.offsets,
  };
  return (owned_list){list, memory.csr_indices};
}

/// The layer: weights, their gradient and velocity are in the order of the backward list; the
/// forward list has a copy of the weights, gathered before each product.
typedef struct layer {
  csk_csr csr;
  int64_t nnz;
  owned_list forward, backward;
  int32_t *backward_of_csr;  // (nnz) where a connection of the CSR is in the backward list
  int32_t *sources;          // (nnz) ... and one of the forward list
  float *weights, *gradient, *velocity, *copy;
  float bias[outputs], bias_gradient[outputs], bias_velocity[outputs];
} layer;

/// Draws the connections: a row for each output, its columns ascending.
static csk_csr draw_connections(float density) {
  int64_t *row_offsets = allocate(outputs + 1, sizeof(int64_t));
  int32_t *columns = allocate(inputs * outputs, sizeof(int32_t));
  int64_t nnz = 0;
  for (int32_t o = 0; o < outputs; o++) {
    row_offsets[o] = nnz;
    for (int32_t i = 0; i < inputs; i++)
      if (uniform(1, (uint32_t)(o * inputs + i)) < density) columns[nnz++] = i;
  }
  row_offsets[outputs] = nnz;
  return (csk_csr){outputs, inputs, 1, row_offsets, columns};
}

static layer make_layer(csk_csr csr) {
  const int64_t nnz = csr.row_offsets[csr.rows];
  layer t = {.csr = csr, .nnz = nnz};
  t.forward = make_list(&csr, csk_direction_forward);
  t.backward = make_list(&csr, csk_direction_backward);
  t.backward_of_csr = allocate(nnz, sizeof(int32_t));
  t.sources = allocate(nnz, sizeof(int32_t));
  for (int64_t k = 0; k < nnz; k++) t.backward_of_csr[t.backward.csr_indices[k]] = (int32_t)k;
  for (int64_t k = 0; k < nnz; k++) t.sources[k] = t.backward_of_csr[t.forward.csr_indices[k]];
  t.weights = allocate(nnz, sizeof(float));
  t.gradient = allocate(nnz, sizeof(float));
  t.velocity = allocate(nnz, sizeof(float));
  t.copy = allocate(nnz, sizeof(float));
  for (int64_t k = 0; k < nnz; k++) {
    t.weights[k] = 0.2f * (uniform(2, (uint32_t)t.backward.csr_indices[k]) - 0.5f);
    t.velocity[k] = 0;
  }
  t.backward.list.weights = t.weights;
  t.forward.list.weights = t.copy;
  return t;
}

/// Samples, row by row as most programs have them, and as the kernels take them.
typedef struct batch {
  float *rows;      // (samples, inputs)
  int32_t *labels;  // (samples)
  float *x;         // (groups, inputs, lanes)
  float *y, *dy;    // (groups, outputs, lanes) logits, and the loss' gradient
} batch;

/// Of class c, six features of its own are larger by 1.
static batch make_batch(void) {
  batch b = {allocate(samples * inputs, sizeof(float)), allocate(samples, sizeof(int32_t)),
             allocate(samples * inputs, sizeof(float)), allocate(samples * outputs, sizeof(float)),
             allocate(samples * outputs, sizeof(float))};
  for (int32_t s = 0; s < samples; s++) {
    b.labels[s] = s % outputs;
    for (int32_t i = 0; i < inputs; i++)
      b.rows[s * inputs + i] =
          uniform(3, (uint32_t)(s * inputs + i)) - 0.5f + (i / 6 == b.labels[s] ? 1.0f : 0.0f);
  }
  for (int32_t g = 0; g < groups; g++)
    require(csk_pack_samples(b.rows + g * lanes * inputs, inputs, lanes, 0, inputs, lanes,
                             b.x + g * inputs * lanes),
            "samples");
  return b;
}

/// Logits, loss and gradients; returns how many samples are classified right.
static int32_t propagate(layer *t, const batch *b, double *loss) {
  // A tile is four vectors of eight lanes; there is one a group.
  const csk_tiles up = {4, 1, groups, 1, inputs * lanes, 0, 0, outputs * lanes, 0, 0};
  const csk_tiles down = {4, 1, groups, 1, outputs * lanes, 0, 0, inputs * lanes, 0, 0};
  const csk_epilogue epilogue = {.keep = 1};
  const csk_list *forward = &t->forward.list, *backward = &t->backward.list;
  require(csk_gather(t->weights, t->nnz, t->sources, t->copy, t->nnz), "weights");
  require(csk_sparse_forward(forward, 0, forward->slabs, b->x, b->y, &up, NULL), "forward");
  int32_t right = 0;
  *loss = 0;
  for (int32_t o = 0; o < outputs; o++) t->bias_gradient[o] = 0;
  for (int32_t g = 0; g < groups; g++) {
    float *y = b->y + g * outputs * lanes, *dy = b->dy + g * outputs * lanes;
    int32_t predictions[lanes];
    require(csk_epilogue_forward(y, 0, outputs, lanes, g * lanes, t->bias, &epilogue, NULL),
            "bias");
    require(csk_softmax_cross_entropy(y, outputs, lanes, lanes, b->labels + g * lanes, 0,
                                      1.0f / samples, dy, loss, predictions, NULL),
            "loss");
    require(csk_epilogue_backward(dy, NULL, 0, outputs, lanes, lanes, g * lanes, &epilogue,
                                  t->bias_gradient),
            "bias gradient");
    for (int32_t l = 0; l < lanes; l++) right += predictions[l] == b->labels[g * lanes + l];
  }
  *loss /= samples;
  // Nothing is below this layer, so the gradient of its input is not asked for.
  require(csk_sparse_backward(backward, 0, backward->slabs, b->dy, b->x, NULL, t->gradient, false,
                              &down),
          "backward");
  return right;
}

/// Both products again, by plain loops over the CSR and the samples as they came; the biases are 0.
static bool agrees(const layer *t, const batch *b) {
  bool agrees = true;
  for (int32_t s = 0; s < samples; s++)
    for (int32_t o = 0; o < outputs; o++) {
      double sum = 0;
      for (int64_t k = t->csr.row_offsets[o]; k < t->csr.row_offsets[o + 1]; k++)
        sum += (double)t->weights[t->backward_of_csr[k]] *
               (double)b->rows[s * inputs + t->csr.columns[k]];
      agrees &= fabs(sum - (double)b->y[(s / lanes * outputs + o) * lanes + s % lanes]) < 1e-6;
    }
  for (int32_t o = 0; o < outputs; o++)
    for (int64_t k = t->csr.row_offsets[o]; k < t->csr.row_offsets[o + 1]; k++) {
      double sum = 0;
      for (int32_t s = 0; s < samples; s++)
        sum += (double)b->rows[s * inputs + t->csr.columns[k]] *
               (double)b->dy[(s / lanes * outputs + o) * lanes + s % lanes];
      agrees &= fabs(sum - (double)t->gradient[t->backward_of_csr[k]]) < 1e-6;
    }
  return agrees;
}

int main(void) {
  printf("instruction set: %s\n", csk_isa_name(csk_isa_current()));
  const batch b = make_batch();
  layer t = make_layer(draw_connections(0.3f));
  printf("connections: %lld of %d\n", (long long)t.nnz, inputs * outputs);
  double first_loss, loss;
  int32_t right = propagate(&t, &b, &first_loss);
  const bool is_exact = agrees(&t, &b);
  printf("plain loops agree: %s\n", is_exact ? "yes" : "no");
  printf("step  0: loss %.4f, %d of %d right\n", first_loss, right, samples);
  const csk_sgd rule = {.learning_rate = 0.5f, .momentum = 0.9f, .scale = 1};
  for (int32_t step = 0; step < steps; step++) {
    require(csk_sgd_step(&rule, t.weights, t.gradient, t.velocity, t.nnz), "weights' step");
    require(csk_sgd_step(&rule, t.bias, t.bias_gradient, t.bias_velocity, outputs), "biases' step");
    right = propagate(&t, &b, &loss);
  }
  printf("step %d: loss %.4f, %d of %d right\n", steps, loss, right, samples);
  return is_exact && loss < first_loss / 4 && right > samples * 9 / 10 ? 0 : 1;
}
