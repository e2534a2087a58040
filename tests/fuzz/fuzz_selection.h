/* Inputs of fuzz_selection: a device, a plan and a token count as bytes. */
#ifndef TEST_FUZZ_SELECTION_H
#define TEST_FUZZ_SELECTION_H

#include <stddef.h>

#include "smoe/smoe.h"

enum { FUZZ_SELECTION_SIZE = 2048 }; /* the most bytes of an input that is all read */

/* The input of these; gives its size. */
size_t fuzz_selection_input(const smoe_device_info *info, const smoe_plan_desc *plan, uint32_t token_count,
                            unsigned char input[FUZZ_SELECTION_SIZE]);

#endif
