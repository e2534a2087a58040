/* Copies between host arrays and device memory. */
#include "device_internal.h"

#include <string.h>

/* Bytes of a half of the staging buffer: large enough that the submissions cost little, small enough for any
 * host-visible heap. */
#define HALF_SIZE ((VkDeviceSize)8 << 20)

void smoe_helper_staging_destroy(smoe_device *device)
{
    smoe_helper_staging *staging = &device->staging;

    smoe_helper_drain(device);
    for (uint32_t i = 0; i < SMOE_HELPER_HALVES; i++)
        smoe_helper_commands_destroy(device, &staging->halves[i].commands);
    smoe_helper_buffer_destroy(device, &staging->buffer);
}

static smoe_result create_halves(smoe_device *device)
{
    smoe_helper_staging *staging = &device->staging;
    smoe_result result = SMOE_SUCCESS;

    for (uint32_t i = 0; result == SMOE_SUCCESS && i < SMOE_HELPER_HALVES; i++) {
        smoe_helper_half *half = &staging->halves[i];
        half->offset = i * HALF_SIZE;
        half->mapped = staging->buffer.mapped + half->offset;
        result = smoe_helper_commands_create(device, &half->commands);
    }
    return result;
}

static smoe_result ensure_staging(smoe_device *device)
{
    if (device->staging.buffer.handle)
        return SMOE_SUCCESS;
    smoe_result result = smoe_helper_buffer_create(device, "staging buffer", SMOE_HELPER_HALVES * HALF_SIZE, 0,
                                                   SMOE_HELPER_ACCESS_STAGING, &device->staging.buffer);
    if (result == SMOE_SUCCESS)
        result = create_halves(device);
    if (result != SMOE_SUCCESS)
        smoe_helper_staging_destroy(device);
    return result;
}

/* The half whose turn it is, once no copy uses it any more. */
static smoe_result take_half(smoe_device *device, smoe_helper_half **out)
{
    smoe_helper_staging *staging = &device->staging;

    *out = &staging->halves[staging->next];
    staging->next = (staging->next + 1) % SMOE_HELPER_HALVES;
    return smoe_helper_wait(device, &(*out)->commands);
}

/* Starts a copy between two buffers, of which one is the half's. What it writes is available to what may follow:
 * shaders, other copies and the host. */
static smoe_result start_copy(smoe_device *device, smoe_helper_half *half, VkBuffer from, VkBuffer to,
                              const VkBufferCopy *region)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT,
    };
    const VkPipelineStageFlags followers =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT;
    smoe_result result = smoe_helper_begin(device, &half->commands);
    if (result != SMOE_SUCCESS)
        return result;
    const VkCommandBuffer commands = half->commands.buffer;
    device->table.vkCmdCopyBuffer(commands, from, to, 1, region);
    device->table.vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, followers, 0, 1, &barrier, 0, NULL, 0,
                                       NULL);
    result = smoe_helper_end(device, &half->commands);
    return result == SMOE_SUCCESS ? smoe_helper_start(device, &half->commands) : result;
}

static smoe_result upload_staged(smoe_device *device, const smoe_helper_buffer *buffer, VkDeviceSize offset,
                                 const unsigned char *from, size_t size)
{
    const size_t chunk = (size_t)HALF_SIZE;
    smoe_helper_half *half;
    smoe_result result = ensure_staging(device);

    for (size_t at = 0; result == SMOE_SUCCESS && at < size; at += chunk) {
        const size_t now = size - at < chunk ? size - at : chunk;
        result = take_half(device, &half);
        if (result != SMOE_SUCCESS)
            return result;
        memcpy(half->mapped, from + at, now);
        result = start_copy(device, half, device->staging.buffer.handle, buffer->handle,
                            &(VkBufferCopy){half->offset, offset + at, now});
    }
    return result;
}

smoe_result smoe_helper_upload(smoe_device *device, smoe_helper_buffer *buffer, VkDeviceSize offset, const void *from,
                               size_t size)
{
    if (!buffer->mapped)
        return upload_staged(device, buffer, offset, from, size);
    memcpy(buffer->mapped + offset, from, size);
    return SMOE_SUCCESS;
}

static smoe_result download_staged(smoe_device *device, const smoe_helper_buffer *buffer, VkDeviceSize offset,
                                   unsigned char *to, size_t size)
{
    const size_t chunk = (size_t)HALF_SIZE;
    smoe_helper_half *half;
    smoe_result result = ensure_staging(device);

    for (size_t at = 0; result == SMOE_SUCCESS && at < size; at += chunk) {
        const size_t now = size - at < chunk ? size - at : chunk;
        result = take_half(device, &half);
        if (result == SMOE_SUCCESS)
            result = start_copy(device, half, buffer->handle, device->staging.buffer.handle,
                                &(VkBufferCopy){offset + at, half->offset, now});
        if (result == SMOE_SUCCESS)
            result = smoe_helper_wait(device, &half->commands);
        if (result == SMOE_SUCCESS)
            memcpy(to + at, half->mapped, now);
    }
    return result;
}

smoe_result smoe_helper_download(smoe_device *device, smoe_helper_buffer *buffer, VkDeviceSize offset, void *to,
                                 size_t size)
{
    if (!buffer->mapped)
        return download_staged(device, buffer, offset, to, size);
    const smoe_result result = smoe_helper_buffer_invalidate(device, buffer);
    if (result == SMOE_SUCCESS)
        memcpy(to, buffer->mapped + offset, size);
    return result;
}
