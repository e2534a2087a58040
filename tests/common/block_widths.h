/* The types, and widths of matrices whose types have blocks. */
#ifndef TEST_BLOCK_WIDTHS_H
#define TEST_BLOCK_WIDTHS_H

#include "smoe/smoe.h"

/* How many types there are. */
uint32_t test_type_count(void);

/* The first width from `least` on whose rows a type's blocks divide; 0 stays 0. */
uint32_t test_blocks_width(smoe_type type, uint32_t least);

/* The same for the widths of a layer, whose d_model is the width of two matrices. */
void test_blocks_fit(const smoe_matrix_types *types, uint32_t *d_model, uint32_t *d_hidden, uint32_t *shared_hidden);

#endif
