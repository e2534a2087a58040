/* The instance-level functions smoe needs, loaded through the app's own vkGetInstanceProcAddr. */
#ifndef SMOE_VULKAN_INSTANCE_H
#define SMOE_VULKAN_INSTANCE_H

#include "base/functions.h"
#include "base/host.h"
#include "cooperative_matrix.h"

/* Every instance has these. */
#define SMOE_INSTANCE_FUNCTIONS(FUNCTION)              \
    FUNCTION(vkEnumerateDeviceExtensionProperties)     \
    FUNCTION(vkGetDeviceProcAddr)                      \
    FUNCTION(vkGetPhysicalDeviceMemoryProperties)      \
    FUNCTION(vkGetPhysicalDeviceProperties)            \
    FUNCTION(vkGetPhysicalDeviceQueueFamilyProperties)

typedef struct smoe_instance_table {
    SMOE_INSTANCE_FUNCTIONS(SMOE_FUNCTION_MEMBER)
    /* NULL under an instance of Vulkan 1.0: device_info.c reports that as a reason */
    PFN_vkGetPhysicalDeviceFeatures2 vkGetPhysicalDeviceFeatures2;
    PFN_vkGetPhysicalDeviceProperties2 vkGetPhysicalDeviceProperties2;
    /* NULL where no device has the extension */
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR;
} smoe_instance_table;

smoe_result smoe_instance_table_load(const smoe_host *host, PFN_vkGetInstanceProcAddr get, VkInstance instance,
                                     smoe_instance_table *out);

#endif
