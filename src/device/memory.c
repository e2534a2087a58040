/* Buffers in device memory: which memory type each gets. */
#include "base/arithmetic.h"
#include "device_internal.h"

#include <stdio.h>
#include <string.h>

/* Buffers end at a multiple of this, so that shaders may read float16 weights in words of up to four elements. */
#define SIZE_MULTIPLE ((VkDeviceSize)16)

#define NO_TYPE UINT32_MAX

/* Types with properties beyond these need features or uses that smoe does not have (protected, lazily allocated, AMD's
 * uncached). */
#define PLAIN_PROPERTIES                                                                                               \
    (VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |                                       \
     VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT)

/* What a memory type should have. */
typedef struct type_wish {
    VkMemoryPropertyFlags wanted, unwanted;
    VkDeviceSize min_heap; /* bytes */
} type_wish;

/* What memory must have for the host to use it directly; reading what is not cached is many times slower than a
 * copy. */
static VkMemoryPropertyFlags direct_properties(smoe_helper_access access)
{
    static const VkMemoryPropertyFlags properties[] = {
        [SMOE_HELPER_ACCESS_NONE] = 0,
        [SMOE_HELPER_ACCESS_WRITE] = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
        [SMOE_HELPER_ACCESS_READ] = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
        [SMOE_HELPER_ACCESS_STAGING] = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    };
    return properties[access];
}

/* The first of the types, which is the driver's preferred one, that is as wished. */
static uint32_t find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t type_bits, const type_wish *wish)
{
    const VkMemoryPropertyFlags unwanted = wish->unwanted | ~(VkMemoryPropertyFlags)PLAIN_PROPERTIES;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        const VkMemoryType *type = &memory->memoryTypes[i];
        if ((type_bits >> i & 1u) && (type->propertyFlags & wish->wanted) == wish->wanted &&
            !(type->propertyFlags & unwanted) && memory->memoryHeaps[type->heapIndex].size >= wish->min_heap)
            return i;
    }
    return NO_TYPE;
}

/* The best of the types, NO_TYPE where none will do. */
static uint32_t best_type(const smoe_device *device, uint32_t type_bits, smoe_helper_access access)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, direct = direct_properties(access);
    const VkDeviceSize largest = device->info.device_memory_size;
    /* Device memory, and if possible such as the host can use directly: where all of it is visible (a CPU, an
     * integrated GPU, a resizable BAR), not the small window of other discrete GPUs. */
    const type_wish device_wishes[] = {{local | direct, 0, largest}, {local, 0, largest}, {local, 0, 0}, {0, 0, 0}};
    /* Cached for the sake of downloads, and not the device's own memory, of which the host may see a small window
     * only. The specification promises a type for the last one. */
    const type_wish staging_wishes[] = {
        {direct | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, local, 0}, {direct, local, 0}, {direct, 0, 0}};
    const bool staging = access == SMOE_HELPER_ACCESS_STAGING;
    const type_wish *wishes = staging ? staging_wishes : device_wishes;
    const size_t count =
        staging ? sizeof staging_wishes / sizeof *staging_wishes : sizeof device_wishes / sizeof *device_wishes;
    uint32_t type = NO_TYPE;

    for (size_t i = 0; type == NO_TYPE && i < count; i++)
        type = find_type(&device->memory, type_bits, &wishes[i]);
    return type;
}

/* Nobody may ask a heap for more than its size. */
static VkResult try_type(smoe_device *device, uint32_t type, VkDeviceSize size, VkDeviceMemory *out)
{
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = size,
        .memoryTypeIndex = type,
    };
    if (size > device->memory.memoryHeaps[device->memory.memoryTypes[type].heapIndex].size)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return device->table.vkAllocateMemory(device->handle, &info, NULL, out);
}

/* The log's line about an allocation: an error, or a warning about memory that is not of the best type. */
static smoe_result report(const smoe_device *device, const char *name, VkDeviceSize size, VkResult status,
                          uint32_t best, uint32_t taken)
{
    const smoe_host *host = &device->instance.host;
    const unsigned long long bytes = size;
    const VkMemoryType *type = &device->memory.memoryTypes[taken];
    char call[96];

    if (status == VK_SUCCESS && taken != best)
        smoe_warn(host, "%s: no room for %llu bytes in memory of type %u; they are in type %u%s", name, bytes, best,
                  taken, type->propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT ? "" : ", not the device's own");
    snprintf(call, sizeof call, "%s: vkAllocateMemory of %llu bytes", name, bytes);
    return smoe_vulkan_check(host, status, call);
}

