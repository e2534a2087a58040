/* volume: the share of inputs in the eps-bands of the orders 1, 2 and 3, against eps (arXiv 2606.19036: of order
 * eps^n). */
#include "bands.h"

#include "analyze_volume.h"

#include <math.h>

static const program_option options[] = {
    ROUTER_OPTIONS,
    BANDS_OPTIONS,
    {"--radius", "R", "of the ball; with --gaussian the standard deviation",
     PROGRAM_NUMBER(analyze_options, radius, 1e-3, 1e3), .fallback = "1"},
    {"--gaussian", NULL, "inputs N(0, R^2 I) in place of uniform in a ball", PROGRAM_FLAG(analyze_options, gaussian)},
    ANALYZE_SAMPLES("inputs drawn", "1e8"),
};

static int run(analyze *a)
{
    static router r;
    static bands b;
    static float parameters[SIMULATION_MAX_PARAMETERS];
    const bool gaussian = a->options.gaussian;
    simulation *s = NULL;

    int status = bands_begin(a, &r, &b);
    if (status != PROGRAM_OK)
        return status;
    size_t count = bands_parameters(&b, &r, parameters);
    parameters[count++] = (float)a->options.radius;
    const simulation_desc desc = {
        analyze_volume_spirv, sizeof analyze_volume_spirv, {r.width, r.experts, r.k, gaussian}, 4, BANDS_COUNTERS, 1};
    status = simulation_create(a, &desc, &s);
    if (status == PROGRAM_OK) {
        simulation_set_parameters(s, parameters, count);
        simulation_expect(a, (double)a->options.samples);
        status = simulation_run(s, 0, 0, a->options.samples, b.counts[0]);
    }
    if (status == PROGRAM_OK) {
        router_put(a, &r);
        bands_put(a, &b, &r, "share", "Share of the inputs within the eps-band of each order",
                  1 / (double)a->options.samples);
        analyze_put_rate(a, "samples", (double)a->options.samples, simulation_seconds(s));
    }
    simulation_destroy(s);
    return status;
}

const analyze_command analyze_volume = {
    "volume", "the share of inputs near discontinuities of order n falls as eps^n", run,
    PROGRAM_TABLE(options), ANALYZE_NO_FILE,
};
