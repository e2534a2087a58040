/* The types, and widths of matrices whose types have blocks. */
#ifndef TEST_BLOCK_WIDTHS_H
#define TEST_BLOCK_WIDTHS_H

#include "smoe/smoe.h"

/* How many types there are. */
uint32_t test_type_count(void);

/* The first width from `least` on whose rows a type's blocks divide; 0 stays 0. */
uint32_t test_blocks_width(smoe_type type, uint32_t least);

/* The widths of a layer; 0: none. */
typedef struct test_layer_widths {
    uint32_t *d_model, *d_hidden, *shared_hidden, *d_latent;
} test_layer_widths;

#define TEST_WIDTHS(layer)                                                                                             \
    (test_layer_widths)                                                                                                \
    {                                                                                                                  \
        &(layer)->d_model, &(layer)->d_hidden, &(layer)->shared_hidden, &(layer)->d_latent                             \
    }

/* The same for all of them, of which d_model and d_latent are those of two matrices each. */
void test_blocks_fit(const smoe_matrix_types *types, test_layer_widths widths);

#endif
