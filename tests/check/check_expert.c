/* The stages from latent_down on against the reference, the shared expert's part of them too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_stages.h"
#include "common/compare.h"
#include "stage_view.h"

typedef struct row_buffers {
    double *input, *want, *tolerance, *narrowing; /* the last: of mixed precision */
} row_buffers;

static bool buffers_create(row_buffers *buffers, const stage_run *run)
{
    const smoe_plan_desc *plan = &run->data->plan;
    const uint32_t hidden = plan->d_hidden > plan->shared_hidden ? plan->d_hidden : plan->shared_hidden;
    const uint32_t rows = plan->d_model > plan->d_latent ? plan->d_model : plan->d_latent;
    const uint32_t wide = rows > hidden ? rows : hidden;

    buffers->input = calloc(wide, sizeof(double));
    buffers->want = calloc(wide, sizeof(double));
    buffers->tolerance = calloc(wide, sizeof(double));
    buffers->narrowing = calloc(wide, sizeof(double));
    return buffers->input && buffers->want && buffers->tolerance && buffers->narrowing;
}

static void buffers_destroy(row_buffers *buffers)
{
    free(buffers->input);
    free(buffers->want);
    free(buffers->tolerance);
    free(buffers->narrowing);
}

/* sums[rows] = the sum of the absolute values of the terms that make up each output. */
static void absolute_sums(uint32_t rows, uint32_t columns, const float *matrix, double factor, const float *bias,
                          const double *x, double *sums)
{
    for (uint32_t r = 0; r < rows; r++) {
        double sum = 0;
        for (uint32_t c = 0; c < columns; c++)
            sum += fabs((double)matrix[(size_t)r * columns + c] * x[c]);
        sums[r] = fabs(factor) * sum + (bias ? fabs((double)bias[r]) : 0);
    }
}

/* An activation may add 1e-6 of its size (1 at least), and passes its input's error on with a slope of at most 1.13
 * (gelu; silu with any alpha 1.1); the gate multiplies two such numbers. The square of a number has the slope of twice
 * the number, and an offset adds its size to the gate. Limits add no error, and take none away: the sums may be on
 * either side of them. */
static void up_tolerance(const ref_layer *ref, const ref_expert *expert, row_buffers *buffers)
{
    const uint32_t D = expert->width, H = expert->d_hidden;
    const bool squared = expert->gating.activation == SMOE_ACTIVATION_RELU_SQUARED;

    absolute_sums(H, D, expert->w1, expert->w1_factor, expert->b1, buffers->input, buffers->tolerance);
    for (uint32_t h = 0; h < H; h++) {
        const double first = buffers->tolerance[h], slope = squared ? 3.2 * first : 2.2,
                     size = squared ? first * first : first;
        double linear = 1; /* the gate's absolute sum bounds its size */
        if (ref->gated)
            absolute_sums(1, D, expert->w3 + (size_t)h * D, expert->w3_factor, expert->b3 ? expert->b3 + h : NULL,
                          buffers->input, &linear);
        linear += fabs(expert->gating.up_offset);
        buffers->tolerance[h] = (slope * ref_sum_error(D + 1, first) + 1e-6 * fmax(1, size)) * linear;
    }
}

static void widen(uint32_t count, const float *values, double *wide)
{
    for (uint32_t i = 0; i < count; i++)
        wide[i] = (double)values[i];
}

static void add_narrowing(uint32_t count, row_buffers *buffers)
{
    for (uint32_t i = 0; i < count; i++)
        buffers->tolerance[i] += buffers->narrowing[i];
}

static size_t check_hidden(const case_data *data, const ref_expert *expert, const float *x, const float *got,
                           row_buffers *buffers)
{
    const ref_layer *ref = &data->ref;

    widen(expert->width, x, buffers->input);
    ref_up(ref, expert, buffers->input, buffers->want);
    up_tolerance(ref, expert, buffers);
    if (data->plan.precision != SMOE_PRECISION_FLOAT32) {
        ref_up_error(ref, expert, data->plan.precision, buffers->input, NULL, buffers->narrowing);
        add_narrowing(expert->d_hidden, buffers);
    }
    return test_compare_each("hidden", expert->d_hidden, got, buffers->want, buffers->tolerance);
}

