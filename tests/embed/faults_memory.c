/* The memory of the failing Vulkan: what it looks like, and mappings that need a flush. */
#include "faults_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
#define VISIBLE VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
#define COHERENT VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
#define CACHED VK_MEMORY_PROPERTY_HOST_CACHED_BIT

#define AMDS (LOCAL | VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD)

#define SMALL_HEAP 4096u

/* All types that a device pretends to have are its real type 0. */
static const struct {
    uint32_t count;
    VkMemoryType types[4];
} looks[] = {
    [FAULTS_MEMORY_DISCRETE] = {4, {{LOCAL, 0}, {VISIBLE | COHERENT, 1}, {VISIBLE | COHERENT | CACHED, 1}, {AMDS, 0}}},
    [FAULTS_MEMORY_INCOHERENT] = {2, {{LOCAL | VISIBLE | CACHED, 0}, {VISIBLE | COHERENT, 1}}},
    [FAULTS_MEMORY_SMALL_WINDOW] = {3, {{LOCAL, 0}, {VISIBLE | COHERENT, 1}, {LOCAL | VISIBLE | COHERENT | CACHED, 2}}},
};

static VKAPI_ATTR void VKAPI_CALL get_memory_properties(VkPhysicalDevice physical_device,
                                                        VkPhysicalDeviceMemoryProperties *out)
{
    REAL(vkGetPhysicalDeviceMemoryProperties)(physical_device, out);
    if (faults.memory != FAULTS_MEMORY_AS_IS) {
        const VkDeviceSize size = out->memoryHeaps[out->memoryTypes[0].heapIndex].size;
        *out = (VkPhysicalDeviceMemoryProperties){
            .memoryTypeCount = looks[faults.memory].count,
            .memoryHeapCount = 3,
            .memoryHeaps = {{size, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT},
                            {size, 0},
                            {SMALL_HEAP, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT}},
        };
        memcpy(out->memoryTypes, looks[faults.memory].types, sizeof looks[faults.memory].types);
    }
    faults.type_count = out->memoryTypeCount;
}

static VKAPI_ATTR void VKAPI_CALL get_buffer_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *out)
{
    REAL(vkGetBufferMemoryRequirements)(device, buffer, out);
    if (faults.memory != FAULTS_MEMORY_AS_IS)
        out->memoryTypeBits = (1u << looks[faults.memory].count) - 1;
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice physical_device, VkPhysicalDeviceProperties2 *out)
{
    REAL(vkGetPhysicalDeviceProperties2)(physical_device, out);
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES && faults.allocation_limit)
            ((VkPhysicalDeviceMaintenance3Properties *)(void *)link)->maxMemoryAllocationSize = faults.allocation_limit;
}

/* What the specification forbids to ask for. */
static void check_allocation(const VkMemoryAllocateInfo *info)
{
    const VkMemoryType *type = &looks[faults.memory].types[info->memoryTypeIndex];
    if (type->propertyFlags != AMDS && (type->heapIndex != 2 || info->allocationSize <= SMALL_HEAP))
        return;
    fprintf(stderr, "    faults: %llu bytes of memory type %u, which may not be asked for\n",
            (unsigned long long)info->allocationSize, info->memoryTypeIndex);
    faults.misuse = true;
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                      const VkAllocationCallbacks *callbacks, VkDeviceMemory *out)
{
    VkMemoryAllocateInfo real = *info;

    *out = (VkDeviceMemory)FAULTS_POISON;
    if (faults_fails("vkAllocateMemory"))
        return faults.result;
    if (faults.memory != FAULTS_MEMORY_AS_IS) {
        check_allocation(info);
        real.memoryTypeIndex = 0;
    }
    if (faults.refused_types >> info->memoryTypeIndex & 1)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    const VkResult result = REAL(vkAllocateMemory)(device, &real, callbacks, out);
    faults_born(result, "DeviceMemory", (void *)*out);
    faults_object *made = result == VK_SUCCESS ? faults_find("DeviceMemory", (void *)*out) : NULL;
    if (made) {
        made->size = (size_t)info->allocationSize;
        made->incoherent = faults.memory == FAULTS_MEMORY_INCOHERENT && info->memoryTypeIndex == 0;
    }
    return result;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                              const VkAllocationCallbacks *callbacks)
{
    if (faults_dies("DeviceMemory", (void *)memory))
        REAL(vkFreeMemory)(device, memory, callbacks);
}

static VKAPI_ATTR VkResult VKAPI_CALL map_memory(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                                 VkDeviceSize size, VkMemoryMapFlags flags, void **out)
{
    faults_object *found = faults_find("DeviceMemory", (void *)memory);

    memset(out, 0xba, sizeof *out);
    if (faults_fails("vkMapMemory"))
        return faults.result;
    const VkResult result = REAL(vkMapMemory)(device, memory, offset, size, flags, out);
    if (result == VK_SUCCESS && found && found->incoherent) {
        found->mapped = *out;
        found->shadow = calloc(1, found->size);
        *out = found->shadow;
    }
    return result;
}

/* The whole memory at once: smoe asks for nothing else. */
static void synchronize(const VkMappedMemoryRange *range, bool flush)
{
    const faults_object *found = faults_find("DeviceMemory", (void *)range->memory);

    if (found && found->shadow)
        memcpy(flush ? found->mapped : found->shadow, flush ? found->shadow : found->mapped, found->size);
}

static VKAPI_ATTR VkResult VKAPI_CALL flush_ranges(VkDevice device, uint32_t count, const VkMappedMemoryRange *ranges)
{
    if (faults_fails("vkFlushMappedMemoryRanges"))
        return faults.result;
    for (uint32_t i = 0; i < count; i++)
        synchronize(&ranges[i], true);
    return REAL(vkFlushMappedMemoryRanges)(device, count, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL invalidate_ranges(VkDevice device, uint32_t count,
                                                        const VkMappedMemoryRange *ranges)
{
    if (faults_fails("vkInvalidateMappedMemoryRanges"))
        return faults.result;
    const VkResult result = REAL(vkInvalidateMappedMemoryRanges)(device, count, ranges);
    for (uint32_t i = 0; i < count; i++)
        synchronize(&ranges[i], false);
    return result;
}

bool faults_can_change_memory(VkPhysicalDevice physical_device)
{
    VkPhysicalDeviceMemoryProperties memory;

    REAL(vkGetPhysicalDeviceMemoryProperties)(physical_device, &memory);
    return memory.memoryTypes[0].propertyFlags == (LOCAL | VISIBLE | COHERENT | CACHED);
}

PFN_vkVoidFunction faults_wrapped_memory(const char *name)
{
    static const faults_function functions[] = {
        {"vkGetPhysicalDeviceMemoryProperties", (PFN_vkVoidFunction)get_memory_properties},
        {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)get_properties2},
        {"vkGetBufferMemoryRequirements", (PFN_vkVoidFunction)get_buffer_requirements},
        {"vkAllocateMemory", (PFN_vkVoidFunction)allocate_memory},
        {"vkFreeMemory", (PFN_vkVoidFunction)free_memory},
        {"vkMapMemory", (PFN_vkVoidFunction)map_memory},
        {"vkFlushMappedMemoryRanges", (PFN_vkVoidFunction)flush_ranges},
        {"vkInvalidateMappedMemoryRanges", (PFN_vkVoidFunction)invalidate_ranges},
    };
    return faults_lookup(functions, sizeof functions / sizeof *functions, name);
}
