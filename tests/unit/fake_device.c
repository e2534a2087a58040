#include "fake_device.h"

#include <stdio.h>
#include <string.h>

#include "fake_descriptors.h"
#include "fake_pipelines.h"

fake_device fake;

static int handle; /* dispatchable handles are pointers that nobody follows here */

void fake_reset(void)
{
    fake = (fake_device){
        .name = "fake",
        .lanes = 32,
        .api_version = VK_API_VERSION_1_3,
        .type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
        .matrix_stages = VK_SHADER_STAGE_COMPUTE_BIT,
        .offset_alignment = 16,
        .buffer_range = 1u << 30,
    };
    fake_list(VK_COMPONENT_TYPE_FLOAT16_KHR, 16, 16, 16);
    fake_list(VK_COMPONENT_TYPE_BFLOAT16_KHR, 16, 16, 16);
}

VkCooperativeMatrixPropertiesKHR *fake_list(VkComponentTypeKHR type, uint32_t rows, uint32_t columns, uint32_t depth)
{
    VkCooperativeMatrixPropertiesKHR *entry = &fake.listed[fake.listed_count++];
    *entry = (VkCooperativeMatrixPropertiesKHR){
        .sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR,
        .MSize = rows,
        .NSize = columns,
        .KSize = depth,
        .AType = type,
        .BType = type,
        .CType = VK_COMPONENT_TYPE_FLOAT32_KHR,
        .ResultType = VK_COMPONENT_TYPE_FLOAT32_KHR,
        .scope = VK_SCOPE_SUBGROUP_KHR,
    };
    return entry;
}

/* ---- the device -------------------------------------------------------------------------------------------------- */

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out)
{
    (void)device;
    *out = (VkPhysicalDeviceProperties){
        .apiVersion = fake.api_version,
        .driverVersion = fake.driver_version,
        .vendorID = fake.vendor_id,
        .deviceType = fake.type,
        .limits = {
            .maxComputeWorkGroupInvocations = 1024,
            .maxComputeWorkGroupSize = {1024, 1024, 64},
            .maxComputeWorkGroupCount = {65535, 65535, 65535},
            .maxComputeSharedMemorySize = 49152,
            .maxPerStageDescriptorStorageBuffers = 64,
            .maxStorageBufferRange = fake.buffer_range,
            .minStorageBufferOffsetAlignment = fake.offset_alignment,
            .timestampPeriod = 1,
        },
    };
    snprintf(out->deviceName, sizeof out->deviceName, "%s", fake.name);
}

static void get_link(VkBaseOutStructure *link)
{
    const VkSubgroupFeatureFlags operations = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT |
                                              VK_SUBGROUP_FEATURE_BALLOT_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES) {
        ((VkPhysicalDeviceDriverProperties *)link)->driverID = (VkDriverId)fake.driver_id;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES) {
        VkPhysicalDeviceSubgroupProperties *subgroup = (VkPhysicalDeviceSubgroupProperties *)link;
        subgroup->subgroupSize = fake.lanes;
        subgroup->supportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
        subgroup->supportedOperations = operations;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES) {
        VkPhysicalDeviceSubgroupSizeControlProperties *control = (VkPhysicalDeviceSubgroupSizeControlProperties *)link;
        control->minSubgroupSize = fake.least_lanes ? fake.least_lanes : fake.lanes;
        control->maxSubgroupSize = fake.lanes;
        control->requiredSubgroupSizeStages = VK_SHADER_STAGE_COMPUTE_BIT;
    } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR) {
        ((VkPhysicalDeviceCooperativeMatrixPropertiesKHR *)link)->cooperativeMatrixSupportedStages = fake.matrix_stages;
    }
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *out)
{
    get_properties(device, &out->properties);
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext)
        get_link(link);
}

/* Every feature that smoe asks for. */
static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *out)
{
    (void)device;
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES) {
            VkPhysicalDeviceSubgroupSizeControlFeatures *control = (VkPhysicalDeviceSubgroupSizeControlFeatures *)link;
            control->subgroupSizeControl = control->computeFullSubgroups = VK_TRUE;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR) {
            VkPhysicalDeviceShaderBfloat16FeaturesKHR *bfloat = (VkPhysicalDeviceShaderBfloat16FeaturesKHR *)link;
            bfloat->shaderBFloat16Type = bfloat->shaderBFloat16CooperativeMatrix = VK_TRUE;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES) {
            ((VkPhysicalDeviceShaderFloat16Int8Features *)link)->shaderFloat16 = VK_TRUE;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES) {
            VkPhysicalDeviceVulkanMemoryModelFeatures *model = (VkPhysicalDeviceVulkanMemoryModelFeatures *)link;
            model->vulkanMemoryModel = model->vulkanMemoryModelDeviceScope = VK_TRUE;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR) {
            ((VkPhysicalDeviceCooperativeMatrixFeaturesKHR *)link)->cooperativeMatrix = VK_TRUE;
        }
    }
}

static VKAPI_ATTR void VKAPI_CALL get_memory_properties(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties *out)
{
    (void)device;
    memset(out, 0, sizeof *out);
}

