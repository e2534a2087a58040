#include "layer.h"

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

static smoe_result check_desc(const smoe_plan *plan, const smoe_layer_desc *desc)
{
    const smoe_context *context = plan->context;
    const smoe_plan_desc *shape = &plan->shape.desc;
    const uint64_t experts = shape->expert_count, model = shape->d_model, hidden = shape->d_hidden;
    /* A float16 matrix is read in words of two elements. */
    const uint64_t matrix = smoe_align_up(experts * model * hidden * smoe_shape_weight_size(&plan->shape), 4);
    const struct {
        const char *name;
        const smoe_buffer *buffer;
        bool needed;
        uint64_t size;
    } rules[] = {
        {"layer desc.router_weight", &desc->router_weight, true, 4 * experts * model},
        {"layer desc.router_bias", &desc->router_bias, false, 4 * experts},
        {"layer desc.w1", &desc->w1, true, matrix},
        {"layer desc.b1", &desc->b1, false, 4 * experts * hidden},
        {"layer desc.w3", &desc->w3, shape->gated, matrix},
        {"layer desc.b3", &desc->b3, false, 4 * experts * hidden},
        {"layer desc.w2", &desc->w2, true, matrix},
        {"layer desc.b2", &desc->b2, false, 4 * experts * model},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const smoe_result result = smoe_buffer_check(context, rules[i].name, rules[i].buffer, rules[i].needed, rules[i].size);
        if (result)
            return result;
    }
    if (!shape->gated && (desc->w3.buffer || desc->b3.buffer))
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT, "layer desc.%s.buffer: must be VK_NULL_HANDLE, the plan is not gated",
                         desc->w3.buffer ? "w3" : "b3");
    return SMOE_SUCCESS;
}

/* Writes one weights set over `count` experts from expert `first` on. tensors: w, b, w_gate, b_gate; where a buffer is absent the
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
        out->flags |= SMOE_PUSH_BIAS;
    if (tensors[3].buffer && tensors[3].buffer->buffer)
        out->flags |= SMOE_PUSH_BIAS_GATE;
    smoe_descriptors_write(plan->context, out->set, infos, WEIGHTS_BUFFERS);
}

static void write_sets(smoe_layer *layer, const smoe_layer_desc *desc)
{
    const smoe_plan *plan = layer->plan;
    const smoe_shape *shape = &plan->shape;
    const uint64_t model = shape->desc.d_model, hidden = shape->desc.d_hidden;
    const uint32_t element = smoe_shape_weight_size(shape);
    const tensor none = {NULL, 0, 4};
    const tensor router[] = {{&desc->router_weight, 4 * model, 4}, {&desc->router_bias, 4, 4}, none, none};
    const tensor up[] = {{&desc->w1, model * hidden * element, element},
                         {&desc->b1, 4 * hidden, 4},
                         {&desc->w3, model * hidden * element, element},
                         {&desc->b3, 4 * hidden, 4}};
    const tensor down[] = {{&desc->w2, model * hidden * element, element}, {&desc->b2, 4 * model, 4}, none, none};
    write_weights(plan, router, 0, shape->desc.expert_count, &layer->router);
    for (uint32_t r = 0; r < shape->range_count; r++) {
        const uint32_t count = smoe_shape_range_expert_count(shape, r);
        write_weights(plan, up, r * shape->range_experts, count, &layer->ranges[r].up);
        write_weights(plan, down, r * shape->range_experts, count, &layer->ranges[r].down);
    }
}

static smoe_result create_sets(smoe_layer *layer)
{
    const smoe_context *context = layer->plan->context;
    const uint32_t range_count = layer->plan->shape.range_count;
    const uint32_t set_count = 1 + 2 * range_count;
    VkDescriptorSet *sets = smoe_host_alloc(&context->host, set_count, sizeof *sets);
    layer->ranges = smoe_host_alloc(&context->host, range_count, sizeof *layer->ranges);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (!sets || !layer->ranges)
        smoe_fail(&context->host, result, "layer: no host memory");
    else
        result = smoe_descriptors_create(context, context->weights_layout, WEIGHTS_BUFFERS, set_count, &layer->pool, sets);
    if (!result) {
        layer->router.set = sets[0];
        for (uint32_t r = 0; r < range_count; r++) {
            layer->ranges[r].up.set = sets[1 + 2 * r];
            layer->ranges[r].down.set = sets[2 + 2 * r];
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
    if (result)
        return result;
    smoe_layer *layer = smoe_host_alloc(host, 1, sizeof *layer);
    if (!layer)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "layer: no host memory");
    layer->plan = plan;
    result = create_sets(layer);
    if (result) {
        smoe_layer_destroy(layer);
        return result;
    }
    write_sets(layer, desc);
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
