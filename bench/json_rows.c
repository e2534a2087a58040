/* A row of the document of results. README.md lists the members. */
#include "json_add.h"
#include "read/results.h"

#include <math.h>

static void add_spread(json *j, cJSON *to, const char *name, const bench_spread *spread)
{
    cJSON *object = json_add(j, to, name, cJSON_CreateObject());
    json_add_number(j, object, "min", spread->min);
    json_add_number(j, object, "p10", spread->p10);
    json_add_number(j, object, "median", spread->median);
    json_add_number(j, object, "p90", spread->p90);
    json_add_number(j, object, "max", spread->max);
}

static void add_stages(json *j, cJSON *to, const bench_result *result, const bench_row *row, const bench_run *run)
{
    cJSON *stages = json_add(j, to, "stages", cJSON_CreateObject());
    for (int i = 0; i < SMOE_STAGE_COUNT; i++) {
        if (!row->kernels[i].name[0])
            continue;
        cJSON *stage = json_add(j, stages, smoe_stage_name((smoe_stage)i), cJSON_CreateObject());
        const double per_second = run->stage[i].median > 0 ? run->stage_flop[i] / run->stage[i].median * 1e9 : 0;
        const bench_peak *peak =
            run->stage_flop[i] > 0 ? bench_peak_of_kernel(&result->peaks, row->kernels[i].name) : NULL;
        add_spread(j, stage, "ns", &run->stage[i]);
        json_add_number(j, stage, "flop", run->stage_flop[i]);
        json_add_measured(j, stage, "flop_per_second", per_second);
        json_add(j, stage, "peak", peak ? cJSON_CreateString(peak->name) : cJSON_CreateNull());
        json_add_measured(j, stage, "share_of_peak", peak ? per_second / peak->value : 0);
    }
}

/* Whole nanoseconds, which is as much as clocks tell. */
static void add_samples(json *j, cJSON *to, const bench_run *run)
{
    cJSON *samples = json_add(j, to, "samples_ns", cJSON_CreateArray());
    for (uint32_t i = 0; i < run->sample_count; i++)
        json_add_number(j, samples, NULL, floor(run->samples[i] + 0.5));
    json_add(j, to, "median_error",
             isnan(run->median_error) ? cJSON_CreateNull() : cJSON_CreateNumber(run->median_error));
    json_add_measured(j, to, "drift", run->drift);
    json_add_measured(j, to, "clock_hz", run->clock);
}

/* What only routing alone has. */
static void add_routing(json *j, cJSON *to, const bench_result *result, const bench_row *row, const bench_run *run)
{
    const double select = run->stage[SMOE_STAGE_ROUTE_SELECT].median;
    json_add_number(j, to, "ns_per_token", bench_run_time(run) / row->tokens);
    json_add_measured(j, to, "select_ns_per_token", select / row->tokens);
    json_add_number(j, to, "select_bytes", run->select_bytes);
    json_add_measured(j, to, "select_share_of_bytes",
                 select > 0 ? bench_share_of_bytes(&result->peaks, run->select_bytes, select) : 0);
}

static void add_check(json *j, cJSON *to, const bench_check *check)
{
    if (check->unmade[0]) {
        json_add(j, to, "check", cJSON_CreateNull());
        json_add_text(j, to, "not_checked", check->unmade);
        return;
    }
    cJSON *object = json_add(j, to, "check", cJSON_CreateObject());
    json_add_number(j, object, "tokens", check->tokens);
    json_add_number(j, object, "excused", check->excused);
    json_add(j, object, "largest_difference",
             check->difference <= RESULTS_LARGEST ? cJSON_CreateNumber(check->difference) : cJSON_CreateNull());
    json_add_number(j, object, "allowed", check->allowed);
    json_add_bool(j, object, "good", !check->wrong[0]);
    if (check->wrong[0])
        json_add_text(j, object, "wrong", check->wrong);
}

static void add_run(json *j, cJSON *to, const char *name, const bench_result *result, const bench_row *row,
                    const bench_run *run)
{
    const double time = bench_run_time(run);
    cJSON *object = json_add(j, to, name, cJSON_CreateObject());

    if (run->unsupported[0]) {
        json_add_text(j, object, "unsupported", run->unsupported);
        return;
    }
    json_add_number(j, object, "eps", (double)run->eps);
    if (row->plan.group_count > 1)
        json_add_number(j, object, "group_eps", (double)run->group_eps);
    json_add_number(j, object, "expected_active", run->expected_active);
    json_add_number(j, object, "active_total", (double)run->active_total);
    json_add_number(j, object, "active_mean", (double)run->active_total / row->tokens);
    json_add_number(j, object, "active_experts", run->active_experts);
    json_add_number(j, object, "forwards", run->repeat_count);
    add_samples(j, object, run);
    add_check(j, object, &run->check);
    if (run->device.median > 0) {
        add_stages(j, object, result, row, run);
        add_spread(j, object, "device_ns", &run->device);
    }
    add_spread(j, object, "host_ns", &run->host);
    json_add_number(j, object, "flop", run->flop);
    json_add_number(j, object, "bytes", run->bytes);
    if (run->file_bytes > 0) {
        json_add_number(j, object, "weights_bytes", run->weights_bytes);
        json_add_number(j, object, "file_bytes", run->file_bytes);
        json_add_number(j, object, "ns_per_file_byte", time / run->file_bytes);
    }
    json_add_number(j, object, "flop_per_second", run->flop / time * 1e9);
    json_add_number(j, object, "bytes_per_second", run->bytes / time * 1e9);
    json_add_measured(j, object, "share_of_operations",
                 bench_share_of_operations(&result->peaks, row->kernels, run->stage_flop, time));
    json_add_measured(j, object, "share_of_bytes", bench_share_of_bytes(&result->peaks, run->bytes, time));
    if (row->route)
        add_routing(j, object, result, row, run);
}

