/* Runs the rows and sums the times up. */

#include "bench.h"
#include "program/output.h"
#include "program/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_REPEATS 3
#define MAX_REPEATS 4096
#define WARM_UP 0.2 /* of the time for a row */
#define PLAN_REPEATS 8

typedef struct sample {
    double stage[SMOE_STAGE_COUNT], device, host;
} sample;

static int compare_rising(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts values. Linear between the two nearest. */
static bench_spread spread_of(double *values, uint32_t count)
{
    const double places[] = {0, 0.1, 0.5, 0.9, 1};
    double found[5];
    qsort(values, count, sizeof *values, compare_rising);
    for (int i = 0; i < 5; i++) {
        const double place = places[i] * (count - 1);
        const uint32_t low = (uint32_t)place;
        const uint32_t high = low + 1 < count ? low + 1 : low;
        found[i] = values[low] + (place - low) * (values[high] - values[low]);
    }
    return (bench_spread){found[0], found[1], found[2], found[3], found[4]};
}

double bench_run_time(const bench_run *run)
{
    return run->device.median > 0 ? run->device.median : run->host.median;
}

/* One forward as an app would do it each frame: record, submit, wait. */
static smoe_result take_sample(smoe_device_layer *layer, const smoe_forward_params *params, sample *out)
{
    smoe_timings timings;
    const double begin = program_now();
    const smoe_result result = smoe_device_layer_repeat(layer, params, false, 1, &timings);
    out->host = program_now() - begin;
    out->device = timings.device_total;
    memcpy(out->stage, timings.stage, sizeof out->stage);
    return result;
}

static void summarise(const sample *samples, uint32_t count, double *values, bench_run *run)
{
    run->repeat_count = count;
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = samples[i].stage[stage];
        run->stage[stage] = spread_of(values, count);
    }
    for (uint32_t i = 0; i < count; i++)
        values[i] = samples[i].device;
    run->device = spread_of(values, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = samples[i].host;
    run->host = spread_of(values, count);
}

/* What alternates within a row: its routings and, with --totals or --mixed-precision, hard routing without. */
enum { SAMPLE_PLAIN = BENCH_ROUTING_COUNT, SAMPLE_KINDS };

/* What takes a kind of sample. */
typedef struct source {
    smoe_device_layer *layer; /* NULL: the kind is not asked for */
    smoe_forward_params params;
} source;

/* The median of the pairs' ratios. */
static double ratio_of(const sample *samples, const sample *to, uint32_t count, double *values)
{
    for (uint32_t i = 0; i < count; i++)
        values[i] = samples[i].device > 0 ? samples[i].device / to[i].device : samples[i].host / to[i].host;
    return spread_of(values, count).median;
}

/* The kinds alternate, and ratios are those of pairs: what else the machine does meanwhile meets all of them. */
static smoe_result time_runs(const bench_options *options, const source sources[SAMPLE_KINDS], bench_row *row)
{
    const uint32_t most = options->repeat ? options->repeat : MAX_REPEATS;
    sample *samples = malloc(sizeof *samples * SAMPLE_KINDS * most); /* `most` of each kind */
    double *values = malloc(sizeof *values * most);
    smoe_result result = samples && values ? SMOE_SUCCESS : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    const source *hard = &sources[BENCH_HARD];
    uint32_t count = 0;

    /* The first forwards have compiled and touched everything already; this is for clocks that rise under load. */
    for (const double end = program_now() + WARM_UP * options->seconds * 1e9;
         result == SMOE_SUCCESS && !options->repeat && program_now() < end;)
        result = take_sample(hard->layer, &hard->params, &samples[0]);
    for (const double end = program_now() + options->seconds * 1e9;
         result == SMOE_SUCCESS && count < most && (options->repeat || count < MIN_REPEATS || program_now() < end);
         count++)
        for (uint32_t kind = 0; result == SMOE_SUCCESS && kind < SAMPLE_KINDS; kind++)
            if (sources[kind].layer)
                result = take_sample(sources[kind].layer, &sources[kind].params, &samples[kind * most + count]);
    if (result == SMOE_SUCCESS) {
        for (uint32_t i = 0; i < BENCH_ROUTING_COUNT; i++)
            if (sources[i].layer)
                summarise(samples + i * most, count, values, &row->runs[i]);
        if (sources[BENCH_SMOOTH].layer)
            row->time_ratio = ratio_of(samples + BENCH_SMOOTH * most, samples + BENCH_HARD * most, count, values);
        if (sources[SAMPLE_PLAIN].layer)
            *(options->totals ? &row->totals_ratio : &row->mixed_ratio) =
                ratio_of(samples + BENCH_HARD * most, samples + SAMPLE_PLAIN * most, count, values);
    }
    free(values);
    free(samples);
    return result;
}

/* A first forward of each kind, untimed: it warms up, the routings' reports say what ran, and y is checked. */
static smoe_result run_once(const bench_options *options, const bench_data *data, bench_row *row,
                            const source sources[SAMPLE_KINDS])
{
    const size_t count = (size_t)row->tokens * row->plan.d_model;
    float *y = malloc(count * sizeof *y);
    uint32_t *report = malloc((size_t)row->tokens * SMOE_REPORT_STRIDE(row->plan.max_active) * sizeof *report);
    smoe_result result = y && report ? SMOE_SUCCESS : SMOE_ERROR_OUT_OF_HOST_MEMORY;

    for (int i = 0; result == SMOE_SUCCESS && i < SAMPLE_KINDS; i++) {
        if (!sources[i].layer)
            continue;
        result = smoe_device_layer_forward(sources[i].layer, &sources[i].params, data->x, y, report, NULL);
        if (result == SMOE_SUCCESS && i < BENCH_ROUTING_COUNT && !bench_count_work(row, report, &row->runs[i])) {
            program_say("smoe-bench", "%s: the report names experts that there are not", row->preset->name);
            result = SMOE_ERROR_VULKAN;
        }
        if (result == SMOE_SUCCESS && i < BENCH_ROUTING_COUNT)
            bench_check_run(row, data, &sources[i].params, y, report, &row->runs[i]);
        if (result == SMOE_SUCCESS && i == BENCH_HARD && options->dump)
            result = bench_write_file(options->dump, y, count * sizeof *y, "") ? SMOE_SUCCESS : SMOE_ERROR_FILE;
    }
    free(report);
    free(y);
    return result;
}

/* Widths with which half an extra expert per token runs on average, and one at least, before any cap; those of groups
 * as wide as the experts' own would be among hard groups. */
static smoe_result choose_bands(smoe_device_layer *layer, const bench_options *options, const bench_data *data,
                                const bench_row *row, bench_run *smooth)
{
    const bool groups = row->plan.group_count > 1;
    const double extra = (row->tokens > 1 ? row->tokens / 2 : 1) / (double)row->tokens;
    smoe_forward_params params = smoe_forward_defaults();
    smoe_result result = SMOE_SUCCESS;

    params.token_count = row->tokens;
    smooth->eps = isnan(options->eps) ? 0 : options->eps;
    smooth->group_eps = groups && !isnan(options->group_eps) ? options->group_eps : 0;
    if (groups && smooth->group_eps <= 0 && smooth->eps > 0)
        smooth->group_eps = smooth->eps;
    if (groups && smooth->group_eps <= 0)
        result = smoe_device_layer_calibrate(layer, &params, data->x, extra, &smooth->group_eps, NULL);
    params.group_eps = smooth->group_eps;
    if (result == SMOE_SUCCESS && smooth->eps <= 0)
        result = smoe_device_layer_calibrate(layer, &params, data->x, extra, &smooth->eps, NULL);
    return result;
}

smoe_result bench_measure_plan(const smoe_device *device, const smoe_plan_desc *desc, bench_plan_times *out)
{
    smoe_result result = SMOE_SUCCESS;
    *out = (bench_plan_times){0};
    for (int i = 0; i <= PLAN_REPEATS && result == SMOE_SUCCESS; i++) {
        smoe_plan *plan = NULL;
        const double begin = program_now();
        result = smoe_plan_create(smoe_device_context(device), desc, &plan);
        const double time = program_now() - begin;
        smoe_plan_destroy(plan);
        if (i == 0)
            out->first = time;
        else if (i == 1 || time < out->again)
            out->again = time;
    }
    return result;
}

smoe_result bench_measure_row(smoe_device_layer *layer, smoe_device_layer *plain, const bench_options *options,
                              const bench_data *data, bench_row *row)
{
    bench_run *hard = &row->runs[BENCH_HARD], *smooth = &row->runs[BENCH_SMOOTH];
    source sources[SAMPLE_KINDS] = {{.layer = layer}, {.layer = layer}, {.layer = plain}};
    smoe_result result = SMOE_SUCCESS;

    if (options->hard_only)
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "not asked for: --hard");
    else if (row->plan.max_active == row->plan.top_k)
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "max_active is k: no extra expert may run");
    else
        result = choose_bands(layer, options, data, row, smooth);
    if (!smooth->unsupported[0] && !(smooth->eps > 0))
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "scores are equal: no band lets so few experts in");
    if (smooth->unsupported[0])
        sources[BENCH_SMOOTH].layer = NULL;
    for (int i = 0; i < SAMPLE_KINDS; i++) {
        sources[i].params = smoe_forward_defaults();
        sources[i].params.token_count = row->tokens;
    }
    hard->expected_active = row->plan.top_k;
    smooth->expected_active = options->expected_active ? options->expected_active : row->plan.top_k;
    sources[BENCH_SMOOTH].params.expected_active = smooth->expected_active;
    sources[BENCH_SMOOTH].params.eps = smooth->eps;
    sources[BENCH_SMOOTH].params.group_eps = smooth->group_eps;
    if (result == SMOE_SUCCESS)
        result = run_once(options, data, row, sources);
    if (result == SMOE_SUCCESS)
        result = time_runs(options, sources, row);
    if (result == SMOE_SUCCESS && !smooth->unsupported[0])
        row->active_ratio = (double)smooth->active_total / (double)hard->active_total;
    return result;
}
