// recurrent_tests.c: the gates of recurrent layers against the formulas in double, and their
// gradients against differences of these.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pack_cases.h"

enum { gru_gates = 3, lstm_gates = 4, canaries = 8 };

/// A step's operands; every array ends in canaries.
typedef struct step {
  int gate_count;
  csk_cell_part part;
  int64_t block;
  float *gates, *recurrent, *bias;  // (gates, features, lanes), bias (gates, features)
  float *state, *next;              // h before and after; of an LSTM c
  float *output;                    // an LSTM's h
  float *output_gradient, *product, *carried;
  float *gates_gradient;
} step;

static float *random_values(int64_t count, float size, uint64_t *seed) {
  float *values = malloc((size_t)(count + canaries) * sizeof *values);
  for (int64_t i = 0; i < count; i++) values[i] = size * csk_test_uniform(seed);
  csk_canary_fill(values + count, canaries);
  return values;
}

static step make_step(int gate_count, int32_t features, int32_t lanes, float size) {
  uint64_t seed = (uint64_t)(gate_count * 1000 + features * 10 + lanes);
  step s = {.gate_count = gate_count, .part = {features, 0, features, lanes}};
  s.block = (int64_t)features * lanes;
  s.gates = random_values(gate_count * s.block, size, &seed);
  s.recurrent = random_values(gate_count * s.block, size, &seed);
  s.bias = random_values((int64_t)gate_count * features, 1, &seed);
  s.state = random_values(s.block, 1, &seed);
  s.output_gradient = random_values(s.block, 1, &seed);
  s.product = random_values(s.block, 1, &seed);
  s.carried = random_values(s.block, 1, &seed);
  s.next = random_values(s.block, 0, &seed);
  s.output = random_values(s.block, 0, &seed);
  s.gates_gradient = random_values(gate_count * s.block, 0, &seed);
  return s;
}

/// The arrays that change, with their sizes.
enum { array_count = 10 };
static void arrays_of(const step *s, float **arrays, int64_t *counts) {
  float *all[array_count] = {
      s->gates,  s->recurrent,       s->bias,    s->state,   s->next,
      s->output, s->output_gradient, s->product, s->carried, s->gates_gradient};
  memcpy(arrays, all, sizeof all);
  for (int i = 0; i < array_count; i++)
    counts[i] = i == 2                          ? (int64_t)s->gate_count * s->part.features
                : i < 2 || i == array_count - 1 ? s->gate_count * s->block
                                                : s->block;
}

static step copy_step(const step *s) {
  step copy = make_step(s->gate_count, s->part.features, s->part.lanes, 1);
  float *from[array_count], *to[array_count];
  int64_t counts[array_count];
  arrays_of(s, from, counts);
  arrays_of(&copy, to, counts);
  for (int i = 0; i < array_count; i++) memcpy(to[i], from[i], (size_t)counts[i] * sizeof(float));
  return copy;
}

static void free_step(const step *s) {
  float *arrays[array_count];
  int64_t counts[array_count];
  arrays_of(s, arrays, counts);
  for (int i = 0; i < array_count; i++) free(arrays[i]);
}

static void check_canaries(const step *s, const char *what) {
  float *arrays[array_count];
  int64_t counts[array_count];
  arrays_of(s, arrays, counts);
  for (int i = 0; i < array_count; i++)
    CSK_CHECK(csk_canary_intact(arrays[i] + counts[i], canaries), "%s wrote past array %d", what,
              i);
}

/// Whether two steps have the same bits in all arrays; NaN is like NaN.
static void check_same(const step *a, const step *b, const char *what) {
  float *left[array_count], *right[array_count];
  int64_t counts[array_count];
  arrays_of(a, left, counts);
  arrays_of(b, right, counts);
  for (int i = 0; i < array_count; i++)
    for (int64_t k = 0; k < counts[i]; k++)
      CSK_CHECK(
          memcmp(left[i] + k, right[i] + k, 4) == 0 || (isnan(left[i][k]) && isnan(right[i][k])),
          "%s, array %d element %ld: %g not %g", what, i, (long)k, (double)left[i][k],
          (double)right[i][k]);
}

static csk_status forward(int isa, const step *s, const csk_cell_part *part) {
  if (s->gate_count == gru_gates)
    return CSK_ON((csk_isa)isa,
                  csk_gru_forward(part, s->gates, s->recurrent, s->bias, s->state, s->next));
  return CSK_ON((csk_isa)isa, csk_lstm_forward(part, s->gates, s->recurrent, s->bias, s->state,
                                               s->next, s->output));
}

