/* Recording into command buffers, submitting them, and waiting for them. */
#include "device_internal.h"

/* Nanoseconds of one wait. A forward may take any time on a slow device, so that the wait is repeated until the driver
 * either says done or lost: a driver whose device hangs reports it lost. */
#define WAIT_STEP 1000000000u

/* Outputs of failing calls are undefined, so that only those of good ones are kept. */
static smoe_result create_command_buffer(smoe_device *device, smoe_helper_commands *commands)
{
    const smoe_host *host = &device->instance.host;
    const VkCommandPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = device->queue_family,
    };
    VkCommandPool pool = VK_NULL_HANDLE;

    const smoe_result result = smoe_vulkan_check(
        host, device->table.vkCreateCommandPool(device->handle, &pool_info, NULL, &pool), "vkCreateCommandPool");
    if (result != SMOE_SUCCESS)
        return result;
    commands->pool = pool;
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    return smoe_vulkan_check(host, device->table.vkAllocateCommandBuffers(device->handle, &info, &commands->buffer),
                             "vkAllocateCommandBuffers");
}

smoe_result smoe_helper_commands_create(smoe_device *device, smoe_helper_commands *commands)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = VK_NULL_HANDLE;

    smoe_result result = create_command_buffer(device, commands);
    if (result != SMOE_SUCCESS)
        return result;
    result = smoe_vulkan_check(&device->instance.host, device->table.vkCreateFence(device->handle, &info, NULL, &fence),
                               "vkCreateFence");
    if (result == SMOE_SUCCESS)
        commands->fence = fence;
    return result;
}

void smoe_helper_commands_destroy(smoe_device *device, smoe_helper_commands *commands)
{
    if (commands->fence)
        device->table.vkDestroyFence(device->handle, commands->fence, NULL);
    if (commands->pool)
        device->table.vkDestroyCommandPool(device->handle, commands->pool, NULL);
    *commands = (smoe_helper_commands){.running = false};
}

smoe_result smoe_helper_begin(smoe_device *device, smoe_helper_commands *commands)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    const smoe_result result =
        smoe_vulkan_check(&device->instance.host, device->table.vkResetCommandPool(device->handle, commands->pool, 0),
                          "vkResetCommandPool");
    if (result != SMOE_SUCCESS)
        return result;
    return smoe_vulkan_check(&device->instance.host, device->table.vkBeginCommandBuffer(commands->buffer, &info),
                             "vkBeginCommandBuffer");
}

smoe_result smoe_helper_end(smoe_device *device, smoe_helper_commands *commands)
{
    return smoe_vulkan_check(&device->instance.host, device->table.vkEndCommandBuffer(commands->buffer),
                             "vkEndCommandBuffer");
}

smoe_result smoe_helper_start(smoe_device *device, smoe_helper_commands *commands)
{
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands->buffer,
    };

    smoe_result result = smoe_vulkan_check(
        &device->instance.host, device->table.vkResetFences(device->handle, 1, &commands->fence), "vkResetFences");
    if (result != SMOE_SUCCESS)
        return result;
    result = smoe_vulkan_check(&device->instance.host,
                               device->table.vkQueueSubmit(device->queue, 1, &info, commands->fence), "vkQueueSubmit");
    commands->running = result == SMOE_SUCCESS;
    return result;
}

smoe_result smoe_helper_wait(smoe_device *device, smoe_helper_commands *commands)
{
    VkResult status;

    if (!commands->running)
        return SMOE_SUCCESS;
    commands->running = false;
    do {
        status = device->table.vkWaitForFences(device->handle, 1, &commands->fence, VK_TRUE, WAIT_STEP);
    } while (status == VK_TIMEOUT);
    const smoe_result result = smoe_vulkan_check(&device->instance.host, status, "vkWaitForFences");
    /* The work may still run, and what it uses may be reset or destroyed next. Where this fails too, the device is
     * lost. */
    if (result != SMOE_SUCCESS)
        smoe_vulkan_check(&device->instance.host, device->table.vkQueueWaitIdle(device->queue), "vkQueueWaitIdle");
    return result;
}

smoe_result smoe_helper_submit(smoe_device *device)
{
    const smoe_result result = smoe_helper_start(device, &device->commands);
    return result == SMOE_SUCCESS ? smoe_helper_wait(device, &device->commands) : result;
}

smoe_result smoe_helper_drain(smoe_device *device)
{
    smoe_result result = SMOE_SUCCESS;

    for (uint32_t i = 0; i < SMOE_HELPER_HALVES; i++) {
        const smoe_result waited = smoe_helper_wait(device, &device->staging.halves[i].commands);
        result = result == SMOE_SUCCESS ? waited : result;
    }
    return result;
}
