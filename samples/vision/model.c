#include "load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

static bool load_stem(load *l)
{
    vision_model *model = l->model;
    double strides[VISION_MAX_STEM], residuals[VISION_MAX_STEM];
    uint32_t stride_count, residual_count, width = model->image_size, channels = 3;

    while (model->stem_count < VISION_MAX_STEM) {
        char start[64];
        snprintf(start, sizeof start, "patch_embed.stem.%u.", model->stem_count);
        if (!load_has_prefix(l, start))
            break;
        model->stem_count++;
    }
    if (!load_numbers(l, "stem_strides", VISION_MAX_STEM, strides, &stride_count) ||
        !load_numbers(l, "stem_residuals", VISION_MAX_STEM, residuals, &residual_count))
        return false;
    if (stride_count != model->stem_count)
        return load_fail(l, "metadata stem_strides has %u numbers, but the stem has %u layers", stride_count,
                         model->stem_count);
    if (residual_count != 0 && residual_count != model->stem_count)
        return load_fail(l, "metadata stem_residuals has %u numbers, but the stem has %u layers", residual_count,
                         model->stem_count);
    for (uint32_t i = 0; i < model->stem_count; i++) {
        vision_stem *stem = &model->stem[i];
        uint32_t size = 3;
        char folder[64];
        snprintf(folder, sizeof folder, "patch_embed.stem.%u", i);
        stem->channels = channels;
        stem->in_width = width;
        if (!load_convolution(l, folder, &stem->channels, &size, &stem->convolution))
            return false;
        const double residual = residual_count ? residuals[i] : 0;
        if (!(strides[i] >= 1 && strides[i] <= 16) || strides[i] != floor(strides[i]))
            return load_fail(l, "metadata stem_strides: number %u must be a whole number from 1 to 16", i);
        if (!(residual >= 0 && residual <= (double)i + 1) || residual != floor(residual))
            return load_fail(l, "metadata stem_residuals: number %u must be a whole number from 0 to %u", i, i + 1);
        stem->stride = (uint32_t)strides[i];
        stem->residual = (uint32_t)residual;
        stem->out_width = width = (width - 1) / stem->stride + 1; /* padding 1 */
        channels = stem->convolution.rows;
        const vision_stem *from = stem->residual ? &model->stem[i + 1 - stem->residual] : NULL;
        if (from == model->stem)
            return load_fail(l, "metadata stem_residuals: layer %u cannot add the input of layer 0, which is the image",
                             i);
        if (from && (from->in_width != width || from->channels != channels))
            return load_fail(
                l, "metadata stem_residuals: layer %u cannot add the input of layer %u, which has another shape", i,
                i + 1 - stem->residual);
    }
    model->channels = channels;
    if (width % model->patch_size != 0)
        return load_fail(l, "the patches of %u do not divide the %u pixels that remain of an image's width",
                         model->patch_size, width);
    model->grid = width / model->patch_size;
    model->tokens = model->grid * model->grid + 1;
    return true;
}

/* Pixels per side of what one patch embedding's output sees: its patch, times the stem's strides. */
static uint32_t pixels_per_patch(const load *l, uint32_t patch_size)
{
    double strides[VISION_MAX_STEM];
    uint32_t count = 0;
    load_numbers(l, "stem_strides", VISION_MAX_STEM, strides, &count);
    for (uint32_t i = 0; i < count; i++)
        patch_size *= strides[i] >= 1 && strides[i] <= 16 ? (uint32_t)strides[i] : 1;
    return patch_size;
}

static bool load_embedding(load *l)
{
    vision_model *model = l->model;
    uint64_t class_shape[3] = {1, 1, 0}, position_shape[3] = {1, 0, 0};
    uint32_t channels = 0;

    if (!load_convolution(l, "patch_embed.proj", &channels, &model->patch_size, &model->patch_embed))
        return false;
    model->width = model->patch_embed.rows;
    class_shape[2] = position_shape[2] = model->width;
    model->class_token = load_tensor(l, "cls_token", 3, class_shape);
    model->positions = model->class_token ? load_tensor(l, "pos_embed", 3, position_shape) : NULL;
    if (!model->positions)
        return false;
    const uint64_t patches = position_shape[1] - 1;
    const uint32_t side = (uint32_t)(sqrt((double)patches) + 0.5);
    const uint32_t guess =
        patches == (uint64_t)side * side && side <= 256 ? side * pixels_per_patch(l, model->patch_size) : 0;
    if (!load_count(l, "image_size", guess, 4096, &model->image_size) || !load_stem(l))
        return false;
    if (model->channels != channels)
        return load_fail(l, "tensor %.200s has %u channels, but %u come in", model->patch_embed.weight->name, channels,
                         model->channels);
    if (model->tokens != position_shape[1])
        return load_fail(l, "tensor %.200s has %llu positions, but images of %u make %u patches and a class token",
                         model->positions->name, (unsigned long long)position_shape[1], model->image_size,
                         model->tokens - 1);
    return load_agrees(l, "patch_size", model->patch_size) && load_agrees(l, "embed_dim", model->width);
}

