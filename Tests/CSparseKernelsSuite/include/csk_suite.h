// include/csk_suite.h: the kernel tests. Plain C, so that the same tests run inside `swift test`,
// natively, and cross-compiled under an emulator.
#ifndef CSK_SUITE_H
#define CSK_SUITE_H

#include <stdbool.h>
#include <stdint.h>

/// One test: fails by calling csk_fail (through CSK_CHECK).
typedef struct csk_test {
  const char *name;  // family, operation, the edge it probes
  void (*run)(void);
} csk_test;

/// A family's tests, ended by a null name.
extern const csk_test csk_tests_sparse[], csk_tests_select[], csk_tests_update[], csk_tests_adam[],
    csk_tests_pack[], csk_tests_dense[], csk_tests_pool[], csk_tests_measure[], csk_tests_planes[],
    csk_tests_depthwise[], csk_tests_pool2d[], csk_tests_epilogue[], csk_tests_activation[],
    csk_tests_activation_fused[], csk_tests_softmax[], csk_tests_sparse_phases[], csk_tests_isa[],
    csk_tests_dense_planes[], csk_tests_sharing[], csk_tests_recurrent[], csk_tests_layer_norm[],
    csk_tests_embedding[];

/// All tests, in order; null past the end.
const csk_test *csk_suite_test(int32_t index);

/// Runs one test; returns the number of failed checks, and writes the first message into
/// `message` (capacity bytes).
int32_t csk_suite_run(const csk_test *test, char *message, int32_t capacity);

/// Records a failed check of the running test, printf-style.
void csk_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Checks in plain C: `CSK_CHECK(a == b, "n = %d", n)`.
#define CSK_CHECK(condition, ...)                                                 \
  do {                                                                            \
    if (!(condition)) csk_fail(__FILE__, __LINE__, #condition " | " __VA_ARGS__); \
  } while (0)

/// Checks that a call of a kernel refuses its arguments.
#define INVALID(...) CSK_CHECK((__VA_ARGS__) == csk_status_invalid_argument, #__VA_ARGS__)

/// The activation ReLU, or none.
#define RELU(applies) \
  ((csk_activation){(applies) ? csk_activation_relu : csk_activation_identity, 0})

/// A reproducible stream for test data: 64 random bits; the state is any seed.
uint64_t csk_test_random(uint64_t *state);
/// Uniform in [-1, 1).
float csk_test_uniform(uint64_t *state);

/// Fills with a pattern that no kernel writes, and checks that it is all still there.
void csk_canary_fill(float *memory, int64_t count);
bool csk_canary_intact(const float *memory, int64_t count);

#endif
