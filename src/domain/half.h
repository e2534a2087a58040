/* The one conversion of float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32) on the host, as bits. */
#ifndef SMOE_DOMAIN_HALF_H
#define SMOE_DOMAIN_HALF_H

#include <stdint.h>
#include <string.h>

static inline float smoe_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t smoe_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float smoe_float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
    if (exponent == 31)
        return smoe_float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) /* a multiple of the smallest half */
        return smoe_float_of_bits(sign | smoe_bits_of_float((float)fraction * 0x1p-24f));
    return smoe_float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t smoe_half_of_float(float value)
{
    const uint32_t bits = smoe_bits_of_float(value), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) /* NaN: its upper payload bits, and one so that it does not become an infinity */
        return (uint16_t)(sign | 0x7e00u | (size >> 13 & 0x3ffu));
    if (size >= 0x477ff000u) /* 65520 rounds to infinity */
        return (uint16_t)(sign | 0x7c00u);
    /* below 2^-14: adding 0.5 leaves a multiple of 2^-24 in the fraction's low bits, rounded by the addition */
    if (size < 0x38800000u)
        return (uint16_t)(sign | (smoe_bits_of_float(smoe_float_of_bits(size) + 0.5f) - smoe_bits_of_float(0.5f)));
    /* Carries go from the fraction to the exponent, as they should. */
    return (uint16_t)(sign | ((size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13));
}

static inline float smoe_float_of_bfloat(uint16_t half)
{
    return smoe_float_of_bits((uint32_t)half << 16);
}

static inline uint16_t smoe_bfloat_of_float(float value)
{
    const uint32_t bits = smoe_bits_of_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) /* NaN: as above */
        return (uint16_t)(bits >> 16 | 0x40u);
    /* Carries go from the fraction to the exponent, and from the largest number to infinity, as they should. */
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
