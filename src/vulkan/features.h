/* Features and extensions that smoe can use. */
#ifndef SMOE_VULKAN_FEATURES_H
#define SMOE_VULKAN_FEATURES_H

#include "base/host.h"

typedef struct smoe_extension_list {
    VkExtensionProperties *properties;
    uint32_t count;
} smoe_extension_list;

bool smoe_extension_listed(const smoe_extension_list *list, const char *name);

/* Whether a chain of enabled features, as given to vkCreateDevice, has subgroup size control with full subgroups for compute. */
bool smoe_features_have_size_control(const VkPhysicalDeviceFeatures2 *features);

#endif
