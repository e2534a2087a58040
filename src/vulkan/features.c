#include "features.h"

#include <string.h>

#include "cooperative_matrix.h"

/* pNext is not a pointer to const in Vulkan, but nothing writes through a features chain that is given as input. */
#define NEXT(link) .pNext = (void *)&(link)

static const VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16 = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR,
    .shaderBFloat16Type = VK_TRUE,
    .shaderBFloat16CooperativeMatrix = VK_TRUE,
};

#define MATRIX .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR, .cooperativeMatrix = VK_TRUE
/* The device scope is for the atomics of other kernels: Vulkan forbids them where the memory model is enabled without
 * it. */
#define MEMORY_MODEL                                                                                       \
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, .vulkanMemoryModel = VK_TRUE, \
    .vulkanMemoryModelDeviceScope = VK_TRUE
#define FLOAT16 .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, .shaderFloat16 = VK_TRUE
#define SIZE_CONTROL                                                                                           \
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, .subgroupSizeControl = VK_TRUE, \
    .computeFullSubgroups = VK_TRUE
#define FEATURES .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2

/* One chain for each set of capabilities that want features. [0]: matrices of float16, [1]: of bfloat16 too. */
static const VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix[] = {{MATRIX}, {MATRIX, NEXT(bfloat16)}};
static const VkPhysicalDeviceVulkanMemoryModelFeatures memory_model[] = {
    {MEMORY_MODEL, NEXT(matrix[0])}, {MEMORY_MODEL, NEXT(matrix[1])}};
static const VkPhysicalDeviceShaderFloat16Int8Features float16[] = {
    {FLOAT16, NEXT(memory_model[0])}, {FLOAT16, NEXT(memory_model[1])}};
/* [0]: no matrices, [1], [2]: those above. */
static const VkPhysicalDeviceSubgroupSizeControlFeatures size_control[] = {
    {SIZE_CONTROL}, {SIZE_CONTROL, NEXT(float16[0])}, {SIZE_CONTROL, NEXT(float16[1])}};
static const VkPhysicalDeviceFeatures2 features[2][3] = {
    {{FEATURES}, {FEATURES, NEXT(float16[0])}, {FEATURES, NEXT(float16[1])}},
    {{FEATURES, NEXT(size_control[0])}, {FEATURES, NEXT(size_control[1])}, {FEATURES, NEXT(size_control[2])}},
};

const VkPhysicalDeviceFeatures2 *smoe_capability_features(uint32_t capabilities)
{
    const int matrices = !(capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX)            ? 0
                         : !(capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16) ? 1
                                                                                         : 2;
    return &features[(capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0][matrices];
}

const VkPhysicalDeviceFeatures2 *smoe_recommended_features(void)
{
    return smoe_capability_features(SMOE_CAPABILITY_ALL);
}

/* ---- extensions -------------------------------------------------------------------------------------------------- */

enum { SIZE_CONTROL_EXTENSION, MATRIX_EXTENSION, BFLOAT16_EXTENSION, EXTENSION_COUNT };

static const char *const extension_names[EXTENSION_COUNT] = {
    [SIZE_CONTROL_EXTENSION] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME,
    [MATRIX_EXTENSION] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
    [BFLOAT16_EXTENSION] = VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME,
};

static const struct {
    uint32_t capabilities; /* which need it */
    uint32_t core;         /* the version of Vulkan that has it without the extension */
} extensions[EXTENSION_COUNT] = {
    [SIZE_CONTROL_EXTENSION] = {SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL, VK_API_VERSION_1_3},
    [MATRIX_EXTENSION] = {SMOE_CAPABILITY_MATRICES, UINT32_MAX},
    [BFLOAT16_EXTENSION] = {SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16, UINT32_MAX},
};

const char *const *smoe_recommended_extensions(uint32_t *count)
{
    if (count)
        *count = EXTENSION_COUNT;
    return extension_names;
}

uint32_t smoe_extensions_capabilities(uint32_t api_version, smoe_extension_test has, const void *where)
{
    uint32_t capabilities = SMOE_CAPABILITY_ALL;
    for (int i = 0; i < EXTENSION_COUNT; i++)
        if (api_version < extensions[i].core && !has(where, extension_names[i]))
            capabilities &= ~extensions[i].capabilities;
    return capabilities;
}

bool smoe_extension_listed(const void *list, const char *name)
{
    const smoe_extension_list *listed = list;
    for (uint32_t i = 0; i < listed->count; i++)
        if (strcmp(listed->properties[i].extensionName, name) == 0)
            return true;
    return false;
}

/* ---- features in a chain ----------------------------------------------------------------------------------------- */

uint32_t smoe_features_capabilities(const VkPhysicalDeviceFeatures2 *chain)
{
    bool control = false, half = false, model = false, matrices = false, bfloat = false;
    const VkBaseInStructure *link = (const VkBaseInStructure *)(const void *)chain;
    for (; link; link = link->pNext) {
        const void *found = link;
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES) {
            const VkPhysicalDeviceSubgroupSizeControlFeatures *f = found;
            control = control || (f->subgroupSizeControl && f->computeFullSubgroups);
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES) {
            const VkPhysicalDeviceVulkan13Features *f = found;
            control = control || (f->subgroupSizeControl && f->computeFullSubgroups);
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES) {
            const VkPhysicalDeviceVulkan12Features *f = found;
            half = half || f->shaderFloat16;
            model = model || (f->vulkanMemoryModel && f->vulkanMemoryModelDeviceScope);
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES) {
            half = half || ((const VkPhysicalDeviceShaderFloat16Int8Features *)found)->shaderFloat16;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES) {
            const VkPhysicalDeviceVulkanMemoryModelFeatures *f = found;
            model = model || (f->vulkanMemoryModel && f->vulkanMemoryModelDeviceScope);
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR) {
            matrices = matrices || ((const VkPhysicalDeviceCooperativeMatrixFeaturesKHR *)found)->cooperativeMatrix;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR) {
            const VkPhysicalDeviceShaderBfloat16FeaturesKHR *f = found;
            bfloat = bfloat || (f->shaderBFloat16Type && f->shaderBFloat16CooperativeMatrix);
        }
    }
    matrices = matrices && half && model;
    return (control ? SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL : 0u) |
           (matrices ? SMOE_CAPABILITY_COOPERATIVE_MATRIX : 0u) |
           (matrices && bfloat ? SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16 : 0u);
}

bool smoe_features_lack_device_scope(const VkPhysicalDeviceFeatures2 *chain)
{
    const VkBaseInStructure *link = (const VkBaseInStructure *)(const void *)chain;
    bool lacks = false;
    for (; link; link = link->pNext) {
        const void *found = link;
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES) {
            const VkPhysicalDeviceVulkan12Features *f = found;
            lacks = lacks || (f->vulkanMemoryModel && !f->vulkanMemoryModelDeviceScope);
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES) {
            const VkPhysicalDeviceVulkanMemoryModelFeatures *f = found;
            lacks = lacks || (f->vulkanMemoryModel && !f->vulkanMemoryModelDeviceScope);
        }
    }
    return lacks;
}
