#define VOLK_IMPLEMENTATION
#include "compute.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
fail(compute *c, const char *format, ...)
{
    va_list arguments;
    if (c->error[0])
        return false;
    va_start(arguments, format);
    vsnprintf(c->error, sizeof c->error, format, arguments);
    va_end(arguments);
    return false;
}

bool compute_check(compute *c, VkResult result, const char *call)
{
    return result == VK_SUCCESS || fail(c, "%s: VkResult %d", call, (int)result);
}

/* What could not be made is nothing that may be destroyed: Vulkan leaves the handle undefined. */
#define MADE(c, result, call, handle) (compute_check(c, result, call) || ((handle) = VK_NULL_HANDLE, false))

static bool create_commands(compute *c, uint32_t queue_family)
{
    const VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL,
                                          VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, queue_family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};

    if (!MADE(c, c->vk.vkCreateCommandPool(c->device, &pool, NULL, &c->command_pool), "vkCreateCommandPool",
              c->command_pool))
        return false;
    const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, c->command_pool,
                                                  VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    return compute_check(c, c->vk.vkAllocateCommandBuffers(c->device, &allocate, &c->commands),
                         "vkAllocateCommandBuffers") &&
           MADE(c, c->vk.vkCreateFence(c->device, &fence, NULL, &c->fence), "vkCreateFence", c->fence);
}

bool compute_create_on(compute *c, const smoe_device_handles *handles, const smoe_device_info *info)
{
    VkPhysicalDeviceProperties properties;
    VkQueueFamilyProperties families[32];
    uint32_t family_count = 32;

    memset(c, 0, sizeof *c);
    if (volkGetLoadedInstance() != handles->instance) {
        volkInitializeCustom(handles->get_instance_proc_addr);
        volkLoadInstanceOnly(handles->instance);
    }
    volkLoadDeviceTable(&c->vk, handles->device);
    c->info = info;
    c->device = handles->device;
    c->queue = handles->queue;
    vkGetPhysicalDeviceProperties(handles->physical_device, &properties);
    c->limits = properties.limits;
    vkGetPhysicalDeviceMemoryProperties(handles->physical_device, &c->memory);
    vkGetPhysicalDeviceQueueFamilyProperties(handles->physical_device, &family_count, families);
    const uint32_t bits = handles->queue_family < family_count ? families[handles->queue_family].timestampValidBits : 0;
    c->timestamp_mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return create_commands(c, handles->queue_family);
}

bool compute_create(compute *c, smoe_device *device)
{
    smoe_device_handles handles;

    memset(c, 0, sizeof *c);
    if (smoe_device_get_handles(device, &handles) != SMOE_SUCCESS)
        return fail(c, "smoe_device_get_handles failed");
    return compute_create_on(c, &handles, smoe_context_device_info(smoe_device_context(device)));
}