/* The types from the best on, each once, until one has room: a full heap is not the end. */
static smoe_result allocate(smoe_device *device, const char *name, const VkMemoryRequirements *needs,
                            smoe_helper_access access, uint32_t *type, VkDeviceMemory *out)
{
    const uint32_t best = *type = best_type(device, needs->memoryTypeBits, access);
    uint32_t left = needs->memoryTypeBits, next;

    if (best == NO_TYPE)
        return smoe_fail(&device->instance.host, SMOE_ERROR_UNSUPPORTED, "%s: no memory type of the device suits it",
                         name);
    VkResult status = try_type(device, best, needs->size, out);
    while (status == VK_ERROR_OUT_OF_DEVICE_MEMORY) {
        left &= ~(1u << *type);
        next = best_type(device, left, access);
        if (next == NO_TYPE)
            break;
        *type = next;
        status = try_type(device, next, needs->size, out);
    }
    return report(device, name, needs->size, status, best, *type);
}

/* Where the host can use the memory directly, it may do so for as long as the buffer lives. */
static smoe_result map_memory(smoe_device *device, VkMemoryPropertyFlags properties, smoe_helper_access access,
                              smoe_helper_buffer *buffer)
{
    const VkMemoryPropertyFlags direct = direct_properties(access);
    void *mapped = NULL;

    if (!direct || (properties & direct) != direct)
        return SMOE_SUCCESS;
    const smoe_result result = smoe_vulkan_check(
        &device->instance.host, device->table.vkMapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &mapped),
        "vkMapMemory");
    if (result == SMOE_SUCCESS) {
        buffer->mapped = mapped;
        buffer->coherent = (properties & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
    }
    return result;
}

/* Memory for a created buffer. On failure the caller destroys the buffer. */
static smoe_result bind_memory(smoe_device *device, const char *name, const VkMemoryRequirements *needs,
                               smoe_helper_access access, smoe_helper_buffer *buffer)
{
    VkDeviceMemory memory = VK_NULL_HANDLE;
    uint32_t type;

    smoe_result result = allocate(device, name, needs, access, &type, &memory);
    if (result != SMOE_SUCCESS)
        return result;
    buffer->memory = memory;
    result = smoe_vulkan_check(&device->instance.host,
                               device->table.vkBindBufferMemory(device->handle, buffer->handle, memory, 0),
                               "vkBindBufferMemory");
    return result == SMOE_SUCCESS ? map_memory(device, device->memory.memoryTypes[type].propertyFlags, access, buffer)
                                  : result;
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
    static const VkBufferUsageFlags copies[] = {
        [SMOE_HELPER_ACCESS_NONE] = 0,
        [SMOE_HELPER_ACCESS_WRITE] = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        [SMOE_HELPER_ACCESS_READ] = VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
        [SMOE_HELPER_ACCESS_STAGING] = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkMemoryRequirements requirements;

    memset(out, 0, sizeof *out);
    smoe_result result = create_handle(device, name, size, usage | copies[access], out, &requirements);
    if (result == SMOE_SUCCESS)
        result = bind_memory(device, name, &requirements, access, out);
    if (result != SMOE_SUCCESS)
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

static VkMappedMemoryRange whole_range(const smoe_helper_buffer *buffer)
{
    return (VkMappedMemoryRange){
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = buffer->memory,
        .size = VK_WHOLE_SIZE,
    };
}

smoe_result smoe_helper_buffer_flush(smoe_device *device, const smoe_helper_buffer *buffer)
{
    const VkMappedMemoryRange range = whole_range(buffer);
    return buffer->coherent || !buffer->mapped
               ? SMOE_SUCCESS
               : smoe_vulkan_check(&device->instance.host,
                                   device->table.vkFlushMappedMemoryRanges(device->handle, 1, &range),
                                   "vkFlushMappedMemoryRanges");
}

smoe_result smoe_helper_buffer_invalidate(smoe_device *device, const smoe_helper_buffer *buffer)
{
    const VkMappedMemoryRange range = whole_range(buffer);
    return buffer->coherent ? SMOE_SUCCESS
                            : smoe_vulkan_check(&device->instance.host,
                                                device->table.vkInvalidateMappedMemoryRanges(device->handle, 1, &range),
                                                "vkInvalidateMappedMemoryRanges");
}
