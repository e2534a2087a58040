/* Recording into the device's one command buffer, and waiting for it. */
#include "device_internal.h"

/* Nanoseconds of one wait. A forward may take any time on a slow device, so that the wait is repeated until the driver
 * either says done or lost: a driver whose device hangs reports it lost. */
#define WAIT_STEP 1000000000u

smoe_result smoe_helper_begin(smoe_device *device)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    const smoe_result result = smoe_vulkan_check(
        &device->instance.host, device->table.vkResetCommandPool(device->handle, device->command_pool, 0),
        "vkResetCommandPool");
    if (result != SMOE_SUCCESS)
        return result;
    return smoe_vulkan_check(&device->instance.host, device->table.vkBeginCommandBuffer(device->command_buffer, &info),
                             "vkBeginCommandBuffer");
}

smoe_result smoe_helper_end(smoe_device *device)
{
    return smoe_vulkan_check(&device->instance.host, device->table.vkEndCommandBuffer(device->command_buffer),
                             "vkEndCommandBuffer");
}

smoe_result smoe_helper_submit(smoe_device *device)
{
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &device->command_buffer,
    };
    VkResult status;

    smoe_result result = smoe_vulkan_check(
        &device->instance.host, device->table.vkResetFences(device->handle, 1, &device->fence), "vkResetFences");
    if (result != SMOE_SUCCESS)
        return result;
    result = smoe_vulkan_check(&device->instance.host,
                               device->table.vkQueueSubmit(device->queue, 1, &info, device->fence), "vkQueueSubmit");
    if (result != SMOE_SUCCESS)
        return result;
    do {
        status = device->table.vkWaitForFences(device->handle, 1, &device->fence, VK_TRUE, WAIT_STEP);
    } while (status == VK_TIMEOUT);
    result = smoe_vulkan_check(&device->instance.host, status, "vkWaitForFences");
    /* The work may still run, and what it uses may be reset or destroyed next. Where this fails too, the device is
     * lost. */
    if (result != SMOE_SUCCESS)
        smoe_vulkan_check(&device->instance.host, device->table.vkQueueWaitIdle(device->queue), "vkQueueWaitIdle");
    return result;
}
