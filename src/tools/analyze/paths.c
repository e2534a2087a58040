/* paths: Brownian paths dx = sigma dB from inside a cell (arXiv 2606.19036): the order of the first switch against the
 * step, and the probability that a face was hit by t between its two bounds: erfc(d / (sigma sqrt(2 t)))  <=  P(hit by
 * t)  <=  sum over faces f of erfc(d_f / (sigma sqrt(2 t))), d_f the distance to face f, d the smallest: reflection at
 * one plane, and the union bound. With one face both are the exact law. */
#include "router.h"

#include "analyze_paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TIMES = 32, ORDERS = 4, COUNTERS = TIMES + ORDERS + 1, MAX_LEVELS = 5, LEAST_STEPS = 64 }; /* as paths.comp */

static const program_option options[] = {
    ROUTER_OPTIONS,
    {"--sigma", "X", "of dx = sigma dB", PROGRAM_NUMBER(analyze_options, sigma, 1e-6, 1e6), .fallback = "1"},
    {"--horizon", "X", "the time looked at, in units of (d / sigma)^2",
     PROGRAM_NUMBER(analyze_options, horizon, 1e-3, 1e3), .fallback = "4"},
    {"--steps", "N", "of a path at the finest step: 64, 256, 1024, 4096 or 16384; each fourth of it is run too",
     PROGRAM_COUNT(analyze_options, steps, 64, 16384), .fallback = "4096"},
    ANALYZE_SAMPLES("paths at each step", "5e4"),
};

typedef struct paths {
    router r;
    double start[64], nearest, sigma, horizon; /* horizon: the time T */
    double distances[SIMULATION_MAX_PARAMETERS]; /* of the faces, i < k <= j */
    size_t face_count;
    uint32_t level_count, steps[MAX_LEVELS];
    uint64_t counts[MAX_LEVELS][COUNTERS];
    double walked, seconds;
} paths;

static int begin(analyze *a, paths *p)
{
    uint32_t steps = a->options.steps;
    const size_t k = a->options.k, experts = a->options.experts;
    const int status = router_draw(a, k < experts ? experts + k * (experts - k) : 0, &p->r);

    if (status != PROGRAM_OK)
        return status;
    if ((steps & (steps - 1)) != 0 || (steps & 0x5540) == 0)
        return analyze_refuse_option(a, "--steps", "must be 64, 256, 1024, 4096 or 16384");
    for (; steps >= LEAST_STEPS; steps /= 4)
        p->steps[p->level_count++] = steps; /* turned below: coarse first */
    for (uint32_t i = 0; i < p->level_count / 2; i++) {
        const uint32_t kept = p->steps[i];
        p->steps[i] = p->steps[p->level_count - 1 - i];
        p->steps[p->level_count - 1 - i] = kept;
    }
    p->sigma = a->options.sigma;
    p->nearest = router_start(a, &p->r, p->start);
    p->horizon = a->options.horizon * (p->nearest / p->sigma) * (p->nearest / p->sigma);
    router_put(a, &p->r);
    analyze_put_array(a, "start", p->start, p->r.width);
    router_sort(&p->r, p->start);
    double scores[64];
    router_scores(&p->r, p->start, scores);
    for (uint32_t i = 0; i < p->r.k; i++)
        for (uint32_t j = p->r.k; j < p->r.experts; j++)
            p->distances[p->face_count++] = (scores[i] - scores[j]) / router_normal(&p->r, i, j);
    return PROGRAM_OK;
}

/* What paths.comp reads: see there. */
static size_t fill_parameters(const paths *p, uint32_t steps, float *out)
{
    const double spread = p->sigma * sqrt(p->horizon / steps);
    double scores[64];
    size_t count = p->r.count;

    router_scores(&p->r, p->start, scores);
    for (uint32_t e = 0; e < p->r.experts; e++) {
        for (uint32_t d = 0; d < p->r.stride; d++)
            out[e * p->r.stride + d] = d < p->r.width ? (float)((double)p->r.weights[e * p->r.stride + d] * spread) : 0;
        out[count++] = (float)scores[e];
    }
    for (uint32_t i = 0; i < p->r.k; i++)
        for (uint32_t j = p->r.k; j < p->r.experts; j++)
            out[count++] = (float)(1 / (router_normal(&p->r, i, j) * spread));
    return count;
}

static int walk(analyze *a, paths *p, uint32_t level)
{
    static float parameters[SIMULATION_MAX_PARAMETERS];
    const uint32_t steps = p->steps[level];
    const simulation_desc desc = {
        analyze_paths_spirv, sizeof analyze_paths_spirv, {p->r.width, p->r.experts, p->r.k, steps}, 4, COUNTERS, steps};
    simulation *s;

    int status = simulation_create(a, &desc, &s);
    if (status == PROGRAM_OK) {
        simulation_set_parameters(s, parameters, fill_parameters(p, steps, parameters));
        status = simulation_run(s, level, 0, a->options.samples, p->counts[level]);
        p->seconds += simulation_seconds(s);
        p->walked += (double)p->counts[level][TIMES + ORDERS];
    }
    simulation_destroy(s);
    return status;
}

