#include "layer.h"

#include <stdio.h>

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "descriptors.h"

#define WEIGHTS_BUFFERS 4u

/* One tensor [E, ...] of the description: expert_size bytes per expert, element_size bytes per element. */
typedef struct tensor {
    const smoe_buffer *buffer;
    uint64_t expert_size;
    uint32_t element_size;
} tensor;

/* Whether a buffer of the description must, may or must not be given. */
typedef enum presence { REQUIRED, OPTIONAL, FORBIDDEN } presence;

static presence required_if(bool condition)
{
    return condition ? REQUIRED : FORBIDDEN;
}

static presence optional_if(bool condition)
{
    return condition ? OPTIONAL : FORBIDDEN;
}

static smoe_result check_desc(const smoe_plan *plan, const smoe_layer_desc *desc)
{
    const smoe_context *context = plan->context;
    const smoe_plan_desc *shape = &plan->shape.desc;
    const uint64_t experts = shape->expert_count, model = shape->d_model, hidden = shape->d_hidden;
    const uint64_t projection = shape->projection_width, shared_hidden = shape->shared_hidden;
    const bool cosine = shape->router == SMOE_ROUTER_COSINE, shared = shared_hidden > 0, gated = shape->gated;
    const char *const of_router = cosine ? "the plan's router is cosine" : "the plan's router is linear";
    const char *const of_gate = "the plan's gate is not sigmoid";
    const char *const of_gated = "the plan is not gated";
    const char *const of_shared = "the plan has no shared expert";
    const char *const of_shared_gated = shared ? of_gated : of_shared;
    /* A 16-bit matrix is read in words of two elements. */
    const uint64_t matrix = smoe_align_up(smoe_type_size(shape->weight_type, experts * model * hidden), 4);
    const uint64_t shared_matrix = smoe_align_up(smoe_type_size(shape->weight_type, model * shared_hidden), 4);
    const struct {
        const char *name;
        const smoe_buffer *buffer;
        presence presence;
        uint64_t size;
        const char *reason; /* for being forbidden */
    } rules[] = {
        {"router_weight", &desc->router_weight, required_if(!cosine), 4 * experts * model, of_router},
        {"router_bias", &desc->router_bias, optional_if(!cosine), 4 * experts, of_router},
        {"router_projection", &desc->router_projection, required_if(cosine), 4 * projection * model, of_router},
        {"router_projection_bias", &desc->router_projection_bias, optional_if(cosine), 4 * projection, of_router},
        {"router_similarity", &desc->router_similarity, required_if(cosine), 4 * projection * experts, of_router},
        {"router_log_scale", &desc->router_log_scale, required_if(cosine), 4, of_router},
        {"selection_bias", &desc->selection_bias, optional_if(shape->gate == SMOE_GATE_SIGMOID), 4 * experts, of_gate},
        {"w1", &desc->w1, REQUIRED, matrix, NULL},
        {"b1", &desc->b1, OPTIONAL, 4 * experts * hidden, NULL},
        {"w3", &desc->w3, required_if(gated), matrix, of_gated},
        {"b3", &desc->b3, optional_if(gated), 4 * experts * hidden, of_gated},
        {"w2", &desc->w2, REQUIRED, matrix, NULL},
        {"b2", &desc->b2, OPTIONAL, 4 * experts * model, NULL},
        {"shared_w1", &desc->shared_w1, required_if(shared), shared_matrix, of_shared},
        {"shared_b1", &desc->shared_b1, optional_if(shared), 4 * shared_hidden, of_shared},
        {"shared_w3", &desc->shared_w3, required_if(shared && gated), shared_matrix, of_shared_gated},
        {"shared_b3", &desc->shared_b3, optional_if(shared && gated), 4 * shared_hidden, of_shared_gated},
        {"shared_w2", &desc->shared_w2, required_if(shared), shared_matrix, of_shared},
        {"shared_b2", &desc->shared_b2, optional_if(shared), 4 * model, of_shared},
        {"shared_gate", &desc->shared_gate, required_if(shape->shared_gate), 4 * model, "the plan has no shared_gate"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char name[48];
        snprintf(name, sizeof name, "layer desc.%s", rules[i].name);
        if (rules[i].presence == FORBIDDEN && rules[i].buffer->buffer)
            return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT, "%s.buffer: must be VK_NULL_HANDLE, %s", name, rules[i].reason);
        const smoe_result result =
            smoe_buffer_check(context, name, rules[i].buffer, rules[i].presence == REQUIRED, rules[i].size);
        if (result != SMOE_SUCCESS)
            return result;
    }
    return SMOE_SUCCESS;
}

