#include "descriptors.h"

#include "vulkan/device_info.h"

smoe_result smoe_descriptors_create(const smoe_context *context, VkDescriptorSetLayout layout, uint32_t buffer_count,
                                    uint32_t count, VkDescriptorPool *pool, VkDescriptorSet *sets)
{
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count * buffer_count};
    const VkDescriptorPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = count,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    *pool = VK_NULL_HANDLE;
    smoe_result result =
        smoe_vulkan_check(&context->host, context->vk.vkCreateDescriptorPool(context->device, &info, NULL, pool),
                          "vkCreateDescriptorPool");
    if (result != SMOE_SUCCESS) {
        *pool = VK_NULL_HANDLE;
        return result;
    }
    for (uint32_t i = 0; i < count && result == SMOE_SUCCESS; i++) {
        const VkDescriptorSetAllocateInfo allocate = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = *pool,
            .descriptorSetCount = 1,
            .pSetLayouts = &layout,
        };
        result = smoe_vulkan_check(&context->host,
                                   context->vk.vkAllocateDescriptorSets(context->device, &allocate, &sets[i]),
                                   "vkAllocateDescriptorSets");
    }
    if (result != SMOE_SUCCESS) {
        context->vk.vkDestroyDescriptorPool(context->device, *pool, NULL);
        *pool = VK_NULL_HANDLE;
    }
    return result;
}

void smoe_descriptors_write(const smoe_context *context, VkDescriptorSet set, const VkDescriptorBufferInfo *buffers,
                            uint32_t count)
{
    VkWriteDescriptorSet writes[4];
    for (uint32_t i = 0; i < count; i++)
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &buffers[i],
        };
    context->vk.vkUpdateDescriptorSets(context->device, count, writes, 0, NULL);
}

smoe_result smoe_buffer_check(const smoe_context *context, const char *name, const smoe_buffer *buffer, bool needed,
                              uint64_t size)
{
    const smoe_device_info *info = &context->info;
    if (buffer->buffer == VK_NULL_HANDLE) {
        if (!needed)
            return SMOE_SUCCESS;
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT, "%s.buffer: must not be VK_NULL_HANDLE", name);
    }
    if (buffer->offset % smoe_device_info_offset_alignment(info) != 0)
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT,
                         "%s.offset: %llu, must be a multiple of 4 and of minStorageBufferOffsetAlignment, %llu", name,
                         (unsigned long long)buffer->offset,
                         (unsigned long long)info->min_storage_buffer_offset_alignment);
    if (buffer->offset + buffer->size < buffer->offset && buffer->size != VK_WHOLE_SIZE)
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT, "%s.size: offset + size must not exceed 64 bits",
                         name);
    if (buffer->size < size || buffer->size == VK_WHOLE_SIZE)
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT,
                         "%s.size: %llu bytes, must be at least %llu and not VK_WHOLE_SIZE", name,
                         (unsigned long long)buffer->size, (unsigned long long)size);
    return SMOE_SUCCESS;
}
