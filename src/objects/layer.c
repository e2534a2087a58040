#include "layer.h"

#include <stdio.h>

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "descriptors.h"
#include "domain/weights.h"
#include "vulkan/device_info.h"

#define NONE SIZE_MAX
#define FIELD(name) offsetof(smoe_layer_desc, name)

/* The tensors of a set, as places in smoe_layer_desc: w, b, w3, b3. */
typedef size_t set_fields[SMOE_WEIGHTS_BUFFERS];

static const set_fields linear_fields = {FIELD(router_weight), FIELD(router_bias), NONE, NONE};
static const set_fields project_fields = {FIELD(router_projection), FIELD(router_projection_bias), NONE, NONE};
static const set_fields cosine_fields = {FIELD(router_similarity), FIELD(router_log_scale), NONE, NONE};
/* w is there to make the set whole: nothing reads it. */
static const set_fields select_linear_fields = {FIELD(router_weight), FIELD(selection_bias), NONE, FIELD(expert_scale)};
static const set_fields select_cosine_fields = {FIELD(router_similarity), FIELD(selection_bias), NONE,
                                                FIELD(expert_scale)};
static const set_fields latent_down_fields = {FIELD(latent_down), FIELD(latent_down_bias), NONE, NONE};
static const set_fields latent_up_fields = {FIELD(latent_up), FIELD(latent_up_bias), NONE, NONE};
static const set_fields up_fields = {FIELD(w1), FIELD(b1), FIELD(w3), FIELD(b3)};
static const set_fields down_fields = {FIELD(w2), FIELD(b2), NONE, NONE};
static const set_fields shared_up_fields = {FIELD(shared_w1), FIELD(shared_b1), FIELD(shared_w3), FIELD(shared_b3)};
static const set_fields shared_down_fields = {FIELD(shared_w2), FIELD(shared_b2), NONE, NONE};
static const set_fields shared_gate_fields = {FIELD(shared_gate), NONE, NONE, NONE};

static const smoe_buffer *buffer_of(const smoe_layer_desc *desc, const smoe_layer_tensor *tensor)
{
    return (const smoe_buffer *)(const void *)((const char *)desc + tensor->layer_offset);
}

/* NULL for a tensor in one buffer. */
static const smoe_buffer *ranges_of(const smoe_layer_desc *desc, const smoe_layer_tensor *tensor)
{
    return tensor->matrix ? ((const smoe_weight *)(const void *)buffer_of(desc, tensor))->ranges : NULL;
}

/* Bytes of some experts of a tensor [E, ...]. */
static uint64_t experts_size(const smoe_layer_tensor *tensor, uint64_t count)
{
    return smoe_layer_tensor_size(tensor, tensor->type, count);
}

/* With scales, rows are read 16 bytes at a time from wherever the buffer begins. */
static smoe_result check_buffer(const smoe_plan *plan, const char *name, const smoe_buffer *buffer,
                                const smoe_layer_tensor *tensor, uint64_t size)
{
    if (buffer->buffer && smoe_type_has_scales(tensor->type) && buffer->offset % 16 != 0)
        return smoe_fail(&plan->context->host, SMOE_ERROR_INVALID_ARGUMENT,
                         "%s.offset: %llu, must be a multiple of 16 for %s", name, (unsigned long long)buffer->offset,
                         smoe_type_name(tensor->type));
    return smoe_buffer_check(plan->context, name, buffer, tensor->presence == SMOE_PRESENCE_REQUIRED,
                             smoe_align_up(size, 4));
}

static smoe_result check_ranges(const smoe_plan *plan, const char *name, const smoe_buffer *ranges,
                                const smoe_layer_tensor *tensor)
{
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t r = 0; result == SMOE_SUCCESS && r < plan->shape.range_count; r++) {
        char part[80];
        snprintf(part, sizeof part, "%s.ranges[%u]", name, r);
        const uint64_t size = experts_size(tensor, smoe_shape_range_expert_count(&plan->shape, r));
        result = check_buffer(plan, part, &ranges[r], tensor, size);
    }
    return result;
}

static smoe_result check_tensor(const smoe_plan *plan, const smoe_layer_desc *desc, const smoe_layer_tensor *tensor)
{
    const smoe_host *host = &plan->context->host;
    const smoe_buffer *buffer = buffer_of(desc, tensor), *ranges = ranges_of(desc, tensor);
    char name[48];
    snprintf(name, sizeof name, "layer desc.%s", tensor->name);
    if (tensor->presence == SMOE_PRESENCE_FORBIDDEN && (buffer->buffer || ranges))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s.%s unless %s", name,
                         ranges ? "ranges: must be NULL" : "buffer: must be VK_NULL_HANDLE", tensor->condition);
    if (!ranges)
        return check_buffer(plan, name, buffer, tensor, tensor->size);
    if (buffer->buffer || !tensor->by_expert)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s.ranges: must be NULL %s", name,
                         buffer->buffer ? "where buffer is given" : "for a matrix that is not each expert's");
    return check_ranges(plan, name, ranges, tensor);
}

static smoe_result check_desc(const smoe_plan *plan, const smoe_layer_desc *desc)
{
    smoe_layer_tensor tensor;
    smoe_result result = SMOE_SUCCESS;
    for (uint32_t i = 0; result == SMOE_SUCCESS && smoe_layer_tensor_get(&plan->shape.desc, i, &tensor); i++)
        result = check_tensor(plan, desc, &tensor);
    return result;
}

