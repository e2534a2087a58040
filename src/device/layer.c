/* A layer's objects and memory, and the way of its weights to the device. */
#include "layer_internal.h"

static const char *const names[SMOE_HELPER_BUFFER_COUNT] = {
    "router_weight", "router_bias", "w1", "b1", "w3", "b3", "w2", "b2", "x", "y", "workspace", "report",
};

typedef struct weight {
    const void *from;
    smoe_type from_type, type;
    uint64_t count; /* elements: 2^44 at most by smoe.h's limits */
    bool required, allowed;
} weight;

/* The weights in the order of the buffers. */
static void list_weights(const smoe_plan_desc *plan, const smoe_host_weights *host, weight weights[SMOE_HELPER_BUFFER_X])
{
    const uint64_t d = plan->d_model, h = plan->d_hidden, e = plan->expert_count;
    const smoe_type f32 = SMOE_TYPE_FLOAT32, to = plan->weight_type, from = host->weight_type;

    weights[SMOE_HELPER_BUFFER_ROUTER_WEIGHT] = (weight){host->router_weight, f32, f32, e * d, true, true};
    weights[SMOE_HELPER_BUFFER_ROUTER_BIAS] = (weight){host->router_bias, f32, f32, e, false, true};
    weights[SMOE_HELPER_BUFFER_W1] = (weight){host->w1, from, to, e * h * d, true, true};
    weights[SMOE_HELPER_BUFFER_B1] = (weight){host->b1, f32, f32, e * h, false, true};
    weights[SMOE_HELPER_BUFFER_W3] = (weight){host->w3, from, to, e * h * d, plan->gated, plan->gated};
    weights[SMOE_HELPER_BUFFER_B3] = (weight){host->b3, f32, f32, e * h, false, plan->gated};
    weights[SMOE_HELPER_BUFFER_W2] = (weight){host->w2, from, to, e * d * h, true, true};
    weights[SMOE_HELPER_BUFFER_B2] = (weight){host->b2, f32, f32, e * d, false, true};
}

static smoe_result upload_weights(smoe_device_layer *layer, const smoe_plan_desc *plan, const smoe_host_weights *host)
{
    const smoe_log *log = &layer->device->instance.log;
    weight weights[SMOE_HELPER_BUFFER_X];
    smoe_result result = SMOE_SUCCESS;

    if (host->weight_type != SMOE_TYPE_FLOAT32 && host->weight_type != SMOE_TYPE_FLOAT16)
        return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT,
                                "smoe_device_layer_create: weights.weight_type must be a smoe_type, is %d", (int)host->weight_type);
    list_weights(plan, host, weights);
    for (int i = 0; i < SMOE_HELPER_BUFFER_X; i++) {
        if (weights[i].required && !weights[i].from)
            return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: weights.%s must not be NULL", names[i]);
        if (!weights[i].allowed && weights[i].from)
            return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT,
                                    "smoe_device_layer_create: weights.%s must be NULL unless the plan is gated", names[i]);
        if (weights[i].from && weights[i].count > SIZE_MAX / 4)
            return smoe_helper_fail(log, SMOE_ERROR_UNSUPPORTED, "%s: more bytes than this system can address", names[i]);
    }
    for (int i = 0; result == SMOE_SUCCESS && i < SMOE_HELPER_BUFFER_X; i++) {
        smoe_helper_buffer *buffer = &layer->buffers[i];
        if (!weights[i].from)
            continue;
        result = smoe_helper_buffer_create(layer->device, names[i], weights[i].count * smoe_helper_type_size(weights[i].type),
                                           VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, SMOE_HELPER_ACCESS_WRITE, buffer);
        if (result == SMOE_SUCCESS)
            result = smoe_helper_upload(layer->device, buffer, weights[i].type, weights[i].from, weights[i].from_type,
                                        (size_t)weights[i].count);
    }
    return result;
}

smoe_buffer smoe_helper_whole_buffer(const smoe_helper_buffer *buffer)
{
    return (smoe_buffer){buffer->handle, 0, buffer->size};
}

static smoe_result create_layer(smoe_device_layer *layer)
{
    const smoe_helper_buffer *buffers = layer->buffers;
    const smoe_layer_desc info = {
        .router_weight = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_ROUTER_WEIGHT]),
        .router_bias = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_ROUTER_BIAS]),
        .w1 = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_W1]),
        .b1 = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_B1]),
        .w3 = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_W3]),
        .b3 = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_B3]),
        .w2 = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_W2]),
        .b2 = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_B2]),
    };
    return smoe_layer_create(layer->plan, &info, &layer->layer);
}

