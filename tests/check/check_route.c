/* route_logits, route_select and sort against the reference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_layer.h"
#include "check_stages.h"
#include "common/compare.h"
#include "stage_view.h"

size_t check_route_logits(const stage_run *run)
{
    const case_data *data = run->data;
    const uint32_t E = data->plan.expert_count;
    double *want = calloc(E, sizeof *want);
    size_t wrong = want ? 0 : 1;

    for (uint32_t t = 0; t < data->shape->tokens && !wrong; t++) {
        ref_logits(&data->ref, data->x + (size_t)t * data->plan.d_model, want);
        bool finite = true;
        for (uint32_t e = 0; e < E; e++)
            finite = finite && fabs(want[e]) <= 3.4e38;
        if (finite) /* how NaN and infinities come about is the kernel's own; that they do, route_select's test sees */
            wrong = test_compare("logit", E, stage_logits(run, t), want, case_logit_error(data, t));
        if (wrong)
            fprintf(stderr, "    ... in route_logits of token %u\n", t);
    }
    free(want);
    return wrong;
}

/* Active, ids and weights of a token, given what the reference makes of the float32 logits that the device selected by. */
static size_t check_selected(const stage_run *run, uint32_t t, const ref_token *want, double slope)
{
    const uint32_t active = stage_active(run)[t];
    const float *weights = stage_weights(run, t);
    const uint32_t *ids = stage_ids(run, t);
    const double tolerance = weight_tolerance(&run->data->ref_params, slope, 0, want->eps);
    size_t wrong = 0;

    if (active != want->active) {
        fprintf(stderr, "    active is %u, want %u\n", active, want->active);
        return 1;
    }
    for (uint32_t r = 0; r < active; r++) {
        if (ids[r] != want->ids[r] && !wrong++)
            fprintf(stderr, "    id of rank %u is %u, want %u\n", r, ids[r], want->ids[r]);
    }
    return wrong + test_compare("weight", active, weights, want->weights, tolerance);
}

size_t check_route_select(const stage_run *run)
{
    const case_data *data = run->data;
    const uint32_t E = data->plan.expert_count;
    const double slope = ref_mask_slope(data->ref_params.a, data->ref_params.b);
    double *logits = calloc(E, sizeof *logits);
    ref_token *want = malloc(sizeof *want);
    size_t wrong = logits && want ? 0 : 1;

    for (uint32_t t = 0; t < data->shape->tokens && !wrong; t++) {
        for (uint32_t e = 0; e < E; e++)
            logits[e] = (double)stage_logits(run, t)[e];
        ref_select(&data->ref, &data->ref_params, logits, want);
        const bool random = data->shape->logits == LOGITS_RANDOM;
        if (random && ref_is_ambiguous(&data->ref, &data->ref_params, logits, 0x1p-25 * test_max_abs(E, logits)))
            continue;
        wrong = check_selected(run, t, want, slope);
        if (wrong)
            fprintf(stderr, "    ... in route_select of token %u\n", t);
    }
    free(logits);
    free(want);
    return wrong;
}

static size_t say(bool good, const char *rule, uint64_t at)
{
    if (!good)
        fprintf(stderr, "    sort: at %llu: %s\n", (unsigned long long)at, rule);
    return !good;
}

/* ROWS and ROW_TOKENS: a bijection between (token, rank) and the rows 0 .. R - 1. */
static size_t check_rows(const stage_run *run, uint32_t row_count, const uint32_t *row_experts)
{
    unsigned char *seen = calloc(row_count ? row_count : 1, 1);
    size_t wrong = seen ? 0 : 1;

    for (uint32_t t = 0; t < run->data->shape->tokens && !wrong; t++)
        for (uint32_t r = 0; r < stage_active(run)[t] && !wrong; r++) {
            const uint32_t row = stage_rows(run, t)[r];
            wrong += say(row < row_count, "a row past the last", t);
            if (wrong)
                break;
            wrong += say(!seen[row]++, "a row used twice", row);
            wrong += say(stage_row_tokens(run)[row] == t, "a row of another token", row);
            wrong += say(row_experts[row] == stage_ids(run, t)[r], "a row in another expert's tiles", row);
        }
    free(seen);
    return wrong;
}

/* TILES: every row in one tile, experts ascending. Fills row_experts. */
static size_t check_tiles(const stage_run *run, uint32_t row_count, uint32_t *row_experts, uint32_t *tile_count)
{
    uint32_t row = 0, tile = 0, last_expert = 0, tile_rows = 0;
    size_t wrong = 0;

    for (; row < row_count && !wrong; tile++) {
        const uint32_t *words = stage_tile(run, tile);
        wrong += say(words[0] < run->data->plan.expert_count && words[0] >= last_expert, "tiles not in the order of experts", tile);
        wrong += say(words[1] == row, "a tile does not begin where the last one ended", tile);
        wrong += say(words[2] > 0 && words[2] <= row_count - row, "a tile with no rows or too many", tile);
        if (wrong)
            break;
        tile_rows = words[2] > tile_rows ? words[2] : tile_rows;
        last_expert = words[0];
        for (uint32_t end = row + words[2]; row < end; row++)
            row_experts[row] = words[0];
    }
    *tile_count = tile;
    return wrong;
}

/* TILE_COUNTS and ARGUMENTS: each range dispatches at least its own tiles, from its first. */
static size_t check_ranges(const stage_run *run, uint32_t tile_count)
{
    uint32_t first = 0;
    size_t wrong = 0;

    for (uint32_t range = 0; range < run->shape.range_count && !wrong; range++) {
        uint32_t count = 0;
        while (first + count < tile_count && stage_tile(run, first + count)[0] / run->shape.range_experts == range)
            count++;
        wrong += say(stage_tile_counts(run)[range] == count, "a range's tile count", range);
        for (uint32_t stage = 0; stage < 2; stage++) {
            const uint32_t *arguments = stage_arguments(run, range) + 4 * stage;
            const uint64_t groups = (uint64_t)arguments[1] * arguments[2];
            wrong += say(count == 0 || arguments[0] > 0, "no columns dispatched", range);
            wrong += say(groups >= count && groups < count + (uint64_t)SMOE_MAX_GROUPS_Y, "the number of groups", range);
            wrong += say(arguments[1] <= SMOE_MAX_GROUPS_Y, "too many groups along y", range);
            wrong += say(arguments[3] == first, "a range's first tile", range);
        }
        first += count;
    }
    return wrong + say(first == tile_count, "tiles of no range", first);
}

size_t check_sort(const stage_run *run)
{
    const uint32_t row_count = stage_row_count(run);
    uint32_t *row_experts = calloc(row_count ? row_count : 1, sizeof *row_experts), tile_count = 0;
    size_t wrong = row_experts ? 0 : 1;

    if (!wrong)
        wrong = check_tiles(run, row_count, row_experts, &tile_count);
    if (!wrong)
        wrong = check_rows(run, row_count, row_experts) + check_ranges(run, tile_count);
    free(row_experts);
    return wrong;
}
