/* The device of the peaks: smoe's physical device again, with the features that some peak needs. */
#include "measure.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct chain {
    VkPhysicalDeviceFeatures2 first;
    VkPhysicalDeviceShaderFloat16Int8Features float16_int8;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot_product;
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrices;
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16;
} chain;

/* By their extensions, also where a newer version of Vulkan has taken one in: drivers go on listing it. */
static const struct {
    const char *extension;
    size_t place; /* in the chain; 0: no features */
    VkStructureType type;
    bool of_matrices;
} rows[] = {
    {VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME, offsetof(chain, float16_int8),
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, false},
    {VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME, offsetof(chain, dot_product),
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, false},
    {VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, offsetof(chain, size_control),
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, false},
    {VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME, offsetof(chain, memory_model),
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, true},
    {VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, offsetof(chain, matrices),
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR, true},
    {VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME, offsetof(chain, bfloat16),
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR, true},
    {"VK_KHR_portability_subset", 0, VK_STRUCTURE_TYPE_MAX_ENUM, false}, /* must be enabled where it is listed */
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static VkExtensionProperties *list_extensions(VkPhysicalDevice device, uint32_t *count)
{
    VkExtensionProperties *list = NULL;
    VkResult result;
    do {
        free(list);
        list = NULL;
        result = vkEnumerateDeviceExtensionProperties(device, NULL, count, NULL);
        if (result != VK_SUCCESS)
            break;
        list = malloc((*count + 1) * sizeof *list);
        result = list ? vkEnumerateDeviceExtensionProperties(device, NULL, count, list) : VK_ERROR_OUT_OF_HOST_MEMORY;
    } while (result == VK_INCOMPLETE);
    if (result != VK_SUCCESS)
        *count = 0;
    return list;
}

static bool is_listed(const VkExtensionProperties *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i].extensionName, name) == 0)
            return true;
    return false;
}

/* Links what is listed, and names its extensions. Matrices that smoe leaves alone, for a mask or for a quirk of the
 * driver, are left alone here too. Gives the number of extensions. */
static uint32_t link_listed(VkPhysicalDevice device, const smoe_device_info *info, chain *features,
                            const char *names[ROW_COUNT])
{
    const bool matrices = (info->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX) != 0;
    uint32_t listed_count = 0, count = 0;
    VkExtensionProperties *listed = list_extensions(device, &listed_count);

    memset(features, 0, sizeof *features);
    features->first.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    for (int i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].of_matrices && !matrices) || !is_listed(listed, listed_count, rows[i].extension))
            continue;
        names[count++] = rows[i].extension;
        if (rows[i].place == 0)
            continue;
        VkBaseOutStructure *link = (VkBaseOutStructure *)(void *)((char *)features + rows[i].place);
        link->sType = rows[i].type;
        link->pNext = features->first.pNext;
        features->first.pNext = link;
    }
    free(listed);
    return count;
}

static VkResult create(const peak_device *device, const chain *features, const char *const *names, uint32_t count,
                       VkDevice *out)
{
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = device->handles.queue_family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &features->first,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = count,
                                     .ppEnabledExtensionNames = names};
    return vkCreateDevice(device->handles.physical_device, &info, NULL, out);
}

bool peak_device_create(smoe_device *device, peak_device *out, char reason[BENCH_PEAK_REASON_SIZE])
{
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device));
    const char *names[ROW_COUNT];
    chain features;

    memset(out, 0, sizeof *out);
    if (smoe_device_get_handles(device, &out->handles) != SMOE_SUCCESS) {
        snprintf(reason, BENCH_PEAK_REASON_SIZE, "smoe_device_get_handles failed");
        return false;
    }
    volkInitializeCustom(out->handles.get_instance_proc_addr);
    volkLoadInstanceOnly(out->handles.instance);
    const uint32_t count = link_listed(out->handles.physical_device, info, &features, names);
    vkGetPhysicalDeviceFeatures2(out->handles.physical_device, &features.first);
    /* Checks of every access, which may cost time, are among these: no peak needs any. */
    memset(&features.first.features, 0, sizeof features.first.features);
    features.matrices.cooperativeMatrixRobustBufferAccess = VK_FALSE;
    const VkResult result = create(out, &features, names, count, &out->handles.device);
    if (result != VK_SUCCESS) {
        out->handles.device = VK_NULL_HANDLE;
        snprintf(reason, BENCH_PEAK_REASON_SIZE, "vkCreateDevice: VkResult %d", (int)result);
        return false;
    }
    const PFN_vkGetDeviceQueue get_queue =
        (PFN_vkGetDeviceQueue)vkGetDeviceProcAddr(out->handles.device, "vkGetDeviceQueue");
    get_queue(out->handles.device, out->handles.queue_family, 0, &out->handles.queue);
    out->float16 = features.float16_int8.shaderFloat16;
    out->int8 = features.float16_int8.shaderInt8;
    out->dot_product = features.dot_product.shaderIntegerDotProduct;
    out->size_control = features.size_control.subgroupSizeControl && features.size_control.computeFullSubgroups;
    out->matrices = features.matrices.cooperativeMatrix && features.memory_model.vulkanMemoryModel;
    out->bfloat16 = features.bfloat16.shaderBFloat16Type && features.bfloat16.shaderBFloat16CooperativeMatrix;
    return true;
}

void peak_device_destroy(peak_device *device)
{
    if (!device->handles.device)
        return;
    const PFN_vkDestroyDevice destroy =
        (PFN_vkDestroyDevice)vkGetDeviceProcAddr(device->handles.device, "vkDestroyDevice");
    destroy(device->handles.device, NULL);
    device->handles.device = VK_NULL_HANDLE;
}
