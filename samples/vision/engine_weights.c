/* The model's weights on the device. */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "convert.h"

static gpu_part take_floats(vision_engine *engine, uint64_t count)
{
    return gpu_arena_take(&engine->weights.arena, count * sizeof(float));
}

/* Rows begin at multiples of 8 numbers, so that a shader can read 16 bytes at a time of either type. */
static bool plan_linear(vision_engine *engine, const vision_linear *linear, engine_linear *out)
{
    out->rows = linear->rows;
    out->columns = linear->columns;
    out->stride = (linear->columns + 7) / 8 * 8;
    const VkDeviceSize count = (VkDeviceSize)out->rows * out->stride;
    out->weight = gpu_arena_take(&engine->weights.arena, smoe_type_size(engine->desc.weight_type, count));
    if (linear->bias)
        out->bias = take_floats(engine, linear->rows);
    return out->weight.size <= engine->gpu->compute.info->max_storage_buffer_range ||
           vision_error(engine->gpu->log, "tensor %.200s is larger than the device's shaders can see at once",
                        linear->weight->name);
}

static void plan_norm(vision_engine *engine, engine_norm *out)
{
    out->weight = take_floats(engine, engine->model->width);
    out->bias = take_floats(engine, engine->model->width);
}

/* A tensor of a block's experts, as it is on the device. False past the last one. */
static bool expert_tensor(const vision_engine *engine, const vision_block *block, uint32_t index,
                          smoe_layer_tensor *out)
{
    smoe_plan_desc plan = block->plan;
    plan.types = (smoe_matrix_types)SMOE_TYPES(engine->desc.weight_type);
    return smoe_layer_tensor_get(&plan, index, out);
}

static bool plan_block(vision_engine *engine, const vision_block *block, engine_block *out)
{
    smoe_layer_tensor tensor;
    plan_norm(engine, &out->norm1);
    plan_norm(engine, &out->norm2);
    if (!plan_linear(engine, &block->qkv, &out->qkv) || !plan_linear(engine, &block->proj, &out->proj))
        return false;
    if (!block->experts)
        return plan_linear(engine, &block->fc1, &out->fc1) && plan_linear(engine, &block->fc2, &out->fc2);
    for (uint32_t i = 0; expert_tensor(engine, block, i, &tensor); i++)
        if (smoe_host_weights_get(&block->weights, &tensor).data)
            out->expert_parts[i] = gpu_arena_take(&engine->weights.arena, tensor.size);
    return true;
}

bool engine_plan_weights(vision_engine *engine)
{
    const vision_model *model = engine->model;
    engine_weights *weights = &engine->weights;
    gpu_arena_begin(&weights->arena, engine->gpu);
    for (uint32_t i = 0; i < model->stem_count; i++)
        if (!plan_linear(engine, &model->stem[i].convolution, &weights->stem[i]))
            return false;
    for (uint32_t i = 0; i < model->depth; i++)
        if (!plan_block(engine, &model->blocks[i], &engine->blocks[i]))
            return false;
    weights->class_token = take_floats(engine, model->width);
    weights->positions = take_floats(engine, (uint64_t)model->tokens * model->width);
    plan_norm(engine, &weights->norm);
    return plan_linear(engine, &model->patch_embed, &weights->patch_embed) &&
           plan_linear(engine, &model->head, &weights->head);
}

/* ---- upload ------------------------------------------------------------------------------------------------------ */

static bool upload_tensor(vision_engine *engine, const smoe_tensor *tensor, const gpu_part *part, smoe_type type,
                          size_t rows, size_t columns, size_t stride)
{
    const size_t size = smoe_type_size(type, rows * stride);
    void *memory = malloc(size);
    if (!memory)
        return vision_error(engine->gpu->log, "out of memory");
    convert_tensor(memory, type, stride, tensor, rows, columns);
    const bool done = gpu_upload(engine->gpu, &engine->staging, part, memory, size);
    free(memory);
    return done;
}

static bool upload_vector(vision_engine *engine, const smoe_tensor *tensor, const gpu_part *part)
{
    const size_t count = (size_t)part->size / sizeof(float);
    return upload_tensor(engine, tensor, part, SMOE_TYPE_FLOAT32, 1, count, count);
}

static bool upload_linear(vision_engine *engine, const vision_linear *linear, const engine_linear *to)
{
    return upload_tensor(engine, linear->weight, &to->weight, engine->desc.weight_type, to->rows, to->columns,
                         to->stride) &&
           (!linear->bias || upload_vector(engine, linear->bias, &to->bias));
}

static bool upload_norm(vision_engine *engine, const vision_norm *norm, const engine_norm *to)
{
    return upload_vector(engine, norm->weight, &to->weight) && upload_vector(engine, norm->bias, &to->bias);
}

static bool upload_experts(vision_engine *engine, const vision_block *block, const engine_block *to)
{
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; expert_tensor(engine, block, i, &tensor); i++) {
        const smoe_host_weight from = smoe_host_weights_get(&block->weights, &tensor);
        if (!from.data)
            continue;
        void *memory = calloc(1, (size_t)to->expert_parts[i].size);
        if (!memory)
            return vision_error(engine->gpu->log, "out of memory");
        smoe_type_convert(memory, tensor.type, from.data, from.type, (size_t)tensor.element_count);
        const bool done =
            gpu_upload(engine->gpu, &engine->staging, &to->expert_parts[i], memory, (size_t)to->expert_parts[i].size);
        free(memory);
        if (!done)
            return false;
    }
    return true;
}

static bool upload_block(vision_engine *engine, const vision_block *block, const engine_block *to)
{
    return upload_norm(engine, &block->norm1, &to->norm1) && upload_norm(engine, &block->norm2, &to->norm2) &&
           upload_linear(engine, &block->qkv, &to->qkv) && upload_linear(engine, &block->proj, &to->proj) &&
           (block->experts
                ? upload_experts(engine, block, to)
                : upload_linear(engine, &block->fc1, &to->fc1) && upload_linear(engine, &block->fc2, &to->fc2));
}

bool engine_upload_weights(vision_engine *engine)
{
    const vision_model *model = engine->model;
    const engine_weights *weights = &engine->weights;
    for (uint32_t i = 0; i < model->stem_count; i++)
        if (!upload_linear(engine, &model->stem[i].convolution, &weights->stem[i]))
            return false;
    for (uint32_t i = 0; i < model->depth; i++)
        if (!upload_block(engine, &model->blocks[i], &engine->blocks[i]))
            return false;
    return upload_linear(engine, &model->patch_embed, &weights->patch_embed) &&
           upload_vector(engine, model->class_token, &weights->class_token) &&
           upload_vector(engine, model->positions, &weights->positions) &&
           upload_norm(engine, &model->norm, &weights->norm) && upload_linear(engine, &model->head, &weights->head);
}
