#define VOLK_IMPLEMENTATION
#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool gpu_check(VkResult result, const char *call)
{
    return result == VK_SUCCESS || vision_fail("%s: VkResult %d", call, (int)result);
}

static bool create_layouts(gpu *g)
{
    VkDescriptorSetLayoutBinding bindings[VISION_BINDING_COUNT];
    const VkDescriptorSetLayoutCreateInfo set_info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                      .bindingCount = VISION_BINDING_COUNT, .pBindings = bindings};
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 128}; /* Vulkan's floor */

    for (uint32_t i = 0; i < VISION_BINDING_COUNT; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){i, i < VISION_BINDING_BUFFERS ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
                                                                                  : VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
                                                     1, VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    if (!gpu_check(g->vk.vkCreateDescriptorSetLayout(g->device, &set_info, NULL, &g->set_layout), "vkCreateDescriptorSetLayout"))
        return false;
    const VkPipelineLayoutCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, NULL, 0, 1, &g->set_layout, 1, &push};
    return gpu_check(g->vk.vkCreatePipelineLayout(g->device, &info, NULL, &g->layout), "vkCreatePipelineLayout");
}

static bool create_commands(gpu *g, uint32_t queue_family)
{
    const VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, NULL,
                                          VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, queue_family};
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};

    if (!gpu_check(g->vk.vkCreateCommandPool(g->device, &pool, NULL, &g->command_pool), "vkCreateCommandPool"))
        return false;
    const VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, NULL, g->command_pool,
                                                  VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    return gpu_check(g->vk.vkAllocateCommandBuffers(g->device, &allocate, &g->commands), "vkAllocateCommandBuffers") &&
           gpu_check(g->vk.vkCreateFence(g->device, &fence, NULL, &g->fence), "vkCreateFence");
}

static bool fill(gpu *g, smoe_device *device)
{
    smoe_device_handles handles;
    VkPhysicalDeviceProperties properties;
    VkQueueFamilyProperties families[32];
    uint32_t family_count = 32;

    if (smoe_device_get_handles(device, &handles) != SMOE_SUCCESS)
        return vision_fail("smoe_device_get_handles failed");
    volkInitializeCustom(handles.get_instance_proc_addr);
    volkLoadInstanceOnly(handles.instance);
    volkLoadDeviceTable(&g->vk, handles.device);
    g->owner = device;
    g->info = smoe_context_device_info(smoe_device_context(device));
    g->device = handles.device;
    g->queue = handles.queue;
    vkGetPhysicalDeviceProperties(handles.physical_device, &properties);
    g->limits = properties.limits;
    vkGetPhysicalDeviceMemoryProperties(handles.physical_device, &g->memory_properties);
    vkGetPhysicalDeviceQueueFamilyProperties(handles.physical_device, &family_count, families);
    const uint32_t bits = handles.queue_family < family_count ? families[handles.queue_family].timestampValidBits : 0;
    g->timestamp_mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return create_layouts(g) && create_commands(g, handles.queue_family);
}

bool gpu_create(smoe_device *device, gpu **out)
{
    gpu *g = *out = calloc(1, sizeof *g);
    if (!g)
        return vision_fail("out of memory");
    if (fill(g, device))
        return true;
    gpu_destroy(g);
    *out = NULL;
    return false;
}

struct gpu_kernel {
    gpu_kernel *next;
    const uint32_t *spirv;
    gpu_constants constants;
    VkPipeline pipeline;
};

void gpu_destroy(gpu *g)
{
    if (!g)
        return;
    for (gpu_kernel *kernel = g->kernels, *next; kernel; kernel = next) {
        next = kernel->next;
        g->vk.vkDestroyPipeline(g->device, kernel->pipeline, NULL);
        free(kernel);
    }
    if (g->device) {
        g->vk.vkDestroyFence(g->device, g->fence, NULL);
        g->vk.vkDestroyCommandPool(g->device, g->command_pool, NULL);
        g->vk.vkDestroyPipelineLayout(g->device, g->layout, NULL);
        g->vk.vkDestroyDescriptorSetLayout(g->device, g->set_layout, NULL);
    }
    free(g);
}

/* ---- memory -------------------------------------------------------------------------------------------------------- */

void gpu_arena_begin(gpu_arena *arena, const gpu *g)
{
    const VkDeviceSize alignments[] = {g->limits.minStorageBufferOffsetAlignment, g->limits.minTexelBufferOffsetAlignment,
                                       16 /* shaders read four floats at a time */};
    *arena = (gpu_arena){.alignment = 1};
    for (int i = 0; i < 3; i++) /* all are powers of two */
        if (alignments[i] > arena->alignment)
            arena->alignment = alignments[i];
}

gpu_part gpu_arena_take(gpu_arena *arena, VkDeviceSize size)
{
    const gpu_part part = {arena, arena->size, size};
    arena->size += (size + arena->alignment - 1) / arena->alignment * arena->alignment;
    return part;
}