/* Also of a latent matrix. */
static size_t check_row(const case_data *data, const ref_expert *expert, const float *hidden, const float *got,
                        row_buffers *buffers)
{
    const ref_layer *ref = &data->ref;
    const uint32_t D = expert->width, H = expert->d_hidden;

    widen(H, hidden, buffers->input);
    ref_down(expert, buffers->input, buffers->want);
    absolute_sums(D, H, expert->w2, expert->w2_factor, expert->b2, buffers->input, buffers->tolerance);
    for (uint32_t i = 0; i < D; i++)
        buffers->tolerance[i] = ref_sum_error(H + 1, buffers->tolerance[i]);
    if (data->plan.precision != SMOE_PRECISION_FLOAT32) {
        ref_down_error(ref, expert, data->plan.precision, buffers->input, NULL, buffers->narrowing);
        add_narrowing(D, buffers);
    }
    return test_compare_each("row", D, got, buffers->want, buffers->tolerance);
}

/* One token: every expert that it runs, then the shared one. */
static size_t check_token(const stage_run *run, uint32_t t, const char *stage, bool up, row_buffers *buffers)
{
    const ref_layer *ref = &run->data->ref;
    const float *x = run->data->x + (size_t)t * ref->d_model;
    size_t wrong = 0;

    for (uint32_t r = 0; r < stage_active(run)[t] && !wrong; r++) {
        const uint32_t row = stage_rows(run, t)[r], id = stage_ids(run, t)[r];
        if (ref_is_zero_expert(ref, id))
            continue;
        const double weight = ref->weighted_input ? (double)stage_row_weights(run)[row] : 1;
        const ref_expert expert = ref_weighted_expert(ref, id, weight);
        wrong = up ? check_hidden(run->data, &expert, ref->d_latent ? stage_latent(run, t) : x, stage_hidden(run, row),
                                  buffers)
                   : check_row(run->data, &expert, stage_hidden(run, row), stage_expert_row(run, row), buffers);
        if (wrong)
            fprintf(stderr, "    ... in %s of token %u, expert %u, row %u\n", stage, t, id, row);
    }
    if (!ref->shared_hidden || !stage_is_finite(run, t) || wrong)
        return wrong; /* what becomes of a NaN in the shared expert is nobody's concern */
    const ref_expert shared = ref_shared_expert(ref);
    wrong = up ? check_hidden(run->data, &shared, x, stage_shared_hidden(run, t), buffers)
               : check_row(run->data, &shared, stage_shared_hidden(run, t), stage_shared_row(run, t), buffers);
    if (wrong)
        fprintf(stderr, "    ... in %s of token %u, the shared expert\n", stage, t);
    return wrong;
}

static size_t check_rows_of(const stage_run *run, const char *stage, bool up)
{
    row_buffers buffers;
    size_t wrong = buffers_create(&buffers, run) ? 0 : 1;

    for (uint32_t t = 0; t < run->data->shape->tokens && !wrong; t++)
        wrong = check_token(run, t, stage, up, &buffers);
    buffers_destroy(&buffers);
    return wrong;
}

size_t check_expert_up(const stage_run *run)
{
    return check_rows_of(run, "expert_up", true);
}

size_t check_expert_down(const stage_run *run)
{
    return check_rows_of(run, "expert_down", false);
}

/* Adds weight * row to what is wanted; weight_error: of the weight, relative. */
static void add_row(uint32_t D, const float *row, double weight, double weight_error, uint32_t terms,
                    row_buffers *buffers)
{
    widen(D, row, buffers->input);
    for (uint32_t i = 0; i < D; i++) {
        const double size = fabs(weight * buffers->input[i]);
        /* Twice: a driver may round each product too, and this is the largest of a million sums. */
        buffers->tolerance[i] += 2 * ref_sum_error(terms, size) + weight_error * size;
    }
    ref_combine(D, weight, buffers->input, buffers->want);
}

