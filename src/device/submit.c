/* Recording into command buffers, submitting them, and waiting for them. */
#include "device_internal.h"

/* Nanoseconds of one wait. A forward may take any time on a slow device, so that the wait is repeated until the driver
 * either says done or lost: a driver whose device hangs reports it lost. */
#define WAIT_STEP 1000000000u

/* Room for twice as many command buffers, and those. */
static smoe_result add_buffers(smoe_device *device, smoe_helper_commands *commands)
{
    const smoe_host *host = &device->instance.host;
    const uint32_t more = commands->capacity ? commands->capacity : 1;
    VkCommandBuffer *buffers = smoe_host_alloc(host, commands->capacity + more, sizeof *buffers);

    if (!buffers)
        return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no host memory for command buffers");
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = commands->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = more,
    };
    for (uint32_t i = 0; i < commands->capacity; i++)
        buffers[i] = commands->buffers[i];
    const smoe_result result = smoe_vulkan_check(
        host, device->table.vkAllocateCommandBuffers(device->handle, &info, buffers + commands->capacity),
        "vkAllocateCommandBuffers");
    if (result != SMOE_SUCCESS) {
        smoe_host_free(host, buffers);
        return result;
    }
    smoe_host_free(host, commands->buffers);
    commands->buffers = buffers;
    commands->capacity += more;
    return SMOE_SUCCESS;
}

/* Outputs of failing calls are undefined, so that only those of good ones are kept. */
static smoe_result create_pool(smoe_device *device, smoe_helper_commands *commands)
{
    const VkCommandPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .queueFamilyIndex = device->queue_family,
    };
    VkCommandPool pool = VK_NULL_HANDLE;
    const smoe_result result =
        smoe_vulkan_check(&device->instance.host,
                          device->table.vkCreateCommandPool(device->handle, &info, NULL, &pool), "vkCreateCommandPool");

    if (result == SMOE_SUCCESS)
        commands->pool = pool;
    return result;
}

smoe_result smoe_helper_commands_create(smoe_device *device, smoe_helper_commands *commands)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = VK_NULL_HANDLE;

    smoe_result result = create_pool(device, commands);
    if (result == SMOE_SUCCESS)
        result = add_buffers(device, commands);
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
    smoe_host_free(&device->instance.host, commands->buffers);
    *commands = (smoe_helper_commands){.running = false};
}

static smoe_result begin_buffer(smoe_device *device, smoe_helper_commands *commands)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};

    commands->buffer = commands->buffers[commands->count++];
    return smoe_vulkan_check(&device->instance.host, device->table.vkBeginCommandBuffer(commands->buffer, &info),
                             "vkBeginCommandBuffer");
}

smoe_result smoe_helper_begin(smoe_device *device, smoe_helper_commands *commands)
{
    const smoe_result result =
        smoe_vulkan_check(&device->instance.host, device->table.vkResetCommandPool(device->handle, commands->pool, 0),
                          "vkResetCommandPool");
    commands->count = 0;
    return result == SMOE_SUCCESS ? begin_buffer(device, commands) : result;
}

smoe_result smoe_helper_next(smoe_device *device, smoe_helper_commands *commands)
{
    smoe_result result = smoe_helper_end(device, commands);

    if (result == SMOE_SUCCESS && commands->count == commands->capacity)
        result = add_buffers(device, commands);
    return result == SMOE_SUCCESS ? begin_buffer(device, commands) : result;
}

smoe_result smoe_helper_end(smoe_device *device, smoe_helper_commands *commands)
{
    return smoe_vulkan_check(&device->instance.host, device->table.vkEndCommandBuffer(commands->buffer),
                             "vkEndCommandBuffer");
}

/* What earlier submissions run may use what is reset or destroyed next. Where this fails too, the device is lost. */
static void wait_idle(smoe_device *device)
{
    smoe_vulkan_check(&device->instance.host, device->table.vkQueueWaitIdle(device->queue), "vkQueueWaitIdle");
}

/* Nothing waits between the submissions: the device goes from one to the next, or to another program's in between. */
smoe_result smoe_helper_start(smoe_device *device, smoe_helper_commands *commands)
{
    const smoe_host *host = &device->instance.host;
    smoe_result result = smoe_vulkan_check(
        host, device->table.vkResetFences(device->handle, 1, &commands->fence), "vkResetFences");

    for (uint32_t i = 0; result == SMOE_SUCCESS && i < commands->count; i++) {
        const VkSubmitInfo info = {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .commandBufferCount = 1,
            .pCommandBuffers = &commands->buffers[i],
        };
        const VkFence fence = i + 1 == commands->count ? commands->fence : VK_NULL_HANDLE;
        result = smoe_vulkan_check(host, device->table.vkQueueSubmit(device->queue, 1, &info, fence), "vkQueueSubmit");
        if (result != SMOE_SUCCESS && i > 0)
            wait_idle(device);
    }
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
    if (result != SMOE_SUCCESS)
        wait_idle(device);
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
