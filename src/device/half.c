/* float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32) on the host. libsmoe has no host arrays, so this is the
 * helper library's own. */
#include "device_internal.h"

#include <string.h>

uint16_t smoe_helper_half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u) /* NaN: keep the upper payload bits, and one so that it does not become an infinity */
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x47800000u) /* 65536 and more. What lies between 65504 and that rounds up by the carry below */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x33000000u) /* below 2^-25, half of the smallest denormal */
        return (uint16_t)sign;

    /* The significand with its implicit bit, and how many of its bits the half has no room for. */
    const uint32_t exponent = magnitude >> 23;
    const uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t shift = exponent < 113u ? 126u - exponent : 13u; /* 113: the exponent of 2^-14, the smallest normal half */
    const uint32_t kept = significand >> shift;
    const uint32_t rest = significand & ((1u << shift) - 1u);
    const uint32_t middle = 1u << (shift - 1u);
    const uint32_t up = rest > middle || (rest == middle && (kept & 1u)) ? 1u : 0u;

    /* `kept` of a normal number still has the implicit bit, which adds one to the exponent field; a carry out of the significand
     * does the right thing in both cases: denormal to normal, and 65520 and more to infinity. */
    const uint32_t base = exponent < 113u ? 0u : (exponent - 113u) << 10;
    return (uint16_t)(sign | (base + kept + up));
}

float smoe_helper_float_from_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = half >> 10 & 0x1fu;
    const uint32_t significand = half & 0x3ffu;
    uint32_t bits;
    float value;

    if (exponent == 0) { /* denormal or zero: exact in float */
        value = (float)significand * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    } else if (exponent == 31u) {
        bits = sign | 0x7f800000u | significand << 13;
    } else {
        bits = sign | (exponent + 112u) << 23 | significand << 13;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t smoe_helper_bfloat_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) /* NaN: keep the upper payload bits, and one so that it does not become an infinity */
        return (uint16_t)(bits >> 16 | 0x40u);
    /* Carries go from the significand to the exponent, and from the largest number to infinity, as they should. */
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float smoe_helper_float_from_bfloat(uint16_t bfloat)
{
    const uint32_t bits = (uint32_t)bfloat << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float load(const void *from, smoe_type type, size_t i)
{
    switch (type) {
    case SMOE_TYPE_FLOAT16: return smoe_helper_float_from_half(((const uint16_t *)from)[i]);
    case SMOE_TYPE_BFLOAT16: return smoe_helper_float_from_bfloat(((const uint16_t *)from)[i]);
    default: return ((const float *)from)[i];
    }
}

static void store(void *to, smoe_type type, size_t i, float value)
{
    switch (type) {
    case SMOE_TYPE_FLOAT16: ((uint16_t *)to)[i] = smoe_helper_half_from_float(value); break;
    case SMOE_TYPE_BFLOAT16: ((uint16_t *)to)[i] = smoe_helper_bfloat_from_float(value); break;
    default: ((float *)to)[i] = value; break;
    }
}

void smoe_helper_convert(void *to, smoe_type to_type, const void *from, smoe_type from_type, size_t count)
{
    if (to_type == from_type)
        memcpy(to, from, (size_t)smoe_type_size(to_type, count));
    else /* float32 holds every value of the other types, so that there is one rounding at most */
        for (size_t i = 0; i < count; i++)
            store(to, to_type, i, load(from, from_type, i));
}