/* A latent matrix: what it makes of a token's row. */
static size_t check_latent(const stage_run *run, const char *stage, bool down)
{
    const ref_layer *ref = &run->data->ref;
    const ref_expert matrix = down ? ref_latent_down(ref) : ref_latent_up(ref);
    row_buffers buffers;
    size_t wrong = buffers_create(&buffers, run) ? 0 : 1;

    for (uint32_t t = 0; ref->d_latent && t < run->data->shape->tokens && !wrong; t++) {
        const float *x = run->data->x + (size_t)t * ref->d_model;
        if (!stage_active(run)[t])
            continue; /* a token that is not finite: what becomes of it is combine's */
        wrong = down ? check_row(run->data, &matrix, x, stage_latent(run, t), &buffers)
                     : check_row(run->data, &matrix, stage_latent_sum(run, t), stage_lifted_row(run, t), &buffers);
        if (wrong)
            fprintf(stderr, "    ... in %s of token %u\n", stage, t);
    }
    buffers_destroy(&buffers);
    return wrong;
}

size_t check_latent_down(const stage_run *run)
{
    return check_latent(run, "latent_down", true);
}

size_t check_latent_up(const stage_run *run)
{
    return check_latent(run, "latent_up", false);
}

static void begin_sum(uint32_t width, bool finite, row_buffers *buffers)
{
    for (uint32_t i = 0; i < width; i++) {
        buffers->want[i] = finite ? 0 : (double)NAN;
        buffers->tolerance[i] = 0;
    }
}

static void add_routed(const stage_run *run, uint32_t t, uint32_t width, row_buffers *buffers)
{
    const uint32_t active = stage_active(run)[t];
    const float *seen = run->data->ref.d_latent ? stage_latent(run, t) : run->data->x + (size_t)t * width;

    for (uint32_t r = 0; r < active; r++) {
        const bool zero = ref_is_zero_expert(&run->data->ref, stage_ids(run, t)[r]);
        add_row(width, zero ? seen : stage_expert_row(run, stage_rows(run, t)[r]), (double)stage_weights(run, t)[r], 0,
                active + 1, buffers);
    }
}

size_t check_latent_sum(const stage_run *run)
{
    const uint32_t L = run->data->ref.d_latent;
    row_buffers buffers;
    size_t wrong = buffers_create(&buffers, run) ? 0 : 1;

    for (uint32_t t = 0; L && t < run->data->shape->tokens && !wrong; t++) {
        begin_sum(L, stage_is_finite(run, t), &buffers);
        add_routed(run, t, L, &buffers);
        wrong = test_compare_each("sum", L, stage_latent_sum(run, t), buffers.want, buffers.tolerance);
        if (wrong)
            fprintf(stderr, "    ... in latent_sum of token %u\n", t);
    }
    buffers_destroy(&buffers);
    return wrong;
}

size_t check_combine(const stage_run *run)
{
    const ref_layer *ref = &run->data->ref;
    const uint32_t D = ref->d_model;
    const float *y = (const float *)(const void *)run->y.data;
    row_buffers buffers;
    size_t wrong = buffers_create(&buffers, run) ? 0 : 1;

    for (uint32_t t = 0; t < run->data->shape->tokens && !wrong; t++) {
        const uint32_t active = stage_active(run)[t];
        const bool finite = stage_is_finite(run, t);
        begin_sum(D, finite, &buffers);
        if (!ref->d_latent)
            add_routed(run, t, D, &buffers);
        else if (finite)
            add_row(D, stage_lifted_row(run, t), 1, 0, 2, &buffers);
        if (ref->shared_hidden && finite) {
            const double weight = ref->shared_gate ? ref_sigmoid((double)stage_shared_gate(run, t)) : 1;
            add_row(D, stage_shared_row(run, t), weight, ref->shared_gate ? 2e-6 : 0, active + 1, &buffers);
        }
        wrong = test_compare_each("y", D, y + (size_t)t * D, buffers.want, buffers.tolerance);
        if (wrong)
            fprintf(stderr, "    ... in combine of token %u\n", t);
    }
    buffers_destroy(&buffers);
    return wrong;
}
