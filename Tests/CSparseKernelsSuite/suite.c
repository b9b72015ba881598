// suite.c: lists and runs the kernel tests.
#include "csk_suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const csk_test *const families[] = {
    csk_tests_sparse,
    csk_tests_select,
    csk_tests_update,
    csk_tests_adam,
    csk_tests_pack,
    csk_tests_dense,
    csk_tests_pool,
    csk_tests_measure,
    csk_tests_planes,
    csk_tests_activation,
    csk_tests_activation_fused,
    csk_tests_epilogue,
    csk_tests_softmax,
    csk_tests_recurrent,
    csk_tests_layer_norm,
    csk_tests_embedding,
    csk_tests_depthwise,
    csk_tests_pool2d,
    csk_tests_dense_planes,
    csk_tests_sparse_phases,
    csk_tests_isa,
    csk_tests_sharing,
};

static int32_t failures;
static char first_message[512];

const csk_test *csk_suite_test(int32_t index) {
  for (size_t family = 0; family < sizeof families / sizeof *families; family++)
    for (const csk_test *test = families[family]; test->name; test++)
      if (index-- == 0) return test;
  return NULL;
}

int32_t csk_suite_run(const csk_test *test, char *message, int32_t capacity) {
  failures = 0;
  first_message[0] = 0;
  test->run();
  if (capacity > 0) snprintf(message, (size_t)capacity, "%s", first_message);
  return failures;
}

void csk_fail(const char *file, int line, const char *format, ...) {
  if (failures++ > 0) return;
  const char *name = strrchr(file, '/');
  int used = snprintf(first_message, sizeof first_message, "%s:%d: ", name ? name + 1 : file, line);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(first_message + used, sizeof first_message - (size_t)used, format, arguments);
  va_end(arguments);
}

uint64_t csk_test_random(uint64_t *state) {
  // SplitMix64 (Steele et al., 2014).
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

float csk_test_uniform(uint64_t *state) {
  return (float)(csk_test_random(state) >> 40) * 0x1p-23f - 1;
}

static const uint32_t canary = 0xdeadbeef;

void csk_canary_fill(float *memory, int64_t count) {
  for (int64_t i = 0; i < count; i++) memcpy(memory + i, &canary, sizeof canary);
}

bool csk_canary_intact(const float *memory, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (memcmp(memory + i, &canary, sizeof canary) != 0) return false;
  return true;
}
