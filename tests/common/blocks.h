/* Weights with scales for tests: written and read apart from the library's own, after smoe/weights.h. */
#ifndef TEST_BLOCKS_H
#define TEST_BLOCKS_H

#include "random.h"
#include "smoe/smoe.h"

/* An element, times a scale that is given as it is stored, as the nearest float32. */
float test_block_element(smoe_type type, uint32_t code);
float test_block_scale(smoe_type type, const unsigned char *scale);

/* Matrices [count,rows,columns] with random elements and scales, the largest sizes about `limit`: as they are stored,
 * smoe_weights_size bytes, and as floats. */
void test_blocks_fill(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, float limit, test_random *random,
                      unsigned char *stored, float *floats);

/* Stored matrices as floats. */
void test_blocks_read(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, const unsigned char *stored,
                      float *floats);

#endif
