/* The batches of a simulation, and their Vulkan. */
#define VOLK_IMPLEMENTATION
#include <volk.h>

#include "simulation.h"
#include "program/progress.h"

#include <stdlib.h>
#include <string.h>

enum { LOCAL_SIZE = 64, MAX_GROUPS = 16384, SAMPLES_PER_INVOCATION = 8, FIRST_BATCH = 256 /* samples, or work */ };

typedef struct push {
    uint32_t seed[2], first[2], samples, stream;
} push;

enum { PARAMETERS, COUNTERS, READBACK, BUFFER_COUNT };

struct simulation {
    analyze *a;
    simulation_desc desc;
    VkDevice device;
    VkQueue queue;
    struct VolkDeviceTable vk;
    VkPhysicalDeviceMemoryProperties memory_properties;
    VkBuffer buffers[BUFFER_COUNT];
    VkDeviceMemory memory[BUFFER_COUNT];
    void *mapped[BUFFER_COUNT]; /* NULL for the counters */
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorPool descriptor_pool;
    VkDescriptorSet set;
    VkPipeline pipeline;
    VkCommandPool command_pool;
    VkCommandBuffer commands;
    VkFence fence;
    uint64_t batch; /* samples of the next one */
    double seconds;
};

static bool check(VkResult result, const char *call)
{
    if (result != VK_SUCCESS)
        analyze_fail("%s: VkResult %d", call, (int)result);
    return result == VK_SUCCESS;
}

/* The first memory type that has `wanted`, else the first of all that has `needed`. */
static bool find_memory(const simulation *s, uint32_t bits, VkMemoryPropertyFlags needed, VkMemoryPropertyFlags wanted, uint32_t *out)
{
    for (int round = 0; round < 2; round++) {
        const VkMemoryPropertyFlags flags = round == 0 ? needed | wanted : needed;
        for (uint32_t i = 0; i < s->memory_properties.memoryTypeCount; i++)
            if ((bits >> i & 1) && (s->memory_properties.memoryTypes[i].propertyFlags & flags) == flags)
                return *out = i, true;
    }
    return false;
}

static bool create_buffer(simulation *s, int which, VkDeviceSize size, VkBufferUsageFlags usage)
{
    const bool host = which != COUNTERS;
    const VkMemoryPropertyFlags needed = host ? VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT : 0;
    const VkMemoryPropertyFlags wanted = which == READBACK ? VK_MEMORY_PROPERTY_HOST_CACHED_BIT : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = usage};
    VkMemoryRequirements needs;
    uint32_t type;

    if (!check(s->vk.vkCreateBuffer(s->device, &info, NULL, &s->buffers[which]), "vkCreateBuffer"))
        return false;
    s->vk.vkGetBufferMemoryRequirements(s->device, s->buffers[which], &needs);
    if (!find_memory(s, needs.memoryTypeBits, needed, wanted, &type))
        return check(VK_ERROR_OUT_OF_DEVICE_MEMORY, "finding memory");
    const VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, NULL, needs.size, type};
    return check(s->vk.vkAllocateMemory(s->device, &allocate, NULL, &s->memory[which]), "vkAllocateMemory") &&
           check(s->vk.vkBindBufferMemory(s->device, s->buffers[which], s->memory[which], 0), "vkBindBufferMemory") &&
           (!host || check(s->vk.vkMapMemory(s->device, s->memory[which], 0, VK_WHOLE_SIZE, 0, &s->mapped[which]), "vkMapMemory"));
}

static bool create_descriptors(simulation *s)
{
    static const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    const VkDescriptorSetLayoutBinding bindings[] = {{0, types[0], 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                                                     {1, types[1], 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL}};
    const VkDescriptorSetLayoutCreateInfo set_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL, 0, 2, bindings};
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push)};
    const VkDescriptorPoolSize sizes[] = {{types[0], 1}, {types[1], 1}};
    const VkDescriptorPoolCreateInfo pool_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, 1, 2, sizes};

    if (!check(s->vk.vkCreateDescriptorSetLayout(s->device, &set_info, NULL, &s->set_layout), "vkCreateDescriptorSetLayout"))
        return false;
    const VkPipelineLayoutCreateInfo layout_info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &s->set_layout, 1, &range};
    if (!check(s->vk.vkCreatePipelineLayout(s->device, &layout_info, NULL, &s->layout), "vkCreatePipelineLayout") ||
        !check(s->vk.vkCreateDescriptorPool(s->device, &pool_info, NULL, &s->descriptor_pool), "vkCreateDescriptorPool"))
        return false;
    const VkDescriptorSetAllocateInfo allocate = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, s->descriptor_pool, 1,
                                                  &s->set_layout};
    if (!check(s->vk.vkAllocateDescriptorSets(s->device, &allocate, &s->set), "vkAllocateDescriptorSets"))
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        const VkDescriptorBufferInfo buffer = {s->buffers[i], 0, VK_WHOLE_SIZE};
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = s->set, .dstBinding = i,
                                            .descriptorCount = 1, .descriptorType = types[i], .pBufferInfo = &buffer};
        s->vk.vkUpdateDescriptorSets(s->device, 1, &write, 0, NULL);
    }
    return true;
}

