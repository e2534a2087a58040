/* A layer's totals: zeros to begin with, and back to the host as numbers. */
#include "layer_internal.h"

/* Fills the totals with zeros, which forwards that follow then see. */
static smoe_result clear(smoe_device_layer *layer)
{
    smoe_device *device = layer->device;
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_HOST_READ_BIT,
    };
    const VkPipelineStageFlags readers =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT;

    smoe_result result = smoe_helper_begin(device, &device->commands);
    if (result != SMOE_SUCCESS)
        return result;
    device->table.vkCmdFillBuffer(device->commands.buffer, layer->totals.handle, 0, VK_WHOLE_SIZE, 0);
    device->table.vkCmdPipelineBarrier(device->commands.buffer, VK_PIPELINE_STAGE_TRANSFER_BIT, readers, 0, 1, &barrier,
                                       0, NULL, 0, NULL);
    result = smoe_helper_end(device, &device->commands);
    return result == SMOE_SUCCESS ? smoe_helper_submit(device) : result;
}

smoe_result smoe_device_layer_reset_totals(smoe_device_layer *layer)
{

    if (!layer)
        return smoe_fail(&smoe_host_silent, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_reset_totals: layer must not be NULL");
    layer->has_totals = false;
    smoe_result result = smoe_helper_ensure_totals(layer);
    if (result == SMOE_SUCCESS)
        result = clear(layer);
    layer->has_totals = result == SMOE_SUCCESS;
    return result;
}

smoe_result smoe_device_layer_totals(smoe_device_layer *layer, smoe_totals *out, uint64_t *expert_tokens)
{
    const smoe_host *host = layer ? &layer->device->instance.host : &smoe_host_silent;
    uint32_t words[SMOE_TOTALS_WORDS(SMOE_MAX_EXPERTS)];

    if (!layer || !out)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_totals: %s must not be NULL",
                         layer ? "out" : "layer");
    if (!layer->has_totals)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_totals: comes after a smoe_device_layer_reset_totals that succeeded");
    const uint32_t experts = smoe_plan_get_desc(layer->plan)->expert_count;
    const smoe_result result =
        smoe_helper_download(layer->device, &layer->totals, 0, words, SMOE_TOTALS_WORDS(experts) * sizeof *words);
    return result == SMOE_SUCCESS ? smoe_totals_read(words, experts, out, expert_tokens) : result;
}
