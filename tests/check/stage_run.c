#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage_view.h"

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
static bool upload(test_gpu *gpu, const void *values, size_t bytes, test_buffer *buffer)
{
    const size_t words = (bytes + 3) / 4;

    if (!test_buffer_create(gpu, words * 4, NULL, buffer))
        return false;
    memcpy(buffer->data, values, bytes);
    return true;
}

/* Where a plan has several ranges, each second matrix of experts comes in them, one after another with gaps. */
static bool comes_in_ranges(const stage_run *run, const smoe_layer_tensor *tensor, uint32_t index)
{
    return run->shape.range_count > 1 && tensor->matrix && tensor->by_expert && index / 2 % 2;
}

static bool upload_ranges(stage_run *run, test_gpu *gpu, const smoe_layer_tensor *tensor, const unsigned char *values,
                          uint32_t index)
{
    const smoe_shape *shape = &run->shape;
    const uint64_t expert = smoe_layer_tensor_size(tensor, tensor->type, 1);
    const VkDeviceSize room = ((shape->range_experts * expert + 3) / gpu->alignment + 2) * gpu->alignment;
    smoe_buffer *ranges = calloc(shape->range_count, sizeof *ranges);

    run->ranges[index] = ranges;
    if (!ranges || !test_buffer_create(gpu, shape->range_count * room, NULL, &run->weights[index]))
        return false;
    for (uint32_t r = 0; r < shape->range_count; r++) {
        const uint64_t size = smoe_shape_range_expert_count(shape, r) * expert;
        ranges[r] = (smoe_buffer){run->weights[index].part.buffer, run->weights[index].part.offset + r * room,
                                  (size + 3) / 4 * 4};
        memcpy((unsigned char *)run->weights[index].data + r * room,
               values + (uint64_t)r * shape->range_experts * expert, (size_t)size);
    }
    return true;
}

static bool make_weights(stage_run *run, test_gpu *gpu, smoe_layer_desc *desc)
{
    smoe_layer_tensor tensor;

    for (uint32_t i = 0; smoe_layer_tensor_get(&run->data->plan, i, &tensor); i++) {
        const void *values = smoe_host_weights_get(&run->data->weights, &tensor).data;
        if (!values)
            continue;
        if (comes_in_ranges(run, &tensor, i)) {
            if (!upload_ranges(run, gpu, &tensor, values, i))
                return false;
            smoe_layer_desc_set_ranges(desc, &tensor, run->ranges[i]);
            continue;
        }
        if (!upload(gpu, values, (size_t)smoe_layer_tensor_size(&tensor, tensor.type, tensor.shape[0]),
                    &run->weights[i]))
            return false;
        smoe_layer_desc_set(desc, &tensor, run->weights[i].part);
    }
    return true;
}

static bool make_buffers(stage_run *run, test_gpu *gpu)
{
    const size_t T = run->data->shape->tokens, D = run->data->plan.d_model;

    if (!upload(gpu, run->data->x, T * D * 4, &run->x) || !test_buffer_create(gpu, T * D * 4, NULL, &run->y) ||
        !test_buffer_create(gpu, smoe_plan_workspace_size(run->plan), NULL, &run->workspace) ||
        !test_buffer_create(gpu, smoe_plan_report_size(run->plan, run->data->shape->tokens), NULL, &run->report) ||
        !test_buffer_create(gpu, smoe_plan_totals_size(run->plan), NULL, &run->totals))
        return false;
    memset(run->totals.data, 0, run->totals.part.size);
    const size_t given = T * run->data->shape->given_count * 4;
    return (!run->data->given_ids || upload(gpu, run->data->given_ids, given, &run->given_ids)) &&
           (!run->data->given_weights || upload(gpu, run->data->given_weights, given, &run->given_weights));
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
        .given_ids = run->given_ids.part,
        .given_weights = run->given_weights.part,
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

static void forget_arguments(const stage_run *run)
{
    const uint32_t records = run->shape.range_count * run->shape.range_pieces;
    uint32_t *words = (uint32_t *)(void *)run->workspace.data;

    for (uint32_t i = 0; i < SMOE_ARGUMENTS_AT(records, SMOE_ARGUMENTS_UP); i++)
        words[i] = STAGE_UNWRITTEN;
}

bool stage_run_record(stage_run *run, test_gpu *gpu, const smoe_forward_params *params, bool routing_alone)
{
    forget_arguments(run);
    if (!test_gpu_begin(gpu))
        return false;
    const bool recorded =
        succeeded(routing_alone ? smoe_route(gpu->commands, run->layer, run->binding, params, NULL)
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
    test_buffer *const buffers[] = {&run->x,      &run->y,         &run->workspace,    &run->report,
                                    &run->totals, &run->given_ids, &run->given_weights};

    smoe_binding_destroy(run->binding);
    smoe_layer_destroy(run->layer);
    for (size_t i = 0; i < SMOE_MAX_LAYER_TENSORS; i++) {
        test_buffer_destroy(gpu, &run->weights[i]);
        free(run->ranges[i]);
    }
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
