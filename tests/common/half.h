/* Float16 and bfloat16 for tests, written apart from the library's own. */
#ifndef TEST_HALF_H
#define TEST_HALF_H

#include "smoe/smoe.h"

uint16_t test_half_from_float(float value); /* round to nearest even */
float test_half_to_float(uint16_t half);

uint16_t test_bfloat16_from_float(float value); /* round to nearest even */
float test_bfloat16_to_float(uint16_t bits);

/* The same for a type of 16 bits. */
uint16_t test_narrow_from_float(smoe_type type, float value);
float test_narrow_to_float(smoe_type type, uint16_t bits);

#endif
