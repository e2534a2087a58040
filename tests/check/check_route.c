/* route_project, route_logits, route_group, route_select and sort against the reference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_layer.h"
#include "check_stages.h"
#include "common/compare.h"
#include "stage_view.h"

static void widen(uint32_t count, const float *values, double *wide)
{
    for (uint32_t i = 0; i < count; i++)
        wide[i] = (double)values[i];
}

/* How NaN and infinities come about is the kernel's own, so nothing below compares where the reference has one; that
 * they do, route_select's test sees. */

size_t check_route_project(const stage_run *run)
{
    const case_data *data = run->data;
    const uint32_t p = data->plan.projection_width;
    double *want = calloc(p ? p : 1, sizeof *want);
    size_t wrong = want ? 0 : 1;

    for (uint32_t t = 0; p && t < data->shape->tokens && !wrong; t++) {
        ref_project(&data->ref, data->x + (size_t)t * data->plan.d_model, want);
        /* Numbers of 1e38 make sums that float32 cannot hold exactly. */
        if (ref_all_finite(p, want) && test_max_abs(p, want) < 1e6)
            wrong = test_compare("projected", p, stage_projected(run, t), want, case_projection_error(data, t));
        if (wrong)
            fprintf(stderr, "    ... in route_project of token %u\n", t);
    }
    free(want);
    return wrong;
}

/* The logit of the shared expert's gate. */
static size_t check_shared_gate(const stage_run *run, uint32_t t)
{
    const ref_layer *ref = &run->data->ref;
    const float *x = run->data->x + (size_t)t * ref->d_model, got = stage_shared_gate(run, t);
    double want = 0, sum = 0;

    for (uint32_t i = 0; i < ref->d_model; i++) {
        want += (double)x[i] * (double)ref->shared_gate[i];
        sum += fabs((double)x[i] * (double)ref->shared_gate[i]);
    }
    return ref_all_finite(1, &want)
               ? test_compare("the shared expert's gate", 1, &got, &want, ref_sum_error(ref->d_model + 1, sum))
               : 0;
}

size_t check_route_logits(const stage_run *run)
{
    const case_data *data = run->data;
    const uint32_t E = data->plan.expert_count, p = data->plan.projection_width;
    double *want = calloc(E, sizeof *want), *v = calloc(p ? p : 1, sizeof *v);
    size_t wrong = want && v ? 0 : 1;

    for (uint32_t t = 0; t < data->shape->tokens && !wrong; t++) {
        double error;
        if (data->plan.router == SMOE_ROUTER_COSINE) {
            widen(p, stage_projected(run, t), v);
            ref_cosine(&data->ref, v, want);
            error = ref_cosine_error(&data->ref, v, 0);
        } else {
            ref_logits(&data->ref, data->x + (size_t)t * data->plan.d_model, want);
            error = case_logit_error(data, t);
        }
        if (ref_all_finite(E, want))
            wrong = test_compare("logit", E, stage_logits(run, t), want, error);
        if (data->ref.shared_gate)
            wrong += check_shared_gate(run, t);
        if (wrong)
            fprintf(stderr, "    ... in route_logits of token %u\n", t);
    }
    free(want);
    free(v);
    return wrong;
}

/* What the device's own logits may be off by: nothing, but selection's arithmetic on them rounds. */
static double selection_error(const case_data *data, const double *logits)
{
    return case_has_exact_logits(data->shape) ? 0 : 0x1p-25 * test_max_abs(data->plan.expert_count, logits);
}

/* Penalties, gap and count of a token's groups. A penalty is off by what an error of `moved` in its distance makes of
 * it. */
static size_t check_groups(const stage_run *run, uint32_t t, const ref_groups *want, double moved)
{
    const uint32_t G = run->shape.group_count;
    const float *got = stage_groups(run, t);
    const double eps = run->data->ref_params.group_eps;
    uint32_t count;
    size_t wrong = 0;

    for (uint32_t j = 0; j < G; j++) {
        /* P = d / (1 - d / eps), solved */
        const double penalty = want->penalty[j], distance = penalty * eps / (penalty + eps);
        if (!(penalty < INFINITY)) {
            if (!(got[j] < 0) && !wrong++)
                fprintf(stderr, "    group %u takes %g from its experts, want it left out\n", j, (double)got[j]);
            continue;
        }
        const double error =
            penalty > 0 ? ref_group_penalty(distance * (1 + 0x1p-21) + moved, eps) - penalty + 0x1p-21 * penalty
                        : moved;
        wrong += test_compare("a group's penalty", 1, &got[j], &penalty, error);
    }
    wrong += test_compare("group gap", 1, &got[G], &want->gap, moved + 0x1p-24 * fabs(want->gap));
    memcpy(&count, &got[G + 1], sizeof count);
    if (count != want->count) {
        fprintf(stderr, "    groups that take part: %u, want %u\n", count, want->count);
        wrong++;
    }
    return wrong;
}

size_t check_route_group(const stage_run *run)
{
    const case_data *data = run->data;
    const uint32_t E = data->plan.expert_count;
    double *logits = calloc(E, sizeof *logits), *scores = calloc(E, sizeof *scores);
    ref_groups *want = malloc(sizeof *want);
    size_t wrong = logits && scores && want ? 0 : 1;

    for (uint32_t t = 0; run->shape.group_count && t < data->shape->tokens && !wrong; t++) {
        widen(E, stage_logits(run, t), logits);
        if (!ref_is_finite(&data->ref, logits))
            continue; /* route_select's test sees whether it was told */
        const ref_bounds bounds = ref_bound(&data->ref, &data->ref_params, logits, selection_error(data, logits));
        if (bounds.ambiguous)
            continue;
        ref_scores(&data->ref, logits, scores);
        ref_group(&data->ref, &data->ref_params, scores, want);
        const double inexact = case_has_exact_logits(data->shape) && data->plan.gate == SMOE_GATE_SOFTMAX ? 0 : 1;
        wrong = check_groups(run, t, want, inexact * 8 * 0x1p-23 * fmax(1, test_max_abs(E, scores)));
        if (wrong)
            fprintf(stderr, "    ... in route_group of token %u\n", t);
    }
    free(logits);
    free(scores);
    free(want);
    return wrong;
}

