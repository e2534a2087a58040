/* volume: the share of inputs in the eps-bands of the orders 1, 2 and 3, against eps (arXiv 2606.19036: of order eps^n). */
#include "bands.h"

#include "analyze_volume.h"

#include <math.h>

static const analyze_option options[] = {
    ROUTER_OPTIONS,
    BANDS_OPTIONS,
    {"--radius", "R", "1", "of the ball; with --gaussian the standard deviation", ANALYZE_NUMBER, 1e-3, 1e3},
    {"--gaussian", NULL, NULL, "inputs N(0, R^2 I) in place of uniform in a ball", ANALYZE_FLAG, 0, 0},
};

static int run(analyze *a)
{
    static router r;
    static bands b;
    static float parameters[SIMULATION_MAX_PARAMETERS];
    const bool gaussian = analyze_flag(a, "--gaussian");
    simulation *s = NULL;

    int status = bands_begin(a, &r, &b);
    if (status != ANALYZE_OK)
        return status;
    size_t count = bands_parameters(&b, &r, parameters);
    parameters[count++] = (float)analyze_number(a, "--radius");
    const simulation_desc desc = {analyze_volume_spirv, sizeof analyze_volume_spirv, {r.width, r.experts, r.k, gaussian}, 4,
                                  BANDS_COUNTERS, 1};
    status = simulation_create(a, &desc, &s);
    if (status == ANALYZE_OK) {
        simulation_set_parameters(s, parameters, count);
        simulation_expect(a, (double)a->samples);
        status = simulation_run(s, 0, 0, a->samples, b.counts[0]);
    }
    if (status == ANALYZE_OK) {
        router_put(a, &r);
        bands_put(a, &b, &r, "share", "Share of the inputs within the eps-band of each order", 1 / (double)a->samples);
        analyze_put_rate(a, "samples", (double)a->samples, simulation_seconds(s));
    }
    simulation_destroy(s);
    return status;
}

const analyze_command analyze_volume = {
    "volume", "the share of inputs near discontinuities of order n falls as eps^n", run, options, sizeof options / sizeof *options,
    ANALYZE_NO_FILE, "1e8", "inputs drawn",
};
