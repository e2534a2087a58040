#include "pipeline_key.h"

#include <stdbool.h>
#include <string.h>

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t seed, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return seed;
}

/* Whether a shader looks at specialisation constant `id`: those it does not look at make no other pipeline. */
static bool has_constant(const uint32_t *spirv, size_t size, uint32_t id)
{
    enum { HEADER_WORDS = 5, OP_DECORATE = 71, DECORATION_SPEC_ID = 1 };
    for (size_t at = HEADER_WORDS; at < size / 4; at += spirv[at] >> 16) {
        if (spirv[at] >> 16 == 0)
            return true; /* no valid SPIR-V: the driver's business */
        if ((spirv[at] & 0xffff) == OP_DECORATE && spirv[at + 2] == DECORATION_SPEC_ID && spirv[at + 3] == id)
            return true;
    }
    return false;
}

uint32_t pipeline_subgroup_size(const VkComputePipelineCreateInfo *info)
{
    const VkBaseInStructure *link = info->stage.pNext;
    while (link && link->sType != VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO)
        link = link->pNext;
    return link
               ? ((const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo *)(const void *)link)->requiredSubgroupSize
               : 0;
}

uint32_t pipeline_constant(const VkComputePipelineCreateInfo *info, uint32_t id)
{
    const VkSpecializationInfo *constants = info->stage.pSpecializationInfo;
    uint32_t value = 0;
    for (uint32_t i = 0; i < constants->mapEntryCount; i++)
        if (constants->pMapEntries[i].constantID == id)
            memcpy(&value, (const char *)constants->pData + constants->pMapEntries[i].offset, sizeof value);
    return value;
}

uint64_t pipeline_key(const VkComputePipelineCreateInfo *info, const VkShaderModuleCreateInfo *module)
{
    const VkSpecializationInfo *constants = info->stage.pSpecializationInfo;
    const uint32_t asked[2] = {pipeline_subgroup_size(info), info->stage.flags};
    uint64_t key = hash(0xcbf29ce484222325u, asked, sizeof asked);
    key = hash(key, module->pCode, module->codeSize);
    for (uint32_t i = 0; i < constants->mapEntryCount; i++) {
        const VkSpecializationMapEntry *entry = &constants->pMapEntries[i];
        if (!has_constant(module->pCode, module->codeSize, entry->constantID))
            continue;
        key = hash(key, &entry->constantID, sizeof entry->constantID);
        key = hash(key, (const char *)constants->pData + entry->offset, entry->size);
    }
    return key;
}
