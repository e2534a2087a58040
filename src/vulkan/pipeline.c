#include "pipeline.h"

#include <stdio.h>

#include "call.h"

smoe_result smoe_pipeline_create(const smoe_host *host, const struct VolkDeviceTable *vk, VkDevice device, VkPipelineCache cache,
                                 VkPipelineLayout layout, const smoe_pipeline_desc *desc, VkPipeline *out)
{
    VkSpecializationMapEntry entries[SMOE_PIPELINE_MAX_CONSTANTS];
    *out = VK_NULL_HANDLE;
    for (uint32_t i = 0; i < desc->constant_count; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = 4 * i, .size = 4};

    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = desc->spirv_size,
        .pCode = desc->spirv,
    };
    VkShaderModule module;
    smoe_result result =
        smoe_vulkan_check(host, vk->vkCreateShaderModule(device, &module_info, NULL, &module), "vkCreateShaderModule");
    if (result)
        return result;

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
    /* Full subgroups alone would mean subgroupSize lanes: SIMD32 on Intel, whatever the registers say. */
    VkPipelineShaderStageCreateFlags flags = 0;
    if (desc->full_subgroups)
        flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    if (desc->full_subgroups && !desc->required_subgroup_size)
        flags |= VK_PIPELINE_SHADER_STAGE_CREATE_ALLOW_VARYING_SUBGROUP_SIZE_BIT;
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = desc->required_subgroup_size ? &subgroup : NULL,
                .flags = flags,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo = &specialization,
            },
        .layout = layout,
    };
    char call[96];
    snprintf(call, sizeof call, "vkCreateComputePipelines of %s", desc->name);
    result = smoe_vulkan_check(host, vk->vkCreateComputePipelines(device, cache, 1, &info, NULL, out), call);
    if (result)
        *out = VK_NULL_HANDLE;
    vk->vkDestroyShaderModule(device, module, NULL);
    return result;
}
