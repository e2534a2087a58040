#include "engine_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program/progress.h"

const char *vision_stage_name(vision_stage stage)
{
    static const char *const names[VISION_STAGE_COUNT] = {"embedding", "attention", "mlp", "experts", "head"};
    return names[stage];
}

/* ---- creation ---------------------------------------------------------------------------------------------------- */

/* Everything but the engine itself. */
static bool fill(vision_engine *engine)
{
    const uint32_t slots = engine->desc.slots;
    gpu *g = engine->gpu;
    if (slots > VISION_MAX_SLOTS)
        return vision_error(g->log, "%u slots, but an engine has at most %u", slots, VISION_MAX_SLOTS);
    engine->slots = calloc(slots, sizeof *engine->slots);
    if (!engine->slots)
        return vision_error(g->log, "out of memory");
    engine_choose_kernels(engine);
    return engine_plan_weights(engine) && engine_plan_memory(engine) && engine_allocate_memory(engine) &&
           engine_create_pipelines(engine) && engine_create_experts(engine) && engine_plan_work(engine) &&
           gpu_good(g, compute_create_stamps(&g->compute, slots * (engine->op_count + 1), &engine->stamps));
}

bool vision_engine_create(gpu *g, const vision_model *model, const vision_engine_desc *desc, vision_engine **out)
{
    vision_engine *engine = calloc(1, sizeof *engine);
    *out = NULL;
    if (!engine)
        return vision_error(g->log, "out of memory");
    engine->gpu = g;
    engine->model = model;
    engine->desc = *desc;
    engine->desc.slots = desc->slots ? desc->slots : 1;
    if (fill(engine)) {
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
    free(engine->slots);
    free(engine);
}

uint32_t vision_engine_max_batch(const vision_engine *engine)
{
    return engine->desc.max_batch;
}

vision_memory vision_engine_memory(const vision_engine *engine)
{
    return (vision_memory){engine->weights.arena.size, engine->activations.arena.size, engine->host.size};
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static vision_buffer show(const vision_engine *engine, const gpu_part *part)
{
    return (vision_buffer){gpu_buffer(part), part->size ? engine->host.mapped + part->offset : NULL};
}

vision_buffer vision_engine_images(const vision_engine *engine, uint32_t slot)
{
    return show(engine, &engine->slots[slot].images);
}

vision_buffer vision_engine_logits(const vision_engine *engine, uint32_t slot)
{
    return show(engine, &engine->slots[slot].logits);
}

vision_buffer vision_engine_report(const vision_engine *engine, uint32_t slot, uint32_t block, uint32_t *stride)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(engine->blocks[block].plan);
    *stride = plan ? SMOE_REPORT_STRIDE(plan->max_active) : 0;
    return show(engine, &engine->slots[slot].reports[block]);
}

void vision_blend(const float *from, const float *to, float share, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (1 - share) * from[i] + share * to[i];
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

vision_routing vision_routing_defaults(void)
{
    return (vision_routing){.eps = NAN, .temperature = NAN, .a = NAN, .b = NAN};
}

static smoe_forward_params params_of(const vision_engine *engine, uint32_t block, const vision_run *run)
{
    smoe_forward_params params = engine->blocks[block].params;
    const vision_routing *routing = &run->routing;
    params.token_count = run->count * engine->model->tokens;
    params.max_active = routing->max_active; /* 0: the plan's */
    params.eps = isnan(routing->eps) ? params.eps : routing->eps;
    params.temperature = isnan(routing->temperature) ? params.temperature : routing->temperature;
    params.a = isnan(routing->a) ? params.a : routing->a;
    params.b = isnan(routing->b) ? params.b : routing->b;
    return params;
}

/* Before anything is recorded. What smoe refuses has a line in its log. */
static bool check_run(const vision_engine *engine, const vision_run *run)
{
    const uint32_t slots = engine->desc.slots, most = engine->desc.max_batch;
    if (run->slot >= slots || run->images >= slots)
        return vision_error(engine->gpu->log, "a run's slots must be below the engine's %u", slots);
    if (run->count < 1 || run->count > most)
        return vision_error(engine->gpu->log, "a run must have 1 .. %u images", most);
    for (uint32_t i = 0; i < engine->model->depth; i++) {
        const smoe_forward_params params = params_of(engine, i, run);
        if (engine->blocks[i].plan &&
            smoe_forward_slice_count(engine->blocks[i].layer, engine->slots[run->slot].bindings[i], &params) == 0)
            return false;
    }
    return true;
}

static void record_dispatch(const vision_engine *engine, VkCommandBuffer commands, const vision_run *run,
                            const engine_op *op)
{
    const bool first = op == engine->ops;
    const engine_slot *slot = &engine->slots[first ? run->images : run->slot];
    engine_op now = *op;
    now.push.rows_now = op->z ? op->rows : op->rows * run->count;
    const uint32_t groups = (now.push.rows_now + op->group_rows - 1) / op->group_rows;
    compute_dispatch(&engine->gpu->compute, commands, &engine->gpu->layout, engine->pipelines[op->pipeline],
                     op->set ? op->set
                     : first ? slot->images_set
                             : slot->logits_set,
                     &now.push, sizeof now.push, op->column_groups,
                     groups < ENGINE_MAX_GROUPS ? groups : ENGINE_MAX_GROUPS, op->z ? op->z * run->count : 1);
}

static bool record_experts(const vision_engine *engine, VkCommandBuffer commands, const vision_run *run, uint32_t block)
{
    const smoe_forward_params params = params_of(engine, block, run);
    return smoe_forward(commands, engine->blocks[block].layer, engine->slots[run->slot].bindings[block], &params,
                        NULL) == SMOE_SUCCESS;
}

/* The first stamp of the run that leaves its results in a slot. */
static uint32_t first_stamp(const vision_engine *engine, uint32_t slot)
{
    return slot * (engine->op_count + 1);
}

bool vision_engine_record(vision_engine *engine, VkCommandBuffer commands, const vision_run *run)
{
    const compute *c = &engine->gpu->compute;
    bool ordered = false; /* after what came before: smoe_forward sees to it itself */
    if (!check_run(engine, run))
        return false;
    compute_first_stamp(c, commands, engine->stamps, first_stamp(engine, run->slot), engine->op_count + 1);
    for (uint32_t i = 0; i < engine->op_count; i++) {
        const engine_op *op = &engine->ops[i];
        if (op->pipeline != PIPELINE_EXPERTS && !ordered)
            compute_barrier(c, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        if (op->pipeline != PIPELINE_EXPERTS)
            record_dispatch(engine, commands, run, op);
        else if (!record_experts(engine, commands, run, op->block))
            return false;
        ordered = op->pipeline == PIPELINE_EXPERTS;
        compute_stamp(c, commands, engine->stamps, first_stamp(engine, run->slot) + i + 1);
    }
    return true;
}

bool vision_engine_times(const vision_engine *engine, uint32_t slot, vision_times *times)
{
    double stamps[ENGINE_MAX_OPS + 1];
    *times = (vision_times){{0}, 0, 0};
    if (!engine->stamps || compute_read_stamps(&engine->gpu->compute, engine->stamps, first_stamp(engine, slot),
                                               engine->op_count + 1, stamps) != VK_SUCCESS)
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
    const vision_run run = {.count = count, .routing = vision_routing_defaults()};
    const double begin = program_now();

    memcpy(vision_engine_images(engine, 0).mapped, images, image_size * count);
    if (!gpu_begin(engine->gpu) || !vision_engine_record(engine, engine->gpu->compute.commands, &run) ||
        !gpu_submit(engine->gpu))
        return false;
    memcpy(logits, vision_engine_logits(engine, 0).mapped, sizeof *logits * count * model->class_count);
    const double taken = program_now() - begin;
    if (!times)
        return true;
    if (!vision_engine_times(engine, 0, times) && engine->stamps)
        return vision_error(engine->gpu->log, "the device does not tell the times of a run that has ended");
    times->host = taken;
    return true;
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
