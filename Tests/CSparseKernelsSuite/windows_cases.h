// windows_cases.h: what the window family's test files share.
#ifndef CSK_WINDOWS_CASES_H
#define CSK_WINDOWS_CASES_H

#include "planes_cases.h"

// The tests in windows_pool_tests.c, listed in windows_tests.c.
void windows_max_pool(void);
void windows_max_pool_gradient(void);
void windows_average_pool(void);
void windows_average_pool_gradient(void);
void windows_pool_rejects_invalid_arguments(void);

#define INVALID(...) CSK_CHECK((__VA_ARGS__) == csk_status_invalid_argument, #__VA_ARGS__)

#endif
