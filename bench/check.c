/* Before a device's times are believed its answers are: some tokens' report and y against the reference. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/ref.h"

#define MOST_TOKENS 8
/* Multiplications of the reference, which takes some nanoseconds for one: in a run, for all its tokens and for one. */
#define MOST_PRODUCTS 1e8
#define MOST_PRODUCTS_OF_ONE 1e9
/* How often a token's weights are read with mixed precision: for y, and for what it may change. */
#define NARROW_READS 5

typedef struct checker {
    const bench_row *row;
    const uint32_t *report;
    ref_layer layer;
    ref_params params;
    double mask_slope;
    ref_token want, got; /* got: what the report says, as far as y depends on it */
    double *logits, *y, *errors;
    bench_check *check;
    double share; /* the largest, of what was allowed */
} checker;

/* What a weight with scales takes, in multiplications: to be read where it is stored, and to be rounded before. */
#define READING_PRODUCTS 8
#define ROUNDING_PRODUCTS 40

/* Of one token with so many active experts; 0: of its routing alone. */
static double products(const smoe_plan_desc *plan, double active)
{
    const double d = plan->d_model, e = plan->expert_count, p = plan->projection_width;
    const double matrices = plan->gated ? 3 : 2;
    const double hidden = active > 0 ? active * plan->d_hidden + plan->shared_hidden : 0;

    return (p > 0 ? p * (d + 2 * e) : d * e) + matrices * d * hidden;
}

static uint32_t choose_count(const bench_row *row, const bench_data *data, const bench_run *run, bench_check *check)
{
    const smoe_plan_desc *plan = &row->plan;
    const double one = products(plan, row->route ? 0 : (double)run->active_total / row->tokens);
    const bool scaled = !row->route && (smoe_type_has_scales(plan->types.up) || smoe_type_has_scales(plan->types.down));
    const bool narrow = plan->precision != SMOE_PRECISION_FLOAT32; /* the weights are rounded for y and for its bound */
    const double reading = data->stored ? READING_PRODUCTS : ROUNDING_PRODUCTS;
    const double all = one * (scaled ? (narrow ? 2 : 1) * reading : narrow ? NARROW_READS : 1);
    const double most = fmin(MOST_TOKENS, fmin(row->tokens, fmax(1, floor(MOST_PRODUCTS / all))));

    if (plan->projection_width > REF_MAX_PROJECTION)
        snprintf(check->unmade, sizeof check->unmade, "the reference has projections of at most %d",
                 REF_MAX_PROJECTION);
    else if (one > MOST_PRODUCTS_OF_ONE)
        snprintf(check->unmade, sizeof check->unmade, "the reference would need %.2g multiplications for a token", one);
    return check->unmade[0] ? 0 : (uint32_t)most;
}

static void note(bench_check *check, const char *text)
{
    if (!check->wrong[0])
        snprintf(check->wrong, sizeof check->wrong, "%s", text);
}

/* The report has been through bench_count_work: its numbers are such as can be. */
static void read_report(checker *c, uint32_t t)
{
    const uint32_t most = c->row->plan.max_active, *record = c->report + (size_t)t * SMOE_REPORT_STRIDE(most);
    float weight;

    c->got = (ref_token){.active = record[SMOE_REPORT_ACTIVE]};
    for (uint32_t r = 0; r < c->got.active; r++) {
        c->got.ids[r] = record[SMOE_REPORT_IDS + r];
        memcpy(&weight, record + SMOE_REPORT_WEIGHTS(most) + r, sizeof weight);
        c->got.weights[r] = c->got.output_weights[r] = (double)weight;
        c->got.input_weights[r] = 1; /* no preset has weighted inputs */
    }
}

static void compare_report(checker *c, uint32_t t, double tolerance)
{
    const ref_token *want = &c->want, *got = &c->got;
    char text[BENCH_REASON_SIZE];

    if (got->active != want->active) {
        snprintf(text, sizeof text, "token %u has %u active experts, not %u", t, got->active, want->active);
        note(c->check, text);
    }
    for (uint32_t r = 0; r < got->active && r < want->active; r++)
        if (got->ids[r] != want->ids[r] || !(fabs(got->weights[r] - want->weights[r]) <= tolerance)) {
            snprintf(text, sizeof text, "token %u has expert %u of weight %.9g in place %u, not %u of %.9g", t,
                     got->ids[r], got->weights[r], r, want->ids[r], want->weights[r]);
            note(c->check, text);
        }
}

