/* Resampling of medians by blocks of samples in a row. */
#include "bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../read/results.h"
#include "program/order.h"

/* ---- the length of blocks ---------------------------------------------------------------------------------------- */

/* Sum of products of the series with itself, so many samples later, over the count. */
static double autocovariance(const double *series, size_t count, size_t lag)
{
    double sum = 0;
    for (size_t i = lag; i < count; i++)
        sum += series[i] * series[i - lag];
    return sum / (double)count;
}

/* Whether each sample lies above the median or below, less the mean of that: what a median's error depends on. */
static void take_signs(const double *samples, size_t count, double *signs)
{
    double sum = 0;
    memcpy(signs, samples, count * sizeof *signs);
    const double median = results_median(signs, count);
    for (size_t i = 0; i < count; i++)
        sum += signs[i] = (samples[i] > median) - (samples[i] < median);
    for (size_t i = 0; i < count; i++)
        signs[i] -= sum / (double)count;
}

/* The lag behind which five correlations in a row are too small to tell from none; else the last one that is not. */
static size_t last_correlated(const double *signs, size_t count, size_t most)
{
    const double none = 2 * sqrt(log10((double)count) / (double)count) * autocovariance(signs, count, 0);
    size_t small = 0, last = 0;
    for (size_t lag = 1; lag <= most && lag < count && small < 5; lag++)
        if (fabs(autocovariance(signs, count, lag)) < none) {
            small++;
        } else {
            small = 0;
            last = lag;
        }
    return last > 1 ? last : 1;
}

/* Politis and White 2004, with the correction of Patton, Politis and White 2009, for circular blocks. */
static double best_block(const double *signs, size_t count)
{
    const double n = (double)count;
    const size_t most = (size_t)ceil(sqrt(n)) + 5, found = 2 * last_correlated(signs, count, most);
    const size_t lags = found < most ? found : most;
    double spectrum = autocovariance(signs, count, 0), slope = 0;
    for (size_t lag = 1; lag <= lags && lag < count; lag++) {
        const double share = (double)lag / (double)lags, window = share <= 0.5 ? 1 : 2 * (1 - share);
        const double part = 2 * window * autocovariance(signs, count, lag);
        spectrum += part;
        slope += part * (double)lag;
    }
    return spectrum > 0 ? cbrt(1.5 * slope * slope / (spectrum * spectrum) * n) : n;
}

size_t bootstrap_block(const double *samples, size_t count)
{
    double signs[RESULTS_MAX_SAMPLES];
    const double n = (double)count, most = ceil(fmin(3 * sqrt(n), n / 3)), least = ceil(cbrt(n));
    take_signs(samples, count, signs);
    const double best = autocovariance(signs, count, 0) > 0 ? best_block(signs, count) : 1;
    return (size_t)fmax(fmin(ceil(best), most), least);
}

/* ---- resamples --------------------------------------------------------------------------------------------------- */

/* splitmix64, by Sebastiano Vigna. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The samples, rising, and the place of each among them: a resample is how often each place was drawn. */
typedef struct ranking {
    double rising[RESULTS_MAX_SAMPLES];
    size_t rank[RESULTS_MAX_SAMPLES], count;
} ranking;

static void rank_samples(const double *samples, size_t count, ranking *out)
{
    out->count = count;
    memcpy(out->rising, samples, count * sizeof *samples);
    results_median(out->rising, count); /* sorts them */
    for (size_t i = 0; i < count; i++) {
        size_t low = 0;
        for (size_t high = count - 1; low < high;) {
            const size_t middle = (low + high) / 2;
            if (out->rising[middle] < samples[i])
                low = middle + 1;
            else
                high = middle;
        }
        out->rank[i] = low;
    }
}

/* The index-th of the rising samples of a resample. */
static double drawn_at(const ranking *r, const size_t *drawn, size_t index)
{
    size_t place = 0;
    for (size_t before = drawn[0]; before <= index; before += drawn[place])
        place++;
    return r->rising[place];
}

static double resampled_median(const ranking *r, size_t block, uint64_t *state)
{
    size_t drawn[RESULTS_MAX_SAMPLES] = {0};
    for (size_t i = 0; i < r->count;) {
        const size_t begin = (size_t)(draw(state) % r->count);
        for (size_t k = 0; k < block && i < r->count; k++, i++)
            drawn[r->rank[(begin + k) % r->count]]++;
    }
    return (drawn_at(r, drawn, (r->count - 1) / 2) + drawn_at(r, drawn, r->count / 2)) / 2;
}

bool bootstrap_resample(const double *samples, size_t count, uint64_t seed, bootstrap_series *out)
{
    ranking r;
    bool good = count > 0 && count <= RESULTS_MAX_SAMPLES;
    for (size_t i = 0; good && i < count; i++)
        good = samples[i] > 0;
    if (!good)
        return false;
    rank_samples(samples, count, &r);
    out->median = (r.rising[(count - 1) / 2] + r.rising[count / 2]) / 2;
    out->count = count;
    out->block = bootstrap_block(samples, count);
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        out->logs[i] = log(resampled_median(&r, out->block, &seed));
    return true;
}

/* ---- intervals --------------------------------------------------------------------------------------------------- */

/* Student's t over the normal distribution's, at 97.5 %: the first terms of the expansion (Abramowitz and Stegun
 * 26.7.5) in one over the degrees of freedom. Few blocks tell little of how much blocks differ. */
static double widening(const bootstrap_series *series)
{
    const double blocks = (double)series->count / (double)series->block, freedom = fmax(blocks - 1, 1);
    return 1 + (1.21 + (1.44 + 1.3 / freedom) / freedom) / freedom;
}

void bootstrap_ratios(const bootstrap_series *first, const bootstrap_series *other, double logs[BOOTSTRAP_RESAMPLES])
{
    const double ratio = log(other->median) - log(first->median), factor = fmax(widening(first), widening(other));
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        logs[i] = ratio + factor * (other->logs[i] - first->logs[i] - ratio);
}

bootstrap_interval bootstrap_enclose(double value, double values[BOOTSTRAP_RESAMPLES])
{
    enum { OUTSIDE = BOOTSTRAP_RESAMPLES / 40 };
    program_sort_numbers(values, BOOTSTRAP_RESAMPLES);
    return (bootstrap_interval){fmin(value, values[OUTSIDE - 1]), fmax(value, values[BOOTSTRAP_RESAMPLES - OUTSIDE])};
}
