/* Comparisons of arrays: each prints the first few differences and returns how many there are, so that a test can print
 * its seed and shape beside them. A NaN equals a NaN only, an infinity only itself. */
#ifndef TEST_COMPARE_H
#define TEST_COMPARE_H

#include <stddef.h>
#include <stdint.h>

size_t test_compare(const char *what, size_t count, const float *got, const double *want, double tolerance);
size_t test_compare_each(const char *what, size_t count, const float *got, const double *want,
                         const double *tolerances);
size_t test_compare_bits(const char *what, size_t word_count, const void *got, const void *want);

double test_max_abs(size_t count, const double *values); /* of the finite ones; 0 if there is none */

#endif
