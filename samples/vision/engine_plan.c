/* Which dispatches run a model, in order, over which parts of memory. */
#include "engine_internal.h"

#include <math.h>
#include <string.h>

#include "vision_add.h" /* the shaders of this folder as SPIR-V, made by the build */
#include "vision_layer_norm.h"
#include "vision_matmul_broadcast.h"
#include "vision_matmul_tiled.h"
#include "vision_softmax.h"
#include "vision_tokens.h"
#include "vision_unfold.h"

#define NORM_EPS 1e-6f    /* timm's */
#define ROWS_THREADS 64u  /* of a GPU's workgroup that takes rows */
/* The tiles, as the shaders have them. */
#define TILED_SIDE 32u
#define TILED_THREADS 64u
#define BROADCAST_ROWS 16u
#define LANE_COLUMNS 4u
#define LANES_MOST 32u /* so that every lane loads a whole number of inputs */

/* ---- pipelines --------------------------------------------------------------------------------------------------- */

void engine_choose_kernels(vision_engine *engine)
{
    const smoe_device_info *info = engine->gpu->compute.info;
    const uint32_t lanes = info->subgroup_size;
    engine->cpu = info->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    /* matmul_broadcast: subgroups of one size, so that a workgroup of that size is one; and texel buffers of any size
     * that storage buffers may have, texels being four float16 at the least. */
    engine->broadcast = engine->cpu && !engine->desc.no_subgroups &&
                        (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SHUFFLE) && info->subgroup_size_min == lanes &&
                        info->subgroup_size_max == lanes && lanes <= LANES_MOST &&
                        engine->gpu->compute.limits.maxTexelBufferElements >= info->max_storage_buffer_range / 8;
    engine->tile_rows = engine->broadcast ? BROADCAST_ROWS : TILED_SIDE;
    engine->tile_columns = engine->broadcast ? lanes * LANE_COLUMNS : TILED_SIDE;
}

bool engine_create_pipelines(vision_engine *engine)
{
    gpu *g = engine->gpu;
    const VkBool32 half = engine->desc.weight_type == SMOE_TYPE_FLOAT16;
    const uint32_t lanes = g->compute.info->subgroup_size, matmul_size = engine->broadcast ? lanes : TILED_THREADS;
    const gpu_constants matmul = {.workgroup_size = matmul_size, .half = half},
                        activations = {.workgroup_size = matmul_size};
    const gpu_constants transposed = {.workgroup_size = matmul_size, .transposed = VK_TRUE};
    const gpu_constants rows = {.workgroup_size = engine->cpu ? lanes : ROWS_THREADS,
                                .team = engine->cpu ? 1 : ROWS_THREADS};
    const uint32_t *spirv = engine->broadcast ? vision_matmul_broadcast_spirv : vision_matmul_tiled_spirv;
    const size_t size = engine->broadcast ? sizeof vision_matmul_broadcast_spirv : sizeof vision_matmul_tiled_spirv;
    const struct {
        const uint32_t *spirv;
        size_t size;
        const gpu_constants *constants;
    } kernels[PIPELINE_COUNT] = {
        [PIPELINE_MATMUL] = {spirv, size, &matmul},
        [PIPELINE_MATMUL_ACTIVATIONS] = {spirv, size, &activations},
        [PIPELINE_MATMUL_TRANSPOSED] = {spirv, size, &transposed},
        [PIPELINE_LAYER_NORM] = {vision_layer_norm_spirv, sizeof vision_layer_norm_spirv, &rows},
        [PIPELINE_SOFTMAX] = {vision_softmax_spirv, sizeof vision_softmax_spirv, &rows},
        [PIPELINE_UNFOLD] = {vision_unfold_spirv, sizeof vision_unfold_spirv, &rows},
        [PIPELINE_TOKENS] = {vision_tokens_spirv, sizeof vision_tokens_spirv, &rows},
        [PIPELINE_ADD] = {vision_add_spirv, sizeof vision_add_spirv, &rows},
    };

    for (int i = 0; i < PIPELINE_COUNT; i++) {
        engine_show_compiling(engine, engine->model->depth + (uint32_t)i);
        if (!gpu_pipeline(g, kernels[i].spirv, kernels[i].size, kernels[i].constants, &engine->pipelines[i]))
            return false;
    }
    return true;
}

/* ---- dispatches -------------------------------------------------------------------------------------------------- */

