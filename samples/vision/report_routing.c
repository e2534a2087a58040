/* What one block with experts did with one picture's patches: maps over the picture, and the numbers of each patch. */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_RANKS 3u        /* maps of experts: the best, the second, the third */
#define NOTHING UINT32_MAX    /* a cell without colour */

static const uint32_t *record_of(const routing *r, uint32_t token)
{
    return r->records + (size_t)token * r->stride;
}

static float number(const uint32_t *word)
{
    float value;
    memcpy(&value, word, sizeof value);
    return value;
}

static uint32_t patch_count(const routing *r)
{
    return r->grid * r->grid;
}

/* The experts that ran beyond the k best. */
static uint32_t extra(const routing *r, uint32_t token)
{
    const uint32_t active = record_of(r, token)[SMOE_REPORT_ACTIVE];
    return active > r->k ? active - r->k : 0;
}

static bool is_finite(const routing *r, uint32_t token)
{
    return !(record_of(r, token)[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_NONFINITE);
}

/* ---- a token in words -------------------------------------------------------------------------------------------- */

static void write_token(const routing *r, uint32_t token, const char *separator)
{
    const uint32_t *record = record_of(r, token), *ids = record + SMOE_REPORT_IDS;
    const uint32_t *weights = record + SMOE_REPORT_WEIGHTS(r->max_active);
    const uint32_t active = record[SMOE_REPORT_ACTIVE] < r->max_active ? record[SMOE_REPORT_ACTIVE] : r->max_active;
    const double gap = (double)number(&record[SMOE_REPORT_GAP]), band = (double)number(&record[SMOE_REPORT_EPS]);
    if (!is_finite(r, token)) {
        page_put(r->page, "its scores are not finite: no expert ran");
        return;
    }
    page_put(r->page, "expert%s", active == 1 ? "" : "s");
    for (uint32_t i = 0; i < active; i++)
        page_put(r->page, "%s %u (%.3f)", i ? "," : "", ids[i], (double)number(&weights[i]));
    if (isinf(gap))
        page_put(r->page, "%sno gap: every expert runs", separator);
    else
        page_put(r->page, "%sgap %.4g, order %u", separator, gap, record[SMOE_REPORT_ORDER]);
    page_put(r->page, ", extra %u", extra(r, token));
    if (record[SMOE_REPORT_FLAGS] & SMOE_REPORT_FLAG_CAPPED)
        page_put(r->page, "%smore than %u experts tie: only the best %u ran", separator, r->max_active, r->k);
    else if (band < (double)r->eps)
        page_put(r->page, "%sband %.4g in place of eps: at most %u experts run", separator, band, r->max_active);
}

/* An invisible square for each patch, which says its numbers when pointed at. Made once, and used over every map. */
static void write_numbers(const routing *r)
{
    page_put(r->page, "<g class=h id=h%u-%u>", r->picture, r->block);
    for (uint32_t i = 0; i < patch_count(r); i++) {
        const uint32_t x = i % r->grid, y = i / r->grid;
        page_put(r->page, "<rect x=%u y=%u><title>token %u: row %u, column %u\n", x, y, i + 1, y + 1, x + 1);
        write_token(r, i + 1, "\n");
        page_put(r->page, "</title></rect>");
    }
    page_put(r->page, "</g>");
}

/* ---- maps -------------------------------------------------------------------------------------------------------- */

/* A path of all cells with the value, as rectangles a row high. */
static void write_cells(const routing *r, uint32_t value, const char *class_name, uint32_t number_of_class)
{
    bool any = false;
    for (uint32_t y = 0; y < r->grid; y++)
        for (uint32_t x = 0, run; x < r->grid; x += run) {
            for (run = 0; x + run < r->grid && r->cells[y * r->grid + x + run] == value; run++)
                continue;
            if (run > 0 && !any)
                page_put(r->page, "<path class=%s%u d=\"", class_name, number_of_class);
            if (run > 0)
                page_put(r->page, "M%u %uh%uv1h-%uz", x, y, run, run);
            any = any || run > 0;
            run += run == 0;
        }
    if (any)
        page_put(r->page, "\"/>");
}

/* The cells' values as numbers in their middles: one text per row, whose digits have their places one by one. */
static void write_digits(const routing *r)
{
    page_put(r->page, "<g class=n>");
    for (uint32_t y = 0; y < r->grid; y++) {
        const uint32_t *cells = r->cells + y * r->grid;
        char digits[16];
        bool any = false;
        for (uint32_t x = 0; x < r->grid; x++) {
            const int count = cells[x] == NOTHING ? 0 : snprintf(digits, sizeof digits, "%u", cells[x]);
            const double step = count < 3 ? 0.36 : 0.9 / count;
            if (count > 0 && !any)
                page_put(r->page, "<text y=\"%u.5\" x=\"", y);
            any = any || count > 0;
            for (int i = 0; i < count; i++)
                page_put(r->page, "%.4g ", x + 0.5 + (i - 0.5 * (count - 1)) * step);
        }
        if (!any)
            continue;
        page_put(r->page, "\">");
        for (uint32_t x = 0; x < r->grid; x++)
            if (cells[x] != NOTHING)
                page_put(r->page, "%u", cells[x]);
        page_put(r->page, "</text>");
    }
    page_put(r->page, "</g>");
}

static void begin_map(const routing *r, const char *name)
{
    page_put(r->page, "<figure class=%s><svg class=m viewBox=\"0 0 %u %u\"><use class=p href=#p%u /><g class=v>", name,
             r->grid, r->grid, r->picture);
}

static void end_map(const routing *r, bool first)
{
    page_put(r->page, "</g>");
    if (first)
        write_numbers(r);
    else
        page_put(r->page, "<use href=#h%u-%u />", r->picture, r->block);
    page_put(r->page, "</svg><figcaption>");
}

static void write_experts(const routing *r, uint32_t rank)
{
    static const char *const names[SHOWN_RANKS] = {"best", "second", "third"};
    begin_map(r, "experts");
    for (uint32_t i = 0; i < patch_count(r); i++)
        r->cells[i] = is_finite(r, i + 1) ? record_of(r, i + 1)[SMOE_REPORT_IDS + rank] : NOTHING;
    for (uint32_t e = 0; e < r->expert_count; e++)
        write_cells(r, e, "e", e % REPORT_COLOURS);
    write_digits(r);
    end_map(r, rank == 0);
    page_put(r->page, "%s expert</figcaption></figure>", names[rank]);
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void write_gap(const routing *r)
{
    uint32_t finite = 0, tied = 0, most = 0;
    begin_map(r, "gap");
    for (uint32_t i = 0; i < patch_count(r); i++) {
        const float gap = number(&record_of(r, i + 1)[SMOE_REPORT_GAP]);
        r->cells[i] = isnan(gap) ? NOTHING : 0;
        while (r->cells[i] < REPORT_GAP_STEPS - 1 && gap >= report_gap_limits[r->cells[i]])
            r->cells[i]++;
        if (isfinite(gap))
            r->gaps[finite++] = gap;
    }
    for (uint32_t step = 0; step < REPORT_GAP_STEPS; step++)
        write_cells(r, step, "g", step);
    for (uint32_t i = 0; i < patch_count(r); i++) {
        const uint32_t order = record_of(r, i + 1)[SMOE_REPORT_ORDER];
        r->cells[i] = order ? order : NOTHING;
        tied += order > 0;
        most = order > most ? order : most;
        if (order)
            page_put(r->page, "<circle cx=%u.5 cy=%u.5 r=.4 />", i % r->grid, i / r->grid);
    }
    if (tied)
        write_digits(r);
    end_map(r, false);
    qsort(r->gaps, finite, sizeof *r->gaps, compare);
    if (finite)
        page_put(r->page, "gap: smallest %.3g, median %.3g<br>", (double)r->gaps[0], (double)r->gaps[finite / 2]);
    if (tied)
        page_put(r->page, "order: up to %u, in %u patch%s", most, tied, tied == 1 ? "" : "es");
    else
        page_put(r->page, "order: 0 everywhere");
    page_put(r->page, "</figcaption><svg class=s viewBox=\"0 0 90 15\"><use href=#gaps /></svg></figure>");
}

static void write_extra(const routing *r)
{
    uint32_t patches = 0, most = 0;
    begin_map(r, "extra");
    for (uint32_t i = 0; i < patch_count(r); i++) {
        const uint32_t more = extra(r, i + 1);
        r->cells[i] = more ? more : NOTHING;
        patches += more > 0;
        most = more > most ? more : most;
    }
    for (uint32_t more = 1; more <= most; more++)
        write_cells(r, more, "x", more < REPORT_EXTRA_STEPS ? more : REPORT_EXTRA_STEPS);
    if (most)
        write_digits(r);
    end_map(r, false);
    page_put(r->page, "extra experts: in %u of %u patches", patches, patch_count(r));
    if (most)
        page_put(r->page, "<br>at most %u", most);
    page_put(r->page, "</figcaption><svg class=s viewBox=\"0 0 90 15\"><use href=#extras /></svg></figure>");
}

/* ---- the block --------------------------------------------------------------------------------------------------- */

/* The experts' colours, each with the patches that it ran for. */
static void write_legend(const routing *r)
{
    memset(r->patches, 0, r->expert_count * sizeof *r->patches);
    for (uint32_t i = 0; i < patch_count(r); i++)
        for (uint32_t j = 0; j < r->max_active; j++) {
            const uint32_t expert = record_of(r, i + 1)[SMOE_REPORT_IDS + j];
            if (expert < r->expert_count)
                r->patches[expert]++;
        }
    page_put(r->page, "<p class=l>patches by expert:");
    for (uint32_t e = 0; e < r->expert_count; e++)
        if (r->patches[e])
            page_put(r->page, " <span><i class=e%u>%u</i> %u</span>", e % REPORT_COLOURS, e, r->patches[e]);
    page_put(r->page, "</p>");
}

static void add(const routing *r, routing_totals *totals)
{
    for (uint32_t t = 0; t <= patch_count(r); t++) {
        const uint32_t *record = record_of(r, t);
        totals->tokens++;
        totals->active += record[SMOE_REPORT_ACTIVE];
        totals->extended += extra(r, t) > 0;
        totals->near += number(&record[SMOE_REPORT_GAP]) < REPORT_NEAR;
        totals->tied += record[SMOE_REPORT_ORDER] > 0;
        totals->nonfinite += !is_finite(r, t);
    }
}

void routing_write(const routing *r, routing_totals *totals)
{
    page *p = r->page;
    uint32_t nonfinite = 0;
    page_put(p, "<section class=b><h3>Block %u</h3><p>%u experts, the best ", r->block, r->expert_count);
    page_put(p, r->k == 1 ? "one runs" : "%u run", r->k);
    if (r->eps > 0)
        page_put(p, "; eps <b>%.4g</b>", (double)r->eps);
    else
        page_put(p, "; eps <b>0</b>: hard routing, no extra experts");
    page_put(p, "</p><p class=c>class token: ");
    write_token(r, 0, "; ");
    page_put(p, "</p>");
    for (uint32_t i = 0; i < patch_count(r); i++)
        nonfinite += !is_finite(r, i + 1);
    if (nonfinite)
        page_put(p, "<p class=w>%u patch%s without finite scores</p>", nonfinite, nonfinite == 1 ? "" : "es");
    page_put(p, "<div class=maps>");
    for (uint32_t rank = 0; rank < r->k && rank < SHOWN_RANKS; rank++)
        write_experts(r, rank);
    write_gap(r);
    if (r->eps > 0)
        write_extra(r);
    page_put(p, "</div>");
    write_legend(r);
    page_put(p, "<output></output></section>\n");
    add(r, totals);
}
