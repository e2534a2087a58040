/* The vision engine, and what its runs leave brought to where the window's plots read. A request is cut into slices of
 * few pictures, so that frames are drawn between. */
#include "model_pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"
#include "vision/engine.h"
#include "window_head.h"

/* A processor takes milliseconds for a picture, and frames wait for a slice on its only queue. */
enum { BATCH = 32, BATCH_ON_PROCESSOR = 4, POINTS_ON_PROCESSOR = 31 };

typedef struct own_pictures {
    const window_pictures *pictures;
    smoe_log log;
    smoe_context *context;
    gpu *gpu;
    vision_engine *engine;
    uint32_t batch;
    compute_layout head_layout;
    VkDescriptorPool pool;
    VkPipeline head_pipeline;
    compute_buffer identity, zeros; /* as head.comp's weights and bias, and its y */
    struct {
        compute_buffer logits; /* float32 [items,classes] */
        VkDescriptorSet head_set;
    } sides[MODEL_SLOTS][MODEL_SIDES];
} own_pictures;

/* ---- loading ----------------------------------------------------------------------------------------------------- */

/* Places of the engine for a slot of results: a slice each, for the hard side, whose images both read, and the smooth
 * one. */
static uint32_t place_of(const window_model *model, uint32_t slot, uint32_t slice, int side)
{
    return (slot * model->slice_count + slice) * MODEL_SIDES + (uint32_t)side;
}

static bool create_engine(window_model *model, own_pictures *own)
{
    window_device *device = model->device;
    if (!model_create_context(model, &own->log, &own->context))
        return model_fail(model, "smoe's context cannot be made");
    const gpu_desc desc = {.handles = {vkGetInstanceProcAddr, device->instance, device->physical_device, device->device,
                                       device->compute_queue, device->compute_family},
                           .context = own->context,
                           .lock = {window_lock_queue, window_unlock_queue, device},
                           .sharing = {device->graphics_family, device->compute_family},
                           .sharing_count = device->graphics_family == device->compute_family ? 0 : 2,
                           .log = &own->log};
    const vision_model *vision = &own->pictures->model;
    const vision_engine_desc engine = {.max_batch = own->batch,
                                       .slots = MODEL_SLOTS * MODEL_SIDES * model->slice_count,
                                       .weight_type = vision->weight_type == SMOE_TYPE_FLOAT16 ? SMOE_TYPE_FLOAT16
                                                                                               : SMOE_TYPE_FLOAT32,
                                       .eps = NAN,
                                       .report = true};
    if (!gpu_create(&desc, &own->gpu) || !vision_engine_create(own->gpu, vision, &engine, &own->engine))
        return model_fail(model, "the vision engine cannot be made");
    const vision_memory memory = vision_engine_memory(own->engine);
    model->megabytes = (double)(memory.weights + memory.activations + memory.slots) * 1e-6;
    return vision_engine_max_batch(own->engine) == own->batch ||
           model_fail(model, "the device has no room for the pictures of a path");
}

static bool create_side(window_model *model, own_pictures *own, uint32_t slot, int side)
{
    compute *c = &model->device->compute;
    compute_buffer *logits = &own->sides[slot][side].logits;
    VkDescriptorSet *set = &own->sides[slot][side].head_set;
    if (!compute_create_buffer(c, sizeof(float) * model->items * model->classes, COMPUTE_LOCAL, "logits", logits) ||
        !compute_create_set(c, &own->head_layout, own->pool, set))
        return false;
    const compute_buffer buffers[] = {*logits, own->zeros, own->identity, model->results[slot][side].answers};
    compute_write_set(c, &own->head_layout, *set, buffers);
    return true;
}

/* The engine's logits are answers already: a head that leaves them as they are makes the probabilities. */
static bool create_identity(window_model *model, own_pictures *own)
{
    compute *c = &model->device->compute;
    const uint32_t classes = model->classes;
    const VkDeviceSize zeros = sizeof(float) * model->items * classes, head = sizeof(float) * classes * (classes + 1);
    if (!compute_create_buffer(c, zeros, COMPUTE_UPLOAD, "zeros", &own->zeros) ||
        !compute_create_buffer(c, head, COMPUTE_UPLOAD, "identity", &own->identity))
        return false;
    memset(own->zeros.mapped, 0, (size_t)zeros);
    memset(own->identity.mapped, 0, (size_t)head);
    for (uint32_t i = 0; i < classes; i++)
        ((float *)own->identity.mapped)[i * classes + i] = 1;
    return true;
}

