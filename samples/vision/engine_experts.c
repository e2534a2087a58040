/* The blocks with experts: smoe's plans, layers and bindings over the engine's buffers. */
#include "engine_internal.h"

#include <math.h>
#include <string.h>

/* Layers of one shape share a plan: its pipelines are made once. */
static const smoe_plan *find_plan(const vision_engine *engine, uint32_t index, const smoe_plan_desc *desc)
{
    for (uint32_t i = 0; i < index; i++)
        if (engine->blocks[i].plan && memcmp(smoe_plan_get_desc(engine->blocks[i].plan), desc, sizeof *desc) == 0)
            return engine->blocks[i].plan;
    return NULL;
}

/* smoe promises the same bits for a token in any batch while the same kernels run. */
static bool same_kernels(const vision_engine *engine, const smoe_plan_desc *desc)
{
    smoe_kernel_choice one[SMOE_STAGE_COUNT], all[SMOE_STAGE_COUNT];
    const smoe_device_info *info = engine->gpu->compute.info;
    if (smoe_select_kernels(&(smoe_selection_desc){info, desc, engine->model->tokens, 0}, one, NULL) != SMOE_SUCCESS ||
        smoe_select_kernels(&(smoe_selection_desc){info, desc, desc->max_tokens, 0}, all, NULL) != SMOE_SUCCESS)
        return false;
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        if (strcmp(one[i].name, all[i].name) != 0)
            return false;
    return true;
}

static smoe_plan_desc describe(const vision_engine *engine, uint32_t index, uint32_t batch)
{
    smoe_plan_desc desc = engine->model->blocks[index].plan;
    desc.min_tokens = engine->model->tokens; /* one image */
    desc.max_tokens = batch * engine->model->tokens;
    desc.types = (smoe_matrix_types)SMOE_TYPES(engine->desc.weight_type);
    return desc;
}

bool engine_plan_experts(vision_engine *engine)
{
    const vision_model *model = engine->model;
    for (uint32_t i = 0; i < model->depth; i++)
        if (model->blocks[i].experts && engine->desc.max_batch > 1) {
            const smoe_plan_desc desc = describe(engine, i, engine->desc.max_batch);
            engine->desc.max_batch = same_kernels(engine, &desc) ? engine->desc.max_batch : 1;
        }
    for (uint32_t i = 0; i < model->depth; i++) {
        engine_block *block = &engine->blocks[i];
        if (!model->blocks[i].experts)
            continue;
        const smoe_plan_desc desc = describe(engine, i, engine->desc.max_batch);
        engine_show_compiling(engine, i);
        block->plan = find_plan(engine, i, &desc);
        if (!block->plan && smoe_plan_create(engine->gpu->context, &desc, &block->own_plan) != SMOE_SUCCESS)
            return false;
        block->plan = block->plan ? block->plan : block->own_plan;
        block->params = model->blocks[i].params;
        if (!isnan(engine->desc.eps))
            block->params.eps = engine->desc.eps;
    }
    return true;
}

static smoe_layer_desc describe_layer(const engine_block *block)
{
    smoe_layer_desc layer = {0};
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; smoe_layer_tensor_get(smoe_plan_get_desc(block->plan), i, &tensor); i++)
        smoe_layer_desc_set(&layer, &tensor, gpu_buffer(&block->expert_parts[i]));
    return layer;
}

static bool create_bindings(vision_engine *engine, uint32_t index)
{
    const engine_activations *a = &engine->activations;
    for (uint32_t s = 0; s < engine->desc.slots; s++) {
        engine_slot *slot = &engine->slots[s];
        const smoe_binding_desc desc = {.x = gpu_buffer(&a->normed),
                                        .y = gpu_buffer(&a->expert_output),
                                        .workspace = gpu_buffer(&a->workspace),
                                        .report = gpu_buffer(&slot->reports[index])};
        if (smoe_binding_create(engine->blocks[index].plan, &desc, &slot->bindings[index]) != SMOE_SUCCESS)
            return false;
    }
    return true;
}

bool engine_create_experts(vision_engine *engine)
{
    for (uint32_t i = 0; i < engine->model->depth; i++) {
        engine_block *block = &engine->blocks[i];
        if (!block->plan)
            continue;
        const smoe_layer_desc layer = describe_layer(block);
        if (smoe_layer_create(block->plan, &layer, &block->layer) != SMOE_SUCCESS || !create_bindings(engine, i))
            return false;
    }
    return true;
}

void engine_destroy_plans(vision_engine *engine)
{
    for (uint32_t i = 0; i < engine->model->depth; i++) {
        smoe_plan_destroy(engine->blocks[i].own_plan);
        engine->blocks[i].own_plan = NULL;
        engine->blocks[i].plan = NULL;
    }
}

void engine_destroy_experts(vision_engine *engine)
{
    for (uint32_t i = 0; i < engine->model->depth; i++) {
        for (uint32_t s = 0; engine->slots && s < engine->desc.slots; s++)
            smoe_binding_destroy(engine->slots[s].bindings[i]);
        smoe_layer_destroy(engine->blocks[i].layer);
    }
    engine_destroy_plans(engine);
}
