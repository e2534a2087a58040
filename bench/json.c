/* The results as JSON. README.md lists the members. */
#include "bench.h"
#include "program/output.h"

#include "bench_commit.h" /* made by the build */

#include <cjson/cJSON.h>
#include <smoe/capability_file.h>

#include <string.h>

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

static void add_device(json *j, cJSON *to, const smoe_device_info *info)
{
    cJSON *device = add(j, to, "device", cJSON_CreateObject());
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
    cJSON *capabilities = add(j, device, "capabilities", cJSON_CreateArray());
    const char *name;
    for (uint32_t bit = 1; (name = smoe_capability_name(bit)) != NULL; bit *= 2)
        if (info->capabilities & bit)
            add_text(j, capabilities, NULL, name);
}

static void add_peak(json *j, cJSON *to, const bench_peak *peak)
{
    cJSON *object = add(j, to, "peak", cJSON_CreateObject());
    if (peak->reason[0])
        add_text(j, object, "not_measured", peak->reason);
    add_measured(j, object, "fma_flop_per_second", peak->fma);
    add_measured(j, object, "copy_command_bytes_per_second", peak->copy_command);
    add_measured(j, object, "copy_kernel_bytes_per_second", peak->copy_kernel);
    add_measured(j, object, "read_bytes_per_second", peak->read);
    add_measured(j, object, "buffer_size", (double)peak->buffer_size);
    add_measured(j, object, "repeats", peak->repeat_count);
}

static void add_stages(json *j, cJSON *to, const bench_result *result, const bench_row *row, const bench_run *run)
{
    cJSON *stages = add(j, to, "stages", cJSON_CreateObject());
    for (int i = 0; i < SMOE_STAGE_COUNT; i++) {
        if (!row->kernels[i].name[0])
            continue;
        cJSON *stage = add(j, stages, smoe_stage_name((smoe_stage)i), cJSON_CreateObject());
        const double per_second = run->stage[i].median > 0 ? run->stage_flop[i] / run->stage[i].median * 1e9 : 0;
        add_spread(j, stage, "ns", &run->stage[i]);
        add_number(j, stage, "flop", run->stage_flop[i]);
        add_measured(j, stage, "flop_per_second", per_second);
        add_measured(j, stage, "share_of_fma", result->peak.fma > 0 ? per_second / result->peak.fma : 0);
    }
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
    const double time = bench_run_time(run), peak_bytes = bench_peak_bytes(&result->peak);
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
    add_measured(j, object, "share_of_fma", result->peak.fma > 0 ? run->flop / time * 1e9 / result->peak.fma : 0);
    add_measured(j, object, "share_of_bytes", peak_bytes > 0 ? run->bytes / time * 1e9 / peak_bytes : 0);
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

static void add_row(json *j, cJSON *rows, const bench_options *options, const bench_result *result,
                    const bench_row *row)
{
    const smoe_plan_desc *plan = &row->plan;
    cJSON *object = add(j, rows, NULL, cJSON_CreateObject());

    add_layer(j, object, row->preset, plan);
    add_number(j, object, "tokens", row->tokens);
    add_text(j, object, "weights", smoe_type_short_name(plan->types.up));
    add_bool(j, object, "mixed_precision", plan->precision != SMOE_PRECISION_FLOAT32);
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

bool bench_write_json(const char *path, const bench_options *options, const bench_result *result)
{
    json j = {false};
    cJSON *root = cJSON_CreateObject();
    char version[32];

    snprintf(version, sizeof version, "%d.%d.%d", SMOE_VERSION_MAJOR, SMOE_VERSION_MINOR, SMOE_VERSION_PATCH);
    add_text(&j, root, "version", version);
    add(&j, root, "commit", *bench_commit() ? cJSON_CreateString(bench_commit()) : cJSON_CreateNull());
    add_device(&j, root, &result->info);
    add_peak(&j, root, &result->peak);
    cJSON *rows = add(&j, root, "rows", cJSON_CreateArray());
    for (size_t i = 0; i < result->row_count; i++)
        add_row(&j, rows, options, result, &result->rows[i]);
    char *text = j.failed ? NULL : cJSON_Print(root);
    cJSON_Delete(root);
    if (!text)
        program_say("smoe-bench", "%s: no host memory for the document", path);
    const bool written = text && bench_write_file(path, text, strlen(text), "\n");
    cJSON_free(text);
    return written;
}
