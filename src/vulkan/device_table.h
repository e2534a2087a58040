/* The device's functions that the core calls. */
#ifndef SMOE_VULKAN_DEVICE_TABLE_H
#define SMOE_VULKAN_DEVICE_TABLE_H

#include "base/functions.h"

#define SMOE_DEVICE_FUNCTIONS(FUNCTION)    \
    FUNCTION(vkCreatePipelineCache)        \
    FUNCTION(vkDestroyPipelineCache)       \
    FUNCTION(vkGetPipelineCacheData)       \
    FUNCTION(vkCreateDescriptorSetLayout)  \
    FUNCTION(vkDestroyDescriptorSetLayout) \
    FUNCTION(vkCreatePipelineLayout)       \
    FUNCTION(vkDestroyPipelineLayout)      \
    FUNCTION(vkCreateShaderModule)         \
    FUNCTION(vkDestroyShaderModule)        \
    FUNCTION(vkCreateComputePipelines)     \
    FUNCTION(vkDestroyPipeline)            \
    FUNCTION(vkCreateDescriptorPool)       \
    FUNCTION(vkDestroyDescriptorPool)      \
    FUNCTION(vkAllocateDescriptorSets)     \
    FUNCTION(vkUpdateDescriptorSets)       \
    FUNCTION(vkCmdPipelineBarrier)         \
    FUNCTION(vkCmdBindPipeline)            \
    FUNCTION(vkCmdBindDescriptorSets)      \
    FUNCTION(vkCmdPushConstants)           \
    FUNCTION(vkCmdDispatch)                \
    FUNCTION(vkCmdDispatchIndirect)        \
    FUNCTION(vkCmdWriteTimestamp)

typedef struct smoe_device_table {
    SMOE_DEVICE_FUNCTIONS(SMOE_FUNCTION_MEMBER)
} smoe_device_table;

/* NULL, or the name of a function that the device does not have. */
const char *smoe_device_table_load(PFN_vkGetDeviceProcAddr load, VkDevice object, smoe_device_table *table);

#endif
