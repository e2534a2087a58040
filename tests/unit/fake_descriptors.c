#include "fake_descriptors.h"

#include <string.h>

fake_descriptors fake_written;

void fake_descriptors_reset(void)
{
    fake_written.count = 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pool(VkDevice device, const VkDescriptorPoolCreateInfo *info,
                                                  const VkAllocationCallbacks *callbacks, VkDescriptorPool *out)
{
    (void)device, (void)info, (void)callbacks;
    *out = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pool(VkDevice device, VkDescriptorPool pool,
                                               const VkAllocationCallbacks *callbacks)
{
    (void)device, (void)pool, (void)callbacks;
}

/* A set that is not null. */
static VKAPI_ATTR VkResult VKAPI_CALL allocate_sets(VkDevice device, const VkDescriptorSetAllocateInfo *info,
                                                    VkDescriptorSet *out)
{
    (void)device;
    for (uint32_t i = 0; i < info->descriptorSetCount; i++)
        memset(&out[i], 1, sizeof out[i]);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL update_sets(VkDevice device, uint32_t count, const VkWriteDescriptorSet *writes,
                                              uint32_t copy_count, const VkCopyDescriptorSet *copies)
{
    (void)device, (void)copy_count, (void)copies;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < writes[i].descriptorCount; j++, fake_written.count++)
            if (fake_written.count < FAKE_MAX_DESCRIPTORS)
                fake_written.buffers[fake_written.count] = writes[i].pBufferInfo[j];
}

PFN_vkVoidFunction fake_descriptor_function(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkCreateDescriptorPool", (PFN_vkVoidFunction)create_pool},
        {"vkDestroyDescriptorPool", (PFN_vkVoidFunction)destroy_pool},
        {"vkAllocateDescriptorSets", (PFN_vkVoidFunction)allocate_sets},
        {"vkUpdateDescriptorSets", (PFN_vkVoidFunction)update_sets},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(name, functions[i].name) == 0)
            return functions[i].function;
    return NULL;
}
