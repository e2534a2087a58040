#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/compare.h"
#include "stress.h"

/* What a forward wrote. */
typedef struct output_copy {
    float *y;
    uint32_t *report;
} output_copy;

static bool copy_create(output_copy *copy, const stage_run *run)
{
    copy->y = malloc(run->y.part.size);
    copy->report = malloc(run->report.part.size);
    if (!copy->y || !copy->report)
        return false;
    memcpy(copy->y, run->y.data, run->y.part.size);
    memcpy(copy->report, run->report.data, run->report.part.size);
    return true;
}

static void copy_destroy(output_copy *copy)
{
    free(copy->y);
    free(copy->report);
}

static void spoil_floats(const test_buffer *y)
{
    float *values = (float *)(void *)y->data;
    for (size_t i = 0; i < y->part.size / sizeof *values; i++)
        values[i] += 1;
}

static void spoil_words(const test_buffer *report)
{
    uint32_t *words = (uint32_t *)(void *)report->data;
    for (size_t i = 0; i < report->part.size / sizeof *words; i++)
        words[i] ^= 1;
}

/* One more forward, over buffers that say where nothing is written. */
static bool run_again(stage_run *run, test_gpu *gpu)
{
    memset(run->y.data, 0xa5, run->y.part.size);
    memset(run->report.data, 0xa5, run->report.part.size);
    return stage_run_record(run, gpu, &run->data->params, false) && stage_run_guards_intact(run, gpu);
}

/* Each token's rows are those of the first forward; `reversed`: the tokens are in reversed order. */
static bool same_bits(const stage_run *run, const output_copy *first, bool reversed)
{
    const uint32_t T = run->data->shape->tokens, D = run->data->plan.d_model;
    const layer_output output = stage_run_output(run);
    for (uint32_t t = 0; t < T; t++) {
        const size_t from = reversed ? T - 1 - t : t;
        if (test_compare_bits("y", D, output.y + (size_t)t * D, first->y + from * D) +
                test_compare_bits("report", output.stride, output.report + (size_t)t * output.stride,
                                  first->report + from * output.stride) >
            0) {
            fprintf(stderr, "    ... of token %u, %s\n", (uint32_t)from,
                    reversed ? "in the reversed batch" : "the second time");
            return false;
        }
    }
    return true;
}

/* Rows of 4-byte elements, `width` in each; from: NULL where there are none. */
static void reverse_rows(const test_buffer *to, const void *from, size_t tokens, size_t width)
{
    const size_t row = 4 * width;
    for (size_t t = 0; from && t < tokens; t++)
        memcpy(to->data + t * row, (const unsigned char *)from + (tokens - 1 - t) * row, row);
}

static void reverse_tokens(const stage_run *run)
{
    const case_data *data = run->data;
    reverse_rows(&run->x, data->x, data->shape->tokens, data->plan.d_model);
    reverse_rows(&run->given_ids, data->given_ids, data->shape->tokens, data->plan.given_count);
    reverse_rows(&run->given_weights, data->given_weights, data->shape->tokens, data->plan.given_count);
}

static bool compare(stage_run *run, test_gpu *gpu, stress_spoil spoil, check_tally *tally)
{
    output_copy first = {NULL, NULL};
    const layer_output output = stage_run_output(run);
    if (spoil == STRESS_SPOIL_Y)
        spoil_floats(&run->y);
    if (spoil == STRESS_SPOIL_REPORT)
        spoil_words(&run->report);
    bool good = check_output(run->data, &run->data->ref_params, &output, tally) == 0 && copy_create(&first, run);
    good = good && run_again(run, gpu);
    if (good && spoil == STRESS_SPOIL_AGAIN)
        spoil_floats(&run->y);
    good = good && same_bits(run, &first, false);
    reverse_tokens(run);
    good = good && run_again(run, gpu);
    if (good && spoil == STRESS_SPOIL_REVERSED)
        spoil_floats(&run->y);
    good = good && same_bits(run, &first, true);
    copy_destroy(&first);
    return good;
}

bool stress_pair(stress_device *on, const layer_case *shape, uint64_t seed, stress_spoil spoil, check_tally *tally)
{
    case_data data;
    stage_run run;
    if (!case_data_create(&data, shape, seed)) {
        fprintf(stderr, "    out of memory\n");
        return false;
    }
    const bool good = stage_run_create(&run, &on->gpu, &on->keeper, &data) && compare(&run, &on->gpu, spoil, tally);
    stage_run_destroy(&run, &on->gpu);
    if (!good)
        case_print(&data);
    case_data_destroy(&data);
    return good;
}
