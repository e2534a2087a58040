/* expert_up, expert_down and combine against the reference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_stages.h"
#include "common/compare.h"
#include "stage_view.h"

typedef struct row_buffers {
    double *input, *want, *tolerance;
} row_buffers;

static bool buffers_create(row_buffers *buffers, const stage_run *run)
{
    const uint32_t D = run->data->plan.d_model, H = run->data->plan.d_hidden, wide = D > H ? D : H;

    buffers->input = calloc(wide, sizeof(double));
    buffers->want = calloc(wide, sizeof(double));
    buffers->tolerance = calloc(wide, sizeof(double));
    return buffers->input && buffers->want && buffers->tolerance;
}

static void buffers_destroy(row_buffers *buffers)
{
    free(buffers->input);
    free(buffers->want);
    free(buffers->tolerance);
}

/* sums[rows] = the sum of the absolute values of the terms that make up each output. */
static void absolute_sums(uint32_t rows, uint32_t columns, const float *matrix, const float *bias, const double *x, double *sums)
{
    for (uint32_t r = 0; r < rows; r++) {
        sums[r] = bias ? fabs((double)bias[r]) : 0;
        for (uint32_t c = 0; c < columns; c++)
            sums[r] += fabs((double)matrix[(size_t)r * columns + c] * x[c]);
    }
}

static const float *expert_bias(const float *bias, uint32_t expert, uint32_t width)
{
    return bias ? bias + (size_t)expert * width : NULL;
}

/* An activation may add 1e-6 of its size (1 at least), and passes its input's error on with a slope of at most 1.13 (gelu); the
 * gate multiplies two such numbers. */
static void up_tolerance(const ref_layer *ref, uint32_t expert, row_buffers *buffers)
{
    const uint32_t D = ref->d_model, H = ref->d_hidden;
    const size_t matrix = (size_t)expert * H * D;

    absolute_sums(H, D, ref->w1 + matrix, expert_bias(ref->b1, expert, H), buffers->input, buffers->tolerance);
    for (uint32_t h = 0; h < H; h++) {
        const double first = buffers->tolerance[h];
        double linear = 1; /* the gate's absolute sum bounds its size */
        if (ref->gated)
            absolute_sums(1, D, ref->w3 + matrix + (size_t)h * D, ref->b3 ? ref->b3 + (size_t)expert * H + h : NULL, buffers->input,
                          &linear);
        buffers->tolerance[h] = (2.2 * case_sum_error(D + 1, first) + 1e-6 * fmax(1, first)) * linear;
    }
}

static size_t check_rows_of(const stage_run *run, const char *stage, bool up)
{
    const ref_layer *ref = &run->data->ref;
    const uint32_t D = ref->d_model, H = ref->d_hidden;
    row_buffers buffers;
    size_t wrong = buffers_create(&buffers, run) ? 0 : 1;

    for (uint32_t t = 0; t < run->data->shape->tokens && !wrong; t++)
        for (uint32_t r = 0; r < stage_active(run)[t] && !wrong; r++) {
            const uint32_t row = stage_rows(run, t)[r], expert = stage_ids(run, t)[r];
            const float *input = up ? run->data->x + (size_t)t * D : stage_hidden(run, row);
            for (uint32_t i = 0; i < (up ? D : H); i++)
                buffers.input[i] = (double)input[i];
            if (up) {
                ref_up(ref, expert, buffers.input, buffers.want);
                up_tolerance(ref, expert, &buffers);
                wrong = test_compare_each("hidden", H, stage_hidden(run, row), buffers.want, buffers.tolerance);
            } else {
                ref_down(ref, expert, buffers.input, buffers.want);
                absolute_sums(D, H, ref->w2 + (size_t)expert * D * H, expert_bias(ref->b2, expert, D), buffers.input, buffers.tolerance);
                for (uint32_t i = 0; i < D; i++)
                    buffers.tolerance[i] = case_sum_error(H + 1, buffers.tolerance[i]);
                wrong = test_compare_each("row", D, stage_expert_row(run, row), buffers.want, buffers.tolerance);
            }
            if (wrong)
                fprintf(stderr, "    ... in %s of token %u, expert %u, row %u\n", stage, t, expert, row);
        }
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

size_t check_combine(const stage_run *run)
{
    const uint32_t D = run->data->plan.d_model;
    const float *y = (const float *)(const void *)run->y.data;
    row_buffers buffers;
    size_t wrong = buffers_create(&buffers, run) ? 0 : 1;

    for (uint32_t t = 0; t < run->data->shape->tokens && !wrong; t++) {
        const uint32_t active = stage_active(run)[t];
        for (uint32_t i = 0; i < D; i++) {
            buffers.want[i] = active ? 0 : (double)NAN; /* no expert runs for a non-finite token alone */
            buffers.tolerance[i] = 0;
        }
        for (uint32_t r = 0; r < active; r++) {
            const float *row = stage_expert_row(run, stage_rows(run, t)[r]);
            const double weight = (double)stage_weights(run, t)[r];
            for (uint32_t i = 0; i < D; i++) {
                buffers.input[i] = (double)row[i];
                buffers.tolerance[i] += case_sum_error(active, fabs(weight * (double)row[i]));
            }
            ref_combine(D, weight, buffers.input, buffers.want);
        }
        wrong = test_compare_each("y", D, y + (size_t)t * D, buffers.want, buffers.tolerance);
        if (wrong)
            fprintf(stderr, "    ... in combine of token %u\n", t);
    }
    buffers_destroy(&buffers);
    return wrong;
}