void compute_destroy(compute *c)
{
    if (!c->device)
        return;
    c->vk.vkDestroyFence(c->device, c->fence, NULL);
    c->vk.vkDestroyCommandPool(c->device, c->command_pool, NULL);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

enum { LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
       VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT };

/* The first type with all of the wanted properties, in a heap of at least least_heap bytes; UINT32_MAX for none. Types
 * with further properties are for features that the device has not enabled, such as AMD's device-coherent memory. */
static uint32_t find_type(const compute *c, uint32_t bits, VkMemoryPropertyFlags wanted, VkDeviceSize least_heap)
{
    const VkMemoryPropertyFlags unwanted = ~(VkMemoryPropertyFlags)(LOCAL | VISIBLE | CACHED);
    for (uint32_t i = 0; i < c->memory.memoryTypeCount; i++) {
        const VkMemoryType *type = &c->memory.memoryTypes[i];
        if ((bits >> i & 1) && (type->propertyFlags & wanted) == wanted && !(type->propertyFlags & unwanted) &&
            c->memory.memoryHeaps[type->heapIndex].size >= least_heap)
            return i;
    }
    return UINT32_MAX;
}

static uint32_t choose_type(const compute *c, uint32_t bits, compute_memory kind)
{
    /* Discrete GPUs may show the host a small window of their memory: only a heap as large as the largest is all of
     * it. */
    static const struct {
        VkMemoryPropertyFlags flags;
        bool whole;
    } wishes[][3] = {[COMPUTE_LOCAL] = {{LOCAL, false}, {LOCAL, false}, {LOCAL, false}},
                     [COMPUTE_VISIBLE] = {{LOCAL | VISIBLE, true}, {LOCAL, true}, {LOCAL, false}},
                     [COMPUTE_UPLOAD] = {{VISIBLE | LOCAL, false}, {VISIBLE, false}, {VISIBLE, false}},
                     [COMPUTE_HOST] = {{VISIBLE | CACHED, false}, {VISIBLE, false}, {VISIBLE, false}}};
    uint32_t type = UINT32_MAX;
    for (int i = 0; type == UINT32_MAX && i < 3; i++)
        type = find_type(c, bits, wishes[kind][i].flags, wishes[kind][i].whole ? c->info->device_memory_size : 0);
    return type;
}

bool compute_create_buffer(compute *c, VkDeviceSize size, compute_memory kind, const char *what, compute_buffer *out)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = size,
                                     .sharingMode = c->sharing_count > 1 ? VK_SHARING_MODE_CONCURRENT
                                                                         : VK_SHARING_MODE_EXCLUSIVE,
                                     .queueFamilyIndexCount = c->sharing_count,
                                     .pQueueFamilyIndices = c->sharing,
                                     .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                                              VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                                              VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkMemoryRequirements needs;

    *out = (compute_buffer){.size = size};
    if (c->info->max_allocation_size > 0 && size > c->info->max_allocation_size)
        return fail(c, "%s needs %.2f GB at once, more than the device's largest allocation of %.2f", what,
                    (double)size * 1e-9, (double)c->info->max_allocation_size * 1e-9);
    if (!MADE(c, c->vk.vkCreateBuffer(c->device, &info, NULL, &out->buffer), "vkCreateBuffer", out->buffer))
        return false;
    c->vk.vkGetBufferMemoryRequirements(c->device, out->buffer, &needs);
    const uint32_t type = choose_type(c, needs.memoryTypeBits, kind);
    if (type == UINT32_MAX)
        return fail(c, "no memory type of the device suits the %s", what);
    const VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, NULL, needs.size, type};
    const VkResult result = c->vk.vkAllocateMemory(c->device, &allocate, NULL, &out->memory);
    if (result != VK_SUCCESS) {
        out->memory = VK_NULL_HANDLE;
        return fail(c, "%s: vkAllocateMemory of %.2f GB: VkResult %d", what, (double)needs.size * 1e-9, (int)result);
    }
    if (!compute_check(c, c->vk.vkBindBufferMemory(c->device, out->buffer, out->memory, 0), "vkBindBufferMemory"))
        return false;
    return kind == COMPUTE_LOCAL || (c->memory.memoryTypes[type].propertyFlags & VISIBLE) != VISIBLE ||
           compute_check(c, c->vk.vkMapMemory(c->device, out->memory, 0, VK_WHOLE_SIZE, 0, &out->mapped),
                         "vkMapMemory");
}

void compute_destroy_buffer(compute *c, compute_buffer *buffer)
{
    if (buffer->buffer)
        c->vk.vkDestroyBuffer(c->device, buffer->buffer, NULL);
    if (buffer->memory) /* which unmaps it */
        c->vk.vkFreeMemory(c->device, buffer->memory, NULL);
    *buffer = (compute_buffer){.size = 0};
}

/* ---- pipelines --------------------------------------------------------------------------------------------------- */

