/* Runs the rows and sums the times up. */

#include "bench.h"
#include "program/output.h"
#include "program/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_REPEATS 3
#define MAX_REPEATS 4096
#define WARM_UP 0.2    /* of the time for a row */
#define LEAST_PART 0.1 /* of it is measured, however certain the first samples are */
#define PLAN_REPEATS 8

typedef struct sample {
    double stage[SMOE_STAGE_COUNT], device, host;
} sample;

double bench_run_time(const bench_run *run)
{
    return run->device.median > 0 ? run->device.median : run->host.median;
}

/* What takes a kind of sample. */
typedef struct source {
    smoe_device_layer *layer; /* NULL: the kind is not asked for */
    smoe_forward_params params;
    bool report; /* is written too */
} source;

/* One forward as an app would do it each frame: record, submit, wait. */
static smoe_result take_sample(const source *from, sample *out)
{
    smoe_timings timings;
    const double begin = program_now();
    const smoe_result result = smoe_device_layer_repeat(from->layer, &from->params, from->report, 1, &timings);
    out->host = program_now() - begin;
    out->device = timings.device_total;
    memcpy(out->stage, timings.stage, sizeof out->stage);
    return result;
}

static double time_of(const sample *one)
{
    return one->device > 0 ? one->device : one->host;
}

static void gather_times(const sample *samples, uint32_t count, double *values)
{
    for (uint32_t i = 0; i < count; i++)
        values[i] = time_of(&samples[i]);
}

static void keep_samples(const sample *samples, uint32_t count, bench_run *run)
{
    run->sample_count = count < BENCH_MAX_SAMPLES ? count : BENCH_MAX_SAMPLES;
    for (uint32_t i = 0; i < run->sample_count; i++)
        run->samples[i] = time_of(&samples[(uint64_t)i * count / run->sample_count]);
}

static void summarise(const sample *samples, uint32_t count, double *values, bench_run *run)
{
    run->repeat_count = count;
    keep_samples(samples, count, run);
    gather_times(samples, count, values);
    run->drift = bench_drift(values, count);
    run->median_error = bench_median_error(values, count);
    for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = samples[i].stage[stage];
        run->stage[stage] = bench_spread_of(values, count);
    }
    for (uint32_t i = 0; i < count; i++)
        values[i] = samples[i].device;
    run->device = bench_spread_of(values, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = samples[i].host;
    run->host = bench_spread_of(values, count);
}

/* What alternates within a row: its routings and, with --totals or --mixed-precision, hard routing without. */
enum { SAMPLE_PLAIN = BENCH_ROUTING_COUNT, SAMPLE_KINDS };

/* The median of the pairs' ratios. */
static double ratio_of(const sample *samples, const sample *to, uint32_t count, double *values)
{
    for (uint32_t i = 0; i < count; i++)
        values[i] = samples[i].device > 0 ? samples[i].device / to[i].device : samples[i].host / to[i].host;
    return bench_spread_of(values, count).median;
}

/* What time_runs carries along: `most` samples of each kind, and how many of each there are. */
typedef struct timing {
    const bench_measuring *m;
    const source *sources; /* [SAMPLE_KINDS] */
    sample *samples;
    double *values, begin;
    uint32_t most, count;
} timing;

/* Sorting is asked for at counts that grow by a quarter: it takes no part of the time that matters. */
static bool is_certain(const timing *t, uint32_t *next)
{
    if (t->count < *next || t->m->options->error <= 0)
        return false;
    *next = t->count + t->count / 4 + 1;
    for (uint32_t kind = 0; kind < SAMPLE_KINDS; kind++) {
        if (!t->sources[kind].layer)
            continue;
        gather_times(t->samples + kind * t->most, t->count, t->values);
        const double error = bench_median_error(t->values, t->count);
        if (!(error < t->m->options->error))
            return false;
    }
    return true;
}

