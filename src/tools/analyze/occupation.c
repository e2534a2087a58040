/* occupation: the mean time that a Brownian path spends in the eps-bands of the orders 1, 2 and 3 up to T, against eps
 * (arXiv 2606.19036: of order eps^n). */
#include "bands.h"

#include "analyze_occupation.h"

#include <math.h>

enum { BLOCKS = 32 }; /* of paths: a path's steps hang together, blocks of paths do not */

static const program_option options[] = {
    ROUTER_OPTIONS,
    BANDS_OPTIONS,
    {"--sigma", "X", "of dx = sigma dB", PROGRAM_NUMBER(analyze_options, sigma, 1e-6, 1e6), .fallback = "1"},
    {"--time", "T", "how long the paths are", PROGRAM_NUMBER(analyze_options, time, 1e-9, 1e9), .fallback = "0.25"},
    {"--steps", "N", "looks at each path, one in each part of the time",
     PROGRAM_COUNT(analyze_options, steps, 1, 16384), .fallback = "128"},
    ANALYZE_SAMPLES("paths, rounded up to a multiple of 32", "1e6"),
};

static int measure(analyze *a, simulation *s, bands *b, uint32_t steps, uint64_t paths)
{
    int status = PROGRAM_OK;
    simulation_expect(a, (double)paths * BLOCKS * steps);
    b->block_count = BLOCKS;
    for (uint32_t block = 0; status == PROGRAM_OK && block < BLOCKS; block++)
        status = simulation_run(s, 0, block * paths, paths, b->counts[block]);
    return status;
}

static int run(analyze *a)
{
    static router r;
    static bands b;
    static float parameters[SIMULATION_MAX_PARAMETERS];
    const uint32_t steps = a->options.steps;
    const double time = a->options.time;
    const uint64_t paths = (a->options.samples + BLOCKS - 1) / BLOCKS; /* of a block */
    double start[64], scores[64];
    simulation *s = NULL;

    int status = bands_begin(a, &r, &b);
    if (status != PROGRAM_OK)
        return status;
    router_start(a, &r, start);
    router_put(a, &r);
    analyze_put_array(a, "start", start, r.width);
    router_scores(&r, start, scores);
    for (uint32_t e = 0; e < r.experts; e++)
        r.weights[(size_t)e * r.stride + r.width] = (float)scores[e];
    size_t count = bands_parameters(&b, &r, parameters);
    parameters[count++] = (float)(a->options.sigma * sqrt(time / steps));
    const simulation_desc desc = {analyze_occupation_spirv, sizeof analyze_occupation_spirv,
                                  {r.width, r.experts, r.k, steps}, 4, BANDS_COUNTERS, steps};
    status = simulation_create(a, &desc, &s);
    if (status == PROGRAM_OK) {
        simulation_set_parameters(s, parameters, count);
        status = measure(a, s, &b, steps, paths);
    }
    if (status == PROGRAM_OK) {
        const double all = (double)paths * BLOCKS;
        bands_put(a, &b, &r, "time", "Mean time of a path within the eps-band of each order", time / steps / all);
        analyze_put_rate(a, "steps", all * steps, simulation_seconds(s));
    }
    simulation_destroy(s);
    return status;
}

const analyze_command analyze_occupation = {
    "occupation", "the mean time that a Brownian path spends near discontinuities of order n falls as eps^n", run,
    PROGRAM_TABLE(options), ANALYZE_NO_FILE,
};