static csk_status backward(int isa, const step *s, const csk_cell_part *part, bool is_last) {
  const float *product = is_last ? NULL : s->product;
  if (s->gate_count == gru_gates)
    return CSK_ON((csk_isa)isa,
                  csk_gru_backward(part, s->gates, s->recurrent, s->state, s->output_gradient,
                                   product, s->carried, s->gates_gradient));
  return CSK_ON((csk_isa)isa,
                csk_lstm_backward(part, s->gates, s->state, s->next, s->output_gradient, product,
                                  s->carried, s->gates_gradient));
}

static double sigmoid(double v) {
  return 1 / (1 + exp(-v));
}

/// Element i of a step in double: for each gate what comes of the input, and of the state with its
/// bias, and the state before.
typedef struct element {
  double numbers[2 * lstm_gates + 1];
} element;
enum { of_state = lstm_gates, state_before = 2 * lstm_gates };

static element element_of(const step *s, int64_t i) {
  element e = {0};
  e.numbers[state_before] = (double)s->state[i];
  for (int gate = 0; gate < s->gate_count; gate++) {
    e.numbers[gate] = (double)s->gates[gate * s->block + i];
    e.numbers[of_state + gate] = (double)s->recurrent[gate * s->block + i] +
                                 (double)s->bias[gate * s->part.features + i / s->part.lanes];
  }
  return e;
}

/// The new state, and what goes on to the layers above: the same of a GRU.
static double next_of(int gate_count, const element *e, double *output) {
  const double *g = e->numbers, *w = g + of_state, before = g[state_before];
  if (gate_count == gru_gates) {
    const double r = sigmoid(g[0] + w[0]), z = sigmoid(g[1] + w[1]), n = tanh(g[2] + r * w[2]);
    return *output = (1 - z) * n + z * before;
  }
  const double i = sigmoid(g[0] + w[0]), f = sigmoid(g[1] + w[1]);
  const double next = f * before + i * tanh(g[2] + w[2]);
  *output = sigmoid(g[3] + w[3]) * tanh(next);
  return next;
}

static const struct {
  int32_t features, lanes;
  float size;
} shapes[] = {{1, 8, 1}, {5, 8, 4}, {13, 16, 2}, {7, 32, 1}, {3, 40, 30}};
enum { shape_count = sizeof shapes / sizeof *shapes };

static step make_shape(int gate_count, int shape) {
  return make_step(gate_count, shapes[shape].features, shapes[shape].lanes, shapes[shape].size);
}

/// Every rounding on the way is one of a sum of terms as large as the shape's size, which slopes of
/// at most 1 hand on.
static void forward_matches_double(int gate_count) {
  for (int shape = 0; shape < shape_count; shape++) {
    FOR_EACH_ISA(isa) {
      const char *name = csk_isa_name((csk_isa)isa);
      const step s = make_shape(gate_count, shape), before = copy_step(&s);
      CSK_CHECK(forward(isa, &s, &s.part) == csk_status_ok, "features %d", s.part.features);
      const double bound = 4 * (double)FLT_EPSILON * (2 + 2 * (double)shapes[shape].size);
      for (int64_t i = 0; i < s.block; i++) {
        const element e = element_of(&before, i);
        double output;
        const double next = next_of(gate_count, &e, &output);
        CSK_CHECK(fabs((double)s.next[i] - next) <= bound, "%s state %ld: %g not %g", name, (long)i,
                  (double)s.next[i], next);
        CSK_CHECK(gate_count == gru_gates || fabs((double)s.output[i] - output) <= bound,
                  "%s output %ld: %g not %g", name, (long)i, (double)s.output[i], output);
      }
      check_canaries(&s, name);
      free_step(&before);
      free_step(&s);
    }
  }
}

static void gru_forward_matches_double(void) {
  forward_matches_double(gru_gates);
}
static void lstm_forward_matches_double(void) {
  forward_matches_double(lstm_gates);
}

/// The derivative of h output + c next by one of an element's numbers.
static double slope_of(int gate_count, const element *e, int number, double h, double c) {
  const double width = 1e-5;
  double values[2];
  for (int side = 0; side < 2; side++) {
    element moved = *e;
    moved.numbers[number] += side == 0 ? -width : width;
    double output;
    const double next = next_of(gate_count, &moved, &output);
    values[side] = h * output + c * next;
  }
  return (values[1] - values[0]) / (2 * width);
}

