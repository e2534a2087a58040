#include "blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"

test_block_kind test_block_kind_of(smoe_type type)
{
    switch (type) {
    case SMOE_TYPE_MXFP4: return (test_block_kind){4, 1, 32, 1, 0, 0, false, 6};
    case SMOE_TYPE_Q4: return (test_block_kind){4, 1, 32, 2, 0, 0, true, 8};
    case SMOE_TYPE_Q8: return (test_block_kind){8, 1, 32, 2, 0, 0, true, 128};
    case SMOE_TYPE_FP8: return (test_block_kind){8, 128, 128, 4, 0, 0, false, 448};
    case SMOE_TYPE_NVFP4: return (test_block_kind){4, 1, 16, 1, 0, 0, true, 6};
    case SMOE_TYPE_IQ4: return (test_block_kind){4, 1, 32, 2, 0, 0, false, 127};
    case SMOE_TYPE_IQ4_XS: return (test_block_kind){4, 1, 32, 1, 256, 2, false, 127};
    case SMOE_TYPE_Q4_MIN: return (test_block_kind){4, 1, 32, 4, 0, 0, false, 15};
    case SMOE_TYPE_Q4_ZERO: return (test_block_kind){4, 1, 32, 2, 32, 1, true, 15};
    case SMOE_TYPE_Q4_K: return (test_block_kind){4, 1, 32, 2, 256, 4, false, 15};
    case SMOE_TYPE_Q8_MIN: return (test_block_kind){8, 1, 32, 4, 0, 0, false, 255};
    case SMOE_TYPE_Q8_ZERO: return (test_block_kind){8, 1, 32, 2, 32, 1, true, 255};
    case SMOE_TYPE_Q8_K: return (test_block_kind){8, 1, 32, 2, 256, 4, false, 255};
    case SMOE_TYPE_Q6_K: return (test_block_kind){8, 1, 16, 1, 256, 2, false, 128};
    case SMOE_TYPE_Q8_ROWS: return (test_block_kind){8, 1, 128, 4, 0, 0, false, 128};
    case SMOE_TYPE_FP8_ROWS: return (test_block_kind){8, 1, 128, 4, 0, 0, false, 448};
    default: abort();
    }
}

