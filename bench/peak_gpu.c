#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#define VOLK_IMPLEMENTATION

#include "peak_gpu.h"

#include <string.h>
#include <time.h>

static bool check(peak_gpu *gpu, VkResult result, const char *call)
{
    if (result != VK_SUCCESS && !gpu->failed)
        gpu->failed = call;
    return result == VK_SUCCESS;
}

static bool create_buffer(peak_gpu *gpu, int which)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = gpu->size,
                                     .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkMemoryRequirements needs;
    uint32_t type = 0;

    if (!check(gpu, gpu->vk.vkCreateBuffer(gpu->device, &info, NULL, &gpu->buffers[which]), "vkCreateBuffer"))
        return false;
    gpu->vk.vkGetBufferMemoryRequirements(gpu->device, gpu->buffers[which], &needs);
    while (type < gpu->memory_properties.memoryTypeCount &&
           (!(needs.memoryTypeBits >> type & 1) ||
            !(gpu->memory_properties.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)))
        type++;
    if (type == gpu->memory_properties.memoryTypeCount)
        return check(gpu, VK_ERROR_OUT_OF_DEVICE_MEMORY, "finding device-local memory");
    const VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, NULL, needs.size, type};
    return check(gpu, gpu->vk.vkAllocateMemory(gpu->device, &allocate, NULL, &gpu->memory[which]), "vkAllocateMemory") &&
           check(gpu, gpu->vk.vkBindBufferMemory(gpu->device, gpu->buffers[which], gpu->memory[which], 0), "vkBindBufferMemory");
}

static bool create_descriptors(peak_gpu *gpu)
{
    const VkDescriptorSetLayoutBinding bindings[2] = {
        {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
    };
    const VkDescriptorSetLayoutCreateInfo set_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL, 0, 2, bindings};
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(peak_push)};
    const VkDescriptorPoolSize pool_size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
    const VkDescriptorPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, 1, 1, &pool_size};

    if (!check(gpu, gpu->vk.vkCreateDescriptorSetLayout(gpu->device, &set_info, NULL, &gpu->set_layout), "vkCreateDescriptorSetLayout"))
        return false;
    const VkPipelineLayoutCreateInfo layout_info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &gpu->set_layout, 1, &push};
    if (!check(gpu, gpu->vk.vkCreatePipelineLayout(gpu->device, &layout_info, NULL, &gpu->layout), "vkCreatePipelineLayout") ||
        !check(gpu, gpu->vk.vkCreateDescriptorPool(gpu->device, &pool_info, NULL, &gpu->descriptor_pool), "vkCreateDescriptorPool"))
        return false;
    const VkDescriptorSetAllocateInfo allocate = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, gpu->descriptor_pool, 1,
                                                  &gpu->set_layout};
    if (!check(gpu, gpu->vk.vkAllocateDescriptorSets(gpu->device, &allocate, &gpu->set), "vkAllocateDescriptorSets"))
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const VkDescriptorBufferInfo buffer = {gpu->buffers[i], 0, VK_WHOLE_SIZE};
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = gpu->set, .dstBinding = i,
                                            .descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .pBufferInfo = &buffer};
        gpu->vk.vkUpdateDescriptorSets(gpu->device, 1, &write, 0, NULL);
    }
    return true;
}

static bool create_commands(peak_gpu *gpu, uint32_t queue_family)
{
    const VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL,
                                          VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, queue_family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkQueryPoolCreateInfo queries = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                           .queryCount = 2};

    if (!check(gpu, gpu->vk.vkCreateCommandPool(gpu->device, &pool, NULL, &gpu->command_pool), "vkCreateCommandPool"))
        return false;
    const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, gpu->command_pool,
                                                  VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    return check(gpu, gpu->vk.vkAllocateCommandBuffers(gpu->device, &allocate, &gpu->commands), "vkAllocateCommandBuffers") &&
           check(gpu, gpu->vk.vkCreateFence(gpu->device, &fence, NULL, &gpu->fence), "vkCreateFence") &&
           (gpu->timestamp_mask == 0 ||
            check(gpu, gpu->vk.vkCreateQueryPool(gpu->device, &queries, NULL, &gpu->query_pool), "vkCreateQueryPool"));
}

static bool begin_commands(peak_gpu *gpu)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    return check(gpu, gpu->vk.vkBeginCommandBuffer(gpu->commands, &begin), "vkBeginCommandBuffer");
}

/* Ends the commands, and leaves nothing running. */
static bool submit_commands(peak_gpu *gpu)
{
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &gpu->commands};
    return check(gpu, gpu->vk.vkEndCommandBuffer(gpu->commands), "vkEndCommandBuffer") &&
           check(gpu, gpu->vk.vkResetFences(gpu->device, 1, &gpu->fence), "vkResetFences") &&
           check(gpu, gpu->vk.vkQueueSubmit(gpu->queue, 1, &submit, gpu->fence), "vkQueueSubmit") &&
           check(gpu, gpu->vk.vkWaitForFences(gpu->device, 1, &gpu->fence, VK_TRUE, UINT64_MAX), "vkWaitForFences");
}

/* Memory that was never written may not even exist: some systems let all of it read from one page of zeros. */
static bool fill_buffers(peak_gpu *gpu)
{
    if (!begin_commands(gpu))
        return false;
    for (int i = 0; i < 2; i++)
        gpu->vk.vkCmdFillBuffer(gpu->commands, gpu->buffers[i], 0, VK_WHOLE_SIZE, 0x3f800000);
    return submit_commands(gpu);
}

