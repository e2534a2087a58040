/* Float16 and bfloat16 for tests, written apart from the library's own. */
#ifndef TEST_HALF_H
#define TEST_HALF_H

#include <stdint.h>

uint16_t test_half_from_float(float value); /* round to nearest even */
float test_half_to_float(uint16_t half);

uint16_t test_bfloat16_from_float(float value); /* round to nearest even */
float test_bfloat16_to_float(uint16_t bits);

#endif
