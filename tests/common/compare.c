#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PRINTED 4

static int is_close(double got, double want, double tolerance)
{
    if (isnan(want))
        return isnan(got);
    if (isinf(want))
        return got == want;
    return fabs(got - want) <= tolerance;
}

static size_t compare(const char *what, size_t count, const float *got, const double *want, const double *tolerances,
                      size_t step)
{
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        const double tolerance = tolerances[i * step];
        if (is_close((double)got[i], want[i], tolerance))
            continue;
        if (wrong++ < PRINTED)
            fprintf(stderr, "    %s[%zu]: got %.9g, want %.9g, off by %.3g, allowed %.3g\n", what, i, (double)got[i],
                    want[i], fabs((double)got[i] - want[i]), tolerance);
    }
    if (wrong > PRINTED)
        fprintf(stderr, "    %s: %zu of %zu wrong\n", what, wrong, count);
    return wrong;
}

size_t test_compare(const char *what, size_t count, const float *got, const double *want, double tolerance)
{
    return compare(what, count, got, want, &tolerance, 0);
}

size_t test_compare_each(const char *what, size_t count, const float *got, const double *want, const double *tolerances)
{
    return compare(what, count, got, want, tolerances, 1);
}

size_t test_compare_bits(const char *what, size_t word_count, const void *got, const void *want)
{
    size_t wrong = 0;

    for (size_t i = 0; i < word_count; i++) {
        uint32_t g, w;
        memcpy(&g, (const char *)got + i * sizeof g, sizeof g);
        memcpy(&w, (const char *)want + i * sizeof w, sizeof w);
        if (g != w && wrong++ < PRINTED)
            fprintf(stderr, "    %s[%zu]: got bits %08x, want %08x\n", what, i, g, w);
    }
    if (wrong > PRINTED)
        fprintf(stderr, "    %s: %zu of %zu wrong\n", what, wrong, word_count);
    return wrong;
}

double test_max_abs(size_t count, const double *values)
{
    double largest = 0;

    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            largest = fmax(largest, fabs(values[i]));
    return largest;
}
