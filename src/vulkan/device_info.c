#include "device_info.h"

#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/text.h"
#include "matrix_shapes.h"
#include "quirks.h"

static smoe_result list_extensions(const smoe_host *host, const smoe_instance_table *table,
                                   VkPhysicalDevice physical_device, smoe_extension_list *out)
{
    VkResult result;
    do {
        smoe_host_free(host, out->properties);
        *out = (smoe_extension_list){NULL, 0};
        result = table->vkEnumerateDeviceExtensionProperties(physical_device, NULL, &out->count, NULL);
        if (result < 0 || out->count == 0)
            break;
        out->properties = smoe_host_alloc(host, out->count, sizeof *out->properties);
        if (!out->properties)
            return smoe_fail(host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "device extensions: no host memory");
        result = table->vkEnumerateDeviceExtensionProperties(physical_device, NULL, &out->count, out->properties);
    } while (result == VK_INCOMPLETE);
    const smoe_result converted = smoe_vulkan_check(host, result, "vkEnumerateDeviceExtensionProperties");
    if (converted != SMOE_SUCCESS) {
        smoe_host_free(host, out->properties);
        *out = (smoe_extension_list){NULL, 0};
    }
    return converted;
}

static void check_usable(const smoe_instance_table *table, VkPhysicalDevice physical_device, smoe_device_info *info)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = sizeof families / sizeof families[0];
    table->vkGetPhysicalDeviceQueueFamilyProperties(physical_device, &count, families);
    bool compute = false;
    bool timestamps = false;
    for (uint32_t i = 0; i < count; i++) {
        if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) {
            compute = true;
            timestamps = timestamps || families[i].timestampValidBits > 0;
        }
    }
    if (!timestamps)
        info->timestamp_period = 0.0f;
    if (!compute) {
        snprintf(info->reason, sizeof info->reason, "no queue family with compute");
        return;
    }
    info->usable = true; /* what follows looks no further where it is not */
    info->usable =
        smoe_device_info_is_consistent(info, info->reason) && smoe_device_info_reaches_floor(info, info->reason);
}

static bool has_subgroups(const VkPhysicalDeviceSubgroupProperties *subgroup)
{
    return (subgroup->supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
           (subgroup->supportedOperations & VK_SUBGROUP_FEATURE_BASIC_BIT);
}

/* Text of a driver, whose array has the same size. Clean, for terminals and JSON: Qualcomm's driverInfo has four
 * lines. */
static void copy_text(char *to, size_t size, const char *from)
{
    memcpy(to, from, size - 1);
    to[size - 1] = '\0';
    smoe_text_clean(to, ' ');
}

static uint32_t subgroup_capabilities(const VkPhysicalDeviceSubgroupProperties *subgroup)
{
    uint32_t capabilities = 0;
    const VkSubgroupFeatureFlags operations = subgroup->supportedOperations;
    if (!has_subgroups(subgroup))
        return 0;
    if (operations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT)
        capabilities |= SMOE_CAPABILITY_SUBGROUP_ARITHMETIC;
    if (operations & VK_SUBGROUP_FEATURE_BALLOT_BIT)
        capabilities |= SMOE_CAPABILITY_SUBGROUP_BALLOT;
    if (operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT)
        capabilities |= SMOE_CAPABILITY_SUBGROUP_SHUFFLE;
    return capabilities;
}

static void fill_limits(const VkPhysicalDeviceProperties *properties, smoe_device_info *out)
{
    const VkPhysicalDeviceLimits *limits = &properties->limits;
    out->max_workgroup_invocations = limits->maxComputeWorkGroupInvocations;
    out->max_workgroup_size_x = limits->maxComputeWorkGroupSize[0];
    memcpy(out->max_workgroup_count, limits->maxComputeWorkGroupCount, sizeof out->max_workgroup_count);
    out->max_shared_memory_size = limits->maxComputeSharedMemorySize;
    out->max_stage_storage_buffers = limits->maxPerStageDescriptorStorageBuffers;
    out->max_storage_buffer_range = limits->maxStorageBufferRange;
    out->min_storage_buffer_offset_alignment = limits->minStorageBufferOffsetAlignment;
    out->timestamp_period = limits->timestampPeriod;
}

static void fill_memory(const smoe_instance_table *table, VkPhysicalDevice physical_device, smoe_device_info *out)
{
    VkPhysicalDeviceMemoryProperties memory;
    table->vkGetPhysicalDeviceMemoryProperties(physical_device, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++) {
        const bool local = (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0;
        if (local && memory.memoryHeaps[i].size > out->device_memory_size)
            out->device_memory_size = memory.memoryHeaps[i].size;
    }
}

/* Whether matrix units can be asked for. Both features that they want besides their extension are core in Vulkan
 * 1.2. */
static bool may_have_matrices(const smoe_instance_table *table, const smoe_device_info *info)
{
    return info->api_version >= VK_API_VERSION_1_2 && table->vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR != NULL;
}

/* The features behind smoe_features_capabilities, of those capabilities that are possible. */
static uint32_t feature_capabilities(const smoe_instance_table *table, VkPhysicalDevice physical_device,
                                     uint32_t possible)
{
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
    VkPhysicalDeviceShaderFloat16Int8Features float16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, .pNext = &float16};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR, .pNext = &memory_model};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    if (possible & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL)
        features.pNext = &size_control;
    if (possible & SMOE_CAPABILITY_COOPERATIVE_MATRIX) {
        float16.pNext = features.pNext;
        features.pNext = &matrix;
    }
    if (possible & SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16) {
        bfloat16.pNext = features.pNext;
        features.pNext = &bfloat16;
    }
    table->vkGetPhysicalDeviceFeatures2(physical_device, &features);
    return smoe_features_capabilities(&features);
}

