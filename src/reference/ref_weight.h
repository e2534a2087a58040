/* A weight as a layer has it that was uploaded with this type: rounded to nearest, ties to even. Written apart from the
 * library's conversion, which it is to find wrong; tests/unit/test_ref_weight.c compares it with a third one. */
#ifndef REF_WEIGHT_H
#define REF_WEIGHT_H

#include <string.h>

#include "smoe/smoe.h"

#define REF_INFINITY_BITS 0x7f800000u

/* size: bits of a float that is not negative and finite. Gives those of the nearest float16. */
static inline uint32_t ref_half_bits(uint32_t size)
{
    float value;

    if (size >= 0x477ff000u) /* 65520, half way from the largest to the next power of two */
        return REF_INFINITY_BITS;
    if (size >= 0x38800000u) /* 2^-14: 13 bits of the fraction go, and a carry from them is the exponent's */
        return (size + 0xfffu + (size >> 13 & 1u)) & ~0x1fffu;
    memcpy(&value, &size, sizeof value);
    value += 0.5f; /* whose steps are those of float16's denormal numbers, 2^-24 */
    value -= 0.5f;
    memcpy(&size, &value, sizeof size);
    return size;
}

static inline double ref_weight(smoe_type type, float value)
{
    uint32_t bits;

    if (type == SMOE_TYPE_FLOAT32)
        return (double)value;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits & 0x80000000u, size = bits ^ sign;
    if (size >= REF_INFINITY_BITS) /* infinities and NaN */
        return (double)value;
    bits = sign | (type == SMOE_TYPE_FLOAT16 ? ref_half_bits(size) : (size + 0x7fffu + (size >> 16 & 1u)) & ~0xffffu);
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

#endif
