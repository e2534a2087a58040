/* Pipelines of the failing Vulkan. Compiling is slow, and these tests make the same few pipelines hundreds of times:
 * each is compiled once per device and kept. The accounts have one object for every creation all the same. */
#include "faults_internal.h"

#include <string.h>

#define MAX_KEPT 256u
#define MAX_CONSTANTS 256u

typedef struct kept_module {
    VkDevice device;
    const uint32_t *code; /* embedded in the library: the address says which shader it is */
    VkShaderModule module;
} kept_module;

typedef struct kept_pipeline {
    VkDevice device;
    VkShaderModule module;
    unsigned char constants[MAX_CONSTANTS];
    size_t constants_size;
    VkPipeline pipeline;
} kept_pipeline;

static kept_module modules[MAX_KEPT];
static kept_pipeline pipelines[MAX_KEPT];
static uint32_t module_count, pipeline_count;

static VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkShaderModule *out)
{
    VkResult result = VK_ERROR_TOO_MANY_OBJECTS;
    uint32_t i = 0;

    *out = (VkShaderModule)FAULTS_POISON;
    if (faults_fails("vkCreateShaderModule"))
        return faults.result;
    while (i < module_count && (modules[i].device != device || modules[i].code != info->pCode))
        i++;
    if (i < module_count) {
        *out = modules[i].module;
        return faults_born(VK_SUCCESS, "ShaderModule", (void *)*out);
    }
    if (i < MAX_KEPT)
        result = REAL(vkCreateShaderModule)(device, info, callbacks, out);
    if (result == VK_SUCCESS)
        modules[module_count++] = (kept_module){device, info->pCode, *out};
    return faults_born(result, "ShaderModule", (void *)*out);
}

static VKAPI_ATTR void VKAPI_CALL destroy_module(VkDevice device, VkShaderModule module,
                                                 const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    faults_dies("ShaderModule", (void *)module);
}

static VkResult keep_pipeline(VkDevice device, VkPipelineCache cache, const VkComputePipelineCreateInfo *info,
                              const VkAllocationCallbacks *callbacks, VkPipeline *out)
{
    const VkSpecializationInfo *constants = info->stage.pSpecializationInfo;
    const size_t size = constants ? constants->dataSize : 0;

    for (uint32_t i = 0; i < pipeline_count; i++) {
        const kept_pipeline *kept = &pipelines[i];
        if (kept->device == device && kept->module == info->stage.module && kept->constants_size == size &&
            (size == 0 || !memcmp(kept->constants, constants->pData, size))) {
            *out = kept->pipeline;
            return VK_SUCCESS;
        }
    }
    if (pipeline_count == MAX_KEPT || size > MAX_CONSTANTS)
        return VK_ERROR_TOO_MANY_OBJECTS;
    const VkResult result = REAL(vkCreateComputePipelines)(device, cache, 1, info, callbacks, out);
    if (result == VK_SUCCESS) {
        kept_pipeline *kept = &pipelines[pipeline_count++];
        *kept =
            (kept_pipeline){.device = device, .module = info->stage.module, .constants_size = size, .pipeline = *out};
        if (size > 0)
            memcpy(kept->constants, constants->pData, size);
    }
    return result;
}

/* A failure leaves VK_NULL_HANDLE in the pipelines: that much the specification promises. */
static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                                       const VkComputePipelineCreateInfo *infos,
                                                       const VkAllocationCallbacks *callbacks, VkPipeline *out)
{
    VkResult result = VK_SUCCESS;

    for (uint32_t i = 0; i < count; i++)
        out[i] = VK_NULL_HANDLE;
    if (faults_fails("vkCreateComputePipelines"))
        return faults.result;
    for (uint32_t i = 0; i < count; i++) {
        const VkResult one = keep_pipeline(device, cache, &infos[i], callbacks, &out[i]);
        faults_born(one, "Pipeline", (void *)out[i]);
        result = one == VK_SUCCESS ? result : one;
    }
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pipeline(VkDevice device, VkPipeline pipeline,
                                                   const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)callbacks;
    faults_dies("Pipeline", (void *)pipeline);
}

void faults_drop_pipelines(VkDevice device)
{
    for (uint32_t i = pipeline_count; i-- > 0;) {
        if (pipelines[i].device == device) {
            REAL(vkDestroyPipeline)(device, pipelines[i].pipeline, NULL);
            pipelines[i] = pipelines[--pipeline_count];
        }
    }
    for (uint32_t i = module_count; i-- > 0;) {
        if (modules[i].device == device) {
            REAL(vkDestroyShaderModule)(device, modules[i].module, NULL);
            modules[i] = modules[--module_count];
        }
    }
}

PFN_vkVoidFunction faults_wrapped_pipeline(const char *name)
{
    static const faults_function functions[] = {
        {"vkCreateShaderModule", (PFN_vkVoidFunction)create_module},
        {"vkDestroyShaderModule", (PFN_vkVoidFunction)destroy_module},
        {"vkCreateComputePipelines", (PFN_vkVoidFunction)create_pipelines},
        {"vkDestroyPipeline", (PFN_vkVoidFunction)destroy_pipeline},
    };
    return faults_lookup(functions, sizeof functions / sizeof *functions, name);
}
