/* What a compute pipeline is made from. */
#ifndef DRIVERS_PIPELINE_KEY_H
#define DRIVERS_PIPELINE_KEY_H

#include <stdint.h>

#include <vulkan/vulkan.h>

/* A hash of all that decides what the driver makes of it: SPIR-V, the constants that it looks at, subgroup size and
 * flags. */
uint64_t pipeline_key(const VkComputePipelineCreateInfo *info, const VkShaderModuleCreateInfo *module);

/* The subgroup size it requires, 0 for none. */
uint32_t pipeline_subgroup_size(const VkComputePipelineCreateInfo *info);

/* The value given for specialisation constant `id`, 0 for none. */
uint32_t pipeline_constant(const VkComputePipelineCreateInfo *info, uint32_t id);

#endif