static bool create_pipeline(simulation *s)
{
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = s->desc.spirv_size,
                                                  .pCode = s->desc.spirv};
    VkSpecializationMapEntry entries[SIMULATION_MAX_CONSTANTS];
    VkShaderModule module;

    for (uint32_t i = 0; i < s->desc.constant_count; i++)
        entries[i] = (VkSpecializationMapEntry){i, i * (uint32_t)sizeof(uint32_t), sizeof(uint32_t)};
    const VkSpecializationInfo constants = {s->desc.constant_count, entries, s->desc.constant_count * sizeof(uint32_t), s->desc.constants};
    if (!check(s->vk.vkCreateShaderModule(s->device, &module_info, NULL, &module), "vkCreateShaderModule"))
        return false;
    const VkPipelineShaderStageCreateInfo stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main",
                                                   .pSpecializationInfo = &constants};
    const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .stage = stage, .layout = s->layout};
    const VkResult result = s->vk.vkCreateComputePipelines(s->device, VK_NULL_HANDLE, 1, &info, NULL, &s->pipeline);
    s->vk.vkDestroyShaderModule(s->device, module, NULL);
    return check(result, "vkCreateComputePipelines");
}

static bool create_commands(simulation *s, uint32_t queue_family)
{
    const VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL,
                                          VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, queue_family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};

    if (!check(s->vk.vkCreateCommandPool(s->device, &pool, NULL, &s->command_pool), "vkCreateCommandPool"))
        return false;
    const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, s->command_pool,
                                                  VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    return check(s->vk.vkAllocateCommandBuffers(s->device, &allocate, &s->commands), "vkAllocateCommandBuffers") &&
           check(s->vk.vkCreateFence(s->device, &fence, NULL, &s->fence), "vkCreateFence");
}

int simulation_create(analyze *a, const simulation_desc *desc, simulation **out)
{
    const VkDeviceSize size = desc->counter_count * sizeof(uint32_t);
    smoe_device_handles handles;
    simulation *s = *out = calloc(1, sizeof *s);

    if (!s)
        return analyze_fail("no host memory");
    s->a = a;
    s->desc = *desc;
    s->batch = desc->work < FIRST_BATCH / SIMULATION_MIN_BATCH ? FIRST_BATCH / desc->work : SIMULATION_MIN_BATCH; /* it grows */
    const smoe_result result = smoe_device_get_handles(a->device, &handles);
    if (result != SMOE_SUCCESS)
        return analyze_fail_result(a, result);
    volkInitializeCustom(handles.get_instance_proc_addr);
    volkLoadInstanceOnly(handles.instance);
    volkLoadDeviceTable(&s->vk, handles.device);
    s->device = handles.device;
    s->queue = handles.queue;
    vkGetPhysicalDeviceMemoryProperties(handles.physical_device, &s->memory_properties);
    const bool good =
        create_buffer(s, PARAMETERS, SIMULATION_MAX_PARAMETERS * sizeof(float), VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT) &&
        create_buffer(s, COUNTERS, size,
                      VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT) &&
        create_buffer(s, READBACK, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT) && create_descriptors(s) && create_pipeline(s) &&
        create_commands(s, handles.queue_family);
    return good ? ANALYZE_OK : ANALYZE_FAILED;
}

void simulation_destroy(simulation *s)
{
    if (s && s->device) {
        s->vk.vkDestroyFence(s->device, s->fence, NULL);
        s->vk.vkDestroyCommandPool(s->device, s->command_pool, NULL);
        s->vk.vkDestroyPipeline(s->device, s->pipeline, NULL);
        s->vk.vkDestroyDescriptorPool(s->device, s->descriptor_pool, NULL);
        s->vk.vkDestroyPipelineLayout(s->device, s->layout, NULL);
        s->vk.vkDestroyDescriptorSetLayout(s->device, s->set_layout, NULL);
        for (int i = 0; i < BUFFER_COUNT; i++) {
            s->vk.vkDestroyBuffer(s->device, s->buffers[i], NULL);
            s->vk.vkFreeMemory(s->device, s->memory[i], NULL);
        }
    }
    free(s);
}