/* The first type with all of the wanted properties, in a heap of at least least_heap bytes; UINT32_MAX for none. */
static uint32_t find_type(const gpu *g, uint32_t bits, VkMemoryPropertyFlags wanted, VkDeviceSize least_heap)
{
    for (uint32_t i = 0; i < g->memory_properties.memoryTypeCount; i++) {
        const VkMemoryType *type = &g->memory_properties.memoryTypes[i];
        if ((bits >> i & 1) && (type->propertyFlags & wanted) == wanted &&
            g->memory_properties.memoryHeaps[type->heapIndex].size >= least_heap)
            return i;
    }
    return UINT32_MAX;
}

static uint32_t choose_type(const gpu *g, uint32_t bits, gpu_memory_kind kind)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    /* Discrete GPUs may show the host a small window of their memory: only a heap as large as the largest is all of it. */
    const struct { VkMemoryPropertyFlags flags; VkDeviceSize heap; } wishes[2][3] = {
        {{local | visible, g->info->device_memory_size}, {local, g->info->device_memory_size}, {local, 0}},
        {{visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, 0}, {visible, 0}, {visible, 0}}};

    for (int i = 0; i < 3; i++) {
        const uint32_t type = find_type(g, bits, wishes[kind == GPU_MEMORY_HOST][i].flags, wishes[kind == GPU_MEMORY_HOST][i].heap);
        if (type != UINT32_MAX)
            return type;
    }
    return UINT32_MAX;
}

bool gpu_arena_allocate(gpu *g, gpu_arena *arena, gpu_memory_kind kind, const char *what)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = arena->size,
                                     .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                                              VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkMemoryRequirements needs;
    void *mapped = NULL;

    if (g->info->max_allocation_size > 0 && info.size > g->info->max_allocation_size)
        return vision_fail("%s needs %.2f GB at once, more than the device's largest allocation of %.2f", what, (double)info.size * 1e-9,
                           (double)g->info->max_allocation_size * 1e-9);
    if (!gpu_check(g->vk.vkCreateBuffer(g->device, &info, NULL, &arena->buffer), "vkCreateBuffer"))
        return false;
    g->vk.vkGetBufferMemoryRequirements(g->device, arena->buffer, &needs);
    const uint32_t type = choose_type(g, needs.memoryTypeBits, kind);
    if (type == UINT32_MAX)
        return vision_fail("no memory type of the device suits the %s", what);
    const VkMemoryAllocateInfo allocate = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, NULL, needs.size, type};
    const VkResult result = g->vk.vkAllocateMemory(g->device, &allocate, NULL, &arena->memory);
    if (result != VK_SUCCESS)
        return vision_fail("%s: vkAllocateMemory of %.2f GB: VkResult %d", what, (double)needs.size * 1e-9, (int)result);
    if (!gpu_check(g->vk.vkBindBufferMemory(g->device, arena->buffer, arena->memory, 0), "vkBindBufferMemory"))
        return false;
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    if ((g->memory_properties.memoryTypes[type].propertyFlags & visible) == visible &&
        !gpu_check(g->vk.vkMapMemory(g->device, arena->memory, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory"))
        return false;
    arena->mapped = mapped;
    return true;
}

void gpu_arena_destroy(gpu *g, gpu_arena *arena)
{
    if (arena->buffer)
        g->vk.vkDestroyBuffer(g->device, arena->buffer, NULL);
    if (arena->memory) /* which unmaps it */
        g->vk.vkFreeMemory(g->device, arena->memory, NULL);
    memset(arena, 0, sizeof *arena);
}

smoe_buffer gpu_buffer(const gpu_part *part)
{
    return part->size ? (smoe_buffer){part->arena->buffer, part->offset, part->size} : (smoe_buffer){VK_NULL_HANDLE, 0, 0};
}

bool gpu_upload(gpu *g, const gpu_arena *staging, const gpu_part *part, const void *data, size_t size)
{
    const unsigned char *from = data;
    if (part->arena->mapped) {
        memcpy(part->arena->mapped + part->offset, data, size);
        return true;
    }
    for (size_t at = 0, now; at < size; at += now) {
        now = size - at < staging->size ? size - at : (size_t)staging->size;
        const VkBufferCopy region = {0, part->offset + at, now};
        memcpy(staging->mapped, from + at, now);
        if (!gpu_begin(g))
            return false;
        g->vk.vkCmdCopyBuffer(g->commands, staging->buffer, part->arena->buffer, 1, &region);
        if (!gpu_submit(g))
            return false;
    }
    return true;
}

/* ---- work ---------------------------------------------------------------------------------------------------------- */

static bool make_pipeline(gpu *g, const uint32_t *spirv, size_t size, const gpu_constants *constants, VkPipeline *out)
{
    static const VkSpecializationMapEntry entries[] = {
        {VISION_ID_WORKGROUP_SIZE, offsetof(gpu_constants, workgroup_size), sizeof(uint32_t)},
        {VISION_ID_HALF, offsetof(gpu_constants, half), sizeof(VkBool32)},
        {VISION_ID_TRANSPOSED, offsetof(gpu_constants, transposed), sizeof(VkBool32)},
        {VISION_ID_TEAM, offsetof(gpu_constants, team), sizeof(uint32_t)}};
    const VkSpecializationInfo special = {sizeof entries / sizeof *entries, entries, sizeof *constants, constants};
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = spirv};
    VkShaderModule module;

    if (!gpu_check(g->vk.vkCreateShaderModule(g->device, &module_info, NULL, &module), "vkCreateShaderModule"))
        return false;
    const VkPipelineShaderStageCreateInfo stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                   .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main",
                                                   .pSpecializationInfo = &special};
    const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .stage = stage, .layout = g->layout};
    const VkResult result = g->vk.vkCreateComputePipelines(g->device, VK_NULL_HANDLE, 1, &info, NULL, out);
    g->vk.vkDestroyShaderModule(g->device, module, NULL);
    return gpu_check(result, "vkCreateComputePipelines");
}