static void put_orders(analyze *a, const paths *p)
{
    double steps[MAX_LEVELS], h[MAX_LEVELS], switched[MAX_LEVELS], orders[ORDERS][MAX_LEVELS], share[MAX_LEVELS],
        error[MAX_LEVELS];
    const analyze_column columns[] = {{"steps", steps},          {"step", h},
                                      {"switched", switched},    {"order_1", orders[0]},
                                      {"order_2", orders[1]},    {"order_3", orders[2]},
                                      {"order_4_up", orders[3]}, {"share_2_up", share},
                                      {"error", error}};
    analyze_fit fit;

    for (uint32_t level = 0; level < p->level_count; level++) {
        const uint64_t *counts = p->counts[level] + TIMES;
        double total = 0;
        for (int i = 0; i < ORDERS; i++)
            total += orders[i][level] = (double)counts[i];
        steps[level] = p->steps[level];
        h[level] = p->horizon / p->steps[level];
        switched[level] = total / (double)a->options.samples;
        share[level] = 1 - orders[0][level] / total;
        error[level] = sqrt(share[level] * (1 - share[level]) / total);
    }
    analyze_put_table(
        a, "orders",
        "First switches by their order at several steps; switched: share of the paths; share_2_up: of the switches",
        columns, sizeof columns / sizeof *columns, p->level_count);
    analyze_fit_power(h, share, error, p->level_count, &fit);
    if (p->face_count > 1)
        analyze_put_fit(a, "order_2_up", "share of order 2 and above as a power of the step (theory: to 0, so above 0)",
                        &fit, (double)NAN);
}

static double hit_by(double distance, const paths *p, double time)
{
    return erfc(distance / (p->sigma * sqrt(2 * time)));
}

static void put_hits(analyze *a, const paths *p)
{
    double time[TIMES], unit[TIMES], lower[TIMES], upper[TIMES], measured[MAX_LEVELS][TIMES], error[TIMES];
    const uint32_t finest = p->level_count - 1;
    const double samples = (double)a->options.samples;
    analyze_column columns[6 + MAX_LEVELS] = {{"t", time},        {"t_unit", unit},  {"lower", lower},
                                              {"hit", measured[finest]}, {"error", error}, {"upper", upper}};
    char names[MAX_LEVELS][32];
    double below = -INFINITY, above = -INFINITY;

    for (int i = 0; i < TIMES; i++) {
        time[i] = p->horizon * (i + 1) / TIMES;
        unit[i] = time[i] * (p->sigma / p->nearest) * (p->sigma / p->nearest);
        lower[i] = hit_by(p->nearest, p, time[i]);
        upper[i] = 0;
        for (size_t f = 0; f < p->face_count; f++)
            upper[i] += hit_by(p->distances[f], p, time[i]);
        for (uint32_t level = 0; level < p->level_count; level++)
            measured[level][i] = (double)p->counts[level][i] / samples + (i > 0 ? measured[level][i - 1] : 0);
        error[i] = sqrt(fmax(measured[finest][i] * (1 - measured[finest][i]), 0) / samples);
        /* Against the bound's own error: measured may be 0 early on. */
        for (uint32_t level = 0; level < p->level_count; level++) {
            below = fmax(below, (lower[i] - measured[level][i]) /
                                    sqrt(lower[i] * (1 - lower[i]) / samples + 1 / (samples * samples)));
            above = fmax(above,
                         (measured[level][i] - upper[i]) / sqrt(fmin(upper[i], 1) / samples + 1 / (samples * samples)));
        }
    }
    uint32_t count = 6;
    for (uint32_t level = 0; level < finest; level++, count++) {
        snprintf(names[level], sizeof names[level], "hit_%u_steps", p->steps[level]);
        columns[count] = (analyze_column){names[level], measured[level]};
    }
    analyze_put_table(a, "hits",
                      "Share of the paths that hit a face by t, between its bounds; t_unit = t (sigma / d)^2", columns,
                      count, TIMES);
    analyze_put_value(a, "below_lower", below,
                      "\nlargest shortfall below the lower bound, at any time and step, in standard errors");
    analyze_put_value(a, "above_upper", above, "largest excess over the upper bound, likewise");
}

static int measure(analyze *a, paths *p)
{
    double work = 0;
    int status = begin(a, p);

    for (uint32_t level = 0; level < p->level_count; level++)
        work += (double)p->steps[level] * (double)a->options.samples;
    simulation_expect(a, work);
    for (uint32_t level = 0; status == PROGRAM_OK && level < p->level_count; level++)
        status = walk(a, p, level);
    if (status != PROGRAM_OK)
        return status;
    analyze_put_value(a, "nearest", p->nearest, "distance d to the nearest face");
    analyze_put_value(a, "faces", (double)p->face_count, "faces");
    analyze_put_array(a, "distances", p->distances, p->face_count);
    put_hits(a, p);
    put_orders(a, p);
    analyze_put_rate(a, "steps", p->walked, p->seconds);
    return PROGRAM_OK;
}

static int run(analyze *a)
{
    paths *p = calloc(1, sizeof *p);
    const int status = p ? measure(a, p) : analyze_fail("no host memory");
    free(p);
    return status;
}

const analyze_command analyze_paths = {
    "paths", "the first switch of a Brownian path is of order 1; when it happens lies between two bounds", run,
    PROGRAM_TABLE(options), ANALYZE_NO_FILE,
};
