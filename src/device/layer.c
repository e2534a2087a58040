/* A layer's objects and memory, and the way of its weights to the device. */
#include "layer_internal.h"

#include <stddef.h>

/* One array of smoe_host_weights. */
typedef struct weight {
    const char *name;
    size_t part; /* its place in smoe_layer_desc */
    const void *from;
    smoe_type from_type, type;
    uint64_t count;     /* elements: 2^42 at most by smoe.h's limits */
    bool needed, legal; /* must be given; may be given */
    const char *when;   /* where; NULL: everywhere */
} weight;

/* smoe_layer_desc has the rules. */
static void list_weights(const smoe_plan_desc *plan, const smoe_host_weights *host, weight weights[SMOE_HELPER_WEIGHT_COUNT])
{
    const uint64_t d = plan->d_model, h = plan->d_hidden, e = plan->expert_count, p = plan->projection_width, s = plan->shared_hidden;
    const bool linear = plan->router == SMOE_ROUTER_LINEAR, cosine = plan->router == SMOE_ROUTER_COSINE;
    const bool sigmoid = plan->gate == SMOE_GATE_SIGMOID, gated = plan->gated, shared = s > 0, both = shared && gated;
    const char *const if_linear = "the plan's router is linear", *const if_cosine = "the plan's router is cosine";
    const char *const if_sigmoid = "the plan's gate is sigmoid", *const if_gated = "the plan is gated";
    const char *const if_shared = "the plan has a shared expert", *const if_both = "the plan has a shared expert and is gated";
    const smoe_type f32 = SMOE_TYPE_FLOAT32, to = plan->weight_type, from = host->weight_type;
#define WEIGHT(field, ...) {#field, offsetof(smoe_layer_desc, field), host->field, __VA_ARGS__}
#define NUMBERS(field, ...) WEIGHT(field, f32, f32, __VA_ARGS__)
#define MATRIX(field, ...) WEIGHT(field, from, to, __VA_ARGS__)
    const weight all[SMOE_HELPER_WEIGHT_COUNT] = {
        NUMBERS(router_weight, e * d, linear, linear, if_linear),
        NUMBERS(router_bias, e, false, linear, if_linear),
        NUMBERS(router_projection, p * d, cosine, cosine, if_cosine),
        NUMBERS(router_projection_bias, p, false, cosine, if_cosine),
        NUMBERS(router_similarity, p * e, cosine, cosine, if_cosine),
        NUMBERS(router_log_scale, 1, cosine, cosine, if_cosine),
        NUMBERS(selection_bias, e, false, sigmoid, if_sigmoid),
        MATRIX(w1, e * h * d, true, true, NULL),
        NUMBERS(b1, e * h, false, true, NULL),
        MATRIX(w3, e * h * d, gated, gated, if_gated),
        NUMBERS(b3, e * h, false, gated, if_gated),
        MATRIX(w2, e * d * h, true, true, NULL),
        NUMBERS(b2, e * d, false, true, NULL),
        MATRIX(shared_w1, s * d, shared, shared, if_shared),
        NUMBERS(shared_b1, s, false, shared, if_shared),
        MATRIX(shared_w3, s * d, both, both, if_both),
        NUMBERS(shared_b3, s, false, both, if_both),
        MATRIX(shared_w2, d * s, shared, shared, if_shared),
        NUMBERS(shared_b2, d, false, shared, if_shared),
        NUMBERS(shared_gate, d, plan->shared_gate, plan->shared_gate, "the plan has shared_gate"),
    };
#undef WEIGHT
#undef NUMBERS
#undef MATRIX
    for (int i = 0; i < SMOE_HELPER_WEIGHT_COUNT; i++)
        weights[i] = all[i];
}

static smoe_result check_weights(const smoe_host *host, const weight weights[SMOE_HELPER_WEIGHT_COUNT])
{
    for (int i = 0; i < SMOE_HELPER_WEIGHT_COUNT; i++) {
        const weight *w = &weights[i];
        if (w->needed && !w->from)
            return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: weights.%s must not be NULL%s%s",
                             w->name, w->when ? ": " : "", w->when ? w->when : "");
        if (!w->legal && w->from)
            return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: weights.%s must be NULL unless %s",
                             w->name, w->when);
        if (w->from && w->count > SIZE_MAX / 4)
            return smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "%s: more bytes than this system can address", w->name);
    }
    return SMOE_SUCCESS;
}

static smoe_buffer whole_buffer(const smoe_helper_buffer *buffer)
{
    return (smoe_buffer){buffer->handle, 0, buffer->size};
}

