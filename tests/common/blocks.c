#include "blocks.h"

#include <math.h>
#include <string.h>

#include "half.h"

/* A type with scales, as weights.h's table has it. */
typedef struct block_kind {
    uint32_t element_bits, block_rows, block_columns, scale_size;
    float largest; /* element */
} block_kind;

static block_kind kind_of(smoe_type type)
{
    switch (type) {
    case SMOE_TYPE_MXFP4: return (block_kind){4, 1, 32, 1, 6};
    case SMOE_TYPE_Q4: return (block_kind){4, 1, 32, 2, 8};
    case SMOE_TYPE_Q8: return (block_kind){8, 1, 32, 2, 128};
    default: return (block_kind){8, 128, 128, 4, 448};
    }
}

/* sign, exponent and fraction of a small float whose exponent's bias is given. */
static float small_float(uint32_t code, int exponent_bits, int fraction_bits, int bias)
{
    const int exponent = (int)(code >> fraction_bits) & ((1 << exponent_bits) - 1);
    const int fraction = (int)code & ((1 << fraction_bits) - 1);
    const double size = exponent == 0 ? ldexp(fraction, 1 - bias - fraction_bits)
                                      : ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
    return (float)(code >> (exponent_bits + fraction_bits) & 1 ? -size : size);
}

float test_block_element(smoe_type type, uint32_t code)
{
    switch (type) {
    case SMOE_TYPE_MXFP4: return small_float(code, 2, 1, 1);
    case SMOE_TYPE_Q4: return (float)((int)code - 8);
    case SMOE_TYPE_Q8: return (float)(code < 128 ? (int)code : (int)code - 256);
    default: return (code & 127) == 127 ? NAN : small_float(code, 4, 3, 7);
    }
}

float test_block_scale(smoe_type type, const unsigned char *scale)
{
    float value;
    if (type == SMOE_TYPE_MXFP4)
        return *scale == 255 ? NAN : (float)ldexp(1, *scale - 127);
    if (type != SMOE_TYPE_FP8)
        return test_half_to_float((uint16_t)(scale[0] | scale[1] << 8));
    memcpy(&value, scale, sizeof value);
    return value;
}

/* Bytes of a matrix's rows, and of all of it. */
static size_t row_size(smoe_type type, uint32_t columns)
{
    return (columns * kind_of(type).element_bits / 8 + 15) / 16 * 16;
}

static size_t scale_count(smoe_type type, uint32_t rows, uint32_t columns)
{
    const block_kind kind = kind_of(type);
    const size_t down = (rows + kind.block_rows - 1) / kind.block_rows;
    return down * ((columns + kind.block_columns - 1) / kind.block_columns);
}

static size_t matrix_size(smoe_type type, uint32_t rows, uint32_t columns)
{
    const size_t all = row_size(type, columns) * rows + scale_count(type, rows, columns) * kind_of(type).scale_size;
    return (all + 15) / 16 * 16;
}

static void read_matrix(smoe_type type, uint32_t rows, uint32_t columns, const unsigned char *stored, float *floats)
{
    const block_kind kind = kind_of(type);
    const size_t row = row_size(type, columns), across = (columns + kind.block_columns - 1) / kind.block_columns;
    const unsigned char *scales = stored + row * rows;
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; k < columns; k++) {
            const unsigned char *bytes = stored + r * row;
            const uint32_t code = kind.element_bits == 8 ? bytes[k] : (uint32_t)bytes[k / 2] >> 4 * (k % 2) & 15u;
            const size_t block = r / kind.block_rows * across + k / kind.block_columns;
            floats[(size_t)r * columns + k] =
                test_block_element(type, code) * test_block_scale(type, scales + block * kind.scale_size);
        }
}

void test_blocks_read(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, const unsigned char *stored,
                      float *floats)
{
    for (uint32_t i = 0; i < count; i++)
        read_matrix(type, rows, columns, stored + i * matrix_size(type, rows, columns),
                    floats + (size_t)i * rows * columns);
}

static void put_scale(smoe_type type, float scale, unsigned char *to)
{
    if (type == SMOE_TYPE_MXFP4) {
        to[0] = (unsigned char)(127 + (int)floorf(log2f(scale)));
    } else if (type == SMOE_TYPE_FP8) {
        memcpy(to, &scale, sizeof scale);
    } else {
        const uint16_t half = test_half_from_float(scale);
        to[0] = (unsigned char)half;
        to[1] = (unsigned char)(half >> 8);
    }
}

static unsigned char random_byte(smoe_type type, test_random *random)
{
    const uint32_t byte = test_random_below(random, 256);
    return (unsigned char)(type == SMOE_TYPE_FP8 && (byte & 127) == 127 ? byte - 1 : byte); /* no NaN */
}

void test_blocks_fill(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, float limit, test_random *random,
                      unsigned char *stored, float *floats)
{
    const block_kind kind = kind_of(type);
    const size_t size = matrix_size(type, rows, columns), row = row_size(type, columns);
    const size_t used = columns * kind.element_bits / 8;
    memset(stored, 0, count * size);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *matrix = stored + i * size;
        for (uint32_t r = 0; r < rows; r++)
            for (size_t k = 0; k < used; k++)
                matrix[r * row + k] = random_byte(type, random);
        for (size_t k = 0; k < scale_count(type, rows, columns); k++)
            put_scale(type, limit / kind.largest * test_random_uniform(random, 0.5f, 1),
                      matrix + row * rows + k * kind.scale_size);
    }
    test_blocks_read(type, count, rows, columns, stored, floats);
}
