#include "features.h"

#include <string.h>

const VkPhysicalDeviceFeatures2 *smoe_required_features(void)
{
    static const VkPhysicalDeviceFeatures2 none = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    return &none;
}

const VkPhysicalDeviceFeatures2 *smoe_recommended_features(void)
{
    static const VkPhysicalDeviceSubgroupSizeControlFeatures size_control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
        .subgroupSizeControl = VK_TRUE,
        .computeFullSubgroups = VK_TRUE,
    };
    /* pNext is not a pointer to const in Vulkan, but nothing writes through a features chain that is given as input. */
    static const VkPhysicalDeviceFeatures2 features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = (void *)&size_control,
    };
    return &features;
}

const char *const *smoe_required_extensions(uint32_t *count)
{
    static const char *const none[] = {NULL};
    if (count)
        *count = 0;
    return none;
}

const char *const *smoe_recommended_extensions(uint32_t *count)
{
    static const char *const names[] = {VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME}; /* core in Vulkan 1.3 */
    if (count)
        *count = sizeof names / sizeof names[0];
    return names;
}

bool smoe_extension_listed(const smoe_extension_list *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->properties[i].extensionName, name) == 0)
            return true;
    return false;
}

bool smoe_features_have_size_control(const VkPhysicalDeviceFeatures2 *features)
{
    const VkBaseInStructure *link = (const VkBaseInStructure *)(const void *)features;
    for (; link; link = link->pNext) {
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES) {
            const VkPhysicalDeviceSubgroupSizeControlFeatures *found = (const void *)link;
            if (found->subgroupSizeControl && found->computeFullSubgroups)
                return true;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES) {
            const VkPhysicalDeviceVulkan13Features *found = (const void *)link;
            if (found->subgroupSizeControl && found->computeFullSubgroups)
                return true;
        }
    }
    return false;
}
