/* The layers of a preset, row by row. */
#include "program/output.h"
#include "program/progress.h"
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int bench_fail(const bench_runner *b, smoe_result result)
{
    program_say("smoe-bench", "%s%s%s", smoe_result_text(result), b->log.error[0] ? ": " : "", b->log.error);
    return PROGRAM_FAILED;
}

static uint32_t count_types(const bench_options *options, const bench_preset *preset)
{
    uint32_t types = 0;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++)
        types += bench_takes_type(options, preset, (smoe_type)type);
    return types;
}

/* The calls of one plan at one number of tokens. */
static uint32_t count_calls(const bench_options *options, const bench_preset *preset)
{
    const uint32_t bands = preset->plan.group_count > 1 ? bench_at_least_one(options->group_eps.count) : 1;
    return bench_at_least_one(options->expected_active.count) * bench_at_least_one(options->eps.count) * bands;
}

uint32_t bench_count_rows(const bench_options *options, const bench_preset *preset)
{
    return bench_tokens_of(options, preset).count * bench_caps_of(options, preset).count *
           count_types(options, preset) * count_calls(options, preset);
}

/* The index-th call: the smooth run's numbers. */
static void choose_call(const bench_options *options, uint32_t index, bench_row *row)
{
    const uint32_t widths = bench_at_least_one(options->eps.count),
                   expected = bench_at_least_one(options->expected_active.count);
    const uint32_t group = index / widths / expected;
    row->eps = options->eps.count > 0 ? options->eps.values[index % widths] : NAN;
    row->expected_active =
        options->expected_active.count > 0 ? options->expected_active.values[index / widths % expected] : 0;
    row->group_eps = options->group_eps.count > 0 ? options->group_eps.values[group] : NAN;
}

/* NULL where there is no memory. */
static bench_row *add_row(bench_result *to, const bench_row *row)
{
    bench_row *rows = realloc(to->rows, (to->row_count + 1) * sizeof *rows);
    if (!rows)
        return NULL;
    to->rows = rows;
    rows[to->row_count] = *row;
    return &rows[to->row_count++];
}

/* The reason of an unsupported row, if that is what creating its layer failed for. */
static bool explain(const bench_runner *b, smoe_result result, char unsupported[BENCH_REASON_SIZE])
{
    const bool known = result == SMOE_ERROR_UNSUPPORTED || result == SMOE_ERROR_OUT_OF_DEVICE_MEMORY ||
                       result == SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (known)
        snprintf(unsupported, BENCH_REASON_SIZE, "%s", b->log.error[0] ? b->log.error : smoe_result_text(result));
    return known;
}

/* The layer that is measured and, with --totals, the same without them: a layer that has begun to count does not stop.
 * The same holds for --mixed-precision, which is the plan's. */
static smoe_result create_layers(const bench_runner *b, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                                 smoe_device_layer **layer, smoe_device_layer **plain)
{
    smoe_result result = smoe_device_layer_create(b->device, plan, weights, layer);
    if (result == SMOE_SUCCESS && (b->options->totals || b->options->mixed_precision)) {
        smoe_plan_desc without = *plan;
        without.precision = SMOE_PRECISION_FLOAT32;
        result = smoe_device_layer_create(b->device, &without, weights, plain);
    }
    if (result == SMOE_SUCCESS && b->options->totals)
        result = smoe_device_layer_reset_totals(*layer);
    return result;
}

static smoe_result select_kernels(const bench_runner *b, bench_row *row)
{
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(b->device));
    const smoe_result result =
        smoe_select_kernels(&(smoe_selection_desc){info, &row->plan, row->tokens, 0}, row->kernels, NULL);
    if (!b->options->totals)
        row->kernels[SMOE_STAGE_TOTALS].name = ""; /* chosen for every plan, but run only where there are totals */
    for (int stage = SMOE_STAGE_SORT; row->route && stage < SMOE_STAGE_COUNT; stage++)
        row->kernels[stage].name = "";
    return result;
}

/* After each row: what was measured is not lost with the device. stdout gets the document once, at the end. */
static bool keep_rows(bench_runner *b)
{
    const char *path = b->options->json;
    b->unwritten = path && !program_is_stdout(path) && !bench_write_json(path, b->results);
    return !b->unwritten;
}

static void show_progress(const bench_runner *b)
{
    program_progress((double)b->row_done, b->row_total, "rows");
}

/* A layer on the device, whose rows share it, as an app's token counts would. */
typedef struct bench_layer {
    const bench_preset *preset; /* as it was asked for: `plan` may have fewer experts */
    const bench_data *data;
    smoe_plan_desc plan;
    smoe_device_layer *layer, *plain;
    bench_plan_times plan_times;
    char unsupported[BENCH_REASON_SIZE];
} bench_layer;

static int run_row(bench_runner *b, const bench_layer *layer, uint32_t tokens, uint32_t call)
{
    bench_result *to = &b->results->devices[b->results->device_count - 1];
    bench_row next = {.preset = layer->preset, .plan = layer->plan, .tokens = tokens, .route = b->options->route,
                      .plan_times = layer->plan_times};
    smoe_result result = SMOE_SUCCESS;

    choose_call(b->options, call, &next);
    memcpy(next.unsupported, layer->unsupported, sizeof next.unsupported);
    if (!next.unsupported[0])
        result = select_kernels(b, &next);
    if (!next.unsupported[0] && result == SMOE_SUCCESS)
        result = bench_measure_row(&(bench_measuring){b->options, layer->data, layer->layer, layer->plain, &to->info,
                                                      b->row_done, b->row_total},
                                   &next);
    if (result == SMOE_SUCCESS && bench_is_interrupted())
        return PROGRAM_FAILED; /* what there is of the row is no row */
    const bench_row *row = result == SMOE_SUCCESS ? add_row(to, &next) : NULL;
    if (!row)
        return bench_fail(b, result == SMOE_SUCCESS ? SMOE_ERROR_OUT_OF_HOST_MEMORY : result);
    program_progress_clear();
    const bool shown = bench_show_row(b->out, b->results, b->results->device_count - 1, row);
    b->row_done++;
    if (!keep_rows(b))
        return PROGRAM_FAILED;
    return shown ? PROGRAM_OK : bench_fail(b, SMOE_ERROR_OUT_OF_HOST_MEMORY);
}

