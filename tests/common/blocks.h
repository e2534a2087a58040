/* Weights with scales for tests: written and read apart from the library's own, after smoe/weights.h. */
#ifndef TEST_BLOCKS_H
#define TEST_BLOCKS_H

#include "random.h"
#include "smoe/smoe.h"

/* A type with scales, as weights.h's table has it: what a block and a second scale share, and their bytes. */
typedef struct test_block_kind {
    uint32_t element_bits, block_rows, block_columns, scale_size;
    uint32_t second_columns, second_size;
    bool factor;
    float largest; /* element, by size */
} test_block_kind;

/* Aborts for any other type. */
test_block_kind test_block_kind_of(smoe_type type);

/* The weights in 16 bytes, of a type with scales or without. */
uint32_t test_block_load(smoe_type type);

/* Where the parts of a matrix lie, in bytes; 0 for what there is none of. */
typedef struct test_block_layout {
    size_t row_size, scales_at, scales_across, second_at, second_across, factor_at, size;
} test_block_layout;

test_block_layout test_block_layout_of(smoe_type type, uint32_t rows, uint32_t columns);

float test_block_element(smoe_type type, uint32_t code);

/* A weight, rounded once: of an element's code and its scales as they are stored, without the factor. */
float test_block_weight(smoe_type type, uint32_t code, const unsigned char *scale, const unsigned char *second);

/* The code of an element, and where its scales lie. */
uint32_t test_block_code(smoe_type type, uint32_t rows, uint32_t columns, const unsigned char *matrix, uint32_t row,
                         uint32_t k);
size_t test_block_scale_at(smoe_type type, uint32_t rows, uint32_t columns, uint32_t row, uint32_t k);
size_t test_block_second_at(smoe_type type, uint32_t rows, uint32_t columns, uint32_t row, uint32_t k);

/* Matrices [count,rows,columns] with random elements and scales, such as files have, the largest sizes about `limit`:
 * as they are stored, smoe_weights_size bytes, as floats without the factor, and the factors [count]. */
void test_blocks_fill(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, float limit, test_random *random,
                      unsigned char *stored, float *floats, float *factors);

/* Stored matrices as floats without the factor. */
void test_blocks_read(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, const unsigned char *stored,
                      float *floats);

#endif