static void add_kernels(json *j, cJSON *to, const bench_row *row)
{
    cJSON *kernels = json_add(j, to, "kernels", cJSON_CreateObject());
    for (int i = 0; i < SMOE_STAGE_COUNT; i++) {
        const smoe_kernel_choice *choice = &row->kernels[i];
        if (!choice->name[0])
            continue;
        cJSON *kernel = json_add(j, kernels, smoe_stage_name((smoe_stage)i), cJSON_CreateObject());
        json_add_text(j, kernel, "name", choice->name);
        json_add_number(j, kernel, "workgroup_size", choice->workgroup_size);
        json_add_number(j, kernel, "tile_rows", choice->tile_rows);
        json_add_number(j, kernel, "tile_columns", choice->tile_columns);
        json_add_number(j, kernel, "tile_depth", choice->tile_depth);
    }
}

/* The numbers that are not 0, by their names. */
static void add_numbers(json *j, cJSON *to, const smoe_plan_desc *plan)
{
    const smoe_plan_number *number;
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (smoe_plan_number_value(number, plan) != 0.0f)
            json_add_number(j, to, number->name, (double)smoe_plan_number_value(number, plan));
}

static void add_layer(json *j, cJSON *to, const bench_preset *preset, const smoe_plan_desc *plan)
{
    json_add_text(j, to, "layer", preset->name);
    json_add_number(j, to, "d_model", plan->d_model);
    json_add_number(j, to, "d_hidden", plan->d_hidden);
    json_add_number(j, to, "experts", plan->expert_count);
    if (plan->expert_count < preset->plan.expert_count)
        json_add_number(j, to, "experts_cut_from", preset->plan.expert_count);
    json_add_number(j, to, "top_k", plan->top_k);
    json_add_number(j, to, "max_active", plan->max_active);
    json_add_text(j, to, "router", smoe_router_name(plan->router));
    if (plan->router == SMOE_ROUTER_COSINE)
        json_add_number(j, to, "projection_width", plan->projection_width);
    json_add_bool(j, to, "router_bias", preset->router_bias);
    json_add_text(j, to, "gate", smoe_gate_name(plan->gate));
    json_add_bool(j, to, "selection_bias", preset->selection_bias);
    if (plan->group_count > 1) {
        json_add_number(j, to, "groups", plan->group_count);
        json_add_number(j, to, "top_groups", plan->top_groups);
        json_add_text(j, to, "group_score", smoe_group_score_name(plan->group_score));
    }
    if (plan->balanced_groups > 1)
        json_add_number(j, to, "balanced_groups", plan->balanced_groups);
    json_add_bool(j, to, "expert_scale", plan->expert_scale);
    if (plan->shared_hidden > 0) {
        json_add_number(j, to, "shared_hidden", plan->shared_hidden);
        json_add_bool(j, to, "shared_gate", plan->shared_gate);
    }
    json_add_text(j, to, "activation", smoe_activation_name(plan->activation));
    json_add_bool(j, to, "gated", plan->gated);
    json_add_bool(j, to, "renormalize", plan->renormalize);
    json_add_bool(j, to, "biases", preset->biases);
    add_numbers(j, to, plan);
}

static void add_format(json *j, cJSON *to, smoe_type type)
{
    const bench_file_format format = bench_file_format_of(type);
    json_add_text(j, to, "file_format", format.name);
    json_add_number(j, to, "file_bits", format.bits);
}

/* What the command line said of the smooth run. */
static void add_given(json *j, cJSON *to, const bench_row *row)
{
    if (row->expected_active > 0)
        json_add_number(j, to, "given_expected_active", row->expected_active);
    if (!isnan(row->eps))
        json_add_number(j, to, "given_eps", (double)row->eps);
    if (row->plan.group_count > 1 && !isnan(row->group_eps))
        json_add_number(j, to, "given_group_eps", (double)row->group_eps);
}

void json_fill_row(json *j, cJSON *object, const bench_results *results, size_t device, const bench_row *row)
{
    const bench_result *result = &results->devices[device];
    const bench_options *options = results->options;
    const smoe_plan_desc *plan = &row->plan;

    json_add_number(j, object, "device", (double)device);
    json_add_text(j, object, "kind", row->route ? "route" : "layer");
    add_layer(j, object, row->preset, plan);
    json_add_number(j, object, "tokens", row->tokens);
    json_add_text(j, object, "weights", smoe_type_short_name(plan->types.up));
    if (!row->route)
        add_format(j, object, plan->types.up);
    json_add_bool(j, object, "mixed_precision", plan->precision != SMOE_PRECISION_FLOAT32);
    add_given(j, object, row);
    if (row->unsupported[0]) {
        json_add_text(j, object, "unsupported", row->unsupported);
        return;
    }
    add_kernels(j, object, row);
    json_add_number(j, object, "plan_first_ns", row->plan_times.first);
    json_add_number(j, object, "plan_again_ns", row->plan_times.again);
    add_run(j, object, "hard", result, row, &row->runs[BENCH_HARD]);
    if (!options->hard_only)
        add_run(j, object, "smooth", result, row, &row->runs[BENCH_SMOOTH]);
    json_add_measured(j, object, "smooth_over_hard_time", row->time_ratio);
    json_add_measured(j, object, "smooth_over_hard_experts", row->active_ratio);
    if (options->totals)
        json_add_measured(j, object, "totals_over_none_time", row->totals_ratio);
    if (options->mixed_precision)
        json_add_measured(j, object, "mixed_over_float32_time", row->mixed_ratio);
}