bool compute_create_layout(compute *c, const VkDescriptorType *types, uint32_t count, compute_layout *out)
{
    VkDescriptorSetLayoutBinding bindings[COMPUTE_MAX_BINDINGS];
    const VkDescriptorSetLayoutCreateInfo set_info = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, NULL, 0,
                                                      count, bindings};
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, COMPUTE_PUSH_SIZE};

    *out = (compute_layout){.count = count};
    for (uint32_t i = 0; i < count; i++) {
        out->types[i] = types[i];
        bindings[i] = (VkDescriptorSetLayoutBinding){i, types[i], 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    }
    if (!MADE(c, c->vk.vkCreateDescriptorSetLayout(c->device, &set_info, NULL, &out->set_layout),
              "vkCreateDescriptorSetLayout", out->set_layout))
        return false;
    const VkPipelineLayoutCreateInfo info = {
        VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &out->set_layout, 1, &push};
    return MADE(c, c->vk.vkCreatePipelineLayout(c->device, &info, NULL, &out->layout), "vkCreatePipelineLayout",
                out->layout);
}

void compute_destroy_layout(compute *c, compute_layout *layout)
{
    if (!c->device)
        return;
    c->vk.vkDestroyPipelineLayout(c->device, layout->layout, NULL);
    c->vk.vkDestroyDescriptorSetLayout(c->device, layout->set_layout, NULL);
}

bool compute_create_pool(compute *c, const compute_layout *layout, uint32_t count, VkDescriptorPool *out)
{
    VkDescriptorPoolSize sizes[COMPUTE_MAX_BINDINGS];
    for (uint32_t i = 0; i < layout->count; i++)
        sizes[i] = (VkDescriptorPoolSize){layout->types[i], count};
    const VkDescriptorPoolCreateInfo info = {
        VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, NULL, 0, count, layout->count, sizes};
    return MADE(c, c->vk.vkCreateDescriptorPool(c->device, &info, NULL, out), "vkCreateDescriptorPool", *out);
}

bool compute_create_set(compute *c, const compute_layout *layout, VkDescriptorPool pool, VkDescriptorSet *out)
{
    const VkDescriptorSetAllocateInfo allocate = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, NULL, pool, 1,
                                                  &layout->set_layout};
    return compute_check(c, c->vk.vkAllocateDescriptorSets(c->device, &allocate, out), "vkAllocateDescriptorSets");
}

void compute_write_set(compute *c, const compute_layout *layout, VkDescriptorSet set, const compute_buffer *buffers)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        const VkDescriptorBufferInfo buffer = {buffers[i].buffer, 0, VK_WHOLE_SIZE};
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set,
                                            .dstBinding = i, .descriptorCount = 1, .descriptorType = layout->types[i],
                                            .pBufferInfo = &buffer};
        c->vk.vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
    }
}

bool compute_create_pipeline(compute *c, const compute_layout *layout, const uint32_t *spirv, size_t size,
                             const uint32_t *constants, uint32_t constant_count, uint32_t lanes, VkPipeline *out)
{
    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = spirv};
    VkSpecializationMapEntry entries[COMPUTE_MAX_CONSTANTS];
    VkShaderModule module;

    for (uint32_t i = 0; i < constant_count; i++)
        entries[i] = (VkSpecializationMapEntry){i, i * (uint32_t)sizeof(uint32_t), sizeof(uint32_t)};
    const VkSpecializationInfo special = {constant_count, entries, constant_count * sizeof(uint32_t), constants};
    if (!compute_check(c, c->vk.vkCreateShaderModule(c->device, &module_info, NULL, &module), "vkCreateShaderModule"))
        return false;
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size_info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = lanes};
    const VkPipelineShaderStageCreateFlags full = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    const VkPipelineShaderStageCreateInfo stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                   .pNext = lanes > 0 ? &size_info : NULL,
                                                   .flags = lanes > 0 ? full : 0,
                                                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module,
                                                   .pName = "main", .pSpecializationInfo = &special};
    const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .stage = stage,
                                              .layout = layout->layout};
    const VkResult result = c->vk.vkCreateComputePipelines(c->device, VK_NULL_HANDLE, 1, &info, NULL, out);
    c->vk.vkDestroyShaderModule(c->device, module, NULL);
    return compute_check(c, result, "vkCreateComputePipelines");
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