static bool has_shape(const smoe_device_info *info, smoe_type type)
{
    for (uint32_t i = 0; i < info->matrix_shape_count; i++)
        if (info->matrix_shapes[i].type == type)
            return true;
    return false;
}

/* Lists the shapes, and takes back the capabilities that have none, or not in compute shaders. */
static smoe_result fill_matrices(const smoe_host *host, const smoe_instance_table *table,
                                 VkPhysicalDevice physical_device, smoe_device_info *out)
{
    VkPhysicalDeviceCooperativeMatrixPropertiesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &matrix};
    if (!(out->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX))
        return SMOE_SUCCESS;
    table->vkGetPhysicalDeviceProperties2(physical_device, &properties);
    if (matrix.cooperativeMatrixSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) {
        const smoe_result result = smoe_matrix_shapes_query(host, table, physical_device, out);
        if (result != SMOE_SUCCESS)
            return result;
    }
    if (!has_shape(out, SMOE_TYPE_FLOAT16))
        out->capabilities &=
            ~(uint32_t)SMOE_CAPABILITY_MATRICES;
    if (!has_shape(out, SMOE_TYPE_BFLOAT16))
        out->capabilities &= ~(uint32_t)SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16;
    if (!(out->capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX))
        out->matrix_shape_count = 0;
    return SMOE_SUCCESS;
}

/* Lanes. A driver that lists no size control may run fewer than it reports, and does not tell how few: Intel's, which
 * reports 32, runs 8 (github.com/google/uVkCompute/issues/43). */
static void fill_subgroups(const VkPhysicalDeviceSubgroupProperties *subgroup,
                           const VkPhysicalDeviceSubgroupSizeControlProperties *size_control, smoe_device_info *out)
{
    const bool told = size_control->minSubgroupSize > 0 && size_control->maxSubgroupSize > 0;
    const uint32_t least = smoe_driver_has_one_size(out) ? subgroup->subgroupSize : 1;
    out->subgroup_size = subgroup->subgroupSize;
    out->subgroup_size_min = told ? size_control->minSubgroupSize : least;
    out->subgroup_size_max = told ? size_control->maxSubgroupSize : subgroup->subgroupSize;
}