/* rows: per image; z: groups per image, 0 for one matrix of all images' rows. */
static engine_op *add_op(vision_engine *engine, vision_stage stage, engine_pipeline pipeline, uint32_t rows, uint32_t z)
{
    const bool matmul = pipeline <= PIPELINE_MATMUL_TRANSPOSED,
               reduces = pipeline == PIPELINE_LAYER_NORM || pipeline == PIPELINE_SOFTMAX;
    engine_op *op = &engine->ops[engine->op_count++];
    *op = (engine_op){.stage = stage, .pipeline = pipeline, .rows = rows, .z = z, .column_groups = 1,
                      .group_rows = matmul                   ? engine->tile_rows
                                    : reduces && engine->cpu ? engine->gpu->compute.info->subgroup_size
                                                             : 1};
    return op;
}

static engine_op *add_matmul(vision_engine *engine, vision_stage stage, engine_pipeline pipeline, uint32_t rows,
                             uint32_t z, const gpu_part *input, const gpu_part *weights, const gpu_part *output,
                             const matmul_push *push)
{
    engine_op *op = add_op(engine, stage, pipeline, rows, z);
    op->column_groups = engine_divide_up(push->columns, engine->tile_columns);
    op->parts[VISION_BINDING_INPUT] = *input;
    op->parts[VISION_BINDING_WEIGHTS] = *weights;
    op->parts[VISION_BINDING_OUTPUT] = *output;
    op->push.matmul = *push;
    return op;
}

/* output = f(input weight^T + bias) + residual, over the rows of all images. residual: NULL or a part. */
static void add_linear(vision_engine *engine, vision_stage stage, uint32_t rows, const gpu_part *input,
                       const engine_linear *linear, uint32_t flags, const gpu_part *residual, const gpu_part *output)
{
    const matmul_push push = {.columns = linear->rows,
                              .depth = linear->columns,
                              .scale = 1,
                              .heads = 1,
                              .flags = flags | (linear->bias.size ? VISION_MATMUL_BIAS : 0u) |
                                       (residual ? VISION_MATMUL_RESIDUAL : 0u),
                              .input_stride = engine_round_up(linear->columns),
                              .weights_stride = linear->stride,
                              .output_stride = linear->rows};
    engine_op *op = add_matmul(engine, stage, PIPELINE_MATMUL, rows, 0, input, &linear->weight, output, &push);
    op->parts[VISION_BINDING_BIAS] = linear->bias;
    if (residual)
        op->parts[VISION_BINDING_RESIDUAL] = *residual;
}

static void add_norm(vision_engine *engine, vision_stage stage, uint32_t rows, uint32_t input_stride,
                     const gpu_part *input, const engine_norm *norm, const gpu_part *output)
{
    engine_op *op = add_op(engine, stage, PIPELINE_LAYER_NORM, rows, 0);
    op->parts[VISION_BINDING_INPUT] = *input;
    op->parts[VISION_BINDING_WEIGHTS] = norm->weight;
    op->parts[VISION_BINDING_BIAS] = norm->bias;
    op->parts[VISION_BINDING_OUTPUT] = *output;
    op->push.reduce = (rows_push){.columns = engine->model->width, .input_stride = input_stride,
                                  .output_stride = engine->model->width, .eps = NORM_EPS};
}

/* The rows that a convolution's weights multiply. From [channels, pixels] where the input is the images, else [pixels,
 * channels]. */
static void add_unfold(vision_engine *engine, const gpu_part *input, bool images, uint32_t channels, uint32_t in_width,
                       uint32_t out_width, uint32_t size, uint32_t stride, uint32_t padding)
{
    engine_op *op = add_op(engine, VISION_STAGE_EMBED, PIPELINE_UNFOLD, out_width * out_width, 0);
    op->parts[VISION_BINDING_INPUT] = *input;
    op->parts[VISION_BINDING_OUTPUT] = engine->activations.unfolded;
    op->push.unfold = (unfold_push){.channels = channels,
                                    .size = size,
                                    .stride = stride,
                                    .padding = padding,
                                    .in_width = in_width,
                                    .out_width = out_width,
                                    .channel_stride = images ? in_width * in_width : 1,
                                    .pixel_stride = images ? 1 : channels,
                                    .output_stride = engine_round_up(channels * size * size)};
}

