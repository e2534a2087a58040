/* What of the device's memory an engine takes: activations for a batch, and the slots. */
#include "engine_internal.h"

#include <string.h>

#define STAGING_SIZE ((VkDeviceSize)16 << 20)

typedef struct taking {
    gpu_arena *arena;
    uint64_t largest; /* bytes of a part that our shaders see as one */
} taking;

static gpu_part take_floats(taking *t, uint64_t count)
{
    const gpu_part part = gpu_arena_take(t->arena, sizeof(float) * count);
    t->largest = part.size > t->largest ? part.size : t->largest;
    return part;
}

/* The workspace of the blocks with experts, which they share. */
static void plan_workspace(vision_engine *engine)
{
    VkDeviceSize workspace = 0;
    for (uint32_t i = 0; i < engine->model->depth; i++) {
        const VkDeviceSize size = smoe_plan_workspace_size(engine->blocks[i].plan);
        workspace = size > workspace ? size : workspace;
    }
    engine->activations.workspace = gpu_arena_take(&engine->activations.arena, workspace);
}

/* Each kind together, in the order of the slots: engine.h promises it. */
static void plan_slots(vision_engine *engine, taking *host, uint64_t batch)
{
    const vision_model *model = engine->model;
    const uint64_t image = 3 * (uint64_t)model->image_size * model->image_size;
    const uint32_t count = engine->desc.slots;

    for (uint32_t s = 0; s < count; s++)
        engine->slots[s].images = take_floats(host, batch * image);
    for (uint32_t s = 0; s < count; s++)
        engine->slots[s].logits = take_floats(host, batch * model->class_count);
    for (uint32_t i = 0; i < model->depth; i++) {
        const VkDeviceSize size = smoe_plan_report_size(engine->blocks[i].plan, (uint32_t)batch * model->tokens);
        for (uint32_t s = 0; s < count && size > 0 && engine->desc.report; s++)
            engine->slots[s].reports[i] = gpu_arena_take(&engine->host, size);
    }
}

/* Parts of the activations' and the host's arenas for `batch` images; false, silently, if that is more than one
 * dispatch can do. */
static bool plan_activations(vision_engine *engine, uint32_t batch)
{
    const vision_model *model = engine->model;
    engine_activations *a = &engine->activations;
    const uint64_t n = batch, tokens = n * model->tokens, width = model->width, patches = n * (model->tokens - 1);
    uint64_t unfolded = patches * engine_round_up(model->patch_embed.columns), rows = tokens;
    taking device = {&a->arena, 0}, host = {&engine->host, 0};

    memset(a, 0, sizeof *a);
    gpu_arena_begin(&a->arena, engine->gpu);
    gpu_arena_begin(&engine->host, engine->gpu);
    for (uint32_t i = 0; i < model->stem_count; i++) {
        const uint64_t pixels = n * model->stem[i].out_width * model->stem[i].out_width;
        const uint64_t count = pixels * engine_round_up(model->stem[i].convolution.columns);
        unfolded = count > unfolded ? count : unfolded;
        rows = pixels > rows ? pixels : rows;
        a->stem[i] = take_floats(&device, pixels * model->stem[i].convolution.rows);
    }
    a->unfolded = take_floats(&device, unfolded);
    a->patches = take_floats(&device, patches * width);
    a->x = take_floats(&device, tokens * width);
    a->x_attended = take_floats(&device, tokens * width);
    a->normed = take_floats(&device, tokens * width);
    a->qkv = take_floats(&device, tokens * 3 * width);
    a->scores = take_floats(&device, tokens * model->heads * engine_round_up(model->tokens));
    a->attended = take_floats(&device, tokens * width);
    a->hidden = take_floats(&device, tokens * model->hidden);
    a->expert_output = take_floats(&device, model->expert_block_count ? tokens * width : 0);
    a->class_rows = take_floats(&device, n * width);
    plan_slots(engine, &host, n);
    plan_workspace(engine);
    const uint64_t largest = device.largest > host.largest ? device.largest : host.largest;
    return rows <= (uint64_t)engine->tile_rows * ENGINE_MAX_GROUPS && n * model->heads <= ENGINE_MAX_GROUPS &&
           largest <= engine->gpu->compute.info->max_storage_buffer_range && largest / sizeof(float) <= UINT32_MAX;
}

/* The largest batch, of those asked for, that fits: halved until the shaders can see every part, and the memory holds
 * all. */
bool engine_plan_memory(vision_engine *engine)
{
    const smoe_device_info *info = engine->gpu->compute.info;
    for (;; engine->desc.max_batch /= 2) {
        if (engine->desc.max_batch == 0)
            return vision_error(
                engine->gpu->log,
                "one image of this model needs more memory than the device's shaders can see at once, or than it has");
        if ((uint64_t)engine->desc.max_batch * engine->model->tokens > SMOE_MAX_TOKENS)
            continue;
        engine_destroy_plans(engine);
        if (!engine_plan_experts(engine))
            return false;
        const bool visible = plan_activations(engine, engine->desc.max_batch);
        const VkDeviceSize largest = info->max_allocation_size ? info->max_allocation_size : UINT64_MAX;
        if (visible && engine->activations.arena.size <= largest && engine->host.size <= largest &&
            engine->activations.arena.size + engine->weights.arena.size <= info->device_memory_size / 10 * 9)
            return true;
    }
}

bool engine_allocate_memory(vision_engine *engine)
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