/* Active, ids and weights of a token, given what the reference makes of the float32 logits that the device selected
 * by. */
static size_t check_selected(const stage_run *run, uint32_t t, const ref_token *want, const double tolerances[2])
{
    const uint32_t active = stage_active(run)[t];
    const float *weights = stage_weights(run, t);
    const uint32_t *ids = stage_ids(run, t);
    size_t wrong = 0;

    if (active != want->active) {
        fprintf(stderr, "    active is %u, want %u\n", active, want->active);
        return 1;
    }
    for (uint32_t r = 0; r < active; r++) {
        if (ids[r] != want->ids[r] && !wrong++)
            fprintf(stderr, "    id of rank %u is %u, want %u\n", r, ids[r], want->ids[r]);
    }
    if (run->data->plan.weighted_input)
        wrong +=
            test_compare("weight of an input", active, stage_input_weights(run, t), want->input_weights, tolerances[0]);
    return wrong + test_compare("weight", active, weights, want->output_weights, tolerances[1]);
}

size_t check_route_select(const stage_run *run)
{
    const case_data *data = run->data;
    const ref_params *params = &data->ref_params;
    const uint32_t E = data->plan.expert_count;
    const double slope = ref_mask_slope(params->a, params->b);
    double *logits = calloc(E, sizeof *logits);
    ref_token *want = malloc(sizeof *want);
    size_t wrong = logits && want ? 0 : 1;

    for (uint32_t t = 0; t < data->shape->tokens && !wrong; t++) {
        const ref_params own = ref_params_at(params, t);
        widen(E, stage_logits(run, t), logits);
        ref_select(&data->ref, &own, logits, want);
        if (ref_bound(&data->ref, &own, logits, selection_error(data, logits)).ambiguous)
            continue;
        const ref_bounds bounds = ref_bound(&data->ref, &own, logits, 0);
        const double tolerances[2] = {ref_weight_error(params, 0, &bounds, 0),
                                      ref_output_weight_error(&data->ref, params, slope, &bounds, want->eps)};
        wrong = check_selected(run, t, want, tolerances);
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
    const bool weighted = run->data->plan.weighted_input;
    unsigned char *seen = calloc(row_count ? row_count : 1, 1);
    size_t wrong = seen ? 0 : 1;

    for (uint32_t t = 0; t < run->data->shape->tokens && !wrong; t++)
        for (uint32_t r = 0; r < stage_active(run)[t] && !wrong; r++) {
            const uint32_t row = stage_rows(run, t)[r];
            if (ref_is_zero_expert(&run->data->ref, stage_ids(run, t)[r])) {
                wrong += say(row == SMOE_NO_ROW, "a row of a zero expert", t);
                continue;
            }
            wrong += say(row < row_count, "a row past the last", t);
            if (wrong)
                break;
            wrong += say(!seen[row]++, "a row used twice", row);
            wrong += say(stage_row_tokens(run)[row] == t, "a row of another token", row);
            wrong += say(row_experts[row] == stage_ids(run, t)[r], "a row in another expert's tiles", row);
            wrong += say(!weighted ||
                             memcmp(&stage_row_weights(run)[row], &stage_input_weights(run, t)[r], sizeof(float)) == 0,
                         "a row of another weight", row);
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
        wrong += say(words[0] < run->shape.matrix_experts && words[0] >= last_expert,
                     "tiles not in the order of experts", tile);
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

/* ARGUMENTS: the pieces of a range dispatch each of its tiles once, in their order. */
static size_t check_pieces(const stage_run *run, uint32_t range, uint32_t stage, uint32_t first, uint32_t count)
{
    uint32_t next = first;
    size_t wrong = 0;

    for (uint32_t piece = 0; piece < stage_range_pieces(run) && !wrong; piece++) {
        const uint32_t *arguments = stage_arguments(run, range, piece, stage);
        wrong += say(arguments[0] > 0, "no columns dispatched", range);
        wrong += say(arguments[1] <= SMOE_MOST_PIECE_TILES && arguments[2] == 1, "a piece's workgroups", range);
        wrong += say(arguments[1] <= first + count - next, "more workgroups than tiles", range);
        wrong += say(arguments[3] == next, "a piece's first tile", range);
        next += arguments[1];
    }
    return wrong + say(wrong || next == first + count, "tiles in no piece", range);
}

static size_t check_ranges(const stage_run *run, uint32_t tile_count)
{
    uint32_t first = 0;
    size_t wrong = say(stage_record_count(run) % run->shape.range_count == 0, "ranges of other counts of pieces", 0);

    for (uint32_t range = 0; range < run->shape.range_count && !wrong; range++) {
        uint32_t count = 0;
        while (first + count < tile_count && stage_tile(run, first + count)[0] / run->shape.range_experts == range)
            count++;
        wrong += check_pieces(run, range, SMOE_ARGUMENTS_UP, first, count);
        wrong += check_pieces(run, range, SMOE_ARGUMENTS_DOWN, first, count);
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
