/* The results as JSON. README.md lists the members. */
#include "bench.h"
#include "program/output.h"

#include "bench_build.h" /* made by the build */

#include <cjson/cJSON.h>
#include <smoe/capability_file.h>

#include <math.h>
#include <string.h>

/* Of the document: README.md lists the members. It counts up where a member gets another meaning or goes. */
#define BENCH_FORMAT 1

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "another"
#endif

const char *bench_commit(void)
{
    return BENCH_COMMIT;
}

/* cJSON has no memory: a NULL anywhere leaves something out, which `add` notes. */
typedef struct json {
    bool failed;
} json;

static cJSON *add(json *j, cJSON *to, const char *name, cJSON *value)
{
    if (!to || !value || !(name ? cJSON_AddItemToObject(to, name, value) : cJSON_AddItemToArray(to, value))) {
        cJSON_Delete(value);
        j->failed = true;
        return NULL;
    }
    return value;
}

static void add_number(json *j, cJSON *to, const char *name, double value)
{
    add(j, to, name, cJSON_CreateNumber(value));
}

/* null in place of 0, for what was not measured. */
static void add_measured(json *j, cJSON *to, const char *name, double value)
{
    add(j, to, name, value > 0 ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static void add_text(json *j, cJSON *to, const char *name, const char *text)
{
    add(j, to, name, cJSON_CreateString(text));
}

static void add_bool(json *j, cJSON *to, const char *name, bool value)
{
    add(j, to, name, cJSON_CreateBool(value));
}

static void add_spread(json *j, cJSON *to, const char *name, const bench_spread *spread)
{
    cJSON *object = add(j, to, name, cJSON_CreateObject());
    add_number(j, object, "min", spread->min);
    add_number(j, object, "p10", spread->p10);
    add_number(j, object, "median", spread->median);
    add_number(j, object, "p90", spread->p90);
    add_number(j, object, "max", spread->max);
}

/* Empty with --no-peak. */
static void add_peaks(json *j, cJSON *to, const bench_peaks *peaks)
{
    cJSON *array = add(j, to, "peaks", cJSON_CreateArray());
    for (uint32_t i = 0; i < peaks->count; i++) {
        const bench_peak *peak = &peaks->list[i];
        cJSON *object = add(j, array, NULL, cJSON_CreateObject());
        add_text(j, object, "name", peak->name);
        add_text(j, object, "unit", peak->unit);
        if (peak->value > 0) {
            add_number(j, object, "value", peak->value);
            add_number(j, object, "best_of", peak->best_of);
        } else {
            add_text(j, object, "not_measured", peak->not_measured);
        }
    }
}

static void add_capabilities(json *j, cJSON *to, const char *name, uint32_t bits)
{
    cJSON *capabilities = add(j, to, name, cJSON_CreateArray());
    const char *one;
    for (uint32_t bit = 1; (one = smoe_capability_name(bit)) != NULL; bit *= 2)
        if (bits & bit)
            add_text(j, capabilities, NULL, one);
}

/* What is known of the driver, that is worked around. */
static void add_quirks(json *j, cJSON *to, const smoe_device_info *info)
{
    cJSON *quirks = add(j, to, "quirks", cJSON_CreateArray());
    const smoe_quirk *quirk;
    for (uint32_t i = 0; (quirk = smoe_device_quirk(info, i)) != NULL; i++)
        add_text(j, quirks, NULL, quirk->text);
}

static void fill_device(json *j, cJSON *device, const bench_result *result)
{
    const smoe_device_info *info = &result->info;
    add_text(j, device, "name", info->name);
    add_text(j, device, "driver", info->driver_name);
    add_text(j, device, "driver_info", info->driver_info);
    add_number(j, device, "driver_version", info->driver_version);
    add_number(j, device, "vendor_id", info->vendor_id);
    add_number(j, device, "device_id", info->device_id);
    add_number(j, device, "api_version", info->api_version);
    add_number(j, device, "type", info->type);
    add_number(j, device, "subgroup_size", info->subgroup_size);
    add_number(j, device, "memory_size", (double)info->device_memory_size);
    add_bool(j, device, "timestamps", info->timestamp_period > 0);
    add_capabilities(j, device, "capabilities", info->capabilities);
    add_capabilities(j, device, "masked", result->mask);
    add_quirks(j, device, info);
    add_peaks(j, device, &result->peaks);
}

static void add_stages(json *j, cJSON *to, const bench_result *result, const bench_row *row, const bench_run *run)
{
    cJSON *stages = add(j, to, "stages", cJSON_CreateObject());
    for (int i = 0; i < SMOE_STAGE_COUNT; i++) {
        if (!row->kernels[i].name[0])
            continue;
        cJSON *stage = add(j, stages, smoe_stage_name((smoe_stage)i), cJSON_CreateObject());
        const double per_second = run->stage[i].median > 0 ? run->stage_flop[i] / run->stage[i].median * 1e9 : 0;
        const bench_peak *peak =
            run->stage_flop[i] > 0 ? bench_peak_of_kernel(&result->peaks, row->kernels[i].name) : NULL;
        add_spread(j, stage, "ns", &run->stage[i]);
        add_number(j, stage, "flop", run->stage_flop[i]);
        add_measured(j, stage, "flop_per_second", per_second);
        add(j, stage, "peak", peak ? cJSON_CreateString(peak->name) : cJSON_CreateNull());
        add_measured(j, stage, "share_of_peak", peak ? per_second / peak->value : 0);
    }
}

/* Whole nanoseconds, which is as much as clocks tell. */
static void add_samples(json *j, cJSON *to, const bench_run *run)
{
    cJSON *samples = add(j, to, "samples_ns", cJSON_CreateArray());
    for (uint32_t i = 0; i < run->sample_count; i++)
        add_number(j, samples, NULL, floor(run->samples[i] + 0.5));
    add_measured(j, to, "median_error", run->median_error);
    add_measured(j, to, "drift", run->drift);
    add_measured(j, to, "clock_hz", run->clock);
}

/* What only routing alone has. */
static void add_routing(json *j, cJSON *to, const bench_result *result, const bench_row *row, const bench_run *run)
{
    const double select = run->stage[SMOE_STAGE_ROUTE_SELECT].median;
    add_number(j, to, "ns_per_token", bench_run_time(run) / row->tokens);
    add_measured(j, to, "select_ns_per_token", select / row->tokens);
    add_number(j, to, "select_bytes", run->select_bytes);
    add_measured(j, to, "select_share_of_bytes",
                 select > 0 ? bench_share_of_bytes(&result->peaks, run->select_bytes, select) : 0);
}

static void add_check(json *j, cJSON *to, const bench_check *check)
{
    if (check->unmade[0]) {
        add(j, to, "check", cJSON_CreateNull());
        add_text(j, to, "not_checked", check->unmade);
        return;
    }
    cJSON *object = add(j, to, "check", cJSON_CreateObject());
    add_number(j, object, "tokens", check->tokens);
    add_number(j, object, "excused", check->excused);
    add_number(j, object, "largest_difference", check->difference);
    add_number(j, object, "allowed", check->allowed);
    add_bool(j, object, "good", !check->wrong[0]);
    if (check->wrong[0])
        add_text(j, object, "wrong", check->wrong);
}

static void add_run(json *j, cJSON *to, const char *name, const bench_result *result, const bench_row *row,
                    const bench_run *run)
{
    const double time = bench_run_time(run);
    cJSON *object = add(j, to, name, cJSON_CreateObject());

    if (run->unsupported[0]) {
        add_text(j, object, "unsupported", run->unsupported);
        return;
    }
    add_number(j, object, "eps", (double)run->eps);
    if (row->plan.group_count > 1)
        add_number(j, object, "group_eps", (double)run->group_eps);
    add_number(j, object, "expected_active", run->expected_active);
    add_number(j, object, "active_total", (double)run->active_total);
    add_number(j, object, "active_mean", (double)run->active_total / row->tokens);
    add_number(j, object, "active_experts", run->active_experts);
    add_number(j, object, "forwards", run->repeat_count);
    add_samples(j, object, run);
    add_check(j, object, &run->check);
    if (run->device.median > 0) {
        add_stages(j, object, result, row, run);
        add_spread(j, object, "device_ns", &run->device);
    }
    add_spread(j, object, "host_ns", &run->host);
    add_number(j, object, "flop", run->flop);
    add_number(j, object, "bytes", run->bytes);
    add_number(j, object, "flop_per_second", run->flop / time * 1e9);
    add_number(j, object, "bytes_per_second", run->bytes / time * 1e9);
    add_measured(j, object, "share_of_operations",
                 bench_share_of_operations(&result->peaks, row->kernels, run->stage_flop, time));
    add_measured(j, object, "share_of_bytes", bench_share_of_bytes(&result->peaks, run->bytes, time));
    if (row->route)
        add_routing(j, object, result, row, run);
}

static void add_kernels(json *j, cJSON *to, const bench_row *row)
{
    cJSON *kernels = add(j, to, "kernels", cJSON_CreateObject());
    for (int i = 0; i < SMOE_STAGE_COUNT; i++) {
        const smoe_kernel_choice *choice = &row->kernels[i];
        if (!choice->name[0])
            continue;
        cJSON *kernel = add(j, kernels, smoe_stage_name((smoe_stage)i), cJSON_CreateObject());
        add_text(j, kernel, "name", choice->name);
        add_number(j, kernel, "workgroup_size", choice->workgroup_size);
        add_number(j, kernel, "tile_rows", choice->tile_rows);
        add_number(j, kernel, "tile_columns", choice->tile_columns);
        add_number(j, kernel, "tile_depth", choice->tile_depth);
    }
}

static void add_layer(json *j, cJSON *to, const bench_preset *preset, const smoe_plan_desc *plan)
{
    add_text(j, to, "layer", preset->name);
    add_number(j, to, "d_model", plan->d_model);
    add_number(j, to, "d_hidden", plan->d_hidden);
    add_number(j, to, "experts", plan->expert_count);
    add_number(j, to, "top_k", plan->top_k);
    add_number(j, to, "max_active", plan->max_active);
    add_text(j, to, "router", smoe_router_name(plan->router));
    if (plan->router == SMOE_ROUTER_COSINE)
        add_number(j, to, "projection_width", plan->projection_width);
    add_bool(j, to, "router_bias", preset->router_bias);
    add_text(j, to, "gate", smoe_gate_name(plan->gate));
    add_bool(j, to, "selection_bias", preset->selection_bias);
    if (plan->group_count > 1) {
        add_number(j, to, "groups", plan->group_count);
        add_number(j, to, "top_groups", plan->top_groups);
    }
    if (plan->shared_hidden > 0) {
        add_number(j, to, "shared_hidden", plan->shared_hidden);
        add_bool(j, to, "shared_gate", plan->shared_gate);
    }
    add_text(j, to, "activation", smoe_activation_name(plan->activation));
    add_bool(j, to, "gated", plan->gated);
    add_bool(j, to, "renormalize", plan->renormalize);
    add_bool(j, to, "biases", preset->biases);
}

/* What the command line said of the smooth run. */
static void add_given(json *j, cJSON *to, const bench_row *row)
{
    if (row->expected_active > 0)
        add_number(j, to, "given_expected_active", row->expected_active);
    if (!isnan(row->eps))
        add_number(j, to, "given_eps", (double)row->eps);
    if (row->plan.group_count > 1 && !isnan(row->group_eps))
        add_number(j, to, "given_group_eps", (double)row->group_eps);
}

static void fill_row(json *j, cJSON *object, const bench_results *results, size_t device, const bench_row *row)
{
    const bench_result *result = &results->devices[device];
    const bench_options *options = results->options;
    const smoe_plan_desc *plan = &row->plan;

    add_number(j, object, "device", (double)device);
    add_text(j, object, "kind", row->route ? "route" : "layer");
    add_layer(j, object, row->preset, plan);
    add_number(j, object, "tokens", row->tokens);
    add_text(j, object, "weights", smoe_type_short_name(plan->types.up));
    add_bool(j, object, "mixed_precision", plan->precision != SMOE_PRECISION_FLOAT32);
    add_given(j, object, row);
    if (row->unsupported[0]) {
        add_text(j, object, "unsupported", row->unsupported);
        return;
    }
    add_kernels(j, object, row);
    add_number(j, object, "plan_first_ns", row->plan_times.first);
    add_number(j, object, "plan_again_ns", row->plan_times.again);
    add_run(j, object, "hard", result, row, &row->runs[BENCH_HARD]);
    if (!options->hard_only)
        add_run(j, object, "smooth", result, row, &row->runs[BENCH_SMOOTH]);
    add_measured(j, object, "smooth_over_hard_time", row->time_ratio);
    add_measured(j, object, "smooth_over_hard_experts", row->active_ratio);
    if (options->totals)
        add_measured(j, object, "totals_over_none_time", row->totals_ratio);
    if (options->mixed_precision)
        add_measured(j, object, "mixed_over_float32_time", row->mixed_ratio);
}

static void add_program(json *j, cJSON *to)
{
    cJSON *program = add(j, to, "program", cJSON_CreateObject());
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH);
    add_text(j, program, "name", "smoe-bench");
    add_text(j, program, "version", version);
    add(j, program, "commit", *bench_commit() ? cJSON_CreateString(bench_commit()) : cJSON_CreateNull());
    add_text(j, program, "compiler", COMPILER);
    add_text(j, program, "mode", BENCH_MODE);
    add_text(j, program, "shader_tools", BENCH_SHADER_TOOLS);
}

static void add_run_of(json *j, cJSON *to, const bench_results *results)
{
    const bench_options *options = results->options;
    cJSON *run = add(j, to, "run", cJSON_CreateObject());
    add_text(j, run, "date", results->date);
    cJSON *line = add(j, run, "command_line", cJSON_CreateArray());
    for (uint32_t i = 0; i < options->word_count; i++)
        add_text(j, line, NULL, options->words[i]);
    add_bool(j, run, "finished", results->finished);
}

/* "" where it is not known. */
static void add_known(json *j, cJSON *to, const char *name, const char *text)
{
    add(j, to, name, text[0] ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void add_system(json *j, cJSON *to, const bench_system *known)
{
    cJSON *system = add(j, to, "system", cJSON_CreateObject());
    add_known(j, system, "os", known->os);
    add_known(j, system, "cpu", known->cpu);
    add_measured(j, system, "cpu_count", known->cpu_count);
    add_measured(j, system, "memory_bytes", known->memory);
}

static void fill_head(json *j, cJSON *root, const bench_results *results)
{
    add_number(j, root, "format", BENCH_FORMAT);
    add_program(j, root);
    add_run_of(j, root, results);
    add_system(j, root, &results->system);
}

/* One line, or NULL; the object is no more. */
static char *print_line(const json *j, cJSON *object)
{
    char *text = j->failed ? NULL : cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

char *bench_json_head(const bench_results *results)
{
    json j = {false};
    cJSON *object = cJSON_CreateObject();
    fill_head(&j, object, results);
    return print_line(&j, object);
}

char *bench_json_device(const bench_results *results, size_t device)
{
    json j = {false};
    cJSON *object = cJSON_CreateObject();
    add_number(&j, object, "device", (double)device);
    fill_device(&j, object, &results->devices[device]);
    return print_line(&j, object);
}

char *bench_json_row(const bench_results *results, size_t device, const bench_row *row)
{
    json j = {false};
    cJSON *object = cJSON_CreateObject();
    fill_row(&j, object, results, device, row);
    return print_line(&j, object);
}

bool bench_write_json(const char *path, const bench_results *results)
{
    json j = {false};
    cJSON *root = cJSON_CreateObject();

    fill_head(&j, root, results);
    cJSON *devices = add(&j, root, "devices", cJSON_CreateArray());
    for (size_t i = 0; i < results->device_count; i++)
        fill_device(&j, add(&j, devices, NULL, cJSON_CreateObject()), &results->devices[i]);
    cJSON *rows = add(&j, root, "rows", cJSON_CreateArray());
    for (size_t i = 0; i < results->device_count; i++)
        for (size_t k = 0; k < results->devices[i].row_count; k++)
            fill_row(&j, add(&j, rows, NULL, cJSON_CreateObject()), results, i, &results->devices[i].rows[k]);
    char *text = j.failed ? NULL : cJSON_Print(root);
    cJSON_Delete(root);
    if (!text)
        program_say("smoe-bench", "%s: no host memory for the document", path);
    const bool written = text && bench_write_file(path, text, strlen(text), "\n");
    cJSON_free(text);
    return written;
}