/* Writes one weights set over `count` experts from expert `first` on. tensors: w, b, w3, b3; where a buffer is absent the
 * binding repeats w, since every binding of a set must be valid, and the flags keep the kernel from reading it. */
static void write_weights(const smoe_plan *plan, const tensor tensors[WEIGHTS_BUFFERS], uint32_t first, uint32_t count,
                          smoe_weights_set *out)
{
    const uint64_t alignment = plan->context->info.min_storage_buffer_offset_alignment;
    VkDescriptorBufferInfo infos[WEIGHTS_BUFFERS];
    for (uint32_t i = 0; i < WEIGHTS_BUFFERS; i++) {
        const bool present = tensors[i].buffer && tensors[i].buffer->buffer;
        if (!present) {
            infos[i] = infos[0];
            continue;
        }
        const uint64_t begin = tensors[i].buffer->offset + first * tensors[i].expert_size;
        const uint64_t aligned = smoe_align_down(begin, alignment);
        infos[i] = (VkDescriptorBufferInfo){
            .buffer = tensors[i].buffer->buffer,
            .offset = aligned,
            .range = smoe_align_up(begin - aligned + count * tensors[i].expert_size, 4),
        };
        out->offsets[i] = (uint32_t)((begin - aligned) / tensors[i].element_size);
    }
    if (tensors[1].buffer && tensors[1].buffer->buffer)
        out->flags |= SMOE_FLAG_BIAS;
    if (tensors[3].buffer && tensors[3].buffer->buffer)
        out->flags |= SMOE_FLAG_BIAS3;
    smoe_descriptors_write(plan->context, out->set, infos, WEIGHTS_BUFFERS);
}

static void write_router(smoe_layer *layer, const smoe_layer_desc *desc)
{
    const smoe_plan *plan = layer->plan;
    const smoe_plan_desc *shape = &plan->shape.desc;
    const uint64_t model = shape->d_model;
    const bool cosine = shape->router == SMOE_ROUTER_COSINE;
    const tensor none = {NULL, 0, 4};
    const tensor linear[] = {{&desc->router_weight, 4 * model, 4}, {&desc->router_bias, 4, 4}, none, none};
    const tensor projection[] = {{&desc->router_projection, 4 * model, 4}, {&desc->router_projection_bias, 4, 4}, none, none};
    /* One piece, not E of them: log_scale has one element. */
    const tensor similarity[] = {
        {&desc->router_similarity, 4ull * shape->projection_width * shape->expert_count, 4}, {&desc->router_log_scale, 4, 4}, none, none};
    /* w is there to make the set whole: nothing reads it. */
    const tensor select[] = {cosine ? similarity[0] : (tensor){&desc->router_weight, 4ull * shape->expert_count * model, 4},
                             {&desc->selection_bias, 4ull * shape->expert_count, 4}, none, none};
    write_weights(plan, select, 0, 1, &layer->select);
    if (cosine) {
        write_weights(plan, projection, 0, shape->projection_width, &layer->project);
        write_weights(plan, similarity, 0, 1, &layer->router);
    } else {
        write_weights(plan, linear, 0, shape->expert_count, &layer->router);
    }
}

