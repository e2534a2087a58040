/* A layer's objects and memory, and the way of its weights to the device. */
#include "base/arithmetic.h"
#include "layer_internal.h"

#include <stddef.h>

static smoe_result check_weights(const smoe_host *host, const smoe_plan_desc *plan, const smoe_host_weights *weights)
{
    char reason[SMOE_REASON_SIZE];
    smoe_layer_tensor tensor;
    const smoe_result result = smoe_host_weights_check(plan, weights, reason);
    if (result != SMOE_SUCCESS)
        return smoe_fail(host, result, "smoe_device_layer_create: %s", reason);
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++)
        if (smoe_host_weights_get(weights, &tensor).data && tensor.element_count > SIZE_MAX / 4)
            return smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "%s: more bytes than this system can address", tensor.name);
    return SMOE_SUCCESS;
}

static smoe_buffer whole_buffer(const smoe_helper_buffer *buffer)
{
    return (smoe_buffer){buffer->handle, 0, buffer->size};
}

/* Part of a tensor in a buffer of its own: `count` experts from `first` on, or, where it has none, all of it. */
static smoe_result upload_part(smoe_device_layer *layer, const smoe_layer_tensor *tensor, smoe_host_weight from,
                               uint32_t first, uint32_t count, smoe_helper_buffer *buffer)
{
    const VkDeviceSize size = smoe_layer_tensor_size(tensor, tensor->type, count);
    smoe_result result = smoe_helper_buffer_create(
        layer->device, tensor->name, size, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, SMOE_HELPER_ACCESS_WRITE, buffer);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_upload_weights(layer->device, tensor, from, first, count, buffer);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_buffer_flush(layer->device, buffer);
    return result;
}

/* One buffer for each range of experts; *out: as smoe_weight.ranges wants them, the caller's to free. */
static smoe_result upload_ranges(smoe_device_layer *layer, const smoe_layer_tensor *tensor, smoe_host_weight from,
                                 uint32_t index, smoe_buffer **out)
{
    const smoe_host *host = &layer->device->instance.host;
    uint32_t experts;
    const uint32_t count = smoe_plan_range_count(layer->plan, &experts);
    smoe_buffer *ranges = *out = smoe_host_alloc(host, count, sizeof *ranges);
    smoe_helper_buffer *buffers = layer->ranges[index] = smoe_host_alloc(host, count, sizeof *buffers);
    smoe_result result = SMOE_SUCCESS;

    if (!ranges || !buffers)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY,
                         "smoe_device_layer_create: no memory for the ranges of %s", tensor->name);
    for (uint32_t r = 0; result == SMOE_SUCCESS && r < count; r++) {
        const uint32_t first = r * experts, rest = tensor->shape[0] - first;
        result = upload_part(layer, tensor, from, first, smoe_min_u32(rest, experts), &buffers[r]);
        ranges[r] = whole_buffer(&buffers[r]);
    }
    return result;
}

/* Whether no allocation of the device holds the tensor whole. */
static bool is_too_large(const smoe_device_layer *layer, const smoe_layer_tensor *tensor)
{
    const uint64_t most = smoe_context_device_info(layer->device->context)->max_allocation_size;
    return most > 0 && tensor->size > most && tensor->matrix && tensor->by_expert;
}

static smoe_result create_layer(smoe_device_layer *layer, const smoe_plan_desc *plan, const smoe_host_weights *weights)
{
    const smoe_host *host = &layer->device->instance.host;
    smoe_buffer *ranges[SMOE_MAX_LAYER_TENSORS] = {NULL};
    smoe_layer_tensor tensor;
    smoe_layer_desc desc = {0};
    smoe_result result = check_weights(host, plan, weights);

    for (uint32_t i = 0; result == SMOE_SUCCESS && smoe_layer_tensor_get(plan, i, &tensor); i++) {
        const smoe_host_weight from = smoe_host_weights_get(weights, &tensor);
        if (!from.data)
            continue;
        if (is_too_large(layer, &tensor)) {
            result = upload_ranges(layer, &tensor, from, i, &ranges[i]);
            smoe_layer_desc_set_ranges(&desc, &tensor, ranges[i]);
        } else {
            result = upload_part(layer, &tensor, from, 0, tensor.shape[0], &layer->weights[i]);
            smoe_layer_desc_set(&desc, &tensor, whole_buffer(&layer->weights[i]));
        }
    }
    if (result == SMOE_SUCCESS)
        result = smoe_layer_create(layer->plan, &desc, &layer->layer);
    for (uint32_t i = 0; i < SMOE_MAX_LAYER_TENSORS; i++)
        smoe_host_free(host, ranges[i]);
    return result;
}