static bool is_kernel(const gpu_kernel *kernel, const uint32_t *spirv, const gpu_constants *constants)
{
    const gpu_constants *own = &kernel->constants;
    return kernel->spirv == spirv && own->workgroup_size == constants->workgroup_size && own->half == constants->half &&
           own->transposed == constants->transposed && own->team == constants->team;
}

bool gpu_pipeline(gpu *g, const uint32_t *spirv, size_t size, const gpu_constants *constants, VkPipeline *out)
{
    gpu_kernel *kernel = g->kernels;
    while (kernel && !is_kernel(kernel, spirv, constants))
        kernel = kernel->next;
    if (!kernel) {
        kernel = calloc(1, sizeof *kernel);
        if (!kernel)
            return vision_fail("out of memory");
        *kernel = (gpu_kernel){.next = g->kernels, .spirv = spirv, .constants = *constants};
        if (!make_pipeline(g, spirv, size, constants, &kernel->pipeline)) {
            free(kernel);
            return false;
        }
        g->kernels = kernel;
    }
    *out = kernel->pipeline;
    return true;
}

bool gpu_view(gpu *g, const gpu_part *part, VkFormat format, VkBufferView *out)
{
    const VkBufferViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO, .buffer = part->arena->buffer,
                                         .format = format, .offset = part->offset, .range = part->size};
    return gpu_check(g->vk.vkCreateBufferView(g->device, &info, NULL, out), "vkCreateBufferView");
}

void gpu_write_set(gpu *g, VkDescriptorSet set, const gpu_part parts[VISION_BINDING_BUFFERS], const VkBufferView texels[2])
{
    VkDescriptorBufferInfo buffers[VISION_BINDING_BUFFERS];
    VkWriteDescriptorSet writes[VISION_BINDING_BUFFERS + 1];
    for (uint32_t i = 0; i < VISION_BINDING_BUFFERS; i++) {
        const gpu_part *part = parts[i].size ? &parts[i] : &parts[VISION_BINDING_OUTPUT];
        buffers[i] = (VkDescriptorBufferInfo){part->arena->buffer, part->offset, part->size};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set, .dstBinding = i,
                                           .descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    }
    writes[VISION_BINDING_BUFFERS] = (VkWriteDescriptorSet){ /* both: consecutive bindings of one type */
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set, .dstBinding = VISION_BINDING_INPUT_TEXELS, .descriptorCount = 2,
        .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, .pTexelBufferView = texels};
    g->vk.vkUpdateDescriptorSets(g->device, VISION_BINDING_BUFFERS + (texels != NULL), writes, 0, NULL);
}

bool gpu_begin(gpu *g)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    return gpu_check(g->vk.vkBeginCommandBuffer(g->commands, &begin), "vkBeginCommandBuffer");
}

static void barrier(gpu *g, VkPipelineStageFlags to, VkAccessFlags access, VkPipelineStageFlags from, VkAccessFlags written)
{
    const VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, NULL, written, access};
    g->vk.vkCmdPipelineBarrier(g->commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

void gpu_barrier(gpu *g)
{
    barrier(g, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT);
}

bool gpu_submit(gpu *g)
{
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &g->commands};
    barrier(g, VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT,
            VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    return gpu_check(g->vk.vkEndCommandBuffer(g->commands), "vkEndCommandBuffer") &&
           gpu_check(g->vk.vkResetFences(g->device, 1, &g->fence), "vkResetFences") &&
           gpu_check(g->vk.vkQueueSubmit(g->queue, 1, &submit, g->fence), "vkQueueSubmit") &&
           gpu_check(g->vk.vkWaitForFences(g->device, 1, &g->fence, VK_TRUE, UINT64_MAX), "vkWaitForFences");
}