static void check_slopes(const char *name, const step *s, const step *before, int64_t i,
                         bool is_last) {
  const bool is_gru = s->gate_count == gru_gates;
  const element e = element_of(before, i);
  const double product = is_last ? 0 : (double)before->product[i];
  const double carried = is_last ? 0 : (double)before->carried[i];
  const double h = (double)before->output_gradient[i] + product + (is_gru ? carried : 0);
  const double c = is_gru ? 0 : carried;
  // Roundings of gates and products, in slopes of at most 1; the size of n's argument is not one.
  const double bound = 2e-6 * (1 + fabs(h) + fabs(c));
  for (int gate = 0; gate < s->gate_count; gate++) {
    const double of_gate = slope_of(s->gate_count, &e, gate, h, c);
    const double actual = (double)s->gates_gradient[gate * s->block + i];
    CSK_CHECK(fabs(actual - of_gate) <= bound, "%s gate %d element %ld: %g not %g", name, gate,
              (long)i, actual, of_gate);
    if (!is_gru) continue;
    const double of_product = slope_of(s->gate_count, &e, of_state + gate, h, c);
    const double product_gradient = (double)s->recurrent[gate * s->block + i];
    CSK_CHECK(fabs(product_gradient - of_product) <= bound, "%s product %d element %ld: %g not %g",
              name, gate, (long)i, product_gradient, of_product);
  }
  const double of_before = slope_of(s->gate_count, &e, state_before, h, c);
  CSK_CHECK(fabs((double)s->carried[i] - of_before) <= bound, "%s state %ld: %g not %g", name,
            (long)i, (double)s->carried[i], of_before);
}

static void backward_matches_differences(int gate_count) {
  // Sizes of 4 and more saturate gates: there differences are only zeros.
  for (int shape = 0; shape < shape_count; shape++) {
    for (int is_last = 0; is_last < 2; is_last++) {
      FOR_EACH_ISA(isa) {
        const char *name = csk_isa_name((csk_isa)isa);
        const step s = make_shape(gate_count, shape), before = copy_step(&s);
        forward(isa, &s, &s.part);
        // What is not to be read is not a number.
        for (int64_t i = 0; is_last && i < s.block; i++) s.carried[i] = NAN;
        CSK_CHECK(backward(isa, &s, &s.part, is_last) == csk_status_ok, "shape %d", shape);
        for (int64_t i = 0; i < s.block; i++) check_slopes(name, &s, &before, i, is_last);
        check_canaries(&s, name);
        free_step(&before);
        free_step(&s);
      }
    }
  }
}

static void gru_backward_matches_differences(void) {
  backward_matches_differences(gru_gates);
}
static void lstm_backward_matches_differences(void) {
  backward_matches_differences(lstm_gates);
}

/// The features in two parts, and in place where that is allowed, are the whole, with the bits of
/// the specification; numbers that are none included.
static void recurrent_same_bits_in_parts(void) {
  static const float special[] = {NAN, INFINITY, -INFINITY, 90, -90, -0.0f};
  for (int gate_count = gru_gates; gate_count <= lstm_gates; gate_count++) {
    for (int shape = 0; shape < shape_count; shape++) {
      const step start = make_shape(gate_count, shape);
      for (int64_t i = 0; i < gate_count * start.block; i += 17)
        start.gates[i] = special[i / 17 % (int)(sizeof special / sizeof *special)];
      const step whole = copy_step(&start);
      forward(csk_isa_scalar, &whole, &whole.part);
      const step forwarded = copy_step(&whole);
      backward(csk_isa_scalar, &whole, &whole.part, false);
      FOR_EACH_ISA(isa) {
        const step s = copy_step(&start);
        csk_cell_part first = s.part, second = s.part;
        first.end = second.begin = s.part.features / 3;
        forward(isa, &s, &second);
        forward(isa, &s, &first);
        check_same(&s, &forwarded, csk_isa_name((csk_isa)isa));
        step in_place = copy_step(&s);
        backward(isa, &s, &first, false);
        backward(isa, &s, &second, false);
        check_same(&s, &whole, csk_isa_name((csk_isa)isa));
        float *own = in_place.gates_gradient;
        in_place.gates_gradient = in_place.gates;
        backward(isa, &in_place, &in_place.part, false);
        for (int64_t i = 0; i < gate_count * s.block; i++)
          CSK_CHECK(in_place.gates[i] == s.gates_gradient[i] || isnan(in_place.gates[i]),
                    "in place: %ld", (long)i);
        in_place.gates_gradient = own;
        free_step(&in_place);
        free_step(&s);
      }
      free_step(&forwarded);
      free_step(&whole);
      free_step(&start);
    }
  }
}

