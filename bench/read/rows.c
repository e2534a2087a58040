/* The rows of a document of results. */
#include "rows.h"

#include <string.h>

const char *const results_routing_names[RESULTS_ROUTING_COUNT] = {"hard", "smooth"};

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static bool read_samples(results_reader *reader, const cJSON *object, results_run *run)
{
    static const char *const name = "samples_ns";
    const cJSON *list = fields_list(reader, object, name, true, RESULTS_MAX_SAMPLES), *item;
    if (!list)
        return false;
    if (!list->child)
        return fields_fail(reader, name, "must have one element at least");
    run->samples_ns = fields_allocate(reader, (size_t)cJSON_GetArraySize(list), sizeof *run->samples_ns);
    if (!run->samples_ns)
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (!fields_number(reader, name, item, &run->samples_ns[run->sample_count++]))
            return false;
    }
    return true;
}

static bool read_check(results_reader *reader, const cJSON *object, results_run *run)
{
    static const field fields[] = {
        {COUNT(results_check, tokens)},
        {TEXT(results_check, wrong)},
        {NUMBER(results_check, largest_difference)}, /* null where y was not finite: JSON has no NaN */
        {NUMBER(results_check, allowed)},
        {FLAG(results_check, good), NEEDED},
    };
    const cJSON *check = fields_object(reader, object, "check", false, FIELDS_MAX_MEMBERS);
    run->has_check = check != NULL;
    const size_t before = fields_enter(reader, "check", -1);
    if (check && !FIELDS_READ(reader, check, fields, &run->check))
        return false;
    fields_leave(reader, before);
    return !reader->rule[0];
}

static bool read_stages(results_reader *reader, const cJSON *object, results_run *run)
{
    static const field fields[] = {
        {SPREAD(results_stage, ns), NEEDED},    {NUMBER(results_stage, flop)}, {NUMBER(results_stage, flop_per_second)},
        {NUMBER(results_stage, share_of_peak)}, {TEXT(results_stage, peak)},
    };
    const cJSON *stages = fields_object(reader, object, "stages", false, RESULTS_MAX_STAGES), *item;
    if (!stages)
        return !reader->rule[0];
    run->stages = fields_allocate(reader, (size_t)cJSON_GetArraySize(stages), sizeof *run->stages);
    const size_t before = fields_enter(reader, "stages", -1);
    cJSON_ArrayForEach(item, stages)
    {
        results_stage *stage = run->stages ? &run->stages[run->stage_count++] : NULL;
        if (!stage || !fields_key(reader, item, &stage->name))
            return false;
        const size_t inner = fields_enter(reader, stage->name, -1);
        if (!fields_must_be_object(reader, item) || !FIELDS_READ(reader, item, fields, stage))
            return false;
        fields_leave(reader, inner);
    }
    fields_leave(reader, before);
    return run->stages != NULL;
}

static bool read_measured(results_reader *reader, const cJSON *object, results_run *run)
{
    static const field fields[] = {
        {NUMBER(results_run, eps)},
        {NUMBER(results_run, group_eps)},
        {NUMBER(results_run, expected_active)},
        {NUMBER(results_run, active_total)},
        {NUMBER(results_run, active_mean)},
        {NUMBER(results_run, active_experts)},
        {NUMBER(results_run, forwards)},
        {NUMBER(results_run, flop)},
        {NUMBER(results_run, bytes)},
        {NUMBER(results_run, flop_per_second)},
        {NUMBER(results_run, bytes_per_second)},
        {NUMBER(results_run, share_of_operations)},
        {NUMBER(results_run, share_of_bytes)},
        {NUMBER(results_run, ns_per_token)},
        {NUMBER(results_run, weights_bytes)},
        {NUMBER(results_run, file_bytes)},
        {NUMBER(results_run, ns_per_file_byte)},
        {NUMBER(results_run, median_error)},
        {NUMBER(results_run, drift)},
        {NUMBER(results_run, clock_hz)},
        {SPREAD(results_run, device_ns)},
        {SPREAD(results_run, host_ns)},
    };
    return FIELDS_READ(reader, object, fields, run) && read_samples(reader, object, run) &&
           read_check(reader, object, run) && read_stages(reader, object, run);
}

