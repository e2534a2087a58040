#include "bands.h"

#include <math.h>
#include <string.h>

enum { CORRECTIONS = 2 }; /* to the power: what is left of the curvature at --fit-to is far below the errors */

int bands_begin(const analyze *a, router *r, bands *b)
{
    const int status = router_draw(a, BANDS_BINS + 1 + BANDS_MORE_PARAMETERS, r);
    if (status != PROGRAM_OK)
        return status;
    const double from = a->options.eps_from, to = a->options.eps_to;

    memset(b, 0, sizeof *b);
    b->fit_to = a->options.fit_to;
    b->block_count = 1;
    if (to < 2 * from)
        return analyze_refuse_option(a, "--eps-to", "must be at least twice --eps-from");
    if (b->fit_to < 2 * from || b->fit_to > to)
        return analyze_refuse_option(a, "--fit-to", "must lie between twice --eps-from and --eps-to");
    /* As the device has them, in float32. */
    for (int i = 1; i <= BANDS_BINS; i++)
        b->edges[i] = (double)(float)(from * pow(to / from, (i - 1) / (double)(BANDS_BINS - 1)));
    return PROGRAM_OK;
}

size_t bands_parameters(const bands *b, const router *r, float out[SIMULATION_MAX_PARAMETERS])
{
    memcpy(out, r->weights, r->count * sizeof *out);
    for (int i = 0; i <= BANDS_BINS; i++)
        out[r->count + (size_t)i] = (float)b->edges[i];
    return r->count + BANDS_BINS + 1;
}

/* The bins of an order, all blocks together; without: a block to leave out, or block_count. */
static void sum_blocks(const bands *b, int order, uint32_t without, double out[BANDS_BINS])
{
    for (int i = 0; i < BANDS_BINS; i++) {
        out[i] = 0;
        for (uint32_t block = 0; block < b->block_count; block++)
            if (block != without)
                out[i] += (double)b->counts[block][(order - 1) * BANDS_BINS + i];
    }
}

static void add_up(const bands *b, int order, double unit, double values[BANDS_BINS], double errors[BANDS_BINS])
{
    const uint32_t blocks = b->block_count;
    double sums[BANDS_MAX_BLOCKS] = {0}, total = 0;

    for (int i = 0; i < BANDS_BINS; i++) {
        double squares = 0;
        for (uint32_t block = 0; block < blocks; block++) {
            const double added = (double)b->counts[block][(order - 1) * BANDS_BINS + i];
            sums[block] += added;
            total += added;
        }
        for (uint32_t block = 0; block < blocks; block++)
            squares += (sums[block] - total / blocks) * (sums[block] - total / blocks);
        values[i] = total * unit;
        errors[i] = unit * (blocks > 1 ? sqrt(squares * blocks / (blocks - 1)) : sqrt(total));
    }
}

/* Delete-one-block jackknife (Efron 1982): what the blocks say about the errors, whatever hangs together within
 * them. */
static void jackknife(const bands *b, int order, size_t bins, analyze_fit *fit)
{
    double counts[BANDS_BINS], slope_squares = 0, curvature_squares = 0;
    for (uint32_t block = 0; block < b->block_count; block++) {
        analyze_fit other;
        sum_blocks(b, order, block, counts);
        if (!analyze_fit_counts(b->edges, counts, bins, CORRECTIONS, &other))
            return;
        slope_squares += (other.slope - fit->slope) * (other.slope - fit->slope);
        curvature_squares += (other.curvature - fit->curvature) * (other.curvature - fit->curvature);
    }
    const double factor = (b->block_count - 1.0) / b->block_count;
    fit->slope_error = sqrt(factor * slope_squares);
    fit->curvature_error = sqrt(factor * curvature_squares);
    fit->chi_square = NAN; /* Pearson's is for independent counts */
}

static void put_fit(analyze *a, const bands *b, const router *r, int order)
{
    double counts[BANDS_BINS];
    char name[32], about[64];
    analyze_fit fit;
    size_t bins = 0;

    /* n + 1 experts can tie only if there are that many, and n equations have a solution only in n dimensions. */
    const bool exists = (uint32_t)order < r->experts && (uint32_t)order <= r->width;
    while (bins < BANDS_BINS && b->edges[bins + 1] <= b->fit_to * (1 + 1e-6))
        bins++;
    sum_blocks(b, order, b->block_count, counts);
    if (analyze_fit_counts(b->edges, counts, bins, CORRECTIONS, &fit) && b->block_count > 1)
        jackknife(b, order, bins, &fit);
    snprintf(name, sizeof name, "order_%d", order);
    snprintf(about, sizeof about, "order %d", order);
    analyze_put_fit(a, name, about, &fit, exists ? order : (double)NAN);
    const double freedom = (double)fit.count - 2 - CORRECTIONS;
    if (fit.chi_square > freedom + 6 * sqrt(2 * freedom))
        analyze_put_note(
            a, "  the fit does not hold up to --fit-to (chi square): for this router a smaller one is needed");
}

void bands_put(analyze *a, const bands *b, const router *r, const char *what, const char *title, double unit)
{
    double values[BANDS_ORDERS][BANDS_BINS], errors[BANDS_ORDERS][BANDS_BINS];
    char names[2 * BANDS_ORDERS][32];
    analyze_column columns[1 + 2 * BANDS_ORDERS] = {{"eps", b->edges + 1}};

    for (int i = 0; i < BANDS_ORDERS; i++) {
        add_up(b, i + 1, unit, values[i], errors[i]);
        snprintf(names[2 * i], sizeof names[0], "order_%d", i + 1);
        snprintf(names[2 * i + 1], sizeof names[0], "error_%d", i + 1);
        columns[1 + 2 * i] = (analyze_column){names[2 * i], values[i]};
        columns[2 + 2 * i] = (analyze_column){names[2 * i + 1], errors[i]};
    }
    analyze_put_table(a, what, title, columns, 1 + 2 * BANDS_ORDERS, BANDS_BINS);
    analyze_put_note(a,
                     "\nThe power n of %s = A eps^n (1 + B eps + C eps^2) for eps to 0, most likely from the counts "
                     "between the eps:",
                     what);
    for (int order = 1; order <= BANDS_ORDERS; order++)
        put_fit(a, b, r, order);
}