static int run_layer(bench_runner *b, bench_layer *layer)
{
    const program_counts tokens = bench_tokens_of(b->options, layer->preset);
    const uint32_t calls = count_calls(b->options, layer->preset);
    int status = PROGRAM_OK;

    show_progress(b);
    if (!layer->unsupported[0]) {
        smoe_result result = bench_measure_plan(b->device, &layer->plan, &layer->plan_times);
        if (result == SMOE_SUCCESS)
            result = create_layers(b, &layer->plan, &layer->data->weights, &layer->layer, &layer->plain);
        if (result != SMOE_SUCCESS && !explain(b, result, layer->unsupported))
            status = bench_fail(b, result);
    }
    for (uint32_t i = 0; status == PROGRAM_OK && i < tokens.count * calls; i++) {
        show_progress(b);
        status = run_row(b, layer, tokens.values[i / calls], i % calls);
    }
    smoe_device_layer_destroy(layer->plain);
    smoe_device_layer_destroy(layer->layer);
    return status;
}

static smoe_plan_desc make_plan(const bench_options *options, const smoe_device_info *info, const bench_preset *preset,
                                smoe_type type, uint32_t cap)
{
    const program_counts tokens = bench_tokens_of(options, preset);
    smoe_plan_desc plan = preset->plan;
    plan.max_active = cap;
    for (uint32_t i = 0; i < options->expected_active.count; i++)
        if (options->expected_active.values[i] > plan.max_expected_active)
            plan.max_expected_active = options->expected_active.values[i];
    plan.max_tokens = bench_most_tokens(&tokens);
    plan.min_tokens = bench_fewest_tokens(&tokens);
    plan.types = (smoe_matrix_types)SMOE_TYPES(type);
    plan.precision = options->mixed_precision ? smoe_select_precision(info, &plan) : SMOE_PRECISION_FLOAT32;
    return plan;
}

/* The layers of a preset at one cap. */
typedef struct bench_group {
    const bench_preset *preset; /* as it was asked for */
    bench_preset cut;           /* with as many experts as are measured */
    bool takes[BENCH_TYPE_COUNT];
    bench_layer layers[BENCH_TYPE_COUNT];
} bench_group;

/* Whether all layers fit; those that do not get the reason. */
static bool check_fit(const bench_runner *b, bench_group *group, uint32_t cap)
{
    const bench_result *to = &b->results->devices[b->results->device_count - 1];
    bool fit = true;
    for (int type = 0; type < BENCH_TYPE_COUNT; type++) {
        bench_layer *layer = &group->layers[type];
        *layer = (bench_layer){.preset = group->preset,
                               .plan = make_plan(b->options, &to->info, &group->cut, (smoe_type)type, cap)};
        group->takes[type] = bench_takes_type(b->options, group->preset, (smoe_type)type);
        if (group->takes[type] &&
            bench_is_unsupported(&to->info, b->options, &group->cut, &layer->plan, layer->unsupported))
            fit = false;
    }
    return fit;
}

/* With --fit all types of a preset get the same number of experts, so that their times can be compared. */
static void fit_experts(const bench_runner *b, bench_group *group, uint32_t cap)
{
    bool fit = check_fit(b, group, cap);
    while (!fit && b->options->fit && group->cut.plan.expert_count % 2 == 0 &&
           group->cut.plan.expert_count / 2 >= cap) {
        group->cut.plan.expert_count /= 2;
        fit = check_fit(b, group, cap);
    }
    if (!fit && b->options->fit) { /* it is not the experts: the reason is the whole layer's */
        group->cut = *group->preset;
        check_fit(b, group, cap);
    }
}

/* Makes the data that the layers from `type` on need, where there is none yet. Types without scales share theirs. */
static bool make_data(const bench_runner *b, bench_group *group, int type, bench_data *data)
{
    const bool peer_data = b->options->peer_data, stored = bench_is_stored((smoe_type)type, peer_data);
    if (data->x && !stored && !data->stored)
        return true;
    bench_data_destroy(data);
    return bench_data_create(&group->cut, (smoe_type)type, group->layers[type].plan.max_tokens, peer_data, data);
}

static int run_cap(bench_runner *b, const bench_preset *preset, uint32_t cap)
{
    bench_group group = {.preset = preset, .cut = *preset};
    bench_data data = {0};
    int status = PROGRAM_OK;

    fit_experts(b, &group, cap);
    for (int type = 0; status == PROGRAM_OK && type < BENCH_TYPE_COUNT; type++) {
        bench_layer *layer = &group.layers[type];
        if (!group.takes[type])
            continue;
        if (!layer->unsupported[0] && !make_data(b, &group, type, &data))
            snprintf(layer->unsupported, BENCH_REASON_SIZE, "no host memory for the weights");
        layer->data = &data;
        status = run_layer(b, layer);
    }
    bench_data_destroy(&data);
    return status;
}

int bench_run_preset(bench_runner *b, const bench_preset *preset)
{
    const program_counts caps = bench_caps_of(b->options, preset);
    int status = PROGRAM_OK;
    for (uint32_t i = 0; status == PROGRAM_OK && i < caps.count; i++)
        status = run_cap(b, preset, caps.values[i]);
    return status;
}