bool compute_begin(compute *c)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    /* It may be recording still, where something failed before it was submitted. */
    return compute_check(c, c->vk.vkResetCommandBuffer(c->commands, 0), "vkResetCommandBuffer") &&
           compute_check(c, c->vk.vkBeginCommandBuffer(c->commands, &begin), "vkBeginCommandBuffer");
}

void compute_dispatch(const compute *c, VkCommandBuffer commands, const compute_layout *layout, VkPipeline pipeline,
                      VkDescriptorSet set, const void *push, uint32_t push_size, uint32_t x, uint32_t y, uint32_t z)
{
    c->vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    c->vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout->layout, 0, 1, &set, 0, NULL);
    c->vk.vkCmdPushConstants(commands, layout->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size, push);
    c->vk.vkCmdDispatch(commands, x, y, z);
}

void compute_barrier(const compute *c, VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags written,
                     VkPipelineStageFlags to, VkAccessFlags used)
{
    const VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, written, used};
    c->vk.vkCmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

static void lock_queue(const compute *c)
{
    if (c->lock.lock)
        c->lock.lock(c->lock.user);
}

static void unlock_queue(const compute *c)
{
    if (c->lock.unlock)
        c->lock.unlock(c->lock.user);
}

static bool submit_to_queue(compute *c, const VkSubmitInfo *submit)
{
    lock_queue(c);
    const VkResult result = c->vk.vkQueueSubmit(c->queue, 1, submit, c->fence);
    unlock_queue(c);
    return compute_check(c, result, "vkQueueSubmit");
}

/* Where it fails, what runs may use what the program resets or destroys next. */
static bool wait_for_fence(compute *c)
{
    if (compute_check(c, c->vk.vkWaitForFences(c->device, 1, &c->fence, VK_TRUE, UINT64_MAX), "vkWaitForFences"))
        return true;
    lock_queue(c);
    const VkResult idle = c->vk.vkQueueWaitIdle(c->queue);
    unlock_queue(c);
    compute_check(c, idle, "vkQueueWaitIdle");
    return false;
}

bool compute_submit(compute *c)
{
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &c->commands};
    compute_barrier(c, c->commands, VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                    VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_SHADER_WRITE_BIT,
                    VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                    VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT);
    return compute_check(c, c->vk.vkEndCommandBuffer(c->commands), "vkEndCommandBuffer") &&
           compute_check(c, c->vk.vkResetFences(c->device, 1, &c->fence), "vkResetFences") &&
           submit_to_queue(c, &submit) && wait_for_fence(c);
}

bool compute_create_stamps(compute *c, uint32_t count, VkQueryPool *out)
{
    const VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = count};
    *out = VK_NULL_HANDLE;
    return c->timestamp_mask == 0 ||
           MADE(c, c->vk.vkCreateQueryPool(c->device, &info, NULL, out), "vkCreateQueryPool", *out);
}

void compute_first_stamp(const compute *c, VkCommandBuffer commands, VkQueryPool pool, uint32_t first, uint32_t count)
{
    if (!pool)
        return;
    c->vk.vkCmdResetQueryPool(commands, pool, first, count);
    c->vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, pool, first);
}

void compute_stamp(const compute *c, VkCommandBuffer commands, VkQueryPool pool, uint32_t index)
{
    if (pool)
        c->vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, index);
}

VkResult compute_read_stamps(const compute *c, VkQueryPool pool, uint32_t first, uint32_t count, double *nanoseconds)
{
    uint64_t start = 0, ticks;
    _Static_assert(sizeof ticks == sizeof *nanoseconds, "ticks come where nanoseconds go");
    const VkResult result = c->vk.vkGetQueryPoolResults(c->device, pool, first, count, count * sizeof ticks,
                                                        nanoseconds, sizeof ticks, VK_QUERY_RESULT_64_BIT);
    for (uint32_t i = 0; result == VK_SUCCESS && i < count; i++) {
        memcpy(&ticks, &nanoseconds[i], sizeof ticks);
        start = i == 0 ? ticks : start;
        nanoseconds[i] = (double)((ticks - start) & c->timestamp_mask) * (double)c->info->timestamp_period;
    }
    return result;
}
