#include "convert.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) /* a multiple of the smallest half */
        return float_of_bits(sign | bits_of_float((float)fraction * 0x1p-24f));
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static uint16_t half_of_float(float value)
{
    const uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) /* NaN */
        return (uint16_t)(sign | 0x7e00u);
    if (size >= 0x477ff000u) /* 65520 rounds to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u) /* below 2^-14: adding 0.5 leaves a multiple of 2^-24 in the fraction's low bits, rounded by the addition */
        return (uint16_t)(sign | (bits_of_float(float_of_bits(size) + 0.5f) - bits_of_float(0.5f)));
    return (uint16_t)(sign | ((size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13));
}

void convert_numbers(void *to, smoe_type to_type, const void *from, smoe_type from_type, size_t count)
{
    const uint16_t *words = from;
    if (to_type == from_type) {
        memcpy(to, from, smoe_type_size(to_type, count));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const float value = from_type == SMOE_TYPE_FLOAT16    ? float_of_half(words[i])
                            : from_type == SMOE_TYPE_BFLOAT16 ? float_of_bits((uint32_t)words[i] << 16)
                                                              : ((const float *)from)[i];
        if (to_type == SMOE_TYPE_FLOAT32)
            ((float *)to)[i] = value;
        else
            ((uint16_t *)to)[i] = half_of_float(value);
    }
}

void convert_tensor(void *to, smoe_type to_type, size_t stride, const smoe_tensor *from, size_t rows, size_t columns)
{
    const smoe_type from_type = from->type == SMOE_TENSOR_FLOAT16    ? SMOE_TYPE_FLOAT16
                                : from->type == SMOE_TENSOR_BFLOAT16 ? SMOE_TYPE_BFLOAT16
                                                                     : SMOE_TYPE_FLOAT32;
    const size_t from_size = smoe_type_size(from_type, 1), to_size = smoe_type_size(to_type, 1);
    for (size_t r = 0; r < rows; r++) {
        unsigned char *row = (unsigned char *)to + r * stride * to_size;
        convert_numbers(row, to_type, (const unsigned char *)from->data + r * columns * from_size, from_type, columns);
        memset(row + columns * to_size, 0, (stride - columns) * to_size);
    }
}