static void add_embedding(vision_engine *engine)
{
    const vision_model *model = engine->model;
    const engine_weights *weights = &engine->weights;
    const engine_activations *a = &engine->activations;
    const gpu_part *from = &engine->slots[0].images;
    uint32_t in_width = model->image_size;

    for (uint32_t i = 0; i < model->stem_count; i++) {
        const vision_stem *stem = &model->stem[i];
        add_unfold(engine, from, i == 0, stem->channels, stem->in_width, stem->out_width, 3, stem->stride, 1);
        add_linear(engine, VISION_STAGE_EMBED, stem->out_width * stem->out_width, &a->unfolded, &weights->stem[i],
                   VISION_MATMUL_GELU, stem->residual ? &a->stem[i - stem->residual] : NULL, &a->stem[i]);
        from = &a->stem[i];
        in_width = stem->out_width;
    }
    add_unfold(engine, from, model->stem_count == 0, model->channels, in_width, model->grid, model->patch_size,
               model->patch_size, 0);
    add_linear(engine, VISION_STAGE_EMBED, model->tokens - 1, &a->unfolded, &weights->patch_embed, 0, NULL,
               &a->patches);
    engine_op *op = add_op(engine, VISION_STAGE_EMBED, PIPELINE_TOKENS, model->tokens, 0);
    op->parts[VISION_BINDING_INPUT] = a->patches;
    op->parts[VISION_BINDING_WEIGHTS] = weights->class_token;
    op->parts[VISION_BINDING_BIAS] = weights->positions;
    op->parts[VISION_BINDING_OUTPUT] = a->x;
    op->push.tokens = (tokens_push){.columns = model->width, .tokens = model->tokens};
}

/* x_attended = x + proj(softmax(q k^T / sqrt(head width)) v), each head on its own. qkv: [images, tokens, 3, heads,
 * head width]. */
static void add_attention(vision_engine *engine, const engine_block *block)
{
    const vision_stage stage = VISION_STAGE_ATTENTION;
    const vision_model *model = engine->model;
    const engine_activations *a = &engine->activations;
    const uint32_t width = model->width, tokens = model->tokens, heads = model->heads, head = width / heads;
    /* elements of an image's qkv; of a row of scores */
    const uint32_t image = tokens * 3 * width, row = engine_round_up(tokens);

    add_norm(engine, stage, tokens, width, &a->x, &block->norm1, &a->normed);
    add_linear(engine, stage, tokens, &a->normed, &block->qkv, 0, NULL, &a->qkv);
    const matmul_push scores = {.columns = tokens, .depth = head, .scale = 1 / sqrtf((float)head), .heads = heads,
                                .input_stride = 3 * width, .input_image = image, .input_head = head,
                                .weights_start = width, .weights_stride = 3 * width, .weights_image = image,
                                .weights_head = head, .output_stride = row, .output_image = heads * tokens * row,
                                .output_head = tokens * row};
    add_matmul(engine, stage, PIPELINE_MATMUL_ACTIVATIONS, tokens, heads, &a->qkv, &a->qkv, &a->scores, &scores);
    engine_op *softmax = add_op(engine, stage, PIPELINE_SOFTMAX, heads * tokens, 0);
    softmax->parts[VISION_BINDING_OUTPUT] = a->scores;
    softmax->push.reduce = (rows_push){.columns = tokens, .output_stride = row};
    const matmul_push mix = {.columns = head, .depth = tokens, .scale = 1, .heads = heads, .input_stride = row,
                             .input_image = heads * tokens * row, .input_head = tokens * row,
                             .weights_start = 2 * width, .weights_stride = 3 * width, .weights_image = image,
                             .weights_head = head, .output_stride = width, .output_image = tokens * width,
                             .output_head = head};
    add_matmul(engine, stage, PIPELINE_MATMUL_TRANSPOSED, tokens, heads, &a->scores, &a->qkv, &a->attended, &mix);
    add_linear(engine, stage, tokens, &a->attended, &block->proj, 0, &a->x, &a->x_attended);
}

