/* Buffers in device memory, and copies between them and host arrays. */
#include "base/arithmetic.h"
#include "device_internal.h"

#include <stdio.h>
#include <string.h>

/* Bytes per staged copy: large enough that the submissions cost little, small enough for any host-visible heap. */
#define STAGING_SIZE ((VkDeviceSize)16 << 20)

/* Buffers end at a multiple of this, so that shaders may read float16 weights in words of up to four elements. */
#define SIZE_MULTIPLE ((VkDeviceSize)16)

#define NO_TYPE UINT32_MAX

/* Types with properties beyond these need features or uses that smoe does not have (protected, lazily allocated, AMD's
 * uncached). */
#define PLAIN_PROPERTIES                                                                                               \
    (VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |                                       \
     VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

/* The first type, which is the driver's preferred one, with all of the wanted and none of the unwanted properties, in a
 * heap of at least min_heap bytes. */
static uint32_t find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t type_bits,
                          VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags unwanted, VkDeviceSize min_heap)
{
    unwanted |= ~(VkMemoryPropertyFlags)PLAIN_PROPERTIES;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        const VkMemoryType *type = &memory->memoryTypes[i];
        if ((type_bits >> i & 1u) && (type->propertyFlags & wanted) == wanted && !(type->propertyFlags & unwanted) &&
            memory->memoryHeaps[type->heapIndex].size >= min_heap)
            return i;
    }
    return NO_TYPE;
}

/* What memory must have for the host to use it directly; reading what is not cached is many times slower than a
 * copy. */
static VkMemoryPropertyFlags direct_properties(smoe_helper_access access)
{
    VkMemoryPropertyFlags properties = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    if (access == SMOE_HELPER_ACCESS_READ)
        properties |= VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    return access == SMOE_HELPER_ACCESS_NONE ? 0 : properties;
}

/* Device memory, and if possible such as the host can use directly: where all of it is visible (a CPU, an integrated
 * GPU, a resizable BAR), not the small window of other discrete GPUs. */
static uint32_t choose_type(const smoe_device *device, uint32_t type_bits, smoe_helper_access access)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    uint32_t type =
        find_type(&device->memory, type_bits, local | direct_properties(access), 0, device->info.device_memory_size);

    if (type == NO_TYPE)
        type = find_type(&device->memory, type_bits, local, 0, device->info.device_memory_size);
    if (type == NO_TYPE)
        type = find_type(&device->memory, type_bits, local, 0, 0);
    return type == NO_TYPE ? find_type(&device->memory, type_bits, 0, 0, 0) : type;
}

/* Memory for a created buffer, mapped if it has all of map_if, which is not 0. On failure the caller destroys the
 * buffer. */
static smoe_result bind_memory(smoe_device *device, const char *name, uint32_t type, VkDeviceSize size,
                               VkMemoryPropertyFlags map_if, smoe_helper_buffer *buffer)
{
    const smoe_host *host = &device->instance.host;
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = size,
        .memoryTypeIndex = type,
    };
    VkDeviceMemory memory = VK_NULL_HANDLE;
    void *mapped = NULL;
    char call[96];

    snprintf(call, sizeof call, "%s: vkAllocateMemory of %llu bytes", name, (unsigned long long)size);
    smoe_result result =
        smoe_vulkan_check(host, device->table.vkAllocateMemory(device->handle, &info, NULL, &memory), call);
    if (result != SMOE_SUCCESS)
        return result;
    buffer->memory = memory;
    result = smoe_vulkan_check(host, device->table.vkBindBufferMemory(device->handle, buffer->handle, memory, 0),
                               "vkBindBufferMemory");
    const VkMemoryPropertyFlags properties = device->memory.memoryTypes[type].propertyFlags;
    if (result != SMOE_SUCCESS || !map_if || (properties & map_if) != map_if)
        return result;
    result = smoe_vulkan_check(host, device->table.vkMapMemory(device->handle, memory, 0, VK_WHOLE_SIZE, 0, &mapped),
                               "vkMapMemory");
    if (result == SMOE_SUCCESS) {
        buffer->mapped = mapped;
        buffer->coherent = (properties & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
    }
    return result;
}

