#include "half.h"

#include <math.h>
#include <string.h>

float test_half_to_float(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    float value;

    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexpf((float)fraction, -24);
    else
        value = ldexpf((float)(1024 + fraction), exponent - 25);
    return half & 0x8000 ? -value : value;
}

uint16_t test_half_from_float(float value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;

    if (isnan(value))
        return (uint16_t)(sign | 0x7e00);
    value = fabsf(value);
    if (value >= 65520.0f) /* half way from the largest float16, 65504, to 65536 */
        return (uint16_t)(sign | 0x7c00);
    frexpf(value, &exponent); /* value in [2^(exponent-1), 2^exponent) */
    if (value == 0 || exponent < -13)
        exponent = -13; /* below 2^-14 the steps stay 2^-24 */
    /* A whole number of steps of 2^(exponent-11); a fraction that rounds up to 2048 carries into the exponent by
     * itself. */
    const int steps = (int)rintf(ldexpf(value, 11 - exponent));
    return (uint16_t)(sign | (steps + ((exponent + 13) << 10)));
}

float test_bfloat16_to_float(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;

    memcpy(&value, &wide, sizeof value);
    return value;
}

uint16_t test_bfloat16_from_float(float value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;

    if (isnan(value) || isinf(value))
        return (uint16_t)(sign | (isnan(value) ? 0x7fc0 : 0x7f80));
    frexpf(value, &exponent); /* |value| in [2^(exponent-1), 2^exponent) */
    if (value == 0 || exponent < -125)
        exponent = -125; /* below 2^-126 the steps stay 2^-133 */
    /* A whole number of steps of 2^(exponent-8); one that rounds up to 256 carries into the exponent by itself, the
     * last to infinity. */
    const int steps = (int)rint(ldexp(fabs((double)value), 8 - exponent));
    return (uint16_t)(sign | (steps + ((exponent + 125) << 7)));
}

uint16_t test_narrow_from_float(smoe_type type, float value)
{
    return type == SMOE_TYPE_FLOAT16 ? test_half_from_float(value) : test_bfloat16_from_float(value);
}

float test_narrow_to_float(smoe_type type, uint16_t bits)
{
    return type == SMOE_TYPE_FLOAT16 ? test_half_to_float(bits) : test_bfloat16_to_float(bits);
}
