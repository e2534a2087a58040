#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool gpu_good(gpu *g, bool good)
{
    if (!good)
        vision_error(g->log, "%s", g->compute.error);
    g->compute.error[0] = '\0'; /* the next one is another: several files share the device */
    return good;
}

static bool fill(gpu *g, const gpu_desc *desc)
{
    VkDescriptorType types[VISION_BINDING_COUNT];
    for (uint32_t i = 0; i < VISION_BINDING_COUNT; i++)
        types[i] =
            i < VISION_BINDING_BUFFERS ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER : VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
    if (!gpu_good(g, compute_create_on(&g->compute, &desc->handles, smoe_context_device_info(desc->context))))
        return false;
    g->compute.lock = desc->lock;
    g->compute.sharing_count = desc->sharing_count;
    memcpy(g->compute.sharing, desc->sharing, sizeof desc->sharing);
    return gpu_good(g, compute_create_layout(&g->compute, types, VISION_BINDING_COUNT, &g->layout));
}

bool gpu_create(const gpu_desc *desc, gpu **out)
{
    gpu *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g)
        return vision_error(desc->log, "out of memory");
    g->context = desc->context;
    g->log = desc->log;
    if (fill(g, desc)) {
        *out = g;
        return true;
    }
    gpu_destroy(g);
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
        g->compute.vk.vkDestroyPipeline(g->compute.device, kernel->pipeline, NULL);
        free(kernel);
    }
    compute_destroy_layout(&g->compute, &g->layout);
    compute_destroy(&g->compute);
    free(g);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void gpu_arena_begin(gpu_arena *arena, const gpu *g)
{
    const VkPhysicalDeviceLimits *limits = &g->compute.limits;
    const VkDeviceSize alignments[] = {limits->minStorageBufferOffsetAlignment, limits->minTexelBufferOffsetAlignment,
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

bool gpu_arena_allocate(gpu *g, gpu_arena *arena, compute_memory kind, const char *what)
{
    const bool made = compute_create_buffer(&g->compute, arena->size, kind, what, &arena->buffer);
    arena->mapped = arena->buffer.mapped;
    return gpu_good(g, made);
}

void gpu_arena_destroy(gpu *g, gpu_arena *arena)
{
    compute_destroy_buffer(&g->compute, &arena->buffer);
    memset(arena, 0, sizeof *arena);
}

smoe_buffer gpu_buffer(const gpu_part *part)
{
    return part->size ? (smoe_buffer){part->arena->buffer.buffer, part->offset, part->size}
                      : (smoe_buffer){VK_NULL_HANDLE, 0, 0};
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
        g->compute.vk.vkCmdCopyBuffer(g->compute.commands, staging->buffer.buffer, part->arena->buffer.buffer, 1,
                                      &region);
        if (!gpu_submit(g))
            return false;
    }
    return true;
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

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
            return vision_error(g->log, "out of memory");
        *kernel = (gpu_kernel){.next = g->kernels, .spirv = spirv, .constants = *constants};
        if (!gpu_good(g, compute_create_pipeline(&g->compute, &g->layout, spirv, size, (const uint32_t *)constants,
                                                 sizeof *constants / sizeof(uint32_t), 0, &kernel->pipeline))) {
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
    const VkBufferViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                         .buffer = part->arena->buffer.buffer, .format = format, .offset = part->offset,
                                         .range = part->size};
    const VkResult result = g->compute.vk.vkCreateBufferView(g->compute.device, &info, NULL, out);
    *out = result == VK_SUCCESS ? *out : VK_NULL_HANDLE; /* Vulkan leaves it undefined */
    return gpu_check(g, result, "vkCreateBufferView");
}

void gpu_write_set(gpu *g, VkDescriptorSet set, const gpu_part parts[VISION_BINDING_BUFFERS],
                   const VkBufferView texels[2])
{
    VkDescriptorBufferInfo buffers[VISION_BINDING_BUFFERS];
    VkWriteDescriptorSet writes[VISION_BINDING_BUFFERS + 1];
    for (uint32_t i = 0; i < VISION_BINDING_BUFFERS; i++) {
        const gpu_part *part = parts[i].size ? &parts[i] : &parts[VISION_BINDING_OUTPUT];
        buffers[i] = (VkDescriptorBufferInfo){part->arena->buffer.buffer, part->offset, part->size};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set,
                                           .dstBinding = i, .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    }
    writes[VISION_BINDING_BUFFERS] = (VkWriteDescriptorSet){/* both: consecutive bindings of one type */
                                                            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                                            .dstSet = set, .dstBinding = VISION_BINDING_INPUT_TEXELS,
                                                            .descriptorCount = 2,
                                                            .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
                                                            .pTexelBufferView = texels};
    g->compute.vk.vkUpdateDescriptorSets(g->compute.device, VISION_BINDING_BUFFERS + (texels != NULL), writes, 0, NULL);
}

bool gpu_check(gpu *g, VkResult result, const char *call)
{
    return gpu_good(g, compute_check(&g->compute, result, call));
}

bool gpu_begin(gpu *g)
{
    return gpu_good(g, compute_begin(&g->compute));
}

bool gpu_submit(gpu *g)
{
    return gpu_good(g, compute_submit(&g->compute));
}