static bool read_run(results_reader *reader, const cJSON *row, const char *name, results_run *run)
{
    static const field fields[] = {{TEXT(results_run, unsupported)}};
    const cJSON *object = fields_object(reader, row, name, false, FIELDS_MAX_MEMBERS);
    run->unsupported = "";
    run->there = object != NULL;
    if (!object)
        return !reader->rule[0];
    const size_t before = fields_enter(reader, name, -1);
    if (!FIELDS_READ(reader, object, fields, run) || (!run->unsupported[0] && !read_measured(reader, object, run)))
        return false;
    fields_leave(reader, before);
    return true;
}

/* ---- a row ------------------------------------------------------------------------------------------------------- */

static bool read_kernels(results_reader *reader, const cJSON *object, results_row *row)
{
    static const field fields[] = {
        {TEXT(results_kernel, name), NEEDED}, {COUNT(results_kernel, workgroup_size)},
        {COUNT(results_kernel, tile_rows)},   {COUNT(results_kernel, tile_columns)},
        {COUNT(results_kernel, tile_depth)},
    };
    const cJSON *kernels = fields_object(reader, object, "kernels", false, RESULTS_MAX_STAGES), *item;
    if (!kernels)
        return !reader->rule[0];
    row->kernels = fields_allocate(reader, (size_t)cJSON_GetArraySize(kernels), sizeof *row->kernels);
    const size_t before = fields_enter(reader, "kernels", -1);
    cJSON_ArrayForEach(item, kernels)
    {
        results_kernel *kernel = row->kernels ? &row->kernels[row->kernel_count++] : NULL;
        if (!kernel || !fields_key(reader, item, &kernel->stage))
            return false;
        const size_t inner = fields_enter(reader, kernel->stage, -1);
        if (!fields_must_be_object(reader, item) || !FIELDS_READ(reader, item, fields, kernel))
            return false;
        fields_leave(reader, inner);
    }
    fields_leave(reader, before);
    return row->kernels != NULL;
}

static bool read_kind(results_reader *reader, const cJSON *object, results_kind *out)
{
    const cJSON *kind = fields_member(object, "kind");
    const bool route = cJSON_IsString(kind) && strcmp(kind->valuestring, "route") == 0;
    *out = route ? RESULTS_ROUTE : RESULTS_LAYER;
    return route || (cJSON_IsString(kind) && strcmp(kind->valuestring, "layer") == 0) ||
           fields_fail(reader, "kind", "must be \"layer\" or \"route\"");
}

