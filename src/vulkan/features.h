/* Features and extensions that smoe can use. */
#ifndef SMOE_VULKAN_FEATURES_H
#define SMOE_VULKAN_FEATURES_H

#include "base/host.h"

/* Matrix units at all: those for bfloat16 come only with those for float16. */
#define SMOE_CAPABILITY_MATRICES (SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16)

typedef struct smoe_extension_list {
    VkExtensionProperties *properties;
    uint32_t count;
} smoe_extension_list;

/* Whether an extension is somewhere: in a list, or among those that an app has enabled. */
typedef bool (*smoe_extension_test)(const void *where, const char *name);

bool smoe_extension_listed(const void *list, const char *name); /* a smoe_extension_list */

/* Every SMOE_CAPABILITY_* bit except those that need an extension which is not there, nor in the core of that
 * version. */
uint32_t smoe_extensions_capabilities(uint32_t api_version, smoe_extension_test has, const void *where);

/* The SMOE_CAPABILITY_* bits that want features, as far as a chain as given to vkCreateDevice has all of them. */
uint32_t smoe_features_capabilities(const VkPhysicalDeviceFeatures2 *chain);

/* Whether a chain has vulkanMemoryModel without vulkanMemoryModelDeviceScope: Vulkan then forbids atomics of device
 * scope, also to shaders that do not declare the memory model (VUID-RuntimeSpirv-vulkanMemoryModel-06265). */
bool smoe_features_lack_device_scope(const VkPhysicalDeviceFeatures2 *chain);

#endif