static smoe_result create_layer(smoe_device_layer *layer, const smoe_plan_desc *plan, const smoe_host_weights *given)
{
    const smoe_host *host = &layer->device->instance.host;
    weight weights[SMOE_HELPER_WEIGHT_COUNT];
    smoe_layer_desc info = {0};

    if (!smoe_type_name(given->weight_type))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_create: weights.weight_type must be a smoe_type, is %d", (int)given->weight_type);
    list_weights(plan, given, weights);
    smoe_result result = check_weights(host, weights);
    for (int i = 0; result == SMOE_SUCCESS && i < SMOE_HELPER_WEIGHT_COUNT; i++) {
        const weight *w = &weights[i];
        smoe_helper_buffer *buffer = &layer->weights[i];
        if (!w->from)
            continue;
        result = smoe_helper_buffer_create(layer->device, w->name, smoe_type_size(w->type, w->count),
                                           VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, SMOE_HELPER_ACCESS_WRITE, buffer);
        if (result == SMOE_SUCCESS)
            result = smoe_helper_upload(layer->device, buffer, w->type, w->from, w->from_type, (size_t)w->count);
        *(smoe_buffer *)(void *)((char *)&info + w->part) = whole_buffer(buffer);
    }
    return result == SMOE_SUCCESS ? smoe_layer_create(layer->plan, &info, &layer->layer) : result;
}

static smoe_result create_data(smoe_device_layer *layer)
{
    smoe_device *device = layer->device;
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);
    const VkDeviceSize rows_size = (VkDeviceSize)plan->max_tokens * plan->d_model * sizeof(float);
    const VkBufferUsageFlags storage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
    smoe_binding *binding;

    smoe_result result = smoe_helper_buffer_create(device, "x", rows_size, storage, SMOE_HELPER_ACCESS_WRITE, &layer->x);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_buffer_create(device, "y", rows_size, storage, SMOE_HELPER_ACCESS_READ, &layer->y);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_buffer_create(device, "workspace", smoe_plan_workspace_size(layer->plan),
                                           storage | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                                           SMOE_HELPER_ACCESS_NONE, &layer->workspace);
    return result == SMOE_SUCCESS ? smoe_helper_binding(layer, 0, &binding) : result;
}

smoe_result smoe_helper_ensure_totals(smoe_device_layer *layer)
{
    return layer->totals.handle
               ? SMOE_SUCCESS
               : smoe_helper_buffer_create(layer->device, "totals", smoe_plan_totals_size(layer->plan),
                                           VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT, SMOE_HELPER_ACCESS_READ,
                                           &layer->totals);
}

static smoe_result ensure_report(smoe_device_layer *layer)
{
    const uint32_t tokens = smoe_plan_get_desc(layer->plan)->max_tokens;

    return layer->report.handle ? SMOE_SUCCESS
                                : smoe_helper_buffer_create(layer->device, "report", smoe_plan_report_size(layer->plan, tokens),
                                                            VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, SMOE_HELPER_ACCESS_READ, &layer->report);
}

smoe_result smoe_helper_binding(smoe_device_layer *layer, uint32_t with, smoe_binding **out)
{
    smoe_binding **binding = &layer->bindings[with];
    smoe_binding_desc info = {
        .x = whole_buffer(&layer->x),
        .y = whole_buffer(&layer->y),
        .workspace = whole_buffer(&layer->workspace),
    };
    smoe_result result = SMOE_SUCCESS;

    if (!*binding) {
        if (with & SMOE_HELPER_WITH_REPORT) {
            result = ensure_report(layer);
            info.report = whole_buffer(&layer->report);
        }
        if (with & SMOE_HELPER_WITH_TOTALS)
            info.totals = whole_buffer(&layer->totals);
        if (result == SMOE_SUCCESS)
            result = smoe_binding_create(layer->plan, &info, binding);
    }
    *out = *binding;
    return result;
}

smoe_result smoe_device_layer_create(smoe_device *device, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                                     smoe_device_layer **out)
{
    const smoe_host *host = device ? &device->instance.host : &smoe_host_silent;

    if (!out)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: out must not be NULL");
    *out = NULL;
    if (!device || !plan || !weights)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: %s must not be NULL",
                         !device ? "device" : !plan ? "plan" : "weights");
    smoe_device_layer *layer = smoe_host_alloc(&device->instance.host, 1, sizeof *layer);
    if (!layer)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "smoe_device_layer_create: no memory for the layer");
    layer->device = device;
    smoe_result result = smoe_plan_create(device->context, plan, &layer->plan);
    if (result == SMOE_SUCCESS)
        result = create_layer(layer, plan, weights);
    if (result == SMOE_SUCCESS)
        result = create_data(layer);
    if (result != SMOE_SUCCESS)
        goto fail;
    *out = layer;
    return SMOE_SUCCESS;

fail:
    smoe_device_layer_destroy(layer);
    return result;
}

void smoe_device_layer_destroy(smoe_device_layer *layer)
{
    if (!layer)
        return;
    smoe_helper_buffer *const buffers[] = {&layer->x, &layer->y, &layer->workspace, &layer->report, &layer->totals};
    for (int i = 0; i < SMOE_HELPER_BINDING_COUNT; i++)
        smoe_binding_destroy(layer->bindings[i]);
    smoe_layer_destroy(layer->layer);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        smoe_helper_buffer_destroy(layer->device, buffers[i]);
    for (int i = 0; i < SMOE_HELPER_WEIGHT_COUNT; i++)
        smoe_helper_buffer_destroy(layer->device, &layer->weights[i]);
    smoe_plan_destroy(layer->plan);
    smoe_host_free(&layer->device->instance.host, layer);
}

const smoe_plan *smoe_device_layer_plan(const smoe_device_layer *layer)
{
    return layer ? layer->plan : NULL;
}