/* What rows of both kinds have. */
static bool read_common(results_reader *reader, const cJSON *object, results_row *row)
{
    static const field fields[] = {
        {COUNT(results_row, device), NEEDED},
        {COUNT(results_row, tokens), NEEDED, POSITIVE},
        {FLAG(results_row, mixed_precision)},
        {TEXT(results_row, unsupported)},
        {NUMBER(results_row, plan_first_ns)},
        {NUMBER(results_row, plan_again_ns)},
        {NUMBER(results_row, smooth_over_hard_time)},
        {NUMBER(results_row, smooth_over_hard_experts)},
        {NUMBER(results_row, totals_over_none_time)},
        {NUMBER(results_row, mixed_over_float32_time)},
        {TEXT(results_row, file_format)},
        {NUMBER(results_row, file_bits)},
        {COUNT(results_row, experts_cut_from)},
    };
    static const field shape[] = {
        {COUNT(results_shape, experts), NEEDED, POSITIVE},
        {COUNT(results_shape, top_k), NEEDED, POSITIVE},
        {COUNT(results_shape, max_active)},
        {COUNT(results_shape, projection_width)},
        {COUNT(results_shape, groups)},
        {COUNT(results_shape, top_groups)},
        {COUNT(results_shape, balanced_groups)},
        {COUNT(results_shape, shared_hidden)},
        {TEXT(results_shape, router)},
        {TEXT(results_shape, gate)},
        {TEXT(results_shape, group_score)},
        {TEXT(results_shape, activation)},
        {FLAG(results_shape, router_bias)},
        {FLAG(results_shape, selection_bias)},
        {FLAG(results_shape, expert_scale)},
        {FLAG(results_shape, shared_gate)},
        {FLAG(results_shape, gated)},
        {FLAG(results_shape, renormalize)},
        {FLAG(results_shape, biases)},
        {NUMBER(results_shape, gate_max)},
        {NUMBER(results_shape, up_limit)},
        {NUMBER(results_shape, gate_limit_after)},
        {NUMBER(results_shape, gate_alpha)},
        {NUMBER(results_shape, up_offset)},
        {NUMBER(results_shape, renormalize_floor)},
        {NUMBER(results_shape, renormalize_add)},
        {NUMBER(results_shape, shared_gate_max)},
        {NUMBER(results_shape, shared_up_limit)},
        {NUMBER(results_shape, shared_gate_limit_after)},
        {NUMBER(results_shape, given_eps)},
        {NUMBER(results_shape, given_group_eps)},
        {NUMBER(results_shape, given_expected_active)},
    };
    if (!FIELDS_READ(reader, object, fields, row) || !FIELDS_READ(reader, object, shape, &row->shape))
        return false;
    return row->device < reader->document->device_count ||
           fields_fail(reader, "device", "must be the place of one of the devices");
}

/* What a layer has besides; of routing alone as far as it is there. */
static bool read_layer(results_reader *reader, const cJSON *object, results_row *row)
{
    static const field fields[] = {{TEXT(results_row, layer), NEEDED}, {TEXT(results_row, weights), NEEDED}};
    static const field shape[] = {
        {COUNT(results_shape, d_model), NEEDED, POSITIVE},
        {COUNT(results_shape, d_hidden), NEEDED, POSITIVE},
    };
    static const field of_routing[] = {{TEXT(results_row, layer)}, {TEXT(results_row, weights)}};
    static const field shape_of_routing[] = {{COUNT(results_shape, d_model)}, {COUNT(results_shape, d_hidden)}};
    if (row->kind == RESULTS_ROUTE)
        return FIELDS_READ(reader, object, of_routing, row) &&
               FIELDS_READ(reader, object, shape_of_routing, &row->shape);
    return FIELDS_READ(reader, object, fields, row) && FIELDS_READ(reader, object, shape, &row->shape);
}

static bool read_row(results_reader *reader, const cJSON *object, results_row *row)
{
    bool any = false;
    if (!fields_must_be_object(reader, object) || !read_kind(reader, object, &row->kind) ||
        !read_common(reader, object, row) || !read_layer(reader, object, row) || !read_kernels(reader, object, row))
        return false;
    for (int i = 0; i < RESULTS_ROUTING_COUNT; i++) {
        if (!read_run(reader, object, results_routing_names[i], &row->runs[i]))
            return false;
        any = any || row->runs[i].there;
    }
    return any || row->unsupported[0] || fields_fail(reader, NULL, "must have \"hard\", \"smooth\" or \"unsupported\"");
}

bool rows_read(results_reader *reader, const cJSON *document)
{
    results_document *out = reader->document;
    const cJSON *rows = fields_list(reader, document, "rows", true, RESULTS_MAX_ROWS), *item;
    out->rows = rows ? fields_allocate(reader, (size_t)cJSON_GetArraySize(rows), sizeof *out->rows) : NULL;
    if (!out->rows)
        return false;
    cJSON_ArrayForEach(item, rows)
    {
        const size_t before = fields_enter(reader, "rows", (long)out->row_count);
        if (!read_row(reader, item, &out->rows[out->row_count++]))
            return false;
        fields_leave(reader, before);
    }
    return true;
}