static smoe_result fill_extended(const smoe_host *host, const smoe_instance_table *table,
                                 VkPhysicalDevice physical_device, const smoe_extension_list *extensions,
                                 bool with_matrices, smoe_device_info *out)
{
    const bool has_driver = out->api_version >= VK_API_VERSION_1_2 ||
                            smoe_extension_listed(extensions, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
    uint32_t possible = smoe_extensions_capabilities(out->api_version, smoe_extension_listed, extensions);

    VkPhysicalDeviceMaintenance3Properties maintenance3 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES,
                                                   .pNext = &maintenance3};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &subgroup};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlProperties size_control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    if (has_driver) {
        driver.pNext = properties.pNext;
        properties.pNext = &driver;
    }
    if (possible & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) {
        size_control.pNext = properties.pNext;
        properties.pNext = &size_control;
    }
    table->vkGetPhysicalDeviceProperties2(physical_device, &properties);

    memcpy(out->uuid, id.deviceUUID, sizeof out->uuid);
    copy_text(out->driver_name, sizeof out->driver_name, driver.driverName);
    copy_text(out->driver_info, sizeof out->driver_info, driver.driverInfo);
    out->driver_id = (uint32_t)driver.driverID;
    out->max_allocation_size = maintenance3.maxMemoryAllocationSize;
    out->capabilities = subgroup_capabilities(&subgroup);
    fill_subgroups(&subgroup, &size_control, out);
    if (!with_matrices || !has_subgroups(&subgroup) || !may_have_matrices(table, out) ||
        (smoe_quirks_masked(out) & SMOE_CAPABILITY_COOPERATIVE_MATRIX))
        possible &= ~(uint32_t)SMOE_CAPABILITY_MATRICES;
    out->capabilities |= feature_capabilities(table, physical_device, possible);
    /* GCN and NVK have size control, yet refuse a required size for compute: requiredSubgroupSizeStages tells. */
    if (!(size_control.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT))
        out->capabilities &= ~(uint32_t)SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL;
    return fill_matrices(host, table, physical_device, out);
}

smoe_result smoe_device_info_query(const smoe_host *host, const smoe_instance_table *table, uint32_t api_version,
                                   VkPhysicalDevice physical_device, bool with_matrices, smoe_device_info *out)
{
    VkPhysicalDeviceProperties properties;
    memset(out, 0, sizeof *out);
    table->vkGetPhysicalDeviceProperties(physical_device, &properties);
    copy_text(out->name, sizeof out->name, properties.deviceName);
    out->vendor_id = properties.vendorID;
    out->device_id = properties.deviceID;
    out->driver_version = properties.driverVersion;
    out->type = properties.deviceType;
    out->api_version = smoe_min_u32(properties.apiVersion, api_version ? api_version : VK_API_VERSION_1_0);
    fill_limits(&properties, out);
    fill_memory(table, physical_device, out);
    if (out->api_version < VK_API_VERSION_1_1 || !table->vkGetPhysicalDeviceProperties2 ||
        !table->vkGetPhysicalDeviceFeatures2) {
        out->timestamp_period = 0.0f;
        snprintf(out->reason, sizeof out->reason,
                 "Vulkan %u.%u under an instance of Vulkan %u.%u, 1.1 is needed of both",
                 VK_API_VERSION_MAJOR(properties.apiVersion), VK_API_VERSION_MINOR(properties.apiVersion),
                 VK_API_VERSION_MAJOR(api_version), VK_API_VERSION_MINOR(api_version));
        return SMOE_SUCCESS;
    }
    smoe_extension_list extensions = {NULL, 0};
    smoe_result result = list_extensions(host, table, physical_device, &extensions);
    if (result != SMOE_SUCCESS)
        return result;
    result = fill_extended(host, table, physical_device, &extensions, with_matrices, out);
    smoe_device_info_mend_subgroups(out);
    check_usable(table, physical_device, out);
    smoe_host_free(host, extensions.properties);
    return result;
}

smoe_result smoe_physical_device_info(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance,
                                      uint32_t api_version, VkPhysicalDevice physical_device,
                                      uint32_t masked_capabilities, smoe_device_info *out)
{
    smoe_host host;
    smoe_instance_table table;
    if (!get_instance_proc_addr || !instance || !physical_device || !out ||
        masked_capabilities & ~(uint32_t)SMOE_CAPABILITY_ALL)
        return SMOE_ERROR_INVALID_ARGUMENT;
    memset(out, 0, sizeof *out);
    smoe_host_init(&host, NULL, NULL);
    smoe_result result = smoe_instance_table_load(&host, get_instance_proc_addr, instance, &table);
    if (result == SMOE_SUCCESS)
        result = smoe_device_info_query(&host, &table, api_version, physical_device,
                                        !(masked_capabilities & SMOE_CAPABILITY_COOPERATIVE_MATRIX), out);
    out->capabilities &= ~masked_capabilities;
    return result;
}
