#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define STAGING_SIZE ((VkDeviceSize)16 << 20)

const char *vision_stage_name(vision_stage stage)
{
    static const char *const names[VISION_STAGE_COUNT] = {"embedding", "attention", "mlp", "experts", "head"};
    return names[stage];
}

/* ---- creation ---------------------------------------------------------------------------------------------------- */

/* The largest batch, of those asked for, that fits: halved until the shaders can see every part, and the memory holds
 * all. */
static bool plan_memory(vision_engine *engine)
{
    const smoe_device_info *info = engine->gpu->compute.info;
    for (;; engine->desc.max_batch /= 2) {
        if (engine->desc.max_batch == 0)
            return vision_fail(
                "one image of this model needs more memory than the device's shaders can see at once, or than it has");
        if ((uint64_t)engine->desc.max_batch * engine->model->tokens > SMOE_MAX_TOKENS)
            continue;
        engine_destroy_plans(engine);
        if (!engine_plan_experts(engine))
            return false;
        const bool visible = engine_plan_activations(engine, engine->desc.max_batch);
        const VkDeviceSize largest = info->max_allocation_size ? info->max_allocation_size : UINT64_MAX;
        if (visible && engine->activations.arena.size <= largest && engine->host.size <= largest &&
            engine->activations.arena.size + engine->weights.arena.size <= info->device_memory_size / 10 * 9)
            return true;
    }
}

static bool allocate_memory(vision_engine *engine)
{
    gpu *g = engine->gpu;
    if (!gpu_arena_allocate(g, &engine->weights.arena, COMPUTE_VISIBLE, "the model's weights") ||
        !gpu_arena_allocate(g, &engine->activations.arena, COMPUTE_VISIBLE, "the activations of a batch") ||
        !gpu_arena_allocate(g, &engine->host, COMPUTE_HOST, "images and logits"))
        return false;
    gpu_arena_begin(&engine->staging, g);
    gpu_arena_take(&engine->staging, STAGING_SIZE);
    if (!engine->weights.arena.mapped && !gpu_arena_allocate(g, &engine->staging, COMPUTE_HOST, "the staging buffer"))
        return false;
    const bool uploaded = engine_upload_weights(engine);
    gpu_arena_destroy(g, &engine->staging);
    return uploaded;
}

bool vision_engine_create(gpu *g, const vision_model *model, const vision_engine_desc *desc, vision_engine **out)
{
    vision_engine *engine = calloc(1, sizeof *engine);
    *out = NULL;
    if (!engine)
        return vision_fail("out of memory");
    engine->gpu = g;
    engine->model = model;
    engine->desc = *desc;
    engine_choose_kernels(engine);
    if (engine_plan_weights(engine) && plan_memory(engine) && allocate_memory(engine) &&
        engine_create_pipelines(engine) && engine_create_experts(engine) && engine_plan_work(engine) &&
        gpu_good(g, compute_create_stamps(&g->compute, engine->op_count + 1, &engine->stamps))) {
        *out = engine;
        return true;
    }
    vision_engine_destroy(engine);
    return false;
}

void vision_engine_destroy(vision_engine *engine)
{
    if (!engine)
        return;
    gpu *g = engine->gpu;
    engine_destroy_experts(engine);
    for (uint32_t i = 0; i < 2 * engine->op_count; i++)
        g->compute.vk.vkDestroyBufferView(g->compute.device, engine->ops[i / 2].texels[i % 2], NULL);
    g->compute.vk.vkDestroyQueryPool(g->compute.device, engine->stamps, NULL);
    g->compute.vk.vkDestroyDescriptorPool(g->compute.device, engine->descriptor_pool, NULL);
    gpu_arena_destroy(g, &engine->staging);
    gpu_arena_destroy(g, &engine->host);
    gpu_arena_destroy(g, &engine->activations.arena);
    gpu_arena_destroy(g, &engine->weights.arena);
    free(engine);
}

