/* boundary-mass: P(gap <= w), linear for small w (arXiv 2605.02124). Two experts whose scores differ by <v, x> + c on
 * inputs x ~ N(0, I) have it in closed form, with gap = |a1 - a2|: P(gap <= w) = Phi((w - c) / |v|) - Phi((-w - c) /
 * |v|), with slope 2 phi(c / |v|) / |v| at 0. With a layer file: of its own router on its own inputs, in
 * boundary_mass_layer.c. */
#include "layers.h"
#include "simulation.h"

#include "analyze_boundary_mass.h"

#include <math.h>

enum { BINS = 32, DIRECTION_STREAM = 256 }; /* BINS as boundary_mass.comp */

static const program_option options[] = {
    {"--width", "D", "two experts: width of the inputs",
     PROGRAM_COUNT(analyze_options, width, 1, 1024), .fallback = "8"},
    {"--norm", "X", "two experts: |v|; its direction is random",
     PROGRAM_NUMBER(analyze_options, norm, 1e-3, 1e3), .fallback = "1"},
    {"--offset", "C", "two experts: c", PROGRAM_NUMBER(analyze_options, offset, -1e3, 1e3), .fallback = "0.5"},
    {"--gap-to", "W", "two experts: the largest gap looked at",
     PROGRAM_NUMBER(analyze_options, gap_to, 1e-6, 1e6), .fallback = "1"},
    ANALYZE_SAMPLES("two experts: inputs drawn", "1e8"),
};

static double normal_below(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double mass(double w, double norm, double offset)
{
    return normal_below((w - offset) / norm) - normal_below((-w - offset) / norm);
}

/* The density of the gap is even in w: its value at 0 is the intercept of a line in w^2, as far as w^4 can be
 * neglected. */
static void put_slope(analyze *a, const uint64_t *counts, double samples, double width, double norm, double offset)
{
    double square[BINS], density[BINS], error[BINS];
    size_t used = 0;
    analyze_fit fit;

    for (; used < BINS && (used < 4 || (double)(used + 1) * width <= 0.3 * norm); used++) {
        const double from = (double)used * width, to = from + width;
        square[used] = (from * from + from * to + to * to) / 3; /* mean over the bin */
        density[used] = (double)counts[used] / (samples * width);
        error[used] = sqrt((double)counts[used]) / (samples * width);
    }
    analyze_fit_line(square, density, error, used, &fit);
    const double z = offset / norm;
    analyze_put_comparison(a, "slope", "slope of P(gap <= w) at 0", fit.intercept, fit.intercept_error,
                           2 / norm * exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846));
}

static void put_mass(analyze *a, const uint64_t *counts, double width, double norm, double offset)
{
    double w[BINS], measured[BINS], errors[BINS], theory[BINS], sum = 0, chi_square = 0;
    const double samples = (double)a->options.samples;
    const analyze_column columns[] = {{"w", w}, {"mass", measured}, {"error", errors}, {"theory", theory}};

    for (int i = 0; i < BINS; i++) {
        sum += (double)counts[i];
        w[i] = width * (i + 1);
        measured[i] = sum / samples;
        theory[i] = mass(w[i], norm, offset);
        errors[i] = sqrt(theory[i] * (1 - theory[i]) / samples);
        const double expected = samples * (theory[i] - (i > 0 ? theory[i - 1] : 0));
        if (expected > 0)
            chi_square += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    }
    const double outside = samples * (1 - theory[BINS - 1]);
    if (outside > 1)
        chi_square += (samples - sum - outside) * (samples - sum - outside) / outside;
    analyze_put_table(a, "mass", "P(gap <= w) of two experts, and the closed form", columns,
                      sizeof columns / sizeof *columns, BINS);
    analyze_put_value(a, "chi_square", chi_square, "\nchi square against the closed form, 32 degrees of freedom");
    put_slope(a, counts, samples, width, norm, offset);
}

static int run_two_experts(analyze *a)
{
    const uint32_t width = a->options.width;
    const double norm = a->options.norm, offset = a->options.offset, gap_to = a->options.gap_to;
    const simulation_desc desc = {analyze_boundary_mass_spirv, sizeof analyze_boundary_mass_spirv, {width}, 1, BINS, 1};
    const uint32_t padded = (width + 3) / 4 * 4;
    float parameters[1024 + 2] = {0};
    uint64_t counts[BINS] = {0};
    double square = 0;
    simulation *s;

    analyze_draw_normals(a, DIRECTION_STREAM, parameters, width);
    for (uint32_t d = 0; d < width; d++)
        square += (double)parameters[d] * (double)parameters[d];
    for (uint32_t d = 0; d < width; d++)
        parameters[d] = (float)((double)parameters[d] * norm / sqrt(square));
    parameters[padded] = (float)offset;
    parameters[padded + 1] = (float)gap_to;
    int status = simulation_create(a, &desc, &s);
    if (status == PROGRAM_OK) {
        simulation_set_parameters(s, parameters, padded + 2);
        simulation_expect(a, (double)a->options.samples);
        status = simulation_run(s, 0, 0, a->options.samples, counts);
    }
    if (status == PROGRAM_OK) {
        put_mass(a, counts, gap_to / BINS, norm, offset);
        analyze_put_rate(a, "samples", (double)a->options.samples, simulation_seconds(s));
    }
    simulation_destroy(s);
    return status;
}

static int run(analyze *a)
{
    if (!a->file)
        return run_two_experts(a);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (program_given(&a->line, options[i].name))
            return analyze_refuse_option(a, options[i].name, "is for two experts; a layer file has its own");
    return layers_boundary_mass(a);
}

const analyze_command analyze_boundary_mass = {
    "boundary-mass",
    "P(gap <= w) is linear for small w: two Gaussian experts, or a layer file's router on its own inputs", run,
    PROGRAM_TABLE(options), ANALYZE_FILE_OPTIONAL,
};