static bool is_over(const timing *t, uint32_t *next)
{
    const bench_options *options = t->m->options;
    const double part = (program_now() - t->begin) / (options->seconds * 1e9);
    program_progress(t->m->row_done + fmin(options->repeat ? t->count / (double)t->most : part, 1),
                     t->m->row_total, "rows");
    if (t->count == t->most || bench_is_interrupted())
        return true;
    if (options->repeat || t->count < MIN_REPEATS)
        return false;
    return part >= 1 || (part >= LEAST_PART && is_certain(t, next));
}

static smoe_result warm_up(const timing *t)
{
    const source *hard = &t->sources[BENCH_HARD];
    smoe_result result = SMOE_SUCCESS;
    if (t->m->options->repeat)
        return result;
    for (const double end = program_now() + WARM_UP * t->m->options->seconds * 1e9;
         result == SMOE_SUCCESS && !bench_is_interrupted() && program_now() < end;)
        result = take_sample(hard, &t->samples[0]);
    return result;
}

static void sum_up(const timing *t, bench_row *row)
{
    const sample *hard = t->samples + BENCH_HARD * t->most;
    for (uint32_t i = 0; i < BENCH_ROUTING_COUNT; i++)
        if (t->sources[i].layer) {
            summarise(t->samples + i * t->most, t->count, t->values, &row->runs[i]);
            row->runs[i].clock = bench_device_clock(t->m->info);
        }
    if (t->sources[BENCH_SMOOTH].layer)
        row->time_ratio = ratio_of(t->samples + BENCH_SMOOTH * t->most, hard, t->count, t->values);
    if (t->sources[SAMPLE_PLAIN].layer)
        *(t->m->options->totals ? &row->totals_ratio : &row->mixed_ratio) =
            ratio_of(hard, t->samples + SAMPLE_PLAIN * t->most, t->count, t->values);
}

/* The kinds alternate, and ratios are those of pairs: what else the machine does meanwhile meets all of them. The first
 * forwards have compiled and touched everything already; warming up is for clocks that rise under load. */
static smoe_result time_runs(const bench_measuring *m, const source sources[SAMPLE_KINDS], bench_row *row)
{
    timing t = {.m = m, .sources = sources, .most = m->options->repeat ? m->options->repeat : MAX_REPEATS};
    uint32_t next = 0;

    t.samples = malloc(sizeof *t.samples * SAMPLE_KINDS * t.most);
    t.values = malloc(sizeof *t.values * t.most);
    smoe_result result = t.samples && t.values ? warm_up(&t) : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    for (t.begin = program_now(); result == SMOE_SUCCESS && !is_over(&t, &next); t.count++)
        for (uint32_t kind = 0; result == SMOE_SUCCESS && kind < SAMPLE_KINDS; kind++)
            if (sources[kind].layer)
                result = take_sample(&sources[kind], &t.samples[kind * t.most + t.count]);
    if (result == SMOE_SUCCESS && t.count > 0)
        sum_up(&t, row);
    free(t.values);
    free(t.samples);
    return result;
}