/* The part of a tensor that a set binds: whole, or the experts of a range. */
typedef struct part {
    VkBuffer buffer; /* VK_NULL_HANDLE: absent */
    uint64_t begin, size;
    uint32_t unit; /* bytes that the kernels count its offset in */
} part;

#define WHOLE UINT32_MAX

static part find_part(const smoe_plan *plan, const smoe_layer_desc *desc, size_t field, uint32_t range)
{
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; field != NONE && smoe_layer_tensor_get(&plan->shape.desc, i, &tensor); i++) {
        if (tensor.layer_offset != field)
            continue;
        const smoe_buffer *ranges = ranges_of(desc, &tensor),
                          *buffer = ranges ? &ranges[range] : buffer_of(desc, &tensor);
        const bool split = range != WHOLE && tensor.by_expert;
        const uint64_t first = split && !ranges ? (uint64_t)range * plan->shape.range_experts : 0;
        return (part){
            .buffer = buffer->buffer,
            .begin = buffer->offset + (split ? experts_size(&tensor, first) : 0),
            .size = split ? experts_size(&tensor, smoe_shape_range_expert_count(&plan->shape, range)) : tensor.size,
            .unit = smoe_weights_offset_unit(tensor.type),
        };
    }
    return (part){.buffer = VK_NULL_HANDLE};
}

/* Writes one weights set. Where a tensor is absent the binding repeats w, since every binding of a set must be valid,
 * and the flags keep the kernel from reading it. */
static void write_set(const smoe_plan *plan, const smoe_layer_desc *desc, const set_fields fields, uint32_t range,
                      smoe_weights_set *out)
{
    static const uint32_t flags[SMOE_WEIGHTS_BUFFERS] = {0, SMOE_FLAG_BIAS, 0, SMOE_FLAG_BIAS3};
    const uint64_t alignment = smoe_device_info_offset_alignment(&plan->context->info);
    VkDescriptorBufferInfo infos[SMOE_WEIGHTS_BUFFERS];
    for (uint32_t i = 0; i < SMOE_WEIGHTS_BUFFERS; i++) {
        const part bound = find_part(plan, desc, fields[i], range);
        if (!bound.buffer) {
            infos[i] = infos[0];
            continue;
        }
        const uint64_t aligned = smoe_align_down(bound.begin, alignment);
        infos[i] = (VkDescriptorBufferInfo){
            .buffer = bound.buffer,
            .offset = aligned,
            .range = smoe_align_up(bound.begin - aligned + bound.size, 4),
        };
        out->offsets[i] = (uint32_t)((bound.begin - aligned) / bound.unit);
        out->flags |= flags[i];
    }
    smoe_descriptors_write(plan->context, out->set, infos, SMOE_WEIGHTS_BUFFERS);
}

static void write_sets(smoe_layer *layer, const smoe_layer_desc *desc)
{
    const smoe_plan *plan = layer->plan;
    const smoe_plan_desc *shape = &plan->shape.desc;
    const bool cosine = shape->router == SMOE_ROUTER_COSINE, shared = shape->shared_hidden > 0,
               latent = shape->d_latent > 0;
    const struct {
        bool there;
        const size_t *fields;
        smoe_weights_set *set;
    } whole[] = {
        {true, cosine ? cosine_fields : linear_fields, &layer->router},
        {cosine, project_fields, &layer->project},
        {true, cosine ? select_cosine_fields : select_linear_fields, &layer->select},
        {shared, shared_up_fields, &layer->shared_up},
        {shared, shared_down_fields, &layer->shared_down},
        {shape->shared_gate, shared_gate_fields, &layer->shared_gate},
        {latent, latent_down_fields, &layer->latent_down},
        {latent, latent_up_fields, &layer->latent_up},
    };
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (whole[i].there)
            write_set(plan, desc, whole[i].fields, WHOLE, whole[i].set);
    for (uint32_t r = 0; r < plan->shape.range_count; r++) {
        write_set(plan, desc, up_fields, r, &layer->ranges[r].up);
        write_set(plan, desc, down_fields, r, &layer->ranges[r].down);
    }
}

static smoe_result create_sets(smoe_layer *layer)
{
    const smoe_context *context = layer->plan->context;
    const uint32_t range_count = layer->plan->shape.range_count;
    smoe_weights_set *const single[] = {&layer->router,      &layer->project,   &layer->select,
                                        &layer->shared_gate, &layer->shared_up, &layer->shared_down,
                                        &layer->latent_down, &layer->latent_up};
    enum { SINGLE = sizeof single / sizeof single[0] };
    const uint32_t set_count = SINGLE + 2 * range_count;
    VkDescriptorSet *sets = smoe_host_alloc(&context->host, set_count, sizeof *sets);
    layer->ranges = smoe_host_alloc(&context->host, range_count, sizeof *layer->ranges);
    smoe_result result = SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (!sets || !layer->ranges)
        smoe_fail(&context->host, result, "layer: no host memory");
    else
        result = smoe_descriptors_create(context, context->weights_layout, SMOE_WEIGHTS_BUFFERS, set_count,
                                         &layer->pool, sets);
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
