/* How sure a ratio of medians is, by resampling: bench/README.md, "Compare", has the method and its sources. */
#ifndef BENCH_COMPARE_BOOTSTRAP_H
#define BENCH_COMPARE_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BOOTSTRAP_RESAMPLES = 2000,
    BOOTSTRAP_LEAST = 6, /* samples: of fewer, the least and the largest enclose the median with less than 95 % */
    BOOTSTRAP_LEAST_IN_MEAN = 3
};

/* Samples in time order, resampled. */
typedef struct bootstrap_series {
    double median;
    size_t count, block;              /* samples, and how many of them in a row are drawn together */
    double logs[BOOTSTRAP_RESAMPLES]; /* of the medians of the resamples */
} bootstrap_series;

/* False where a sample is not above 0, or there are none or more than RESULTS_MAX_SAMPLES of them. The same seed gives
 * the same resamples: two series that are compared need two. */
bool bootstrap_resample(const double *samples, size_t count, uint64_t seed, bootstrap_series *out);

/* How many samples in a row depend on one another so much that they are drawn together. */
size_t bootstrap_block(const double *samples, size_t count);

/* Logarithms of ratios of the two series' medians, other over first, wider where there are few blocks. */
void bootstrap_ratios(const bootstrap_series *first, const bootstrap_series *other, double logs[BOOTSTRAP_RESAMPLES]);

/* The interval of 95 % around the value whose resampled values these are, which it sorts. */
typedef struct bootstrap_interval {
    double low, high;
} bootstrap_interval;
bootstrap_interval bootstrap_enclose(double value, double values[BOOTSTRAP_RESAMPLES]);

#endif
