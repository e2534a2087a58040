#include "option_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

bool program_parse_count(const char *text, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    uint64_t value = strtoull(text, &end, 10); /* the largest there is, where more is written */
    unsigned long tens = 0;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1;
        const size_t size = strspn(exponent, "0123456789");
        if (size < 1 || size > 2)
            return false;
        tens = strtoul(exponent, &end, 10);
    }
    for (; tens > 0 && value > 0 && value <= PROGRAM_LARGEST; tens--)
        value *= 10;
    *out = value;
    return !*end && value <= PROGRAM_LARGEST;
}

bool program_parse_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return *text && strspn(text, "0123456789+-.eE") == strlen(text) && !*end && isfinite(*out);
}
