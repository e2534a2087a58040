/* boundary-mass of a layer file: P(gap <= w) of its own router on its own inputs (arXiv 2605.02124: linear for small
 * w). */
#include "layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_floats(const void *p, const void *q)
{
    const float left = *(const float *)p, right = *(const float *)q;
    return (left > right) - (left < right);
}

void layers_sort(float *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_floats);
}

uint32_t layers_count_below(const float *sorted, uint32_t count, double w)
{
    uint32_t from = 0, to = count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        if ((double)sorted[middle] <= w)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The largest distance between the distribution of the first n gaps and the uniform one on (0, to]. */
static double uniform_distance(const float *sorted, uint32_t n, double to)
{
    double largest = 0;
    for (uint32_t i = 0; i < n; i++) {
        const double line = sorted[i] / to;
        largest = fmax(largest, fmax(line - (double)i / n, (double)(i + 1) / n - line));
    }
    return largest;
}

bool layers_fit_mass(const float *sorted, uint32_t count, layers_mass *mass)
{
    enum { LEAST = 20 };
    for (double share = 0.5;; share *= 0.8408964152537145) { /* 2^(-1/4) */
        const uint32_t at = (uint32_t)ceil(share * count);
        if (at < LEAST || at > count)
            return false;
        const double to = sorted[at - 1];
        if (!(to > 0 && isfinite(to)))
            continue;
        const uint32_t n = layers_count_below(sorted, count, to);
        if (sqrt((double)n) * uniform_distance(sorted, n, to) >= 1.2238)
            continue;
        double logarithms = 0;
        for (uint32_t i = 0; i < n; i++)
            logarithms += log(to / fmax(sorted[i], 1e-30)); /* an exact tie: as far as float32 can tell */
        const double p = (double)n / count;
        *mass = (layers_mass){.to = to,
                              .below = n,
                              .slope = p / to,
                              .slope_error = sqrt(p * (1 - p) / count) / to,
                              .power = n / logarithms,
                              .power_error = sqrt((double)n) / logarithms};
        return true;
    }
}

void layers_put_mass(analyze *a, const layers_mass *mass, uint32_t count)
{
    analyze_put_note(
        a,
        "P(gap <= w) = slope w is fitted up to w* = %.6g, %u of %u gaps: the largest range where they pass for uniform",
        mass->to, mass->below, count);
    analyze_put_value(a, "mass_to", mass->to, NULL);
    analyze_put_value(a, "mass_slope", mass->slope, "slope of P(gap <= w)");
    analyze_put_value(a, "mass_slope_error", mass->slope_error, "  standard error");
}

enum { ROWS = 25 };

/* The device's own count of the same gaps, in bins, must be the host's: returns the tokens that the two place
 * differently. */
static double compare_totals(const smoe_totals *totals, const float *sorted, uint32_t count)
{
    double off = 0;
    uint64_t below = 0;
    for (uint32_t bin = 0; bin + 1 < SMOE_TOTALS_GAP_COUNT; bin++) {
        const float edge = smoe_totals_gap_edge(bin + 1);
        below += totals->gap[bin];
        off = fmax(off, fabs((double)below - layers_count_below(sorted, count, nextafter((double)edge, 0))));
    }
    return off;
}

static void put_curve(analyze *a, const smoe_totals *totals, const float *sorted, uint32_t count,
                      const layers_mass *mass)
{
    double width[ROWS], measured[ROWS], error[ROWS], line[ROWS];
    uint64_t below = 0;
    size_t rows = 0;
    /* The device's bins, from the first that holds a gap on, every second edge. */
    for (uint32_t bin = 0; bin + 1 < SMOE_TOTALS_GAP_COUNT && rows < ROWS; bin++) {
        below += totals->gap[bin];
        if (!below || bin % 2 || smoe_totals_gap_edge(bin + 1) < mass->to / 1024)
            continue;
        const double p = (double)below / count;
        width[rows] = smoe_totals_gap_edge(bin + 1);
        measured[rows] = p;
        error[rows] = sqrt(p * (1 - p) / count);
        line[rows] = mass->slope * width[rows];
        rows++;
    }
    const analyze_column columns[] = {{"w", width}, {"mass", measured}, {"error", error}, {"line", line}};
    analyze_put_table(a, "layer_mass", "P(gap <= w), counted on the device, and the line slope w", columns,
                      sizeof columns / sizeof *columns, rows);

    /* For the picture: the distribution at up to 400 of the gaps. */
    double *gaps = layers_allocate(400, sizeof *gaps), *shares = layers_allocate(400, sizeof *shares);
    if (gaps && shares) {
        size_t points = 0;
        for (uint32_t i = 0; i < 400; i++) {
            const uint32_t at = (uint32_t)((uint64_t)i * count / 400);
            if (i > 0 && at == (uint32_t)((uint64_t)(i - 1) * count / 400))
                continue;
            gaps[points] = sorted[at];
            shares[points++] = (at + 1.0) / count;
        }
        analyze_put_array(a, "gap", gaps, points);
        analyze_put_array(a, "share", shares, points);
    }
    free(gaps);
    free(shares);
}

static int measure(analyze *a, const layers_source *source, smoe_device_layer *layer, uint32_t *report, float *gaps)
{
    smoe_forward_params params = source->params;
    params.token_count = source->token_count;
    params.eps = 0;
    smoe_totals totals;
    smoe_result result = smoe_device_layer_reset_totals(layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(layer, &params, source->x, NULL, report, NULL);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_totals(layer, &totals, NULL);
    if (result != SMOE_SUCCESS)
        return analyze_fail_result(a, result);
    uint32_t count = 0;
    for (uint32_t t = 0; t < source->token_count; t++) {
        float gap;
        memcpy(&gap, &report[(size_t)t * SMOE_REPORT_STRIDE(source->plan.max_active) + SMOE_REPORT_GAP], sizeof gap);
        if (!isnan(gap))
            gaps[count++] = gap;
    }
    layers_sort(gaps, count);
    analyze_put_value(a, "finite", count, "inputs with finite logits");
    const double off = compare_totals(&totals, gaps, count);
    analyze_put_value(a, "totals_off", off,
                      "tokens that the device's histogram and the report's gaps place differently");
    layers_mass mass;
    if (!layers_fit_mass(gaps, count, &mass)) {
        analyze_put_note(a, "too few gaps that are neither 0 nor infinite for a line");
        mass = (layers_mass){.to = count ? fmin(gaps[count - 1], 256) : 1, .slope = NAN};
        put_curve(a, &totals, gaps, count ? count : 1, &mass);
        return off == 0 ? PROGRAM_OK : analyze_fail("the device's totals are not the report's");
    }
    put_curve(a, &totals, gaps, count, &mass);
    layers_put_mass(a, &mass, count);
    analyze_put_comparison(a, "layer_power", "power of w in P(gap <= w), most likely one up to w*", mass.power,
                           mass.power_error, 1);
    return off == 0 ? PROGRAM_OK : analyze_fail("the device's totals are not the report's");
}

int layers_boundary_mass(analyze *a)
{
    layers_source source;
    int status = layers_open(a, 65536, &source);
    if (status == PROGRAM_OK && source.plan.top_k == source.plan.expert_count)
        status = analyze_refuse(a->file, "all experts are chosen: there is no boundary");
    smoe_device_layer *layer = NULL;
    uint32_t *report = NULL;
    float *gaps = NULL;
    if (status == PROGRAM_OK) {
        layers_put(a, &source);
        source.plan.max_active = source.plan.top_k; /* only routing: the less a record holds the better */
        source.params.max_active = 0;
        const smoe_result result = smoe_device_layer_create(a->device, &source.plan, &source.weights, &layer);
        if (result != SMOE_SUCCESS)
            status = analyze_fail_result(a, result);
    }
    if (status == PROGRAM_OK) {
        report =
            layers_allocate((size_t)source.token_count * SMOE_REPORT_STRIDE(source.plan.max_active), sizeof *report);
        gaps = layers_allocate(source.token_count, sizeof *gaps);
        status = report && gaps ? measure(a, &source, layer, report, gaps) : PROGRAM_FAILED;
    }
    free(gaps);
    free(report);
    smoe_device_layer_destroy(layer);
    layers_close(&source);
    return status;
}