/* A first forward of each kind, untimed: it warms up, the routings' reports say what ran, and y is checked. */
static smoe_result run_once(const bench_measuring *m, bench_row *row, const source sources[SAMPLE_KINDS])
{
    const bench_options *options = m->options;
    const size_t count = (size_t)row->tokens * row->plan.d_model;
    float *y = malloc(count * sizeof *y);
    uint32_t *report = malloc((size_t)row->tokens * SMOE_REPORT_STRIDE(row->plan.max_active) * sizeof *report);
    smoe_result result = y && report ? SMOE_SUCCESS : SMOE_ERROR_OUT_OF_HOST_MEMORY;

    for (int i = 0; result == SMOE_SUCCESS && i < SAMPLE_KINDS; i++) {
        if (!sources[i].layer)
            continue;
        result = smoe_device_layer_forward(sources[i].layer, &sources[i].params, m->data->x, row->route ? NULL : y,
                                           report, NULL);
        if (result == SMOE_SUCCESS && i < BENCH_ROUTING_COUNT && !bench_count_work(row, report, &row->runs[i])) {
            program_say("smoe-bench", "%s: the report names experts that there are not", row->preset->name);
            result = SMOE_ERROR_VULKAN;
        }
        if (result == SMOE_SUCCESS && i < BENCH_ROUTING_COUNT)
            bench_check_run(row, m->data, &sources[i].params, row->route ? NULL : y, report, &row->runs[i]);
        if (result == SMOE_SUCCESS && i == BENCH_HARD && options->dump)
            result = bench_write_file(options->dump, y, count * sizeof *y, "") ? SMOE_SUCCESS : SMOE_ERROR_FILE;
    }
    free(report);
    free(y);
    return result;
}

/* Widths with which half an extra expert per token runs on average, and one at least, before any cap; those of groups
 * as wide as the experts' own would be among hard groups. */
static smoe_result choose_bands(const bench_measuring *m, const bench_row *row, bench_run *smooth)
{
    const bool groups = row->plan.group_count > 1;
    const double extra = (row->tokens > 1 ? row->tokens / 2 : 1) / (double)row->tokens;
    smoe_forward_params params = smoe_forward_defaults();
    smoe_result result = SMOE_SUCCESS;

    params.token_count = row->tokens;
    smooth->eps = isnan(row->eps) ? 0 : row->eps;
    smooth->group_eps = groups && !isnan(row->group_eps) ? row->group_eps : 0;
    if (groups && smooth->group_eps <= 0 && smooth->eps > 0)
        smooth->group_eps = smooth->eps;
    if (groups && smooth->group_eps <= 0)
        result = smoe_device_layer_calibrate(m->layer, &params, m->data->x, extra, &smooth->group_eps, NULL);
    params.group_eps = smooth->group_eps;
    if (result == SMOE_SUCCESS && smooth->eps <= 0)
        result = smoe_device_layer_calibrate(m->layer, &params, m->data->x, extra, &smooth->eps, NULL);
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

smoe_result bench_measure_row(const bench_measuring *m, bench_row *row)
{
    bench_run *hard = &row->runs[BENCH_HARD], *smooth = &row->runs[BENCH_SMOOTH];
    source sources[SAMPLE_KINDS] = {{.layer = m->layer}, {.layer = m->layer}, {.layer = m->plain}};
    smoe_result result = SMOE_SUCCESS;

    if (m->options->hard_only)
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "not asked for: --hard");
    else if (row->plan.max_active == row->plan.top_k)
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "max_active is k: no extra expert may run");
    else
        result = choose_bands(m, row, smooth);
    if (!smooth->unsupported[0] && !(smooth->eps > 0))
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "scores are equal: no band lets so few experts in");
    if (smooth->unsupported[0])
        sources[BENCH_SMOOTH].layer = NULL;
    for (int i = 0; i < SAMPLE_KINDS; i++) {
        sources[i].params = smoe_forward_defaults();
        sources[i].params.token_count = row->tokens;
        sources[i].report = row->route;
    }
    hard->expected_active = row->plan.top_k;
    smooth->expected_active = row->expected_active ? row->expected_active : row->plan.top_k;
    sources[BENCH_SMOOTH].params.expected_active = smooth->expected_active;
    sources[BENCH_SMOOTH].params.eps = smooth->eps;
    sources[BENCH_SMOOTH].params.group_eps = smooth->group_eps;
    if (result == SMOE_SUCCESS)
        result = run_once(m, row, sources);
    if (result == SMOE_SUCCESS)
        result = time_runs(m, sources, row);
    if (result == SMOE_SUCCESS && !smooth->unsupported[0])
        row->active_ratio = (double)smooth->active_total / (double)hard->active_total;
    return result;
}