bool peak_gpu_create(peak_gpu *gpu, smoe_device *device, VkDeviceSize size)
{
    smoe_device_handles handles;
    VkQueueFamilyProperties families[32];
    uint32_t family_count = 32;

    memset(gpu, 0, sizeof *gpu);
    if (smoe_device_get_handles(device, &handles) != SMOE_SUCCESS)
        return check(gpu, VK_ERROR_UNKNOWN, "smoe_device_get_handles");
    volkInitializeCustom(handles.get_instance_proc_addr);
    volkLoadInstanceOnly(handles.instance);
    volkLoadDeviceTable(&gpu->vk, handles.device);
    gpu->device = handles.device;
    gpu->queue = handles.queue;
    gpu->size = size;
    vkGetPhysicalDeviceMemoryProperties(handles.physical_device, &gpu->memory_properties);
    vkGetPhysicalDeviceQueueFamilyProperties(handles.physical_device, &family_count, families);
    const uint32_t bits = handles.queue_family < family_count ? families[handles.queue_family].timestampValidBits : 0;
    gpu->timestamp_mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    gpu->timestamp_period = (double)smoe_context_device_info(smoe_device_context(device))->timestamp_period;
    return create_buffer(gpu, 0) && create_buffer(gpu, 1) && create_descriptors(gpu) && create_commands(gpu, handles.queue_family) &&
           fill_buffers(gpu);
}

void peak_gpu_destroy(peak_gpu *gpu)
{
    if (!gpu->device)
        return;
    gpu->vk.vkDestroyQueryPool(gpu->device, gpu->query_pool, NULL);
    gpu->vk.vkDestroyFence(gpu->device, gpu->fence, NULL);
    gpu->vk.vkDestroyCommandPool(gpu->device, gpu->command_pool, NULL);
    gpu->vk.vkDestroyDescriptorPool(gpu->device, gpu->descriptor_pool, NULL);
    gpu->vk.vkDestroyPipelineLayout(gpu->device, gpu->layout, NULL);
    gpu->vk.vkDestroyDescriptorSetLayout(gpu->device, gpu->set_layout, NULL);
    for (int i = 0; i < 2; i++) {
        gpu->vk.vkDestroyBuffer(gpu->device, gpu->buffers[i], NULL);
        gpu->vk.vkFreeMemory(gpu->device, gpu->memory[i], NULL);
    }
}

bool peak_gpu_pipeline(peak_gpu *gpu, const uint32_t *spirv, size_t size, VkPipeline *out)
{
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = spirv};
    VkShaderModule module;

    if (!check(gpu, gpu->vk.vkCreateShaderModule(gpu->device, &module_info, NULL, &module), "vkCreateShaderModule"))
        return false;
    const VkPipelineShaderStageCreateInfo stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main"};
    const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .stage = stage,
                                              .layout = gpu->layout};
    const VkResult result = gpu->vk.vkCreateComputePipelines(gpu->device, VK_NULL_HANDLE, 1, &info, NULL, out);
    gpu->vk.vkDestroyShaderModule(gpu->device, module, NULL);
    return check(gpu, result, "vkCreateComputePipelines");
}

void peak_gpu_destroy_pipeline(peak_gpu *gpu, VkPipeline pipeline)
{
    gpu->vk.vkDestroyPipeline(gpu->device, pipeline, NULL);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

bool peak_gpu_time(peak_gpu *gpu, VkPipeline pipeline, const peak_push *push, uint32_t groups, double *nanoseconds)
{
    const VkBufferCopy whole = {0, 0, gpu->size};
    uint64_t ticks[2];

    if (!begin_commands(gpu))
        return false;
    if (gpu->query_pool) {
        gpu->vk.vkCmdResetQueryPool(gpu->commands, gpu->query_pool, 0, 2);
        gpu->vk.vkCmdWriteTimestamp(gpu->commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, gpu->query_pool, 0);
    }
    if (pipeline) {
        gpu->vk.vkCmdBindPipeline(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        gpu->vk.vkCmdBindDescriptorSets(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, gpu->layout, 0, 1, &gpu->set, 0, NULL);
        gpu->vk.vkCmdPushConstants(gpu->commands, gpu->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof *push, push);
        gpu->vk.vkCmdDispatch(gpu->commands, groups, 1, 1);
    } else {
        gpu->vk.vkCmdCopyBuffer(gpu->commands, gpu->buffers[0], gpu->buffers[1], 1, &whole);
    }
    if (gpu->query_pool)
        gpu->vk.vkCmdWriteTimestamp(gpu->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, gpu->query_pool, 1);
    const double begin = now();
    if (!submit_commands(gpu))
        return false;
    *nanoseconds = now() - begin;
    if (!gpu->query_pool)
        return true;
    if (!check(gpu, gpu->vk.vkGetQueryPoolResults(gpu->device, gpu->query_pool, 0, 2, sizeof ticks, ticks, sizeof *ticks,
                                                  VK_QUERY_RESULT_64_BIT), "vkGetQueryPoolResults"))
        return false;
    *nanoseconds = (double)((ticks[1] - ticks[0]) & gpu->timestamp_mask) * gpu->timestamp_period;
    return true;
}