/* x = x_attended + mlp(norm2(x_attended)) */
static void add_mlp(vision_engine *engine, uint32_t index, const engine_block *block)
{
    const vision_stage stage = block->plan ? VISION_STAGE_EXPERTS : VISION_STAGE_MLP;
    const uint32_t tokens = engine->model->tokens, width = engine->model->width;
    const engine_activations *a = &engine->activations;

    add_norm(engine, stage, tokens, width, &a->x_attended, &block->norm2, &a->normed);
    if (!block->plan) {
        add_linear(engine, stage, tokens, &a->normed, &block->fc1, VISION_MATMUL_GELU, NULL, &a->hidden);
        add_linear(engine, stage, tokens, &a->hidden, &block->fc2, 0, &a->x_attended, &a->x);
        return;
    }
    add_op(engine, stage, PIPELINE_EXPERTS, tokens, 0)->block = index;
    engine_op *add = add_op(engine, stage, PIPELINE_ADD, tokens, 0);
    add->parts[VISION_BINDING_INPUT] = a->expert_output;
    add->parts[VISION_BINDING_RESIDUAL] = a->x_attended;
    add->parts[VISION_BINDING_OUTPUT] = a->x;
    add->push.tokens = (tokens_push){.columns = width};
}

static bool create_views(vision_engine *engine, engine_op *op)
{
    const bool half = op->pipeline == PIPELINE_MATMUL && engine->desc.weight_type == SMOE_TYPE_FLOAT16;
    const VkFormat format = half ? VK_FORMAT_R16G16B16A16_SFLOAT : VK_FORMAT_R32G32B32A32_SFLOAT;
    return gpu_view(engine->gpu, &op->parts[VISION_BINDING_INPUT], VK_FORMAT_R32G32B32A32_SFLOAT, &op->texels[0]) &&
           gpu_view(engine->gpu, &op->parts[VISION_BINDING_WEIGHTS], format, &op->texels[1]);
}

static bool create_set(vision_engine *engine, const engine_op *op, const gpu_part parts[VISION_BINDING_BUFFERS],
                       VkDescriptorSet *out)
{
    gpu *g = engine->gpu;
    if (!gpu_good(g, compute_create_set(&g->compute, &g->layout, engine->descriptor_pool, out)))
        return false;
    gpu_write_set(g, *out, parts, op->texels[0] ? op->texels : NULL);
    return true;
}

/* The first dispatch and the last have sets for each slot. */
static bool create_slot_sets(vision_engine *engine)
{
    const engine_op *first = &engine->ops[0], *last = &engine->ops[engine->op_count - 1];
    for (uint32_t s = 0; s < engine->desc.slots; s++) {
        engine_slot *slot = &engine->slots[s];
        gpu_part reads[VISION_BINDING_BUFFERS], writes[VISION_BINDING_BUFFERS];
        memcpy(reads, first->parts, sizeof reads);
        memcpy(writes, last->parts, sizeof writes);
        reads[VISION_BINDING_INPUT] = slot->images;
        writes[VISION_BINDING_OUTPUT] = slot->logits;
        if (!create_set(engine, first, reads, &slot->images_set) ||
            !create_set(engine, last, writes, &slot->logits_set))
            return false;
    }
    return true;
}

static bool create_sets(vision_engine *engine)
{
    gpu *g = engine->gpu;
    const uint32_t count = engine->op_count + 2 * engine->desc.slots;
    if (!gpu_good(g, compute_create_pool(&g->compute, &g->layout, count, &engine->descriptor_pool)))
        return false;
    for (uint32_t i = 0; i < engine->op_count; i++) {
        engine_op *op = &engine->ops[i];
        const bool of_slots = i == 0 || i == engine->op_count - 1;
        if (op->pipeline == PIPELINE_EXPERTS)
            continue;
        if (engine->broadcast && op->pipeline <= PIPELINE_MATMUL_TRANSPOSED && !create_views(engine, op))
            return false;
        if (!of_slots && !create_set(engine, op, op->parts, &op->set))
            return false;
    }
    return create_slot_sets(engine);
}

bool engine_plan_work(vision_engine *engine)
{
    const vision_model *model = engine->model;
    const engine_activations *a = &engine->activations;
    add_embedding(engine);
    for (uint32_t i = 0; i < model->depth; i++) {
        add_attention(engine, &engine->blocks[i]);
        add_mlp(engine, i, &engine->blocks[i]);
    }
    /* The head sees only the class tokens, one row of each image. */
    add_norm(engine, VISION_STAGE_HEAD, 1, model->tokens * model->width, &a->x, &engine->weights.norm, &a->class_rows);
    add_linear(engine, VISION_STAGE_HEAD, 1, &a->class_rows, &engine->weights.head, 0, NULL, &engine->slots[0].logits);
    return create_sets(engine);
}