static bool load_block(load *l, uint32_t index, vision_block *block)
{
    vision_model *model = l->model;
    const uint32_t width = model->width;
    char norm1[64], norm2[64], qkv[64], proj[64], fc1[64], fc2[64];
    snprintf(norm1, sizeof norm1, "blocks.%u.norm1", index);
    snprintf(norm2, sizeof norm2, "blocks.%u.norm2", index);
    snprintf(qkv, sizeof qkv, "blocks.%u.attn.qkv", index);
    snprintf(proj, sizeof proj, "blocks.%u.attn.proj", index);
    snprintf(fc1, sizeof fc1, "blocks.%u.mlp.fc1", index);
    snprintf(fc2, sizeof fc2, "blocks.%u.mlp.fc2", index);
    if (!load_norm(l, norm1, width, &block->norm1) || !load_norm(l, norm2, width, &block->norm2) ||
        !load_linear(l, qkv, 3 * width, width, &block->qkv) || !load_linear(l, proj, width, width, &block->proj))
        return false;
    if (load_is_expert_block(l, index)) {
        model->expert_block_count++;
        return load_experts(l, index, block);
    }
    if (!load_linear(l, fc1, 0, width, &block->fc1) || !load_linear(l, fc2, width, block->fc1.rows, &block->fc2))
        return false;
    model->hidden = block->fc1.rows > model->hidden ? block->fc1.rows : model->hidden;
    return block->fc1.rows % 4 == 0 ||
           load_fail(l, "tensor %.200s must have a multiple of 4 rows", block->fc1.weight->name);
}

static bool load_blocks(load *l)
{
    vision_model *model = l->model;
    char start[64];
    while (snprintf(start, sizeof start, "blocks.%u.", model->depth) > 0 && load_has_prefix(l, start))
        if (model->depth++ == VISION_MAX_DEPTH)
            return load_fail(l, "more than %u blocks", VISION_MAX_DEPTH);
    if (model->depth == 0)
        return load_fail(l, "there is no tensor of a first block, %sblocks.0.norm1.weight and so on", l->prefix);
    /* If nobody says: 64 per head, as in all of timm's. */
    const uint32_t heads = model->width % 64 == 0 ? model->width / 64 : 0;
    if (!load_agrees(l, "depth", model->depth) || !load_count(l, "num_heads", heads, 1024, &model->heads))
        return false;
    if (model->width % model->heads != 0 || model->width / model->heads % 4 != 0)
        return load_fail(l, "the model is %u wide and has %u heads: a head's width must be a multiple of 4",
                         model->width, model->heads);
    if (!load_find_experts(l))
        return false;
    for (uint32_t i = 0; i < model->depth; i++)
        if (!load_block(l, i, &model->blocks[i]))
            return false;
    return true;
}

static bool load_model(load *l)
{
    vision_model *model = l->model;
    if (!load_begin(l) || !load_embedding(l) || !load_blocks(l) || !load_norm(l, "norm", model->width, &model->norm) ||
        !load_linear(l, "head", 0, model->width, &model->head))
        return false;
    model->class_count = model->head.rows;
    return load_end(l) && load_agrees(l, "num_classes", model->class_count) && load_preprocessing(l) &&
           load_calibration(l);
}

bool vision_model_open(vision_model *model, const char *path, const smoe_log *log)
{
    memset(model, 0, sizeof *model);
    model->path = path;
    model->log = log;
    if (smoe_layer_file_open(path, NULL, log, &model->file) != SMOE_SUCCESS)
        return false;
    load *l = calloc(1, sizeof *l);
    if (!l)
        return vision_error(log, "out of memory");
    l->model = model;
    const bool loaded = load_model(l);
    free(l);
    return loaded;
}

void vision_model_close(vision_model *model)
{
    for (uint32_t i = 0; i < model->depth && i < VISION_MAX_DEPTH; i++)
        smoe_checkpoint_layer_destroy(model->blocks[i].experts);
    smoe_checkpoint_close(model->checkpoint);
    smoe_layer_file_close(model->file);
    free(model->classes);
    free(model->class_text);
    memset(model, 0, sizeof *model);
}

const char *vision_class_name(const vision_model *model, uint32_t index, char number[16])
{
    if (model->classes)
        return model->classes[index];
    snprintf(number, 16, "%u", index);
    return number;
}