static bool create_head(window_model *model, own_pictures *own)
{
    static const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                             VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    compute *c = &model->device->compute;
    bool made = compute_create_layout(c, types, 4, &own->head_layout) &&
                compute_create_pool(c, &own->head_layout, MODEL_SLOTS * MODEL_SIDES, &own->pool) &&
                compute_create_pipeline(c, &own->head_layout, window_head_spirv, sizeof window_head_spirv, NULL, 0, 0,
                                        &own->head_pipeline) &&
                create_identity(model, own);
    for (uint32_t i = 0; made && i < MODEL_SLOTS * MODEL_SIDES; i++)
        made = create_side(model, own, i / MODEL_SIDES, (int)(i % MODEL_SIDES));
    return made || model_fail(model, c->error);
}

static bool load(window_model *model)
{
    own_pictures *own = model->own;
    return create_engine(model, own) &&
           (model_create_results(model) || model_fail(model, model->device->compute.error)) && create_head(model, own);
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

static vision_routing smooth_routing(const window_model *model, const smoe_forward_params *params)
{
    const smoe_forward_params *own = &model->defaults; /* each block has its own, until somebody changes them */
    vision_routing routing = vision_routing_defaults();
    routing.eps = params->eps == own->eps ? NAN : params->eps;
    routing.temperature = params->temperature == own->temperature ? NAN : params->temperature;
    routing.a = params->a == own->a ? NAN : params->a;
    routing.b = params->b == own->b ? NAN : params->b;
    routing.max_active = params->max_active;
    return routing;
}

/* The slice's items: item 0, and points of the path. */
static void write_images(const window_model *model, uint32_t first, uint32_t count, const model_request *request,
                         float *images)
{
    const size_t size = model->input_size;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t item = first + i;
        if (item == 0) {
            memcpy(images, request->item, sizeof *images * size);
            continue;
        }
        const double at = request->low + (request->high - request->low) * (item - 1) / (model->items - 2);
        vision_blend(request->from, request->to, (float)at, size, images + i * size);
    }
}

static void copy(VkCommandBuffer commands, const smoe_buffer *from, VkDeviceSize start, const compute_buffer *to,
                 VkDeviceSize place, VkDeviceSize size)
{
    const VkBufferCopy region = {from->offset + start, place, size};
    vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &region);
}

/* Logits, the class token's records, and of item 0 all records: from the engine's buffers to the results'. */
static void copy_results(const window_model *model, uint32_t slot, uint32_t slice, int side, uint32_t first,
                         uint32_t count, VkCommandBuffer commands)
{
    const own_pictures *own = model->own;
    const model_results *results = &model->results[slot][side];
    const uint32_t place = place_of(model, slot, slice, side), tokens = own->pictures->model.tokens;
    const VkDeviceSize row = sizeof(float) * model->classes;
    uint32_t stride;
    const smoe_buffer logits = vision_engine_logits(own->engine, place).buffer;
    copy(commands, &logits, 0, &own->sides[slot][side].logits, first * row, count * row);
    for (uint32_t b = 0; b < model->block_count; b++) {
        const model_block *block = &model->blocks[b];
        const smoe_buffer report = vision_engine_report(own->engine, place, block->number, &stride).buffer;
        const VkDeviceSize record = sizeof(uint32_t) * stride;
        if (first == 0)
            copy(commands, &report, 0, &results->patches, sizeof(uint32_t) * block->word,
                 sizeof(uint32_t) * block->words);
        for (uint32_t i = 0; b + 1 == model->block_count && i < count; i++)
            copy(commands, &report, i * tokens * record, &results->report, (first + i) * record, record);
    }
}