static smoe_result create_binding(smoe_device_layer *layer, bool report, smoe_binding **out)
{
    const smoe_helper_buffer *buffers = layer->buffers;
    smoe_binding_desc info = {
        .x = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_X]),
        .y = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_Y]),
        .workspace = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_WORKSPACE]),
    };
    if (report)
        info.report = smoe_helper_whole_buffer(&buffers[SMOE_HELPER_BUFFER_REPORT]);
    return smoe_binding_create(layer->plan, &info, out);
}

static smoe_result create_data(smoe_device_layer *layer)
{
    smoe_device *device = layer->device;
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);
    const VkDeviceSize rows_size = (VkDeviceSize)plan->max_tokens * plan->d_model * sizeof(float);
    const VkBufferUsageFlags storage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;

    smoe_result result = smoe_helper_buffer_create(device, names[SMOE_HELPER_BUFFER_X], rows_size, storage, SMOE_HELPER_ACCESS_WRITE,
                                                   &layer->buffers[SMOE_HELPER_BUFFER_X]);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_buffer_create(device, names[SMOE_HELPER_BUFFER_Y], rows_size, storage, SMOE_HELPER_ACCESS_READ,
                                           &layer->buffers[SMOE_HELPER_BUFFER_Y]);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_buffer_create(device, names[SMOE_HELPER_BUFFER_WORKSPACE], smoe_plan_workspace_size(layer->plan),
                                           storage | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                                           SMOE_HELPER_ACCESS_NONE,
                                           &layer->buffers[SMOE_HELPER_BUFFER_WORKSPACE]);
    return result == SMOE_SUCCESS ? create_binding(layer, false, &layer->binding) : result;
}

smoe_result smoe_helper_ensure_report(smoe_device_layer *layer)
{
    smoe_helper_buffer *report = &layer->buffers[SMOE_HELPER_BUFFER_REPORT];
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);
    smoe_result result = SMOE_SUCCESS;

    if (layer->binding_with_report)
        return SMOE_SUCCESS;
    if (!report->handle)
        result = smoe_helper_buffer_create(layer->device, names[SMOE_HELPER_BUFFER_REPORT],
                                           smoe_plan_report_size(layer->plan, plan->max_tokens), VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                                           SMOE_HELPER_ACCESS_READ, report);
    return result == SMOE_SUCCESS ? create_binding(layer, true, &layer->binding_with_report) : result;
}

smoe_result smoe_device_layer_create(smoe_device *device, const smoe_plan_desc *plan, const smoe_host_weights *weights,
                                     smoe_device_layer **out)
{
    const smoe_log no_log = {NULL, NULL};
    const smoe_log *log = device ? &device->instance.log : &no_log;

    if (!out)
        return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: out must not be NULL");
    *out = NULL;
    if (!device || !plan || !weights)
        return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_create: %s must not be NULL",
                                !device ? "device" : !plan ? "plan" : "weights");
    smoe_device_layer *layer = smoe_helper_allocate_zeroed(&device->instance.allocator, sizeof *layer);
    if (!layer)
        return smoe_helper_fail(log, SMOE_ERROR_OUT_OF_HOST_MEMORY, "smoe_device_layer_create: no memory for the layer");
    layer->device = device;
    smoe_result result = smoe_plan_create(device->context, plan, &layer->plan);
    if (result == SMOE_SUCCESS)
        result = upload_weights(layer, plan, weights);
    if (result == SMOE_SUCCESS)
        result = create_layer(layer);
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
    smoe_binding_destroy(layer->binding_with_report);
    smoe_binding_destroy(layer->binding);
    smoe_layer_destroy(layer->layer);
    for (int i = 0; i < SMOE_HELPER_BUFFER_COUNT; i++)
        smoe_helper_buffer_destroy(layer->device, &layer->buffers[i]);
    smoe_plan_destroy(layer->plan);
    smoe_helper_release(&layer->device->instance.allocator, layer);
}

const smoe_plan *smoe_device_layer_plan(const smoe_device_layer *layer)
{
    return layer ? layer->plan : NULL;
}
