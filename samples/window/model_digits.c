/* The digits' model on the app's device: smoe's objects, the weights, and what a forward needs for each slot of
 * results. */
#include "model_digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"
#include "window_head.h"

/* What two forwards at once must not share. The two sides of a slot run one after the other, over the same x and
 * workspace. */
typedef struct digits_slot {
    compute_buffer x, y[MODEL_SIDES], workspace; /* x: mapped */
    smoe_binding *bindings[MODEL_SIDES];
    VkDescriptorSet head_sets[MODEL_SIDES];
} digits_slot;

typedef struct own_digits {
    const digits_model *digits;
    smoe_context *context;
    smoe_plan *plan;
    smoe_layer *layer;
    compute_buffer tensors[SMOE_MAX_LAYER_TENSORS], head;
    compute_layout head_layout;
    VkDescriptorPool pool;
    VkPipeline head_pipeline;
    digits_slot slots[MODEL_SLOTS];
} own_digits;

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static bool create_plan(window_model *model, own_digits *own)
{
    const smoe_log log = {model_receive_log, model};
    return (model_create_context(model, &log, &own->context) &&
            smoe_plan_create(own->context, &model->plan, &own->plan) == SMOE_SUCCESS) ||
           model_fail(model, "smoe's plan cannot be made");
}

/* The digits' weights are small: the device reads them where the host writes them, and nothing is submitted. */
static bool upload(window_model *model, const void *data, VkDeviceSize size, const char *what, compute_buffer *out)
{
    compute *c = &model->device->compute;
    if (!compute_create_buffer(c, size, COMPUTE_UPLOAD, what, out))
        return model_fail(model, c->error);
    memcpy(out->mapped, data, size);
    return true;
}

static bool create_layer(window_model *model, own_digits *own)
{
    smoe_layer_desc desc = {0};
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; smoe_layer_tensor_get(&model->plan, i, &tensor); i++) {
        const void *data = smoe_host_weights_get(&own->digits->weights, &tensor).data;
        if (!data)
            continue;
        if (!upload(model, data, tensor.size, tensor.name, &own->tensors[i]))
            return false;
        smoe_layer_desc_set(&desc, &tensor, (smoe_buffer){own->tensors[i].buffer, 0, tensor.size});
    }
    return smoe_layer_create(own->plan, &desc, &own->layer) == SMOE_SUCCESS ||
           model_fail(model, "smoe's layer cannot be made");
}

static bool create_head(window_model *model, own_digits *own)
{
    static const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                             VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    compute *c = &model->device->compute;
    const size_t matrix = sizeof(float) * model->classes * model->plan.d_model, bias = sizeof(float) * model->classes;
    char *both = malloc(matrix + bias);
    if (!both)
        return model_fail(model, "out of memory");
    memcpy(both, own->digits->head_weight, matrix);
    memcpy(both + matrix, own->digits->head_bias, bias);
    const bool done = upload(model, both, matrix + bias, "head", &own->head);
    free(both);
    return done && ((compute_create_layout(c, types, 4, &own->head_layout) &&
                     compute_create_pool(c, &own->head_layout, MODEL_SLOTS * MODEL_SIDES, &own->pool) &&
                     compute_create_pipeline(c, &own->head_layout, window_head_spirv, sizeof window_head_spirv, NULL, 0,
                                             0, &own->head_pipeline)) ||
                    model_fail(model, c->error));
}

static bool create_side(window_model *model, own_digits *own, uint32_t index, int side)
{
    compute *c = &model->device->compute;
    digits_slot *slot = &own->slots[index];
    const model_results *results = &model->results[index][side];
    const VkDeviceSize rows = slot->x.size;
    if (!compute_create_buffer(c, rows, COMPUTE_LOCAL, "y", &slot->y[side]) ||
        !compute_create_set(c, &own->head_layout, own->pool, &slot->head_sets[side]))
        return model_fail(model, c->error);
    const compute_buffer buffers[] = {slot->x, slot->y[side], own->head, results->answers};
    compute_write_set(c, &own->head_layout, slot->head_sets[side], buffers);
    const smoe_binding_desc binding = {.x = {slot->x.buffer, 0, rows},
                                       .y = {slot->y[side].buffer, 0, rows},
                                       .workspace = {slot->workspace.buffer, 0, slot->workspace.size},
                                       .report = {results->report.buffer, 0, results->report.size}};
    return smoe_binding_create(own->plan, &binding, &slot->bindings[side]) == SMOE_SUCCESS ||
           model_fail(model, "smoe's binding cannot be made");
}

static bool create_slots(window_model *model, own_digits *own)
{
    compute *c = &model->device->compute;
    const VkDeviceSize rows = sizeof(float) * MODEL_ITEMS * model->plan.d_model;
    for (uint32_t i = 0; i < MODEL_SLOTS; i++) {
        digits_slot *slot = &own->slots[i];
        if (!compute_create_buffer(c, rows, COMPUTE_UPLOAD, "x", &slot->x) ||
            !compute_create_buffer(c, smoe_plan_workspace_size(own->plan), COMPUTE_LOCAL, "workspace",
                                   &slot->workspace))
            return model_fail(model, c->error);
        for (int side = 0; side < MODEL_SIDES; side++)
            if (!create_side(model, own, i, side))
                return false;
    }
    return true;
}

