/* Weights from one type to another: the one conversion of float16 (IEEE 754 binary16) and bfloat16 (the upper half of a
 * float32) on the host. */
#include <string.h>

#include "smoe/smoe.h"

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
    if (size > 0x7f800000u) /* NaN: its upper payload bits, and one so that it does not become an infinity */
        return (uint16_t)(sign | 0x7e00u | (size >> 13 & 0x3ffu));
    if (size >= 0x477ff000u) /* 65520 rounds to infinity */
        return (uint16_t)(sign | 0x7c00u);
    /* below 2^-14: adding 0.5 leaves a multiple of 2^-24 in the fraction's low bits, rounded by the addition */
    if (size < 0x38800000u)
        return (uint16_t)(sign | (bits_of_float(float_of_bits(size) + 0.5f) - bits_of_float(0.5f)));
    /* Carries go from the fraction to the exponent, as they should. */
    return (uint16_t)(sign | ((size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13));
}

static uint16_t bfloat_of_float(float value)
{
    const uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) /* NaN: as above */
        return (uint16_t)(bits >> 16 | 0x40u);
    /* Carries go from the fraction to the exponent, and from the largest number to infinity, as they should. */
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* By memcpy: a file's tensors lie anywhere. */
static float load(const unsigned char *from, smoe_type type, size_t i)
{
    float value;
    uint16_t word;
    if (type == SMOE_TYPE_FLOAT32) {
        memcpy(&value, from + i * sizeof value, sizeof value);
        return value;
    }
    memcpy(&word, from + i * sizeof word, sizeof word);
    return type == SMOE_TYPE_FLOAT16 ? float_of_half(word) : float_of_bits((uint32_t)word << 16);
}

static void store(unsigned char *to, smoe_type type, size_t i, float value)
{
    if (type == SMOE_TYPE_FLOAT32) {
        memcpy(to + i * sizeof value, &value, sizeof value);
        return;
    }
    const uint16_t word = type == SMOE_TYPE_FLOAT16 ? half_of_float(value) : bfloat_of_float(value);
    memcpy(to + i * sizeof word, &word, sizeof word);
}

smoe_result smoe_type_convert(void *to, smoe_type to_type, const void *from, smoe_type from_type, size_t count)
{
    if (smoe_type_size(to_type, 1) == 0 || smoe_type_size(from_type, 1) == 0 || (count > 0 && (!to || !from)))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (count == 0)
        return SMOE_SUCCESS;
    if (to_type == from_type) {
        memcpy(to, from, (size_t)smoe_type_size(to_type, count));
        return SMOE_SUCCESS;
    }
    /* float32 holds every value of the other types, so there is one rounding at most */
    for (size_t i = 0; i < count; i++)
        store(to, to_type, i, load(from, from_type, i));
    return SMOE_SUCCESS;
}