uint32_t test_block_load(smoe_type type)
{
    switch (type) {
    case SMOE_TYPE_FLOAT32: return 4;
    case SMOE_TYPE_FLOAT16:
    case SMOE_TYPE_BFLOAT16: return 8;
    default: return 128 / test_block_kind_of(type).element_bits;
    }
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static size_t whole(size_t count, size_t unit)
{
    return (count + unit - 1) / unit;
}

test_block_layout test_block_layout_of(smoe_type type, uint32_t rows, uint32_t columns)
{
    const test_block_kind kind = test_block_kind_of(type);
    test_block_layout at = {0};
    at.row_size = whole((size_t)columns * kind.element_bits / 8, 16) * 16;
    at.scales_at = at.row_size * rows;
    at.scales_across = whole(columns, kind.block_columns);
    size_t end = at.scales_at + whole(rows, kind.block_rows) * at.scales_across * kind.scale_size;
    if (kind.second_size > 0) {
        at.second_at = whole(end, 4) * 4;
        at.second_across = columns / kind.second_columns;
        end = at.second_at + rows * at.second_across * kind.second_size;
    }
    end = whole(end, 16) * 16;
    at.factor_at = kind.factor ? end : 0;
    at.size = end + (kind.factor ? 16 : 0);
    return at;
}

uint32_t test_block_code(smoe_type type, uint32_t rows, uint32_t columns, const unsigned char *matrix, uint32_t row,
                         uint32_t k)
{
    const unsigned char *bytes = matrix + row * test_block_layout_of(type, rows, columns).row_size;
    return test_block_kind_of(type).element_bits == 8 ? bytes[k] : (uint32_t)bytes[k / 2] >> 4 * (k % 2) & 15u;
}

size_t test_block_scale_at(smoe_type type, uint32_t rows, uint32_t columns, uint32_t row, uint32_t k)
{
    const test_block_kind kind = test_block_kind_of(type);
    const test_block_layout at = test_block_layout_of(type, rows, columns);
    return at.scales_at + (row / kind.block_rows * at.scales_across + k / kind.block_columns) * kind.scale_size;
}

size_t test_block_second_at(smoe_type type, uint32_t rows, uint32_t columns, uint32_t row, uint32_t k)
{
    const test_block_kind kind = test_block_kind_of(type);
    const test_block_layout at = test_block_layout_of(type, rows, columns);
    return kind.second_size ? at.second_at + (row * at.second_across + k / kind.second_columns) * kind.second_size : 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* sign, exponent and fraction of a small float whose exponent's bias is given. */
static float small_float(uint32_t code, int exponent_bits, int fraction_bits, int bias)
{
    const int exponent = (int)(code >> fraction_bits) & ((1 << exponent_bits) - 1);
    const int fraction = (int)code & ((1 << fraction_bits) - 1);
    const double size = exponent == 0 ? ldexp(fraction, 1 - bias - fraction_bits)
                                      : ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
    return (float)(code >> (exponent_bits + fraction_bits) & 1 ? -size : size);
}

static float e4m3_value(uint32_t code)
{
    return (code & 127) == 127 ? NAN : small_float(code, 4, 3, 7);
}

static float signed_byte(uint32_t code)
{
    return (float)(code < 128 ? (int)code : (int)code - 256);
}

float test_block_element(smoe_type type, uint32_t code)
{
    static const float iq4[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    switch (type) {
    case SMOE_TYPE_MXFP4:
    case SMOE_TYPE_NVFP4: return small_float(code, 2, 1, 1);
    case SMOE_TYPE_IQ4:
    case SMOE_TYPE_IQ4_XS: return iq4[code];
    case SMOE_TYPE_Q4: return (float)((int)code - 8);
    case SMOE_TYPE_Q8:
    case SMOE_TYPE_Q8_ZERO:
    case SMOE_TYPE_Q6_K:
    case SMOE_TYPE_Q8_ROWS: return signed_byte(code);
    case SMOE_TYPE_FP8:
    case SMOE_TYPE_FP8_ROWS: return e4m3_value(code);
    case SMOE_TYPE_Q4_MIN:
    case SMOE_TYPE_Q4_ZERO:
    case SMOE_TYPE_Q4_K:
    case SMOE_TYPE_Q8_MIN:
    case SMOE_TYPE_Q8_K: return (float)code;
    default: abort();
    }
}

static double half_at(const unsigned char *bytes)
{
    return (double)test_half_to_float((uint16_t)(bytes[0] | bytes[1] << 8));
}

static double float_at(const unsigned char *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return (double)value;
}

/* In double, which holds every product and sum exactly, but for sums of numbers that are 2^29 apart. */
float test_block_weight(smoe_type type, uint32_t code, const unsigned char *scale, const unsigned char *second)
{
    const double q = (double)test_block_element(type, code);
    switch (type) {
    case SMOE_TYPE_MXFP4: return (float)(*scale == 255 ? (double)NAN : q * ldexp(1, *scale - 127));
    case SMOE_TYPE_NVFP4: return (float)(q * (double)e4m3_value(*scale));
    case SMOE_TYPE_FP8:
    case SMOE_TYPE_Q8_ROWS:
    case SMOE_TYPE_FP8_ROWS: return (float)(q * float_at(scale));
    case SMOE_TYPE_Q4_MIN:
    case SMOE_TYPE_Q8_MIN: return (float)(q * half_at(scale) + half_at(scale + 2));
    case SMOE_TYPE_Q4_ZERO:
    case SMOE_TYPE_Q8_ZERO: return (float)((q - (double)signed_byte(*second)) * half_at(scale));
    case SMOE_TYPE_IQ4_XS:
    case SMOE_TYPE_Q6_K: return (float)(q * ((double)signed_byte(*scale) * half_at(second)));
    case SMOE_TYPE_Q4_K:
    case SMOE_TYPE_Q8_K: return (float)(q * (scale[0] * half_at(second)) - scale[1] * half_at(second + 2));
    case SMOE_TYPE_Q4:
    case SMOE_TYPE_Q8:
    case SMOE_TYPE_IQ4: return (float)(q * half_at(scale));
    default: abort();
    }
}

static void read_matrix(smoe_type type, uint32_t rows, uint32_t columns, const unsigned char *stored, float *floats)
{
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; k < columns; k++)
            floats[(size_t)r * columns + k] =
                test_block_weight(type, test_block_code(type, rows, columns, stored, r, k),
                                  stored + test_block_scale_at(type, rows, columns, r, k),
                                  stored + test_block_second_at(type, rows, columns, r, k));
}

void test_blocks_read(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, const unsigned char *stored,
                      float *floats)
{
    const size_t size = test_block_layout_of(type, rows, columns).size;
    for (uint32_t i = 0; i < count; i++)
        read_matrix(type, rows, columns, stored + i * size, floats + (size_t)i * rows * columns);
}

/* ---- random blocks ----------------------------------------------------------------------------------------------- */

static unsigned char random_code(smoe_type type, test_random *random)
{
    const uint32_t byte = test_random_below(random, 256);
    switch (type) {
    case SMOE_TYPE_FP8:
    case SMOE_TYPE_FP8_ROWS: return (unsigned char)((byte & 127) == 127 ? byte - 1 : byte); /* no NaN */
    case SMOE_TYPE_Q8_MIN:
    case SMOE_TYPE_Q8_K: return (unsigned char)(byte & 31); /* Q5_1's and Q5_K's */
    case SMOE_TYPE_Q6_K: return (unsigned char)((int)(byte & 63) - 32);
    default: return (unsigned char)byte;
    }
}

static float largest_code(smoe_type type)
{
    switch (type) {
    case SMOE_TYPE_Q8_MIN:
    case SMOE_TYPE_Q8_K: return 31;
    case SMOE_TYPE_Q6_K: return 32;
    default: return test_block_kind_of(type).largest;
    }
}

static void put_half(unsigned char *to, float value)
{
    const uint16_t half = test_half_from_float(value);
    to[0] = (unsigned char)half;
    to[1] = (unsigned char)(half >> 8);
}

/* s and m of types with second scales have 6 bits, as files have them. */
#define MOST_BYTE 63

/* size: the largest of the weights, without the factor. */
static void put_scale(smoe_type type, float size, test_random *random, unsigned char *to)
{
    const float d = size / largest_code(type) * test_random_uniform(random, 0.5f, 1);
    const uint32_t byte = MOST_BYTE / 2 + test_random_below(random, MOST_BYTE / 2 + 1);
    switch (type) {
    case SMOE_TYPE_MXFP4: *to = (unsigned char)(127 + (int)floorf(log2f(d))); break;
    case SMOE_TYPE_NVFP4: *to = (unsigned char)(0x60 + test_random_below(random, 0x1f)); break;
    case SMOE_TYPE_FP8:
    case SMOE_TYPE_Q8_ROWS:
    case SMOE_TYPE_FP8_ROWS: memcpy(to, &d, sizeof d); break;
    case SMOE_TYPE_IQ4_XS:
    case SMOE_TYPE_Q6_K: *to = (unsigned char)(byte % 2 ? 256 - byte : byte); break;
    case SMOE_TYPE_Q4_K:
    case SMOE_TYPE_Q8_K:
        to[0] = (unsigned char)byte;
        to[1] = (unsigned char)test_random_below(random, MOST_BYTE + 1);
        break;
    case SMOE_TYPE_Q4_MIN:
    case SMOE_TYPE_Q8_MIN:
        put_half(to, d);
        put_half(to + 2, -size * test_random_uniform(random, 0.25f, 0.75f));
        break;
    default: put_half(to, d);
    }
}

static void put_second(smoe_type type, float size, test_random *random, unsigned char *to)
{
    const float d = size / largest_code(type) / MOST_BYTE * test_random_uniform(random, 0.5f, 1);
    switch (type) {
    case SMOE_TYPE_Q4_ZERO: *to = (unsigned char)test_random_below(random, 17); break; /* GPTQ's are 1 .. 16 */
    case SMOE_TYPE_Q8_ZERO: *to = (unsigned char)test_random_below(random, 256); break;
    case SMOE_TYPE_Q4_K:
    case SMOE_TYPE_Q8_K:
        put_half(to + 2, size / MOST_BYTE * test_random_uniform(random, 0.25f, 0.75f)); /* fall through */
    default: put_half(to, d);
    }
}

static float random_factor(smoe_type type, float limit, test_random *random)
{
    const float share = test_random_uniform(random, 0.5f, 1);
    if (!test_block_kind_of(type).factor)
        return 1;
    return type == SMOE_TYPE_NVFP4 ? limit / (6 * 448) * share : 4 * share;
}

static float fill_matrix(smoe_type type, uint32_t rows, uint32_t columns, float limit, test_random *random,
                         unsigned char *matrix)
{
    const test_block_kind kind = test_block_kind_of(type);
    const test_block_layout at = test_block_layout_of(type, rows, columns);
    const float factor = random_factor(type, limit, random), size = limit / factor;
    for (uint32_t r = 0; r < rows; r++)
        for (size_t k = 0; k < (size_t)columns * kind.element_bits / 8; k++)
            matrix[r * at.row_size + k] = random_code(type, random);
    for (uint32_t r = 0; r < rows; r += kind.block_rows)
        for (uint32_t k = 0; k < columns; k += kind.block_columns)
            put_scale(type, size, random, matrix + test_block_scale_at(type, rows, columns, r, k));
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t k = 0; kind.second_size && k < columns; k += kind.second_columns)
            put_second(type, size, random, matrix + test_block_second_at(type, rows, columns, r, k));
    if (kind.factor)
        memcpy(matrix + at.factor_at, &factor, sizeof factor);
    return factor;
}

void test_blocks_fill(smoe_type type, uint32_t count, uint32_t rows, uint32_t columns, float limit, test_random *random,
                      unsigned char *stored, float *floats, float *factors)
{
    const size_t size = test_block_layout_of(type, rows, columns).size;
    memset(stored, 0, count * size);
    for (uint32_t i = 0; i < count; i++)
        factors[i] = fill_matrix(type, rows, columns, limit, random, stored + i * size);
    test_blocks_read(type, count, rows, columns, stored, floats);
}
