/* The instance-level functions smoe needs, loaded through the app's own vkGetInstanceProcAddr. */
#ifndef SMOE_VULKAN_INSTANCE_H
#define SMOE_VULKAN_INSTANCE_H

#include "base/host.h"
#include "cooperative_matrix.h"

typedef struct smoe_instance_table {
    PFN_vkGetPhysicalDeviceProperties get_properties;
    PFN_vkGetPhysicalDeviceProperties2 get_properties2;
    PFN_vkGetPhysicalDeviceFeatures2 get_features2;
    PFN_vkGetPhysicalDeviceMemoryProperties get_memory_properties;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties get_queue_family_properties;
    PFN_vkEnumerateDeviceExtensionProperties enumerate_device_extensions;
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    /* NULL where no device has the extension */
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR get_cooperative_matrix_properties;
} smoe_instance_table;

smoe_result smoe_instance_table_load(const smoe_host *host, PFN_vkGetInstanceProcAddr get, VkInstance instance,
                                     smoe_instance_table *out);

#endif
