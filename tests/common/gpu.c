#include "gpu.h"

#include <stdio.h>
#include <string.h>

#define GUARD 0xb7
#define PATTERN 0xff

static bool passed(const char *call, VkResult result)
{
    if (result != VK_SUCCESS)
        fprintf(stderr, "%s: VkResult %d\n", call, (int)result);
    return result == VK_SUCCESS;
}

static bool load(test_gpu *gpu)
{
    const smoe_device_handles *h = &gpu->handles;
#define INSTANCE_FUNCTION(name) PFN_##name name = (PFN_##name)h->get_instance_proc_addr(h->instance, #name)
    INSTANCE_FUNCTION(vkGetDeviceProcAddr);
    INSTANCE_FUNCTION(vkGetPhysicalDeviceMemoryProperties);

    if (!vkGetDeviceProcAddr || !vkGetPhysicalDeviceMemoryProperties)
        return false;
    vkGetPhysicalDeviceMemoryProperties(h->physical_device, &gpu->memory);
#define LOAD(name) gpu->name = (PFN_vk##name)vkGetDeviceProcAddr(h->device, "vk" #name);
#define LOADED(name) &&gpu->name
    TEST_GPU_FUNCTIONS(LOAD)
    return true TEST_GPU_FUNCTIONS(LOADED);
}

bool test_gpu_open(test_gpu *gpu, const smoe_device *device)
{
    *gpu = (test_gpu){0};
    if (smoe_device_get_handles(device, &gpu->handles) != SMOE_SUCCESS || !load(gpu)) {
        fprintf(stderr, "test_gpu_open: the device's handles or functions are missing\n");
        return false;
    }
    gpu->alignment = smoe_context_device_info(smoe_device_context(device))->min_storage_buffer_offset_alignment;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = gpu->handles.queue_family,
    };
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    bool good = passed("vkCreateCommandPool", gpu->CreateCommandPool(gpu->handles.device, &pool, NULL, &gpu->pool));
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = gpu->pool,
        .commandBufferCount = 1,
    };
    good = good && passed("vkAllocateCommandBuffers",
                          gpu->AllocateCommandBuffers(gpu->handles.device, &commands, &gpu->commands));
    good = good && passed("vkCreateFence", gpu->CreateFence(gpu->handles.device, &fence, NULL, &gpu->fence));
    if (!good)
        test_gpu_close(gpu);
    return good;
}

void test_gpu_close(test_gpu *gpu)
{
    if (gpu->pool)
        gpu->DestroyCommandPool(gpu->handles.device, gpu->pool, NULL);
    if (gpu->fence)
        gpu->DestroyFence(gpu->handles.device, gpu->fence, NULL);
    gpu->pool = VK_NULL_HANDLE;
    gpu->fence = VK_NULL_HANDLE;
}

static bool allocate(test_gpu *gpu, test_buffer *buffer)
{
    const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkMemoryRequirements needs;

    gpu->GetBufferMemoryRequirements(gpu->handles.device, buffer->part.buffer, &needs);
    for (uint32_t type = 0; type < gpu->memory.memoryTypeCount; type++) {
        if (!(needs.memoryTypeBits >> type & 1) || (gpu->memory.memoryTypes[type].propertyFlags & wanted) != wanted)
            continue;
        const VkMemoryAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .allocationSize = needs.size,
            .memoryTypeIndex = type,
        };
        return passed("vkAllocateMemory", gpu->AllocateMemory(gpu->handles.device, &info, NULL, &buffer->memory));
    }
    fprintf(stderr, "no host-visible memory type\n");
    return false;
}

bool test_buffer_create(test_gpu *gpu, VkDeviceSize size, const void *contents, test_buffer *buffer)
{
    const VkDevice device = gpu->handles.device;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = size + 2 * gpu->alignment,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
    };
    void *mapped = NULL;

    *buffer = (test_buffer){.part = {.offset = gpu->alignment, .size = size}};
    if (!passed("vkCreateBuffer", gpu->CreateBuffer(device, &info, NULL, &buffer->part.buffer)) ||
        !allocate(gpu, buffer) ||
        !passed("vkBindBufferMemory", gpu->BindBufferMemory(device, buffer->part.buffer, buffer->memory, 0)) ||
        !passed("vkMapMemory", gpu->MapMemory(device, buffer->memory, 0, VK_WHOLE_SIZE, 0, &mapped))) {
        test_buffer_destroy(gpu, buffer);
        return false;
    }
    memset(mapped, GUARD, info.size);
    buffer->data = (unsigned char *)mapped + gpu->alignment;
    if (contents)
        memcpy(buffer->data, contents, size);
    else
        memset(buffer->data, PATTERN, size);
    return true;
}

void test_buffer_destroy(test_gpu *gpu, test_buffer *buffer)
{
    gpu->DestroyBuffer(gpu->handles.device, buffer->part.buffer, NULL);
    gpu->FreeMemory(gpu->handles.device, buffer->memory, NULL);
    *buffer = (test_buffer){.data = NULL};
}

bool test_buffer_guards_intact(const test_gpu *gpu, const test_buffer *buffer)
{
    const unsigned char *before = buffer->data - gpu->alignment, *behind = buffer->data + buffer->part.size;

    for (VkDeviceSize i = 0; i < gpu->alignment; i++)
        if (before[i] != GUARD || behind[i] != GUARD)
            return false;
    return true;
}

static void barrier(test_gpu *gpu, VkPipelineStageFlags from, VkAccessFlags written, VkPipelineStageFlags to,
                    VkAccessFlags used)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = written,
        .dstAccessMask = used,
    };

    gpu->CmdPipelineBarrier(gpu->commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

bool test_gpu_begin(test_gpu *gpu)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};

    if (!passed("vkBeginCommandBuffer", gpu->BeginCommandBuffer(gpu->commands, &begin)))
        return false;
    barrier(gpu, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    return true;
}

static VkResult submit_locked(test_gpu *gpu, const VkSubmitInfo *submit)
{
    if (gpu->queue_mutex)
        pthread_mutex_lock(gpu->queue_mutex);
    const VkResult result = gpu->QueueSubmit(gpu->handles.queue, 1, submit, gpu->fence);
    if (gpu->queue_mutex)
        pthread_mutex_unlock(gpu->queue_mutex);
    return result;
}

bool test_gpu_end(test_gpu *gpu)
{
    return passed("vkEndCommandBuffer", gpu->EndCommandBuffer(gpu->commands));
}

bool test_gpu_submit(test_gpu *gpu)
{
    const VkDevice device = gpu->handles.device;
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &gpu->commands,
    };

    barrier(gpu, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
            VK_ACCESS_HOST_READ_BIT);
    return test_gpu_end(gpu) && passed("vkQueueSubmit", submit_locked(gpu, &submit)) &&
           passed("vkWaitForFences", gpu->WaitForFences(device, 1, &gpu->fence, VK_TRUE, UINT64_MAX)) &&
           passed("vkResetFences", gpu->ResetFences(device, 1, &gpu->fence));
}