static bool load(window_model *model)
{
    own_digits *own = model->own;
    return create_plan(model, own) && create_layer(model, own) && create_head(model, own) &&
           (model_create_results(model) || model_fail(model, model->device->compute.error)) && create_slots(model, own);
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

/* Item 0, and the points of the path. Its ends are mixed in double: however far one zooms, neighbours differ. */
static void write_inputs(const own_digits *own, const model_request *request, float *x)
{
    const uint32_t width = own->digits->plan.d_model;
    float pixels[DIGITS_PIXELS];
    digits_embed(own->digits, request->item, x);
    for (uint32_t i = 0; i < MODEL_POINTS; i++) {
        const double at = request->low + (request->high - request->low) * i / (MODEL_POINTS - 1);
        for (uint32_t p = 0; p < DIGITS_PIXELS; p++)
            pixels[p] = (float)(request->from[p] + at * ((double)request->to[p] - (double)request->from[p]));
        digits_embed(own->digits, pixels, x + (size_t)(1 + i) * width);
    }
}

static bool record_side(window_model *model, const digits_slot *slot, int side, const smoe_forward_params *params,
                        VkCommandBuffer commands, VkQueryPool stamps)
{
    const own_digits *own = model->own;
    const smoe_timestamps timestamps = {stamps, (uint32_t)side * MODEL_STAMPS};
    const head_push push = {MODEL_ITEMS, model->plan.d_model, model->classes, 1};
    if (smoe_forward(commands, own->layer, slot->bindings[side], params, stamps ? &timestamps : NULL) != SMOE_SUCCESS)
        return model_fail(model, "smoe_forward failed");
    /* smoe leaves y visible to compute shaders: no barrier. */
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, own->head_pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, own->head_layout.layout, 0, 1,
                            &slot->head_sets[side], 0, NULL);
    vkCmdPushConstants(commands, own->head_layout.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, &push);
    vkCmdDispatch(commands, (MODEL_ITEMS + WINDOW_HEAD_WORKGROUP - 1) / WINDOW_HEAD_WORKGROUP, 1, 1);
    return true;
}

static bool record(window_model *model, uint32_t index, uint32_t slice, const model_request *request,
                   VkCommandBuffer commands, VkQueryPool stamps)
{
    (void)slice; /* there is one */
    own_digits *own = model->own;
    const digits_slot *slot = &own->slots[index];
    smoe_forward_params smooth = request->params;
    smooth.token_count = MODEL_ITEMS;
    smoe_forward_params hard = smooth;
    hard.eps = 0;
    write_inputs(own, request, slot->x.mapped);
    if (!record_side(model, slot, MODEL_HARD, &hard, commands, stamps) ||
        !record_side(model, slot, MODEL_SMOOTH, &smooth, commands, stamps))
        return false;
    model_record_copies(model, index, commands);
    return true;
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

static void destroy_slot(compute *c, digits_slot *slot)
{
    for (int side = 0; side < MODEL_SIDES; side++) {
        smoe_binding_destroy(slot->bindings[side]);
        compute_destroy_buffer(c, &slot->y[side]);
    }
    compute_destroy_buffer(c, &slot->x);
    compute_destroy_buffer(c, &slot->workspace);
}

static void destroy(window_model *model)
{
    own_digits *own = model->own;
    if (!own)
        return;
    compute *c = &model->device->compute;
    for (uint32_t i = 0; i < MODEL_SLOTS; i++)
        destroy_slot(c, &own->slots[i]);
    model_destroy_results(model);
    if (own->head_pipeline)
        vkDestroyPipeline(model->device->device, own->head_pipeline, NULL);
    if (own->pool)
        vkDestroyDescriptorPool(model->device->device, own->pool, NULL);
    compute_destroy_layout(c, &own->head_layout);
    compute_destroy_buffer(c, &own->head);
    for (uint32_t i = 0; i < SMOE_MAX_LAYER_TENSORS; i++)
        compute_destroy_buffer(c, &own->tensors[i]);
    smoe_layer_destroy(own->layer);
    smoe_plan_destroy(own->plan);
    smoe_context_destroy(own->context);
    free(own);
    model->own = NULL;
}

static const model_functions functions = {.load = load, .record = record, .destroy = destroy};

bool model_digits_create(window_model *model, window_device *device, const digits_model *digits)
{
    own_digits *own = calloc(1, sizeof *own);
    if (!own)
        return false;
    own->digits = digits;
    *model = (window_model){.functions = &functions,
                            .device = device,
                            .input_size = DIGITS_PIXELS,
                            .classes = DIGITS_CLASSES,
                            .items = MODEL_ITEMS,
                            .slice_count = 1,
                            .plan = digits->plan,
                            .defaults = digits->params,
                            .own = own};
    /* The cap may be set to anything up to all experts. One count of tokens: a third of the pipelines. */
    model->defaults.max_active = digits->plan.max_active;
    model->plan.max_active = digits->plan.expert_count;
    model->plan.min_tokens = model->plan.max_tokens = MODEL_ITEMS;
    return true;
}
