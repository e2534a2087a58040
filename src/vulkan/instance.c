#include "instance.h"

smoe_result smoe_instance_table_load(const smoe_host *host, PFN_vkGetInstanceProcAddr get, VkInstance instance,
                                     smoe_instance_table *out)
{
    const smoe_instance_table table = {
        (PFN_vkGetPhysicalDeviceProperties)get(instance, "vkGetPhysicalDeviceProperties"),
        (PFN_vkGetPhysicalDeviceProperties2)get(instance, "vkGetPhysicalDeviceProperties2"),
        (PFN_vkGetPhysicalDeviceFeatures2)get(instance, "vkGetPhysicalDeviceFeatures2"),
        (PFN_vkGetPhysicalDeviceMemoryProperties)get(instance, "vkGetPhysicalDeviceMemoryProperties"),
        (PFN_vkGetPhysicalDeviceQueueFamilyProperties)get(instance, "vkGetPhysicalDeviceQueueFamilyProperties"),
        (PFN_vkEnumerateDeviceExtensionProperties)get(instance, "vkEnumerateDeviceExtensionProperties"),
        (PFN_vkGetDeviceProcAddr)get(instance, "vkGetDeviceProcAddr"),
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)get(instance,
                                                                   "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"),
    };
    /* The ...2 functions exist only under a Vulkan 1.1 instance; device_info.c reports their absence as a reason. */
    if (!table.get_properties || !table.get_memory_properties || !table.get_queue_family_properties ||
        !table.enumerate_device_extensions || !table.get_device_proc_addr)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "get_instance_proc_addr: must find the instance functions of Vulkan 1.0 for this instance");
    *out = table;
    return SMOE_SUCCESS;
}
