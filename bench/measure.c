/* Runs the rows, counts what ran, and sums the times up. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIN_REPEATS 3
#define MAX_REPEATS 4096
#define WARM_UP 0.2 /* of the time for a row */

typedef struct sample {
    double stage[SMOE_STAGE_COUNT], device, host;
} sample;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

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

/* Counts active experts in the report and what follows from them. */
static bool count_work(const bench_row *row, const uint32_t *report, bench_run *run)
{
    const smoe_plan_desc *plan = &row->plan;
    const size_t stride = SMOE_REPORT_STRIDE(plan->max_active);
    const double d = plan->d_model, h = plan->d_hidden, e = plan->expert_count, tokens = row->tokens;
    const double matrices = plan->gated ? 3 : 2;
    bool seen[SMOE_MAX_EXPERTS] = {false};

    run->active_total = run->active_experts = 0;
    for (uint32_t t = 0; t < row->tokens; t++) {
        const uint32_t *record = report + t * stride;
        const uint32_t active = record[SMOE_REPORT_ACTIVE];
        if (active < plan->top_k || active > plan->max_active)
            return false;
        run->active_total += active;
        for (uint32_t i = 0; i < active; i++) {
            const uint32_t expert = record[SMOE_REPORT_IDS + i];
            if (expert >= plan->expert_count)
                return false;
            run->active_experts += !seen[expert];
            seen[expert] = true;
        }
    }
    const double active = (double)run->active_total;
    run->stage_flop[SMOE_STAGE_ROUTE_LOGITS] = 2 * tokens * d * e;
    run->stage_flop[SMOE_STAGE_EXPERT_UP] = 2 * active * d * h * (matrices - 1);
    run->stage_flop[SMOE_STAGE_EXPERT_DOWN] = 2 * active * d * h;
    run->stage_flop[SMOE_STAGE_COMBINE] = 2 * active * d;
    run->flop = 0;
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        run->flop += run->stage_flop[i];
    const double biases = row->preset->biases ? 4 * (h * (matrices - 1) + d) : 0;
    const double expert = matrices * d * h * (plan->weight_type == SMOE_TYPE_FLOAT16 ? 2 : 4) + biases;
    run->bytes = run->active_experts * expert + 4 * e * d + 2 * 4 * tokens * d;
    return true;
}

