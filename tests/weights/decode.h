/* Weights of sources by the definitions of their formats, one at a time, written apart from the library's own. */
#ifndef TEST_DECODE_H
#define TEST_DECODE_H

#include "smoe/smoe.h"

/* w of row n and column k, exact but for its rounding to double, without `multiplier` and `divisor`. */
double test_source_weight(const smoe_weights_source *source, uint32_t n, uint32_t k);

/* Elements and bytes of a block of GGUF; 0 for the other formats. */
typedef struct test_source_block {
    uint32_t columns, size;
} test_source_block;
test_source_block test_source_block_of(smoe_weights_format format);

/* Bytes of its arrays, by the header's shapes; 0 for those that a format does not have. */
typedef struct test_source_sizes {
    size_t elements, scales, zeros;
} test_source_sizes;
test_source_sizes test_source_sizes_of(const smoe_weights_source *source);

#endif