/* float32_error: of every number; c->errors: what may be added to it. */
static void compare_y(checker *c, uint32_t t, const float *y, double float32_error)
{
    bench_check *check = c->check;
    char text[BENCH_REASON_SIZE];

    for (uint32_t i = 0; i < c->layer.d_model; i++) {
        const double difference = fabs((double)y[i] - c->y[i]), allowed = c->errors[i] + float32_error;
        const double share = difference <= allowed                  ? (allowed > 0 ? difference / allowed : 0)
                             : difference < INFINITY && allowed > 0 ? difference / allowed
                                                                    : INFINITY;
        if (share > c->share) {
            c->share = share;
            check->difference = difference;
            check->allowed = allowed;
        }
        if (share > 1) {
            snprintf(text, sizeof text, "y[%u] of token %u is %.9g, not %.9g: %.3g is allowed", i, t, (double)y[i],
                     c->y[i], allowed);
            note(check, text);
        }
    }
}

/* What the weights of a token add up to, the shared expert's too, which may be 1. */
static double sum_weights(const ref_layer *layer, const ref_token *token)
{
    double sum = layer->shared_hidden ? 1 : 0;

    for (uint32_t r = 0; r < token->active; r++)
        sum += fabs(token->weights[r]);
    return sum;
}

/* The experts and weights that the report names are compared with the reference's, and y with what the reference makes
 * of those. So y is held to the roundings of the experts' own sums, and not to what a logit's rounding makes of a
 * weight. */
static bool check_token(checker *c, uint32_t t, const float *x, const float *y)
{
    const smoe_plan_desc *plan = &c->row->plan;
    double largest = 0;

    ref_logits(&c->layer, x, c->logits);
    ref_select(&c->layer, &c->params, c->logits, &c->want);
    const ref_bounds bounds = ref_bound(&c->layer, &c->params, c->logits, ref_logit_error(&c->layer, x));
    read_report(c, t);
    c->check->tokens++;
    if (bounds.ambiguous)
        c->check->excused++;
    else
        compare_report(c, t, ref_weight_error(&c->params, c->mask_slope, &bounds, c->want.eps));
    if (!y)
        return true;
    if (!ref_run_experts(&c->layer, &c->got, x, c->y) ||
        (plan->precision != SMOE_PRECISION_FLOAT32 &&
         !ref_forward_error(&c->layer, &c->got, plan->precision, x, c->errors)))
        return false;
    for (uint32_t i = 0; i < plan->d_model; i++)
        largest = fmax(largest, fabs(c->y[i]));
    compare_y(c, t, y, ref_output_error(0, largest, sum_weights(&c->layer, &c->got)));
    return true;
}

void bench_check_run(const bench_row *row, const bench_data *data, const smoe_forward_params *params, const float *y,
                     const uint32_t *report, bench_run *run)
{
    const size_t D = row->plan.d_model;
    bench_check *check = &run->check;
    const uint32_t count = choose_count(row, data, run, check);
    checker *c = calloc(1, sizeof *c);
    double *numbers = calloc(SMOE_MAX_EXPERTS + 2 * D, sizeof *numbers);
    bool good = c && numbers;

    if (good) {
        *c = (checker){.row = row,
                       .report = report,
                       .layer = ref_layer_of(&row->plan, &data->weights),
                       .params = ref_params_of(&row->plan, params),
                       .logits = numbers,
                       .y = numbers + SMOE_MAX_EXPERTS,
                       .errors = numbers + SMOE_MAX_EXPERTS + D,
                       .check = check,
                       .share = -1};
        c->layer.random_weights = true; /* data.c */
        c->mask_slope = params->eps > 0 && count > 0 ? ref_mask_slope(c->params.a, c->params.b) : 0;
    }
    for (uint32_t i = 0; good && i < count; i++) { /* the last token is always one, and the first if there are two */
        const uint32_t t = (uint32_t)((uint64_t)(i + (count == 1)) * (row->tokens - 1) / (count > 1 ? count - 1 : 1));
        good = check_token(c, t, data->x + t * D, y ? y + t * D : NULL);
    }
    if (!good)
        snprintf(check->unmade, sizeof check->unmade, "no host memory for the reference");
    free(numbers);
    free(c);
}

uint32_t bench_count_wrong(const bench_result *result)
{
    uint32_t count = 0;

    for (size_t i = 0; i < result->row_count; i++)
        for (int routing = 0; routing < BENCH_ROUTING_COUNT; routing++)
            count += result->rows[i].runs[routing].check.wrong[0] != 0;
    return count;
}