static void write_experts(smoe_layer *layer, const smoe_layer_desc *desc)
{
    const smoe_plan *plan = layer->plan;
    const smoe_shape *shape = &plan->shape;
    const uint64_t model = shape->desc.d_model, hidden = shape->desc.d_hidden, shared_hidden = shape->desc.shared_hidden;
    const uint32_t element = (uint32_t)smoe_type_size(shape->desc.weight_type, 1);
    const uint64_t matrix = smoe_type_size(shape->desc.weight_type, model * hidden);
    const uint64_t shared_matrix = smoe_type_size(shape->desc.weight_type, model * shared_hidden);
    const tensor none = {NULL, 0, 4};
    const tensor up[] = {{&desc->w1, matrix, element},
                         {&desc->b1, 4 * hidden, 4},
                         {&desc->w3, matrix, element},
                         {&desc->b3, 4 * hidden, 4}};
    const tensor down[] = {{&desc->w2, matrix, element}, {&desc->b2, 4 * model, 4}, none, none};
    for (uint32_t r = 0; r < shape->range_count; r++) {
        const uint32_t count = smoe_shape_range_expert_count(shape, r);
        write_weights(plan, up, r * shape->range_experts, count, &layer->ranges[r].up);
        write_weights(plan, down, r * shape->range_experts, count, &layer->ranges[r].down);
    }
    const tensor shared_up[] = {{&desc->shared_w1, shared_matrix, element},
                                {&desc->shared_b1, 4 * shared_hidden, 4},
                                {&desc->shared_w3, shared_matrix, element},
                                {&desc->shared_b3, 4 * shared_hidden, 4}};
    const tensor shared_down[] = {
        {&desc->shared_w2, shared_matrix, element}, {&desc->shared_b2, 4 * model, 4}, none, none};
    const tensor shared_gate[] = {{&desc->shared_gate, 4 * model, 4}, none, none, none};
    if (shared_hidden > 0) {
        write_weights(plan, shared_up, 0, 1, &layer->shared_up);
        write_weights(plan, shared_down, 0, 1, &layer->shared_down);
    }
    if (shape->desc.shared_gate)
        write_weights(plan, shared_gate, 0, 1, &layer->shared_gate);
}

static smoe_result create_sets(smoe_layer *layer)
{
    const smoe_context *context = layer->plan->context;
    const uint32_t range_count = layer->plan->shape.range_count;
    smoe_weights_set *const single[] = {&layer->router,      &layer->project,   &layer->select,
                                        &layer->shared_gate, &layer->shared_up, &layer->shared_down};
    enum { SINGLE = sizeof single / sizeof single[0] };
    const uint32_t set_count = SINGLE + 2 * range_count;
    VkDescriptorSet *sets = smoe_host_alloc(&context->host, set_count, sizeof *sets);
    layer->ranges = smoe_host_alloc(&context->host, range_count, sizeof *layer->ranges);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (!sets || !layer->ranges)
        smoe_fail(&context->host, result, "layer: no host memory");
    else
        result = smoe_descriptors_create(context, context->weights_layout, WEIGHTS_BUFFERS, set_count, &layer->pool, sets);
    if (result == SMOE_SUCCESS) {
        for (uint32_t i = 0; i < SINGLE; i++)
            single[i]->set = sets[i];
        for (uint32_t r = 0; r < range_count; r++) {
            layer->ranges[r].up.set = sets[SINGLE + 2 * r];
            layer->ranges[r].down.set = sets[SINGLE + 2 * r + 1];
        }
    }
    smoe_host_free(&context->host, sets);
    return result;
}

smoe_result smoe_layer_create(const smoe_plan *plan, const smoe_layer_desc *desc, smoe_layer **out)
{
    if (out)
        *out = NULL;
    if (!plan)
        return SMOE_ERROR_INVALID_ARGUMENT;
    const smoe_host *host = &plan->context->host;
    if (!desc || !out)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL", desc ? "out" : "desc");
    smoe_result result = check_desc(plan, desc);
    if (result != SMOE_SUCCESS)
        return result;
    smoe_layer *layer = smoe_host_alloc(host, 1, sizeof *layer);
    if (!layer)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "layer: no host memory");
    layer->plan = plan;
    result = create_sets(layer);
    if (result != SMOE_SUCCESS) {
        smoe_layer_destroy(layer);
        return result;
    }
    write_router(layer, desc);
    write_experts(layer, desc);
    *out = layer;
    return SMOE_SUCCESS;
}

void smoe_layer_destroy(smoe_layer *layer)
{
    if (!layer)
        return;
    const smoe_context *context = layer->plan->context;
    context->vk.vkDestroyDescriptorPool(context->device, layer->pool, NULL);
    smoe_host_free(&context->host, layer->ranges);
    smoe_host_free(&context->host, layer);
}