/// A sample that no loss depends on, as one that stands for none, leaves exact zeros.
static void recurrent_no_gradient_stays_zero(void) {
  for (int gate_count = gru_gates; gate_count <= lstm_gates; gate_count++) {
    FOR_EACH_ISA(isa) {
      const step s = make_step(gate_count, 9, 8, 20);
      forward(isa, &s, &s.part);
      for (int64_t i = 0; i < s.block; i++) s.output_gradient[i] = s.product[i] = s.carried[i] = 0;
      backward(isa, &s, &s.part, false);
      for (int64_t i = 0; i < gate_count * s.block; i++) {
        const bool is_zero = gate_count == lstm_gates || s.recurrent[i] == 0;
        CSK_CHECK(is_zero && s.gates_gradient[i] == 0, "element %ld", (long)i);
      }
      for (int64_t i = 0; i < s.block; i++) CSK_CHECK(s.carried[i] == 0, "state %ld", (long)i);
      free_step(&s);
    }
  }
}

static void recurrent_bias_may_be_missing(void) {
  for (int gate_count = gru_gates; gate_count <= lstm_gates; gate_count++) {
    FOR_EACH_ISA(isa) {
      step s = make_step(gate_count, 9, 8, 1);
      memset(s.bias, 0, (size_t)gate_count * 9 * sizeof *s.bias);
      step without = copy_step(&s);
      float *own = without.bias;
      without.bias = NULL;
      forward(isa, &s, &s.part);
      forward(isa, &without, &without.part);
      without.bias = own;
      check_same(&s, &without, "without a bias");
      free_step(&without);
      free_step(&s);
    }
  }
}

static void recurrent_rejects_invalid_arguments(void) {
  float v[32 * 8] = {0};
  static const csk_cell_part right = {4, 0, 4, 8};
  static const csk_cell_part wrong[] = {{4, -1, 4, 8}, {4, 0, 5, 8}, {4, 3, 2, 8},
                                        {4, 0, 4, 0},  {4, 0, 4, 4}, {-1, 0, 0, 8}};
  for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
    const csk_cell_part *part = i < sizeof wrong / sizeof *wrong ? wrong + i : NULL;
    INVALID(csk_gru_forward(part, v, v, v, v, v));
    INVALID(csk_gru_backward(part, v, v, v, v, v, v, v));
    INVALID(csk_lstm_forward(part, v, v, v, v, v, v));
    INVALID(csk_lstm_backward(part, v, v, v, v, v, v, v));
  }
  for (int null = 0; null < 7; null++) {
    float *a[7] = {v, v, v, v, v, v, v};
    a[null] = NULL;
    // The bias of a forward pass and the product of a backward pass may be missing.
    if (null < 4) INVALID(csk_gru_forward(&right, a[0], a[1], NULL, a[2], a[3]));
    if (null < 5) INVALID(csk_lstm_forward(&right, a[0], a[1], NULL, a[2], a[3], a[4]));
    if (null < 6) INVALID(csk_gru_backward(&right, a[0], a[1], a[2], a[3], NULL, a[4], a[5]));
    if (null < 6) INVALID(csk_lstm_backward(&right, a[0], a[1], a[2], a[3], NULL, a[4], a[5]));
  }
  static const csk_cell_part none = {4, 2, 2, 8};
  CSK_CHECK(csk_gru_forward(&none, NULL, NULL, NULL, NULL, NULL) == csk_status_ok, "no features");
  const csk_isa missing = csk_isa_is_supported(csk_isa_neon) ? csk_isa_avx2 : csk_isa_neon;
  CSK_CHECK(CSK_ON(missing, csk_gru_forward(&right, v, v, v, v, v)) == csk_status_unsupported_isa,
            "an instruction set that this CPU lacks");
}

const csk_test csk_tests_recurrent[] = {
    {"recurrent_gru_forward_matches_double", gru_forward_matches_double},
    {"recurrent_lstm_forward_matches_double", lstm_forward_matches_double},
    {"recurrent_gru_backward_matches_differences", gru_backward_matches_differences},
    {"recurrent_lstm_backward_matches_differences", lstm_backward_matches_differences},
    {"recurrent_same_bits_in_parts", recurrent_same_bits_in_parts},
    {"recurrent_no_gradient_stays_zero", recurrent_no_gradient_stays_zero},
    {"recurrent_bias_may_be_missing", recurrent_bias_may_be_missing},
    {"recurrent_rejects_invalid_arguments", recurrent_rejects_invalid_arguments},
    {NULL, NULL},
};
