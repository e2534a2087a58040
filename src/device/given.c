/* The routing that a program gives a layer, on its way to the device. */
#include "layer_internal.h"

static smoe_result check_arrays(const smoe_device_layer *layer, uint32_t token_count, const uint32_t *ids,
                                const float *weights)
{
    static const char call[] = "smoe_device_layer_give_routing";
    const smoe_host *host = &layer->device->instance.host;
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);

    if (plan->given_count == 0)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: the plan's given_count is 0: its router chooses",
                         call);
    if (token_count > plan->max_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: token_count is %u, must be at most the plan's %u",
                         call, token_count, plan->max_tokens);
    if (token_count > 0 && !ids)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: ids must not be NULL", call);
    if (token_count > 0 && !weights != !plan->given_weights)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "%s: weights must %sbe NULL, as the plan's given_weights is %s", call,
                         plan->given_weights ? "not " : "", plan->given_weights ? "true" : "false");
    return SMOE_SUCCESS;
}

static smoe_result upload(smoe_device *device, smoe_helper_buffer *buffer, const void *from, size_t size)
{
    const smoe_result result = smoe_helper_upload(device, buffer, 0, from, size);
    return result == SMOE_SUCCESS ? smoe_helper_buffer_flush(device, buffer) : result;
}

smoe_result smoe_device_layer_give_routing(smoe_device_layer *layer, uint32_t token_count, const uint32_t *ids,
                                           const float *weights)
{
    if (!layer)
        return smoe_fail(&smoe_host_silent, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_give_routing: layer must not be NULL");
    smoe_result result = check_arrays(layer, token_count, ids, weights);
    if (result != SMOE_SUCCESS)
        return result;
    const size_t count = (size_t)token_count * smoe_plan_get_desc(layer->plan)->given_count;
    layer->given_tokens = 0;
    if (count > 0)
        result = upload(layer->device, &layer->given_ids, ids, count * sizeof *ids);
    if (result == SMOE_SUCCESS && count > 0 && weights)
        result = upload(layer->device, &layer->given_weights, weights, count * sizeof *weights);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_drain(layer->device);
    if (result == SMOE_SUCCESS)
        layer->given_tokens = token_count;
    return result;
}

smoe_result smoe_helper_check_given(const smoe_device_layer *layer, const char *call, uint32_t token_count)
{
    if (smoe_plan_get_desc(layer->plan)->given_count == 0 || token_count <= layer->given_tokens)
        return SMOE_SUCCESS;
    return smoe_fail(
        &layer->device->instance.host, SMOE_ERROR_INVALID_ARGUMENT,
        "%s: params.token_count is %u, but smoe_device_layer_give_routing has given the routing of %u tokens", call,
        token_count, layer->given_tokens);
}