static void make_probabilities(window_model *model, uint32_t slot, VkCommandBuffer commands)
{
    const own_pictures *own = model->own;
    const compute *c = &model->device->compute;
    const head_push push = {model->items, model->classes, model->classes, model->temperature};
    compute_barrier(c, commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    for (int side = 0; side < MODEL_SIDES; side++)
        compute_dispatch(c, commands, &own->head_layout, own->head_pipeline, own->sides[slot][side].head_set, &push,
                         sizeof push, (model->items + WINDOW_HEAD_WORKGROUP - 1) / WINDOW_HEAD_WORKGROUP, 1, 1);
}

static bool record(window_model *model, uint32_t slot, uint32_t slice, const model_request *request,
                   VkCommandBuffer commands, VkQueryPool stamps)
{
    const own_pictures *own = model->own;
    const uint32_t first = slice * own->batch, left = model->items - first;
    const uint32_t count = left < own->batch ? left : own->batch, images = place_of(model, slot, slice, MODEL_HARD);
    (void)stamps; /* the engine has its own */
    write_images(model, first, count, request, vision_engine_images(own->engine, images).mapped);
    for (int side = 0; side < MODEL_SIDES; side++) {
        vision_run run = {images, place_of(model, slot, slice, side), count, smooth_routing(model, &request->params)};
        run.routing.eps = side == MODEL_HARD ? 0 : run.routing.eps;
        if (!vision_engine_record(own->engine, commands, &run))
            return model_fail(model, "a run of the vision engine cannot be recorded");
    }
    compute_barrier(&model->device->compute, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                    VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    for (int side = 0; side < MODEL_SIDES; side++)
        copy_results(model, slot, slice, side, first, count, commands);
    if (slice + 1 == model->slice_count) {
        make_probabilities(model, slot, commands);
        model_record_copies(model, slot, commands);
    }
    return true;
}

static void times(const window_model *model, uint32_t slot, double nanoseconds[MODEL_SIDES])
{
    const own_pictures *own = model->own;
    for (int side = 0; side < MODEL_SIDES; side++) {
        nanoseconds[side] = 0;
        for (uint32_t slice = 0; slice < model->slice_count; slice++) {
            vision_times taken;
            if (vision_engine_times(own->engine, place_of(model, slot, slice, side), &taken))
                nanoseconds[side] += taken.device;
        }
    }
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

static void destroy(window_model *model)
{
    own_pictures *own = model->own;
    if (!own)
        return;
    compute *c = &model->device->compute;
    model_destroy_results(model);
    if (own->head_pipeline)
        vkDestroyPipeline(model->device->device, own->head_pipeline, NULL);
    if (own->pool)
        vkDestroyDescriptorPool(model->device->device, own->pool, NULL);
    for (uint32_t i = 0; i < MODEL_SLOTS * MODEL_SIDES; i++)
        compute_destroy_buffer(c, &own->sides[i / MODEL_SIDES][i % MODEL_SIDES].logits);
    compute_destroy_buffer(c, &own->zeros);
    compute_destroy_buffer(c, &own->identity);
    compute_destroy_layout(c, &own->head_layout);
    vision_engine_destroy(own->engine);
    gpu_destroy(own->gpu);
    smoe_context_destroy(own->context);
    free(own);
    model->own = NULL;
}

/* The last blocks with experts. */
static void list_blocks(window_model *model, const vision_model *vision)
{
    uint32_t word = 0, left = vision->expert_block_count;
    for (uint32_t i = 0; i < vision->depth; i++) {
        if (!vision->blocks[i].experts || left-- > MODEL_MAX_BLOCKS)
            continue;
        model_block *block = &model->blocks[model->block_count++];
        *block = (model_block){.number = i, .plan = vision->blocks[i].plan, .word = word};
        block->words = vision->tokens * SMOE_REPORT_STRIDE(block->plan.max_active);
        word += block->words;
        model->plan = block->plan;
        model->defaults = vision->blocks[i].params;
    }
    model->defaults.max_active = model->plan.max_active;
}

static const model_functions functions = {.load = load, .record = record, .times = times, .destroy = destroy};

bool model_pictures_create(window_model *model, window_device *device, const window_pictures *pictures)
{
    const vision_model *vision = &pictures->model;
    const bool processor = device->info.type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    own_pictures *own = calloc(1, sizeof *own);
    *model = (window_model){.functions = &functions, .device = device, .own = own};
    if (!own)
        return model_fail(model, "out of memory");
    own->pictures = pictures;
    own->log = (smoe_log){model_receive_log, model};
    own->batch = processor ? BATCH_ON_PROCESSOR : BATCH;
    model->input_size = pictures->input_size;
    model->classes = vision->class_count;
    model->items = 1 + (processor ? POINTS_ON_PROCESSOR : MODEL_POINTS);
    model->slice_count = (model->items + own->batch - 1) / own->batch;
    model->grid = vision->grid;
    model->temperature = (float)vision->temperature;
    model->unsure_below = (float)vision->unsure_below;
    model->class_names = (const char *const *)vision->classes;
    list_blocks(model, vision);
    return true;
}
