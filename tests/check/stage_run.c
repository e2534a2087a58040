#include <stdio.h>
#include <string.h>

#include "check_stages.h"

void plan_keeper_clear(plan_keeper *keeper)
{
    smoe_plan_destroy(keeper->plan);
    keeper->plan = NULL;
}

static smoe_result keep_plan(plan_keeper *keeper, const smoe_plan_desc *desc)
{
    if (keeper->plan && plan_descs_equal(&keeper->desc, desc))
        return SMOE_SUCCESS;
    plan_keeper_clear(keeper);
    keeper->desc = *desc;
    return smoe_plan_create(keeper->context, desc, &keeper->plan);
}

/* A matrix of 16-bit weights counts rounded up to whole words. */
static bool upload(test_gpu *gpu, const void *values, size_t count, size_t size, test_buffer *buffer)
{
    const size_t bytes = count * size, words = (bytes + 3) / 4;

    if (!test_buffer_create(gpu, words * 4, NULL, buffer))
        return false;
    memcpy(buffer->data, values, bytes);
    return true;
}

typedef struct weight_array {
    const void *values; /* NULL: absent */
    size_t count, size;
    smoe_buffer *part;
} weight_array;

static bool make_weights(stage_run *run, test_gpu *gpu, smoe_layer_desc *desc)
{
    const smoe_host_weights *w = &run->data->weights;
    const smoe_plan_desc *plan = &run->data->plan;
    const size_t D = plan->d_model, H = plan->d_hidden, E = plan->expert_count, p = plan->projection_width, S = plan->shared_hidden;
    const size_t element = case_weight_size(run->data->shape);
    const weight_array arrays[STAGE_WEIGHTS] = {
        {w->router_weight, E * D, 4, &desc->router_weight},
        {w->router_bias, E, 4, &desc->router_bias},
        {w->router_projection, p * D, 4, &desc->router_projection},
        {w->router_projection_bias, p, 4, &desc->router_projection_bias},
        {w->router_similarity, p * E, 4, &desc->router_similarity},
        {w->router_log_scale, 1, 4, &desc->router_log_scale},
        {w->selection_bias, E, 4, &desc->selection_bias},
        {w->w1, E * H * D, element, &desc->w1},
        {w->b1, E * H, 4, &desc->b1},
        {w->w3, E * H * D, element, &desc->w3},
        {w->b3, E * H, 4, &desc->b3},
        {w->w2, E * D * H, element, &desc->w2},
        {w->b2, E * D, 4, &desc->b2},
        {w->shared_w1, S * D, element, &desc->shared_w1},
        {w->shared_b1, S, 4, &desc->shared_b1},
        {w->shared_w3, S * D, element, &desc->shared_w3},
        {w->shared_b3, S, 4, &desc->shared_b3},
        {w->shared_w2, D * S, element, &desc->shared_w2},
        {w->shared_b2, D, 4, &desc->shared_b2},
        {w->shared_gate, D, 4, &desc->shared_gate},
    };

    for (size_t i = 0; i < STAGE_WEIGHTS; i++) {
        if (!arrays[i].values)
            continue;
        if (!upload(gpu, arrays[i].values, arrays[i].count, arrays[i].size, &run->weights[i]))
            return false;
        *arrays[i].part = run->weights[i].part;
    }
    return true;
}

static bool make_buffers(stage_run *run, test_gpu *gpu)
{
    const size_t T = run->data->shape->tokens, D = run->data->plan.d_model;

    if (!upload(gpu, run->data->x, T * D, 4, &run->x) || !test_buffer_create(gpu, T * D * 4, NULL, &run->y) ||
        !test_buffer_create(gpu, smoe_plan_workspace_size(run->plan), NULL, &run->workspace) ||
        !test_buffer_create(gpu, smoe_plan_report_size(run->plan, run->data->shape->tokens), NULL, &run->report) ||
        !test_buffer_create(gpu, smoe_plan_totals_size(run->plan), NULL, &run->totals))
        return false;
    memset(run->totals.data, 0, run->totals.part.size);
    return true;
}

/* desc: the case's own, or one for fewer counts of tokens. */
static smoe_result make_objects(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const smoe_plan_desc *desc)
{
    const smoe_host host = {0};
    smoe_layer_desc layer = {0};
    smoe_result result = smoe_shape_init(&host, smoe_context_device_info(keeper->context), desc, &run->shape);

    if (result == SMOE_SUCCESS)
        result = keep_plan(keeper, desc);
    if (result != SMOE_SUCCESS)
        return result;
    run->plan = keeper->plan;
    if (!make_weights(run, gpu, &layer) || !make_buffers(run, gpu))
        return SMOE_ERROR_OUT_OF_DEVICE_MEMORY;
    const smoe_binding_desc binding = {
        .x = run->x.part,
        .y = run->y.part,
        .workspace = run->workspace.part,
        .report = run->report.part,
        .totals = run->totals.part,
    };
    result = smoe_layer_create(run->plan, &layer, &run->layer);
    return result == SMOE_SUCCESS ? smoe_binding_create(run->plan, &binding, &run->binding) : result;
}

static bool succeeded(smoe_result result)
{
    if (result != SMOE_SUCCESS)
        fprintf(stderr, "    the core API: %s\n", smoe_result_text(result));
    return result == SMOE_SUCCESS;
}

bool stage_run_guards_intact(const stage_run *run, const test_gpu *gpu)
{
    const test_buffer *const written[] = {&run->x, &run->y, &run->workspace, &run->report, &run->totals};
    const char *const names[] = {"x", "y", "workspace", "report", "totals"};
    bool intact = true;

    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        if (!test_buffer_guards_intact(gpu, written[i])) {
            fprintf(stderr, "    written outside of %s\n", names[i]);
            intact = false;
        }
    return intact;
}

bool stage_run_prepare(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const case_data *data)
{
    *run = (stage_run){.data = data};
    return succeeded(make_objects(run, gpu, keeper, &data->plan));
}

bool stage_run_record(stage_run *run, test_gpu *gpu, const smoe_forward_params *params, bool routing_alone)
{
    if (!test_gpu_begin(gpu))
        return false;
    const bool recorded = succeeded(routing_alone ? smoe_route(gpu->commands, run->layer, run->binding, params, NULL)
                                                  : smoe_forward(gpu->commands, run->layer, run->binding, params, NULL));
    return test_gpu_submit(gpu) && recorded;
}

bool stage_run_create(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const case_data *data)
{
    const smoe_plan_desc desc = case_plan_of_one_count(data);

    *run = (stage_run){.data = data};
    return succeeded(make_objects(run, gpu, keeper, &desc)) && stage_run_record(run, gpu, &data->params, false) &&
           stage_run_guards_intact(run, gpu);
}

void stage_run_destroy(stage_run *run, test_gpu *gpu)
{
    test_buffer *const buffers[] = {&run->x, &run->y, &run->workspace, &run->report, &run->totals};

    smoe_binding_destroy(run->binding);
    smoe_layer_destroy(run->layer);
    for (size_t i = 0; i < STAGE_WEIGHTS; i++)
        test_buffer_destroy(gpu, &run->weights[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        test_buffer_destroy(gpu, buffers[i]);
    *run = (stage_run){.data = NULL};
}

layer_output stage_run_output(const stage_run *run)
{
    return (layer_output){
        .y = (float *)(void *)run->y.data,
        .report = (uint32_t *)(void *)run->report.data,
        .stride = SMOE_REPORT_STRIDE(run->shape.desc.max_active),
    };
}
