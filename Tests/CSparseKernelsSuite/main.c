// main.c: runs the kernel tests as a program, natively or under an emulator. Arguments: name
// prefixes of the tests to run; none: all.
#include <stdio.h>
#include <string.h>

#include "csk_suite.h"
#include "CSparseKernels.h"

static bool wanted(const char *name, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (strncmp(name, argv[i], strlen(argv[i])) == 0) return true;
  return argc < 2;
}

int main(int argc, char **argv) {
  int passed = 0, failed = 0;
  const csk_test *test;
  for (int32_t i = 0; (test = csk_suite_test(i)); i++) {
    if (!wanted(test->name, argc, argv)) continue;
    char message[512];
    if (csk_suite_run(test, message, sizeof message) == 0) {
      passed++;
    } else {
      failed++;
      printf("FAILED %s: %s\n", test->name, message);
    }
  }
  printf("kernels (%s, dense products: %s)\n", csk_isa_name(csk_isa_current()),
         csk_dense_is_blis() ? "BLIS" : "plain loop");
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0;
}
