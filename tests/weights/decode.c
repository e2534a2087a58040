#include "decode.h"

#include <math.h>
#include <string.h>

#include "common/half.h"

typedef const unsigned char bytes;

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static double half_at(bytes *at)
{
    return (double)test_half_to_float((uint16_t)(at[0] | at[1] << 8));
}

static uint32_t word_at(bytes *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static double e8m0(unsigned code)
{
    return code == 255 ? (double)NAN : ldexp(1, (int)code - 127);
}

static double e4m3(unsigned code)
{
    const int exponent = (int)(code >> 3 & 15), fraction = (int)(code & 7);
    const double size = exponent ? ldexp(8 + fraction, exponent - 10) : ldexp(fraction, -9);
    return (code & 127) == 127 ? (double)NAN : code & 128 ? -size : size;
}

static double e2m1(unsigned code)
{
    static const double sizes[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return code & 8 ? -sizes[code & 7] : sizes[code & 7];
}

static double iq4(unsigned code)
{
    static const double values[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    return values[code];
}

/* ---- GGUF: element i of a block ---------------------------------------------------------------------------------- */

static unsigned half_byte(bytes *q, unsigned i, unsigned half)
{
    return i % (2 * half) < half ? q[i / (2 * half) * half + i % half] & 15u : q[i / (2 * half) * half + i % half] >> 4;
}

static unsigned fifth(bytes *bits, unsigned i)
{
    return (word_at(bits) >> i & 1u) << 4;
}

/* get_scale_min_k4 of ggml */
static void six_bits(bytes *q, unsigned j, double *scale, double *minimum)
{
    *scale = j < 4 ? q[j] & 63 : (q[j + 4] & 15) | (q[j - 4] >> 6) << 4;
    *minimum = j < 4 ? q[j + 4] & 63 : q[j + 4] >> 4 | (q[j] >> 6) << 4;
}

static double k_value(bytes *b, unsigned i, double q)
{
    double scale, minimum;
    six_bits(b + 4, i / 32, &scale, &minimum);
    return half_at(b) * scale * q - half_at(b + 2) * minimum;
}

static double q6_k(bytes *b, unsigned i)
{
    bytes *low = b + i / 128 * 64 + i % 64, *high = b + 128 + i / 128 * 32 + i % 32;
    const int q = (i % 128 < 64 ? *low & 15 : *low >> 4) | (*high >> i % 128 / 32 * 2 & 3) << 4;
    return half_at(b + 208) * (signed char)b[192 + i / 16] * (q - 32);
}

static double iq4_xs(bytes *b, unsigned i)
{
    const unsigned block = i / 32, high = (b[2] | (unsigned)b[3] << 8) >> 2 * block & 3;
    const int scale = (int)((b[4 + block / 2] >> 4 * (block % 2) & 15) | high << 4) - 32;
    return half_at(b) * scale * iq4(half_byte(b + 8, i, 16));
}

static double nvfp4(bytes *b, unsigned i)
{
    const unsigned scale = b[i / 16] & 127;
    return (scale == 127 ? 0 : e4m3(scale)) * e2m1(half_byte(b + 4, i, 8));
}

test_source_block test_source_block_of(smoe_weights_format format)
{
    switch (format) {
    case SMOE_FORMAT_GGUF_Q8_0: return (test_source_block){32, 34};
    case SMOE_FORMAT_GGUF_Q4_0: return (test_source_block){32, 18};
    case SMOE_FORMAT_GGUF_Q4_1: return (test_source_block){32, 20};
    case SMOE_FORMAT_GGUF_Q5_0: return (test_source_block){32, 22};
    case SMOE_FORMAT_GGUF_Q5_1: return (test_source_block){32, 24};
    case SMOE_FORMAT_GGUF_Q4_K: return (test_source_block){256, 144};
    case SMOE_FORMAT_GGUF_Q5_K: return (test_source_block){256, 176};
    case SMOE_FORMAT_GGUF_Q6_K: return (test_source_block){256, 210};
    case SMOE_FORMAT_GGUF_IQ4_NL: return (test_source_block){32, 18};
    case SMOE_FORMAT_GGUF_IQ4_XS: return (test_source_block){256, 136};
    case SMOE_FORMAT_GGUF_MXFP4: return (test_source_block){32, 17};
    case SMOE_FORMAT_GGUF_NVFP4: return (test_source_block){64, 36};
    default: return (test_source_block){0, 0};
    }
}

static double gguf_value(smoe_weights_format format, bytes *b, unsigned i)
{
    switch (format) {
    case SMOE_FORMAT_GGUF_Q8_0: return half_at(b) * (signed char)b[2 + i];
    case SMOE_FORMAT_GGUF_Q4_0: return half_at(b) * ((int)half_byte(b + 2, i, 16) - 8);
    case SMOE_FORMAT_GGUF_Q4_1: return half_at(b) * half_byte(b + 4, i, 16) + half_at(b + 2);
    case SMOE_FORMAT_GGUF_Q5_0: return half_at(b) * ((int)(half_byte(b + 6, i, 16) | fifth(b + 2, i)) - 16);
    case SMOE_FORMAT_GGUF_Q5_1: return half_at(b) * (half_byte(b + 8, i, 16) | fifth(b + 4, i)) + half_at(b + 2);
    case SMOE_FORMAT_GGUF_Q4_K: return k_value(b, i, half_byte(b + 16, i, 32));
    case SMOE_FORMAT_GGUF_Q5_K:
        return k_value(b, i, half_byte(b + 48, i, 32) | (unsigned)(b[16 + i % 32] >> i / 32 & 1) << 4);
    case SMOE_FORMAT_GGUF_Q6_K: return q6_k(b, i);
    case SMOE_FORMAT_GGUF_IQ4_NL: return half_at(b) * iq4(half_byte(b + 2, i, 16));
    case SMOE_FORMAT_GGUF_IQ4_XS: return iq4_xs(b, i);
    case SMOE_FORMAT_GGUF_MXFP4: return e8m0(b[0]) * e2m1(half_byte(b + 1, i, 16));
    default: return nvfp4(b, i);
    }
}

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

static uint32_t up(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

static uint32_t columns_of_group(const smoe_weights_source *s)
{
    return s->format == SMOE_FORMAT_MXFP4   ? 32
           : s->format == SMOE_FORMAT_NVFP4 ? 16
           : s->group_columns               ? s->group_columns
                                            : s->columns;
}

static size_t scale_size(const smoe_weights_source *s)
{
    static const size_t sizes[] = {4, 2, 2, 1};
    return s->format <= SMOE_FORMAT_NVFP4 ? 1 : sizes[s->scale_type];
}

static bool is_gptq(smoe_weights_format format)
{
    return format >= SMOE_FORMAT_GPTQ4 && format <= SMOE_FORMAT_GPTQ8_V2;
}

static unsigned bits_of(smoe_weights_format format)
{
    const bool four = format == SMOE_FORMAT_MXFP4 || format == SMOE_FORMAT_NVFP4 || format == SMOE_FORMAT_INT4 ||
                      format == SMOE_FORMAT_GPTQ4 || format == SMOE_FORMAT_GPTQ4_V2 || format == SMOE_FORMAT_AWQ4;
    return four ? 4 : 8;
}

static double scale_of(const smoe_weights_source *s, uint32_t n, uint32_t k)
{
    const uint32_t c = columns_of_group(s), r = s->group_rows ? s->group_rows : s->rows,
                   step = s->row_step ? s->row_step : 1;
    const bool transposed = is_gptq(s->format) || s->format == SMOE_FORMAT_AWQ4;
    const size_t at = transposed                       ? (size_t)(k / c) * s->rows + n
                      : s->format <= SMOE_FORMAT_NVFP4 ? (size_t)n * step * (s->columns / c) + k / c
                                                       : (size_t)(n / r) * up(s->columns, c) + k / c;
    bytes *from = (bytes *)s->scales.data + at * scale_size(s);
    float value;
    if (s->format == SMOE_FORMAT_NVFP4)
        return e4m3(*from);
    if (s->format == SMOE_FORMAT_MXFP4 || s->scale_type == SMOE_SCALE_TYPE_E8M0)
        return e8m0(*from);
    if (s->scale_type == SMOE_SCALE_TYPE_FLOAT16)
        return half_at(from);
    if (s->scale_type == SMOE_SCALE_TYPE_BFLOAT16)
        return (double)test_bfloat16_to_float((uint16_t)(from[0] | from[1] << 8));
    memcpy(&value, from, sizeof value);
    return (double)value;
}

/* AWQ's packing loop writes column 8 w + order[i] into nibble i of word w. */
static unsigned awq(bytes *row, uint32_t n)
{
    static const unsigned order[] = {0, 2, 4, 6, 1, 3, 5, 7};
    unsigned i = 0;
    while (order[i] != n % 8)
        i++;
    return word_at(row + n / 8 * 4) >> 4 * i & 15;
}

static unsigned element_of(const smoe_weights_source *s, uint32_t n, uint32_t k)
{
    bytes *from = s->elements.data;
    const uint32_t step = s->row_step ? s->row_step : 1, bits = bits_of(s->format), each = 32 / bits;
    if (is_gptq(s->format))
        return word_at(from + ((size_t)(k / each) * s->rows + n) * 4) >> bits * (k % each) & ((1u << bits) - 1);
    if (s->format == SMOE_FORMAT_AWQ4)
        return awq(from + (size_t)k * (s->rows / 8) * 4, n);
    if (s->format == SMOE_FORMAT_INT4 || s->format == SMOE_FORMAT_INT8_PACKED)
        return word_at(from + ((size_t)n * up(s->columns, each) + k / each) * 4) >> bits * (k % each) &
               ((1u << bits) - 1);
    if (bits == 4)
        return from[(size_t)n * step * (s->columns / 2) + k / 2] >> 4 * (k % 2) & 15;
    return from[(size_t)n * s->columns + k];
}

static double zero_of(const smoe_weights_source *s, uint32_t n, uint32_t k)
{
    bytes *from = s->zeros.data;
    const uint32_t bits = bits_of(s->format), each = 32 / bits, c = columns_of_group(s);
    const unsigned less = s->format == SMOE_FORMAT_GPTQ4 || s->format == SMOE_FORMAT_GPTQ8;
    if (!from)
        return s->format == SMOE_FORMAT_INT8 ? 0 : 1u << (bits - 1);
    if (s->format == SMOE_FORMAT_INT8)
        return (signed char)from[(size_t)n * up(s->columns, c) + k / c];
    if (s->format == SMOE_FORMAT_AWQ4)
        return awq(from + (size_t)(k / c) * (s->rows / 8) * 4, n);
    const size_t at = is_gptq(s->format) ? (size_t)(k / c) * (s->rows / each) + n / each
                                         : (size_t)(n / each) * up(s->columns, c) + k / c;
    return (word_at(from + at * 4) >> bits * (n % each) & ((1u << bits) - 1)) + less;
}

double test_source_weight(const smoe_weights_source *s, uint32_t n, uint32_t k)
{
    const test_source_block blocks = test_source_block_of(s->format);
    if (blocks.columns) {
        bytes *row = (bytes *)s->elements.data + (size_t)n * (s->columns / blocks.columns) * blocks.size;
        return gguf_value(s->format, row + k / blocks.columns * blocks.size, k % blocks.columns);
    }
    const unsigned element = element_of(s, n, k);
    const double scale = scale_of(s, n, k);
    if (s->format == SMOE_FORMAT_MXFP4 || s->format == SMOE_FORMAT_NVFP4)
        return e2m1(element) * scale;
    if (s->format == SMOE_FORMAT_FP8)
        return e4m3(element) * scale;
    const double number = s->format == SMOE_FORMAT_INT8 ? (double)(signed char)element : (double)element;
    return (number - zero_of(s, n, k)) * scale;
}

test_source_sizes test_source_sizes_of(const smoe_weights_source *s)
{
    const test_source_block blocks = test_source_block_of(s->format);
    const uint32_t bits = bits_of(s->format), each = 32 / bits, groups = up(s->columns, columns_of_group(s));
    const size_t rows = (size_t)(s->rows - 1) * (s->row_step ? s->row_step : 1) + 1;
    const uint32_t r = s->format <= SMOE_FORMAT_NVFP4 ? 1 : s->group_rows ? s->group_rows : s->rows;
    const bool words = s->format == SMOE_FORMAT_INT4 || s->format == SMOE_FORMAT_INT8_PACKED;
    test_source_sizes sizes = {0, 0, 0};
    if (blocks.columns) {
        sizes.elements = rows * (s->columns / blocks.columns) * blocks.size;
        return sizes;
    }
    sizes.elements = rows * (words ? up(s->columns, each) * 4 : s->columns * bits / 8);
    sizes.scales = up((uint32_t)rows, r) * (size_t)groups * scale_size(s);
    if (s->format >= SMOE_FORMAT_INT4)
        sizes.zeros = s->format == SMOE_FORMAT_INT8 ? (size_t)s->rows * groups : (size_t)up(s->rows, each) * 4 * groups;
    return sizes;
}
