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

/* A float16 matrix counts rounded up to whole words. */
static bool upload(test_gpu *gpu, const void *values, size_t count, size_t size, test_buffer *buffer)
{
    if (!values)
        return true;
    const size_t bytes = count * size, words = (bytes + 3) / 4;
    if (!test_buffer_create(gpu, words * 4, NULL, buffer))
        return false;
    memcpy(buffer->data, values, bytes);
    return true;
}

static bool make_buffers(stage_run *run, test_gpu *gpu)
{
    const case_data *data = run->data;
    const smoe_host_weights *w = &data->weights;
    const size_t T = data->shape->tokens, D = data->plan.d_model, H = data->plan.d_hidden, E = data->plan.expert_count;
    const size_t element = data->plan.weight_type == SMOE_TYPE_FLOAT16 ? 2 : 4;

    return upload(gpu, w->router_weight, E * D, 4, &run->router_weight) && upload(gpu, w->router_bias, E, 4, &run->router_bias) &&
           upload(gpu, w->w1, E * H * D, element, &run->w1) && upload(gpu, w->b1, E * H, 4, &run->b1) &&
           upload(gpu, w->w3, E * H * D, element, &run->w3) && upload(gpu, w->b3, E * H, 4, &run->b3) &&
           upload(gpu, w->w2, E * D * H, element, &run->w2) && upload(gpu, w->b2, E * D, 4, &run->b2) &&
           upload(gpu, data->x, T * D, 4, &run->x) && test_buffer_create(gpu, T * D * 4, NULL, &run->y) &&
           test_buffer_create(gpu, smoe_plan_workspace_size(run->plan), NULL, &run->workspace) &&
           test_buffer_create(gpu, smoe_plan_report_size(run->plan, data->shape->tokens), NULL, &run->report);
}

static smoe_result make_objects(stage_run *run, test_gpu *gpu, plan_keeper *keeper)
{
    const smoe_host host = {0};
    smoe_result result = smoe_shape_init(&host, smoe_context_device_info(keeper->context), &run->data->plan, &run->shape);

    if (result == SMOE_SUCCESS)
        result = keep_plan(keeper, &run->data->plan);
    if (result != SMOE_SUCCESS)
        return result;
    run->plan = keeper->plan;
    if (!make_buffers(run, gpu))
        return SMOE_ERROR_OUT_OF_DEVICE_MEMORY;
    const smoe_layer_desc layer = {
        .router_weight = run->router_weight.part,
        .router_bias = run->router_bias.part,
        .w1 = run->w1.part,
        .b1 = run->b1.part,
        .w3 = run->w3.part,
        .b3 = run->b3.part,
        .w2 = run->w2.part,
        .b2 = run->b2.part,
    };
    const smoe_binding_desc binding = {
        .x = run->x.part,
        .y = run->y.part,
        .workspace = run->workspace.part,
        .report = run->report.part,
    };
    result = smoe_layer_create(run->plan, &layer, &run->layer);
    return result == SMOE_SUCCESS ? smoe_binding_create(run->plan, &binding, &run->binding) : result;
}

static bool guards_intact(const stage_run *run, const test_gpu *gpu)
{
    const test_buffer *const written[] = {&run->x, &run->y, &run->workspace, &run->report};
    const char *const names[] = {"x", "y", "workspace", "report"};
    bool intact = true;

    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        if (!test_buffer_guards_intact(gpu, written[i])) {
            fprintf(stderr, "    written outside of %s\n", names[i]);
            intact = false;
        }
    return intact;
}

bool stage_run_create(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const case_data *data)
{
    *run = (stage_run){.data = data};
    smoe_result result = make_objects(run, gpu, keeper);

    if (result == SMOE_SUCCESS && !test_gpu_begin(gpu))
        result = SMOE_ERROR_VULKAN;
    if (result == SMOE_SUCCESS)
        result = smoe_forward(gpu->commands, run->layer, run->binding, &data->params, NULL);
    if (result == SMOE_SUCCESS && !test_gpu_submit(gpu))
        result = SMOE_ERROR_VULKAN;
    if (result != SMOE_SUCCESS)
        fprintf(stderr, "    the core API: %s\n", smoe_result_text(result));
    return result == SMOE_SUCCESS && guards_intact(run, gpu);
}

void stage_run_destroy(stage_run *run, test_gpu *gpu)
{
    test_buffer *const buffers[] = {&run->router_weight, &run->router_bias, &run->w1, &run->b1, &run->w3,        &run->b3,
                                    &run->w2,            &run->b2,          &run->x,  &run->y,  &run->workspace, &run->report};

    smoe_binding_destroy(run->binding);
    smoe_layer_destroy(run->layer);
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
