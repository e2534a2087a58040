/* Sources with random contents, and their conversion. What fails, fails the test that runs. */
#ifndef TEST_MATRIX_H
#define TEST_MATRIX_H

#include "common/random.h"
#include "decode.h"

#define SOURCE(FORMAT, n, k, ...)                                                                                      \
    {                                                                                                                  \
        .format = SMOE_FORMAT_##FORMAT, .rows = (n), .columns = (k), __VA_ARGS__                                       \
    }
#define GROUP(r, c, TYPE) .group_rows = (r), .group_columns = (c), .scale_type = SMOE_SCALE_TYPE_##TYPE

/* A source whose arrays are the test's. */
typedef struct matrix {
    smoe_weights_source source;
    unsigned char *elements, *scales, *zeros;
    test_source_sizes sizes;
    smoe_type type;
    float factor;
} matrix;

/* Random bytes; scales of int4, int8, gptq and awq are ones that one power of two makes float16 numbers. */
matrix matrix_make(smoe_weights_source source, bool zeros, test_random *random);
void matrix_free(matrix *m);

/* Random scales that keep each weight finite, and small. */
void matrix_make_finite(matrix *m, test_random *random);

/* The type that suits the source, and its factor. */
void matrix_choose_type(matrix *m);

/* What the library says of a type for the source. */
smoe_result matrix_factor_result(const matrix *m, smoe_type type, char reason[SMOE_REASON_SIZE]);

/* Rows first .. first + count into their place in a matrix. */
void matrix_convert(const matrix *m, unsigned char *stored, uint32_t first, uint32_t count);

#endif
