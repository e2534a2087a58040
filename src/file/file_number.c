/* Numbers as metadata spells them. strtod depends on the process's locale, which belongs to the app. */
#include "file_internal.h"

#include <float.h>
#include <string.h>

#define MAX_EXPONENT 9999 /* as good as any larger one: no more than 4000 digits stand before it */

bool smoe_file_parse_integer(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        const uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* value * 10^exponent. One rounding where value < 2^53 and |exponent| <= 22, as such powers of ten are exact; a few
 * more at the far ends, which no float32 parameter can tell. */
static double scale_decimal(double value, int exponent)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    for (; exponent > 22; exponent -= 22)
        value *= exact[22];
    for (; exponent < -22; exponent += 22)
        value /= exact[22];
    return exponent < 0 ? value / exact[-exponent] : value * exact[exponent];
}

/* [-+] digits [. digits] [e [-+] digits], with a digit on at least one side of the point. */
bool smoe_file_parse_number(const char *text, double *out)
{
    const bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    uint64_t mantissa = 0;
    int exponent = 0, digits = 0;
    bool point = false;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        if (digits < 4000) /* keeps exponent far from overflow */
            digits++;
        else
            return false;
        if (mantissa < UINT64_MAX / 100) { /* more digits than a double can hold */
            mantissa = mantissa * 10 + (uint64_t)(*text - '0');
            exponent -= point;
        } else {
            exponent += !point;
        }
    }
    if (digits == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        const bool small = *text == '-';
        if (*text == '-' || *text == '+')
            text++;
        const size_t length = strspn(text, "0123456789");
        uint64_t written;
        if (length == 0 || text[length])
            return false;
        if (!smoe_file_parse_integer(text, &written) || written > MAX_EXPONENT)
            written = MAX_EXPONENT;
        exponent += small ? -(int)written : (int)written;
        text += length;
    }
    const double value = mantissa ? scale_decimal((double)mantissa, exponent) : 0.0;
    if (*text || value > DBL_MAX)
        return false;
    *out = negative ? -value : value;
    return true;
}