uint32_t vision_engine_max_batch(const vision_engine *engine)
{
    return engine->desc.max_batch;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void record_dispatch(vision_engine *engine, const engine_op *op, uint32_t count)
{
    engine_op now = *op;
    now.push.rows_now = op->z ? op->rows : op->rows * count;
    const uint32_t groups = (now.push.rows_now + op->group_rows - 1) / op->group_rows;
    compute_dispatch(&engine->gpu->compute, &engine->gpu->layout, engine->pipelines[op->pipeline], op->set, &now.push,
                     sizeof now.push, op->column_groups, groups < ENGINE_MAX_GROUPS ? groups : ENGINE_MAX_GROUPS,
                     op->z ? op->z * count : 1);
}

static bool record(vision_engine *engine, uint32_t count)
{
    compute *c = &engine->gpu->compute;
    bool ordered = true; /* after what came before: the submission, or smoe_forward, which sees to it itself */
    if (!gpu_begin(engine->gpu))
        return false;
    compute_first_stamp(c, engine->stamps, engine->op_count + 1);
    for (uint32_t i = 0; i < engine->op_count; i++) {
        const engine_op *op = &engine->ops[i];
        if (op->pipeline == PIPELINE_EXPERTS) {
            const engine_block *block = &engine->blocks[op->block];
            smoe_forward_params params = block->params;
            params.token_count = op->rows * count;
            if (smoe_forward(c->commands, block->layer, block->binding, &params, NULL) != SMOE_SUCCESS)
                return false;
        } else {
            if (!ordered)
                compute_barrier(c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
            record_dispatch(engine, op, count);
        }
        ordered = op->pipeline == PIPELINE_EXPERTS;
        compute_stamp(c, engine->stamps, i + 1);
    }
    return true;
}

static bool read_times(vision_engine *engine, vision_times *times)
{
    gpu *g = engine->gpu;
    double stamps[ENGINE_MAX_OPS + 1];
    if (!engine->stamps)
        return true;
    if (!gpu_good(g, compute_read_stamps(&g->compute, engine->stamps, engine->op_count + 1, stamps)))
        return false;
    for (uint32_t i = 0; i < engine->op_count; i++)
        times->stage[engine->ops[i].stage] += stamps[i + 1] - stamps[i];
    times->device = stamps[engine->op_count];
    return true;
}

bool vision_engine_run(vision_engine *engine, const float *images, uint32_t count, float *logits, vision_times *times)
{
    const vision_model *model = engine->model;
    const size_t image_size = sizeof *images * 3 * model->image_size * model->image_size;
    vision_times taken = {{0}, 0, 0};
    const double begin = program_now();

    memcpy(engine->host.mapped + engine->images.offset, images, image_size * count);
    if (!record(engine, count) || !gpu_submit(engine->gpu))
        return false;
    memcpy(logits, engine->host.mapped + engine->logits.offset, sizeof *logits * count * model->class_count);
    taken.host = program_now() - begin;
    if (!read_times(engine, &taken))
        return false;
    if (times)
        *times = taken;
    return true;
}

const uint32_t *vision_engine_report(const vision_engine *engine, uint32_t block, uint32_t *stride)
{
    const engine_block *b = &engine->blocks[block];
    if (block >= engine->model->depth || !b->report.size)
        return NULL;
    *stride = SMOE_REPORT_STRIDE(smoe_plan_get_desc(b->plan)->max_active);
    return (const uint32_t *)(const void *)(engine->host.mapped + b->report.offset);
}

double vision_image_operations(const vision_model *model)
{
    const double tokens = model->tokens, width = model->width;
    double sum = (tokens - 1) * width * model->patch_embed.columns + width * model->class_count;
    for (uint32_t i = 0; i < model->stem_count; i++)
        sum += (double)model->stem[i].out_width * model->stem[i].out_width * model->stem[i].convolution.rows *
               model->stem[i].convolution.columns;
    for (uint32_t i = 0; i < model->depth; i++) {
        const vision_block *block = &model->blocks[i];
        const double experts = block->plan.expert_count, projection = block->plan.projection_width;
        sum += tokens * width * (4 * width + 2 * tokens); /* qkv, proj; scores, mix */
        sum += block->experts ? tokens * (projection > 0 ? projection * (width + experts) : width * experts)
                              : tokens * width * 2 * block->fc1.rows;
    }
    return sum;
}

double vision_expert_operations(const vision_model *model, uint32_t block)
{
    return 2.0 * model->width * model->blocks[block].plan.d_hidden;
}