/* One forward as an app would do it each frame: record, submit, wait. */
static smoe_result take_sample(smoe_device_layer *layer, const smoe_forward_params *params, sample *out)
{
    smoe_timings timings;
    const double begin = now();
    const smoe_result result = smoe_device_layer_repeat(layer, params, false, 1, &timings);
    out->host = now() - begin;
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

/* Hard and smooth alternate, and their ratio is the median of the pairs' ratios: what else the machine does meanwhile meets both. */
static smoe_result time_runs(smoe_device_layer *layer, const bench_options *options, const smoe_forward_params params[BENCH_ROUTING_COUNT],
                             bench_row *row)
{
    const uint32_t most = options->repeat ? options->repeat : MAX_REPEATS;
    sample *samples = malloc(sizeof *samples * BENCH_ROUTING_COUNT * most);
    double *values = malloc(sizeof *values * most);
    smoe_result result = samples && values ? SMOE_SUCCESS : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    const bool smooth = !row->runs[BENCH_SMOOTH].unsupported[0];
    uint32_t count = 0;

    /* The first forwards have compiled and touched everything already; this is for clocks that rise under load. */
    for (const double end = now() + WARM_UP * options->seconds * 1e9; result == SMOE_SUCCESS && !options->repeat && now() < end;)
        result = take_sample(layer, &params[BENCH_HARD], &samples[0]);
    for (const double end = now() + options->seconds * 1e9;
         result == SMOE_SUCCESS && count < most && (options->repeat || count < MIN_REPEATS || now() < end);
         count++) {
        result = take_sample(layer, &params[BENCH_HARD], &samples[count]);
        if (result == SMOE_SUCCESS && smooth)
            result = take_sample(layer, &params[BENCH_SMOOTH], &samples[most + count]);
    }
    if (result == SMOE_SUCCESS) {
        summarise(samples, count, values, &row->runs[BENCH_HARD]);
        if (smooth) {
            summarise(samples + most, count, values, &row->runs[BENCH_SMOOTH]);
            for (uint32_t i = 0; i < count; i++) {
                const sample *a = &samples[i], *b = &samples[most + i];
                values[i] = a->device > 0 ? b->device / a->device : b->host / a->host;
            }
            row->time_ratio = spread_of(values, count).median;
        }
    }
    free(values);
    free(samples);
    return result;
}

static smoe_result dump(const char *path, const float *y, size_t count)
{
    FILE *file = fopen(path, "wb");
    const bool written = file && fwrite(y, sizeof *y, count, file) == count;
    if ((file && fclose(file) != 0) || !written) {
        fprintf(stderr, "smoe-bench: cannot write %s\n", path);
        return SMOE_ERROR_FILE;
    }
    return SMOE_SUCCESS;
}

/* A first forward of each kind, untimed: it warms up, and its report says what ran. */
static smoe_result run_once(smoe_device_layer *layer, const bench_options *options, const bench_data *data, bench_row *row,
                            const smoe_forward_params params[BENCH_ROUTING_COUNT])
{
    const size_t count = (size_t)row->tokens * row->plan.d_model;
    float *y = malloc(count * sizeof *y);
    uint32_t *report = malloc((size_t)row->tokens * SMOE_REPORT_STRIDE(row->plan.max_active) * sizeof *report);
    smoe_result result = y && report ? SMOE_SUCCESS : SMOE_ERROR_OUT_OF_HOST_MEMORY;

    for (int i = 0; result == SMOE_SUCCESS && i < BENCH_ROUTING_COUNT; i++) {
        bench_run *run = &row->runs[i];
        if (run->unsupported[0])
            continue;
        result = smoe_device_layer_forward(layer, &params[i], data->x, y, report, NULL);
        if (result == SMOE_SUCCESS && !count_work(row, report, run)) {
            fprintf(stderr, "smoe-bench: %s: the report names experts that there are not\n", row->preset->name);
            result = SMOE_ERROR_VULKAN;
        }
        if (result == SMOE_SUCCESS && i == BENCH_HARD && options->dump)
            result = dump(options->dump, y, count);
    }
    free(report);
    free(y);
    return result;
}

smoe_result bench_measure_row(smoe_device_layer *layer, const bench_options *options, const bench_data *data, bench_row *row)
{
    bench_run *hard = &row->runs[BENCH_HARD], *smooth = &row->runs[BENCH_SMOOTH];
    smoe_forward_params params[BENCH_ROUTING_COUNT];

    if (options->hard_only)
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "not asked for: --hard");
    else if (row->plan.max_active == row->plan.top_k)
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "max_active is k: no extra expert may run");
    else
        smooth->eps = options->eps > 0 ? (float)options->eps : bench_choose_eps(&row->plan, data, row->tokens);
    if (!smooth->unsupported[0] && !(smooth->eps > 0))
        snprintf(smooth->unsupported, sizeof smooth->unsupported, "no host memory to choose a band width, or equal scores");
    for (int i = 0; i < BENCH_ROUTING_COUNT; i++) {
        params[i] = smoe_forward_defaults();
        params[i].token_count = row->tokens;
        params[i].eps = row->runs[i].eps;
    }
    smoe_result result = run_once(layer, options, data, row, params);
    if (result == SMOE_SUCCESS)
        result = time_runs(layer, options, params, row);
    if (result == SMOE_SUCCESS && !smooth->unsupported[0])
        row->active_ratio = (double)smooth->active_total / (double)hard->active_total;
    return result;
}
