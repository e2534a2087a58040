/* A physical device as plain data, and what of it an app's VkDevice has enabled. */
#ifndef SMOE_VULKAN_DEVICE_INFO_H
#define SMOE_VULKAN_DEVICE_INFO_H

#include "features.h"
#include "instance.h"

/* Fills *out; api_version is the instance's. The device's supported capabilities, before enabling and masking. */
smoe_result smoe_device_info_query(const smoe_host *host, const smoe_instance_table *table, uint32_t api_version,
                                   VkPhysicalDevice physical_device, smoe_device_info *out);

#endif