static VKAPI_ATTR void VKAPI_CALL get_queue_family_properties(VkPhysicalDevice device, uint32_t *count,
                                                              VkQueueFamilyProperties *out)
{
    (void)device;
    *count = 1;
    if (out)
        *out = (VkQueueFamilyProperties){.queueFlags = VK_QUEUE_COMPUTE_BIT, .queueCount = 1, .timestampValidBits = 64};
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_device_extensions(VkPhysicalDevice device, const char *layer,
                                                                  uint32_t *count, VkExtensionProperties *out)
{
    (void)device;
    (void)layer;
    *count = 2;
    if (out) {
        out[0] = (VkExtensionProperties){VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, 2};
        out[1] = (VkExtensionProperties){VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME, 1};
    }
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_matrices(VkPhysicalDevice device, uint32_t *count,
                                                   VkCooperativeMatrixPropertiesKHR *out)
{
    const uint32_t room = *count, less = fake.incomplete > 0 ? 1 : 0;
    (void)device;
    fake.queries++;
    if (!out) {
        *count = fake.listed_count - less;
        return fake.count_result;
    }
    if (fake.fill_result < 0)
        return fake.fill_result;
    *count = room < fake.listed_count ? room : fake.listed_count;
    for (uint32_t i = 0; i < *count; i++) {
        if (out[i].sType != VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR || out[i].pNext)
            /* a real driver follows pNext: AMDVLK crashed there, github.com/iree-org/iree/pull/17023 */
            return VK_ERROR_UNKNOWN;
        out[i] = fake.listed[i];
    }
    fake.incomplete -= less;
    return *count < fake.listed_count ? VK_INCOMPLETE : VK_SUCCESS;
}

/* ---- its functions ----------------------------------------------------------------------------------------------- */

static VKAPI_ATTR VkResult VKAPI_CALL create_cache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                                   const VkAllocationCallbacks *callbacks, VkPipelineCache *out)
{
    (void)device, (void)info, (void)callbacks;
    *out = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_set_layout(VkDevice device, const VkDescriptorSetLayoutCreateInfo *info,
                                                        const VkAllocationCallbacks *callbacks,
                                                        VkDescriptorSetLayout *out)
{
    (void)device, (void)info, (void)callbacks;
    *out = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pipeline_layout(VkDevice device, const VkPipelineLayoutCreateInfo *info,
                                                             const VkAllocationCallbacks *callbacks,
                                                             VkPipelineLayout *out)
{
    (void)device, (void)info, (void)callbacks;
    *out = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_cache(VkDevice device, VkPipelineCache cache,
                                                const VkAllocationCallbacks *callbacks)
{
    (void)device, (void)cache, (void)callbacks;
}

static VKAPI_ATTR void VKAPI_CALL destroy_set_layout(VkDevice device, VkDescriptorSetLayout layout,
                                                     const VkAllocationCallbacks *callbacks)
{
    (void)device, (void)layout, (void)callbacks;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pipeline_layout(VkDevice device, VkPipelineLayout layout,
                                                          const VkAllocationCallbacks *callbacks)
{
    (void)device, (void)layout, (void)callbacks;
}

/* Stands for what a context looks up and does not call. */
static VKAPI_ATTR void VKAPI_CALL never_called(void)
{
}

static PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device, const char *name)
{
    (void)device;
    if (fake.hidden && strcmp(name, fake.hidden) == 0)
        return NULL;
#define FUNCTION(name_, function)  \
    if (strcmp(name, name_) == 0) \
    return (PFN_vkVoidFunction)function
    FUNCTION("vkCreatePipelineCache", create_cache);
    FUNCTION("vkCreateDescriptorSetLayout", create_set_layout);
    FUNCTION("vkCreatePipelineLayout", create_pipeline_layout);
    FUNCTION("vkDestroyPipelineCache", destroy_cache);
    FUNCTION("vkDestroyDescriptorSetLayout", destroy_set_layout);
    FUNCTION("vkDestroyPipelineLayout", destroy_pipeline_layout);
    PFN_vkVoidFunction function = fake_pipeline_function(name);
    function = function ? function : fake_descriptor_function(name);
    return function ? function : (PFN_vkVoidFunction)never_called;
}

PFN_vkVoidFunction VKAPI_CALL fake_get_instance_proc_addr(VkInstance instance, const char *name)
{
    (void)instance;
    if (fake.hidden && strcmp(name, fake.hidden) == 0)
        return NULL;
    FUNCTION("vkGetPhysicalDeviceProperties", get_properties);
    FUNCTION("vkGetPhysicalDeviceProperties2", get_properties2);
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features2);
    FUNCTION("vkGetPhysicalDeviceMemoryProperties", get_memory_properties);
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties", get_queue_family_properties);
    FUNCTION("vkEnumerateDeviceExtensionProperties", enumerate_device_extensions);
    FUNCTION("vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR", get_matrices);
    FUNCTION("vkGetDeviceProcAddr", get_device_proc_addr);
#undef FUNCTION
    return NULL;
}

VkInstance fake_instance(void)
{
    return (VkInstance)(void *)&handle;
}

VkPhysicalDevice fake_physical_device(void)
{
    return (VkPhysicalDevice)(void *)&handle;
}

smoe_context_desc fake_context_desc(void)
{
    static const char *const extensions[] = {VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
                                             VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME};
    return (smoe_context_desc){
        .get_instance_proc_addr = fake_get_instance_proc_addr,
        .instance = fake_instance(),
        .physical_device = fake_physical_device(),
        .device = (VkDevice)(void *)&handle,
        .api_version = VK_API_VERSION_1_3,
        .enabled_features = smoe_recommended_features(),
        .enabled_extensions = extensions,
        .enabled_extension_count = 2,
    };
}
