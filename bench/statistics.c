/* Times summed up. */
#include "bench.h"

#include <math.h>

#include "program/order.h"

#define FEWEST_FOR_ERROR 16
#define FEWEST_FOR_DRIFT 4 /* in a tenth of the samples */

bench_spread bench_spread_of(double *values, uint32_t count)
{
    const double places[] = {0, 0.1, 0.5, 0.9, 1};
    double found[5];
    program_sort_numbers(values, count);
    for (int i = 0; i < 5; i++) {
        const double place = places[i] * (count - 1);
        const uint32_t low = (uint32_t)place;
        const uint32_t high = low + 1 < count ? low + 1 : low;
        found[i] = values[low] + (place - low) * (values[high] - values[low]);
    }
    return (bench_spread){found[0], found[1], found[2], found[3], found[4]};
}

double bench_drift(double *values, uint32_t count)
{
    const uint32_t first = count / 10;
    if (first < FEWEST_FOR_DRIFT)
        return 0;
    const double begin = bench_spread_of(values, first).median;
    return begin > 0 ? bench_spread_of(values + first, count - first).median / begin : 0;
}

double bench_median_error(double *values, uint32_t count)
{
    if (count < FEWEST_FOR_ERROR)
        return NAN;
    const double median = bench_spread_of(values, count).median, half = sqrt(count) / 2, middle = (count - 1) / 2.0;
    const double low = floor(middle - half), high = ceil(middle + half);
    return median > 0 ? (values[(uint32_t)high] - values[(uint32_t)low]) / 2 / median : NAN;
}