static smoe_result create_handle(smoe_device *device, const char *name, VkDeviceSize size, VkBufferUsageFlags usage,
                                 smoe_helper_buffer *buffer, VkMemoryRequirements *requirements)
{
    const smoe_host *host = &device->instance.host;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = smoe_align_up(size, SIZE_MULTIPLE),
        .usage = usage,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VkBuffer handle = VK_NULL_HANDLE;

    const uint64_t most = smoe_context_device_info(device->context)->max_allocation_size;
    if (most && info.size > most)
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED,
                         "%s: %llu bytes, more than the device's maxMemoryAllocationSize of %llu", name,
                         (unsigned long long)info.size, (unsigned long long)most);
    const smoe_result result =
        smoe_vulkan_check(host, device->table.vkCreateBuffer(device->handle, &info, NULL, &handle), "vkCreateBuffer");
    if (result != SMOE_SUCCESS)
        return result;
    buffer->handle = handle;
    buffer->size = info.size;
    device->table.vkGetBufferMemoryRequirements(device->handle, handle, requirements);
    return SMOE_SUCCESS;
}

smoe_result smoe_helper_buffer_create(smoe_device *device, const char *name, VkDeviceSize size,
                                      VkBufferUsageFlags usage, smoe_helper_access access, smoe_helper_buffer *out)
{
    VkMemoryRequirements requirements;

    memset(out, 0, sizeof *out);
    if (access != SMOE_HELPER_ACCESS_NONE)
        usage |=
            access == SMOE_HELPER_ACCESS_READ ? VK_BUFFER_USAGE_TRANSFER_SRC_BIT : VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    smoe_result result = create_handle(device, name, size, usage, out, &requirements);
    if (result != SMOE_SUCCESS)
        goto fail;
    const uint32_t type = choose_type(device, requirements.memoryTypeBits, access);
    if (type == NO_TYPE)
        result = smoe_fail(&device->instance.host, SMOE_ERROR_UNSUPPORTED, "%s: no memory type of the device suits it",
                           name);
    else
        result = bind_memory(device, name, type, requirements.size, direct_properties(access), out);
    if (result != SMOE_SUCCESS)
        goto fail;
    return SMOE_SUCCESS;

fail:
    smoe_helper_buffer_destroy(device, out);
    return result;
}

void smoe_helper_buffer_destroy(smoe_device *device, smoe_helper_buffer *buffer)
{
    if (buffer->handle)
        device->table.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    if (buffer->memory) /* which unmaps it */
        device->table.vkFreeMemory(device->handle, buffer->memory, NULL);
    memset(buffer, 0, sizeof *buffer);
}

/* ---- copies ------------------------------------------------------------------------------------------------------ */

/* Cached for the sake of downloads, and not the device's own memory, of which the host may see a small window only. */
static uint32_t choose_staging_type(const smoe_device *device, uint32_t type_bits)
{
    const VkMemoryPropertyFlags visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    uint32_t type = find_type(&device->memory, type_bits, visible | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, local, 0);

    if (type == NO_TYPE)
        type = find_type(&device->memory, type_bits, visible, local, 0);
    /* the specification promises one */
    return type == NO_TYPE ? find_type(&device->memory, type_bits, visible, 0, 0) : type;
}

static smoe_result ensure_staging(smoe_device *device)
{
    const VkBufferUsageFlags usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    smoe_helper_buffer staging = {0};
    VkMemoryRequirements requirements;

    if (device->staging.handle)
        return SMOE_SUCCESS;
    smoe_result result = create_handle(device, "staging buffer", STAGING_SIZE, usage, &staging, &requirements);
    if (result == SMOE_SUCCESS) {
        const uint32_t type = choose_staging_type(device, requirements.memoryTypeBits);
        if (type == NO_TYPE)
            result = smoe_fail(&device->instance.host, SMOE_ERROR_UNSUPPORTED,
                               "the device has no memory that the host can reach");
        else
            result = bind_memory(device, "staging buffer", type, requirements.size, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                 &staging);
    }
    if (result != SMOE_SUCCESS)
        smoe_helper_buffer_destroy(device, &staging);
    device->staging = staging;
    return result;
}

