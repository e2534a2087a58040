#include "pipeline.h"

static VkResult create_module(const smoe_pipeline_device *device, const smoe_pipeline_desc *desc, VkShaderModule *out)
{
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = desc->spirv_size,
        .pCode = desc->spirv,
    };
    return device->vk->vkCreateShaderModule(device->handle, &info, NULL, out);
}

/* Full subgroups without a varying size would have exactly subgroupSize lanes. Intel's driver would then compile for 32
 * lanes, even a kernel that has too few registers for them. */
static VkPipelineShaderStageCreateFlags stage_flags(const smoe_pipeline_desc *desc)
{
    VkPipelineShaderStageCreateFlags flags = 0;
    if (desc->full_subgroups)
        flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    if (desc->full_subgroups && !desc->required_subgroup_size)
        flags |= VK_PIPELINE_SHADER_STAGE_CREATE_ALLOW_VARYING_SUBGROUP_SIZE_BIT;
    return flags;
}

static VkResult create_pipeline(const smoe_pipeline_device *device, const smoe_pipeline_desc *desc,
                                VkShaderModule module, VkPipeline *out)
{
    VkSpecializationMapEntry entries[SMOE_PIPELINE_MAX_CONSTANTS];
    for (uint32_t i = 0; i < desc->constant_count; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = 4 * i, .size = 4};
    const VkSpecializationInfo specialization = {
        .mapEntryCount = desc->constant_count,
        .pMapEntries = entries,
        .dataSize = 4 * (size_t)desc->constant_count,
        .pData = desc->constants,
    };
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = desc->required_subgroup_size,
    };
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = desc->required_subgroup_size ? &subgroup : NULL,
                .flags = stage_flags(desc),
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo = &specialization,
            },
        .layout = device->layout,
    };
    return device->vk->vkCreateComputePipelines(device->handle, device->cache, 1, &info, NULL, out);
}

VkResult smoe_pipeline_create(const smoe_pipeline_device *device, const smoe_pipeline_desc *desc, VkPipeline *out,
                              const char **call)
{
    VkShaderModule module;
    *call = "vkCreateShaderModule";
    VkResult result = create_module(device, desc, &module);
    if (result != VK_SUCCESS)
        return result;
    *call = "vkCreateComputePipelines";
    result = create_pipeline(device, desc, module, out);
    device->vk->vkDestroyShaderModule(device->handle, module, NULL);
    return result;
}
