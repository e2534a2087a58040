/* Intervals of ratios of medians: on series that are drawn here, whose true ratio is known, they enclose it as often as
 * they say, nearly. */
#include "common/cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bench/compare/bootstrap.h"
#include "../../bench/read/results.h"
#include "common/fixture.h"

static double uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    const double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(6.283185307179586 * uniform(state));
}

/* Times of 1 with noise of 5 %, of which each keeps so much of the one before. */
static void make_times(uint64_t *state, double kept, size_t count, double *times)
{
    double noise = normal(state);
    for (size_t i = 0; i < count; i++) {
        noise = kept * noise + sqrt(1 - kept * kept) * normal(state);
        times[i] = exp(0.05 * noise);
    }
}

static bootstrap_interval interval_of(const bootstrap_series *first, const bootstrap_series *other)
{
    double logs[BOOTSTRAP_RESAMPLES];
    bootstrap_ratios(first, other, logs);
    return bootstrap_enclose(log(other->median / first->median), logs);
}

/* The share of so many intervals that enclose the true ratio, 1. */
static double coverage(double kept, size_t count, int trials)
{
    static bootstrap_series series[2];
    double times[RESULTS_MAX_SAMPLES];
    uint64_t state = 1;
    int enclosed = 0;
    for (int trial = 0; trial < trials; trial++) {
        for (int i = 0; i < 2; i++) {
            make_times(&state, kept, count, times);
            assert_true(bootstrap_resample(times, count, (uint64_t)(2 * trial + i), &series[i]));
        }
        const bootstrap_interval interval = interval_of(&series[0], &series[1]);
        assert_true(interval.low <= interval.high);
        enclosed += interval.low <= 0 && interval.high >= 0;
    }
    return (double)enclosed / trials;
}

static void test_coverage(void **state)
{
    /* kept, samples, least and most of 100: 95 % and three standard deviations, and what correlation costs */
    static const struct {
        double kept;
        size_t count;
        double least, most;
    } rows[] = {{0, 6, 0.93, 1},    {0, 20, 0.93, 1},    {0, 256, 0.88, 0.99}, {0.6, 6, 0.85, 1},
                {0.6, 20, 0.82, 1}, {0.6, 256, 0.86, 1}, {0.9, 256, 0.8, 0.99}};
    const int trials = test_everything() ? 1000 : 100; /* the figures of bench/README.md are of 1000 */
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double found = coverage(rows[i].kept, rows[i].count, trials);
        print_message("%.1f kept, %zu samples: %.1f %%\n", rows[i].kept, rows[i].count, 100 * found);
        assert_true(found >= rows[i].least && found <= rows[i].most);
    }
}

static void test_blocks(void **state)
{
    double times[RESULTS_MAX_SAMPLES];
    uint64_t seed = 3;
    (void)state;
    for (size_t i = 0; i < RESULTS_MAX_SAMPLES; i++)
        times[i] = 7;
    assert_int_equal(bootstrap_block(times, 1), 1);
    assert_int_equal(bootstrap_block(times, 6), 2);
    assert_int_equal(bootstrap_block(times, 256), 7); /* the cube root, where nothing depends on anything */
    make_times(&seed, 0, 256, times);
    assert_in_range(bootstrap_block(times, 256), 7, 8);
    make_times(&seed, 0.9, 256, times);
    assert_in_range(bootstrap_block(times, 256), 10, 48);
    for (size_t i = 0; i < 256; i++)
        times[i] = 1 + (double)i; /* it drifts: every sample tells of the next */
    assert_in_range(bootstrap_block(times, 256), 20, 48);
}

static void test_seeds(void **state)
{
    static bootstrap_series a, b;
    double times[50];
    uint64_t seed = 5;
    (void)state;
    make_times(&seed, 0, 50, times);
    assert_true(bootstrap_resample(times, 50, 1, &a) && bootstrap_resample(times, 50, 1, &b));
    assert_memory_equal(a.logs, b.logs, sizeof a.logs);
    assert_true(bootstrap_resample(times, 50, 2, &b) && memcmp(a.logs, b.logs, sizeof a.logs) != 0);
    const bootstrap_interval interval = interval_of(&a, &b);
    assert_true(interval.low < 0 && interval.high > 0); /* equal, and yet not known without error */
}

static void test_intervals(void **state)
{
    double values[BOOTSTRAP_RESAMPLES];
    (void)state;
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        values[(i * 7) % BOOTSTRAP_RESAMPLES] = (double)i;
    const bootstrap_interval inside = bootstrap_enclose(1000, values), outside = bootstrap_enclose(5000, values);
    assert_true(inside.low == 49 && inside.high == 1950);
    assert_true(outside.low == 49 && outside.high == 5000);
}

/* Few blocks tell little of how much blocks differ: the interval is wider than resampling alone makes it. */
static void test_few(void **state)
{
    static bootstrap_series few;
    static const double times[] = {1, 2, 1, 2, 1, 2};
    double logs[BOOTSTRAP_RESAMPLES];
    (void)state;
    assert_true(bootstrap_resample(times, 6, 1, &few));
    assert_true(few.median == 1.5 && few.count == 6);
    bootstrap_series other = few;
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++)
        other.logs[i] = log(1.5) + (i % 2 ? 0.1 : -0.1);
    memset(few.logs, 0, sizeof few.logs);
    bootstrap_ratios(&few, &other, logs);
    const double factor = (logs[1] - logs[0]) / 0.2; /* 3 blocks: Student's t of two degrees of freedom over 1.96 */
    assert_true(few.block == 2 && fabs(factor - 4.3027 / 1.96) < 0.15);
}

static void test_refused(void **state)
{
    static bootstrap_series series;
    double times[RESULTS_MAX_SAMPLES + 1];
    (void)state;
    for (size_t i = 0; i <= RESULTS_MAX_SAMPLES; i++)
        times[i] = 1;
    assert_false(bootstrap_resample(times, 0, 1, &series));
    assert_false(bootstrap_resample(times, RESULTS_MAX_SAMPLES + 1, 1, &series));
    assert_true(bootstrap_resample(times, RESULTS_MAX_SAMPLES, 1, &series) && series.logs[0] == 0);
    assert_true(bootstrap_resample(times, 1, 1, &series) && series.median == 1);
    times[1] = 0;
    assert_false(bootstrap_resample(times, 2, 1, &series));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage),  cmocka_unit_test(test_blocks), cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_intervals), cmocka_unit_test(test_few),    cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("bootstrap", tests, NULL, NULL);
}
