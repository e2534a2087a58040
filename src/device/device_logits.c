/* The logits of the last forward, read back from the workspace. */
#include "layer_internal.h"

static smoe_result copy_logits(smoe_device_layer *layer, VkDeviceSize offset, VkDeviceSize size, VkBuffer to)
{
    smoe_device *device = layer->device;
    const VkBuffer from = layer->buffers[SMOE_HELPER_BUFFER_WORKSPACE].handle;
    const VkBufferCopy region = {offset, 0, size};
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT,
    };
    smoe_result result = smoe_helper_begin(device);
    if (result != SMOE_SUCCESS)
        return result;
    /* The forward's own last barrier has made the workspace available to copies, and its fence has been waited for. */
    device->table.vkCmdCopyBuffer(device->command_buffer, from, to, 1, &region);
    device->table.vkCmdPipelineBarrier(device->command_buffer, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                       VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
    result = smoe_helper_end(device);
    return result == SMOE_SUCCESS ? smoe_helper_submit(device) : result;
}

smoe_result smoe_device_layer_logits(smoe_device_layer *layer, float *logits)
{
    const smoe_log no_log = {NULL, NULL};
    const smoe_log *log = layer ? &layer->device->instance.log : &no_log;

    if (!layer || !logits)
        return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_logits: %s must not be NULL",
                                layer ? "logits" : "layer");
    if (!layer->has_run)
        return smoe_helper_fail(log, SMOE_ERROR_INVALID_ARGUMENT,
                                "smoe_device_layer_logits: comes after a smoe_device_layer_forward");
    uint32_t pass_tokens;
    const VkDeviceSize offset = smoe_plan_logits_offset(layer->plan, &pass_tokens);
    if (layer->x_tokens > pass_tokens)
        return smoe_helper_fail(log, SMOE_ERROR_UNSUPPORTED,
                                "smoe_device_layer_logits: the last forward had %u tokens, more than the %u of one pass", layer->x_tokens,
                                pass_tokens);
    if (layer->x_tokens == 0)
        return SMOE_SUCCESS;
    const size_t size = (size_t)layer->x_tokens * smoe_plan_get_desc(layer->plan)->expert_count * sizeof *logits;
    smoe_helper_buffer buffer;
    smoe_result result = smoe_helper_buffer_create(layer->device, "logits", size, VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                                   SMOE_HELPER_ACCESS_READ, &buffer);
    if (result != SMOE_SUCCESS)
        return result;
    result = copy_logits(layer, offset, size, buffer.handle);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_download(layer->device, &buffer, logits, size);
    smoe_helper_buffer_destroy(layer->device, &buffer);
    return result;
}