static smoe_result create_given(smoe_device_layer *layer, const smoe_plan_desc *plan)
{
    const VkDeviceSize size = (VkDeviceSize)plan->max_tokens * plan->given_count * sizeof(uint32_t);
    const VkBufferUsageFlags storage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
    smoe_result result = SMOE_SUCCESS;

    if (plan->given_count > 0)
        result = smoe_helper_buffer_create(layer->device, "given ids", size, storage, SMOE_HELPER_ACCESS_WRITE,
                                           &layer->given_ids);
    if (result == SMOE_SUCCESS && plan->given_weights)
        result = smoe_helper_buffer_create(layer->device, "given weights", size, storage, SMOE_HELPER_ACCESS_WRITE,
                                           &layer->given_weights);
    return result;
}

static smoe_result create_data(smoe_device_layer *layer)
{
    smoe_device *device = layer->device;
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);
    const VkDeviceSize rows_size = (VkDeviceSize)plan->max_tokens * plan->d_model * sizeof(float);
    const VkBufferUsageFlags storage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
    smoe_binding *binding;

    smoe_result result =
        smoe_helper_buffer_create(device, "x", rows_size, storage, SMOE_HELPER_ACCESS_WRITE, &layer->x);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_buffer_create(device, "y", rows_size, storage, SMOE_HELPER_ACCESS_READ, &layer->y);
    if (result == SMOE_SUCCESS)
        result =
            smoe_helper_buffer_create(device, "workspace", smoe_plan_workspace_size(layer->plan),
                                      storage | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
                                      SMOE_HELPER_ACCESS_NONE, &layer->workspace);
    if (result == SMOE_SUCCESS)
        result = create_given(layer, plan);
    return result == SMOE_SUCCESS ? smoe_helper_binding(layer, 0, &binding) : result;
}

smoe_result smoe_helper_ensure_totals(smoe_device_layer *layer)
{
    return layer->totals.handle
               ? SMOE_SUCCESS
               : smoe_helper_buffer_create(layer->device, "totals", smoe_plan_totals_size(layer->plan),
                                           VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                           SMOE_HELPER_ACCESS_READ, &layer->totals);
}

static smoe_result ensure_report(smoe_device_layer *layer)
{
    const uint32_t tokens = smoe_plan_get_desc(layer->plan)->max_tokens;

    return layer->report.handle
               ? SMOE_SUCCESS
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
        .given_ids = whole_buffer(&layer->given_ids), /* absent where it was not made */
        .given_weights = whole_buffer(&layer->given_weights),
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
    if (result == SMOE_SUCCESS)
        result = smoe_helper_drain(device);
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
    smoe_helper_buffer *const buffers[] = {&layer->x,      &layer->y,         &layer->workspace,    &layer->report,
                                           &layer->totals, &layer->given_ids, &layer->given_weights};
    smoe_helper_drain(layer->device); /* uploads of a call that failed */
    for (int i = 0; i < SMOE_HELPER_BINDING_COUNT; i++)
        smoe_binding_destroy(layer->bindings[i]);
    smoe_layer_destroy(layer->layer);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        smoe_helper_buffer_destroy(layer->device, buffers[i]);
    for (uint32_t i = 0; i < SMOE_MAX_LAYER_TENSORS; i++) {
        smoe_helper_buffer_destroy(layer->device, &layer->weights[i]);
        for (uint32_t r = 0; layer->ranges[i] && r < smoe_plan_range_count(layer->plan, NULL); r++)
            smoe_helper_buffer_destroy(layer->device, &layer->ranges[i][r]);
        smoe_host_free(&layer->device->instance.host, layer->ranges[i]);
    }
    smoe_plan_destroy(layer->plan);
    smoe_host_free(&layer->device->instance.host, layer);
}

const smoe_plan *smoe_device_layer_plan(const smoe_device_layer *layer)
{
    return layer ? layer->plan : NULL;
}