void simulation_set_parameters(simulation *s, const float *parameters, size_t count)
{
    memcpy(s->mapped[PARAMETERS], parameters, count * sizeof *parameters);
}

static void barrier(simulation *s, VkPipelineStageFlags from, VkAccessFlags written, VkPipelineStageFlags to, VkAccessFlags used)
{
    const VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, written, used};
    s->vk.vkCmdPipelineBarrier(s->commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

static bool record(simulation *s, const push *constants)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    const VkBufferCopy whole = {0, 0, s->desc.counter_count * sizeof(uint32_t)};
    const uint32_t wanted = (constants->samples + LOCAL_SIZE * SAMPLES_PER_INVOCATION - 1) / (LOCAL_SIZE * SAMPLES_PER_INVOCATION);

    if (!check(s->vk.vkBeginCommandBuffer(s->commands, &begin), "vkBeginCommandBuffer"))
        return false;
    s->vk.vkCmdFillBuffer(s->commands, s->buffers[COUNTERS], 0, VK_WHOLE_SIZE, 0);
    barrier(s, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    s->vk.vkCmdBindPipeline(s->commands, VK_PIPELINE_BIND_POINT_COMPUTE, s->pipeline);
    s->vk.vkCmdBindDescriptorSets(s->commands, VK_PIPELINE_BIND_POINT_COMPUTE, s->layout, 0, 1, &s->set, 0, NULL);
    s->vk.vkCmdPushConstants(s->commands, s->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof *constants, constants);
    s->vk.vkCmdDispatch(s->commands, wanted < MAX_GROUPS ? wanted : MAX_GROUPS, 1, 1);
    barrier(s, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_ACCESS_TRANSFER_READ_BIT);
    s->vk.vkCmdCopyBuffer(s->commands, s->buffers[COUNTERS], s->buffers[READBACK], 1, &whole);
    barrier(s, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    return check(s->vk.vkEndCommandBuffer(s->commands), "vkEndCommandBuffer");
}

static bool run_batch(simulation *s, const push *constants, uint64_t *counts)
{
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &s->commands};

    if (!record(s, constants) || !check(s->vk.vkResetFences(s->device, 1, &s->fence), "vkResetFences") ||
        !check(s->vk.vkQueueSubmit(s->queue, 1, &submit, s->fence), "vkQueueSubmit") ||
        !check(s->vk.vkWaitForFences(s->device, 1, &s->fence, VK_TRUE, UINT64_MAX), "vkWaitForFences"))
        return false;
    const uint32_t *counted = s->mapped[READBACK];
    for (uint32_t i = 0; i < s->desc.counter_count; i++)
        counts[i] += counted[i];
    return true;
}

int simulation_run(simulation *s, uint32_t stream, uint64_t first, uint64_t samples, uint64_t *counts)
{
    const uint64_t seed = s->a->options.seed;
    /* The device's counters have 32 bits and are read after every batch. */
    const uint64_t most = SIMULATION_MAX_BATCH / s->desc.work;

    for (uint64_t done = 0; done < samples;) {
        const uint64_t left = samples - done, batch = left < s->batch ? left : s->batch, at = first + done;
        const push constants = {{(uint32_t)seed, (uint32_t)(seed >> 32)}, {(uint32_t)at, (uint32_t)(at >> 32)}, (uint32_t)batch, stream};
        const double begin = program_now();
        if (!run_batch(s, &constants, counts))
            return ANALYZE_FAILED;
        const double seconds = (program_now() - begin) * 1e-9;
        s->seconds += seconds;
        done += batch;
        if (seconds < 0.05 && batch == s->batch)
            s->batch *= seconds < 0.02 ? 4 : 2;
        else if (seconds > 0.15 && s->batch >= 2 * SIMULATION_MIN_BATCH)
            s->batch /= 2;
        s->batch = s->batch < most ? s->batch : most;
        s->a->work_done += (double)batch * s->desc.work;
        program_progress(s->a->work_done, s->a->work_total, NULL);
    }
    return ANALYZE_OK;
}

void simulation_expect(analyze *a, double work)
{
    a->work_done = 0;
    a->work_total = work;
}

double simulation_seconds(const simulation *s)
{
    return s->seconds;
}

void analyze_put_rate(analyze *a, const char *things, double count, double seconds)
{
    char about[64];
    analyze_put_value(a, "seconds", seconds, NULL);
    snprintf(about, sizeof about, "\n%s per second", things);
    analyze_put_value(a, "rate", count / seconds, about);
}