/* Copies between two buffers, and makes the result available to what may follow: shaders and the host. */
static smoe_result copy(smoe_device *device, VkBuffer from, VkDeviceSize from_offset, VkBuffer to,
                        VkDeviceSize to_offset, VkDeviceSize size)
{
    const VkBufferCopy region = {from_offset, to_offset, size};
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_HOST_READ_BIT,
    };
    smoe_result result = smoe_helper_begin(device);
    if (result != SMOE_SUCCESS)
        return result;
    device->table.vkCmdCopyBuffer(device->command_buffer, from, to, 1, &region);
    device->table.vkCmdPipelineBarrier(device->command_buffer, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                       &barrier, 0, NULL, 0, NULL);
    result = smoe_helper_end(device);
    return result == SMOE_SUCCESS ? smoe_helper_submit(device) : result;
}

static VkMappedMemoryRange whole_range(const smoe_helper_buffer *buffer)
{
    return (VkMappedMemoryRange){
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = buffer->memory,
        .size = VK_WHOLE_SIZE,
    };
}

smoe_result smoe_helper_upload(smoe_device *device, smoe_helper_buffer *buffer, smoe_type buffer_type, const void *from,
                               smoe_type from_type, size_t count)
{
    const size_t to_size = (size_t)smoe_type_size(buffer_type, 1);
    const size_t from_size = (size_t)smoe_type_size(from_type, 1);
    const size_t chunk = (size_t)STAGING_SIZE / to_size;

    if (buffer->mapped) {
        const VkMappedMemoryRange range = whole_range(buffer);
        const smoe_result converted = smoe_type_convert(buffer->mapped, buffer_type, from, from_type, count);
        if (converted != SMOE_SUCCESS || buffer->coherent)
            return converted;
        return smoe_vulkan_check(&device->instance.host,
                                 device->table.vkFlushMappedMemoryRanges(device->handle, 1, &range),
                                 "vkFlushMappedMemoryRanges");
    }
    smoe_result result = ensure_staging(device);
    for (size_t at = 0; result == SMOE_SUCCESS && at < count; at += chunk) {
        const size_t now = count - at < chunk ? count - at : chunk;
        result = smoe_type_convert(device->staging.mapped, buffer_type, (const unsigned char *)from + at * from_size,
                                   from_type, now);
        if (result == SMOE_SUCCESS)
            result = copy(device, device->staging.handle, 0, buffer->handle, (VkDeviceSize)at * to_size,
                          (VkDeviceSize)now * to_size);
    }
    return result;
}

smoe_result smoe_helper_download(smoe_device *device, smoe_helper_buffer *buffer, VkDeviceSize offset, void *to,
                                 size_t size)
{
    const size_t chunk = (size_t)STAGING_SIZE;
    smoe_result result = SMOE_SUCCESS;

    if (buffer->mapped) {
        const VkMappedMemoryRange range = whole_range(buffer);
        if (!buffer->coherent)
            result = smoe_vulkan_check(&device->instance.host,
                                       device->table.vkInvalidateMappedMemoryRanges(device->handle, 1, &range),
                                       "vkInvalidateMappedMemoryRanges");
        if (result == SMOE_SUCCESS)
            memcpy(to, buffer->mapped + offset, size);
        return result;
    }
    result = ensure_staging(device);
    for (size_t at = 0; result == SMOE_SUCCESS && at < size; at += chunk) {
        const size_t now = size - at < chunk ? size - at : chunk;
        result = copy(device, buffer->handle, offset + at, device->staging.handle, 0, now);
        if (result == SMOE_SUCCESS)
            memcpy((unsigned char *)to + at, device->staging.mapped, now);
    }
    return result;
}
