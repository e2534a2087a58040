/* Which of smoe's features and extensions a device gets: smoe.h gives them as data, and this merges them as an app would. */
#include "device_internal.h"

#include <string.h>

/* In vulkan_beta.h only, which asks for a definition of its own. */
#define PORTABILITY_SUBSET "VK_KHR_portability_subset"

/* The size of a feature struct by its type; 0 for one that this file does not know, which is then left out. */
static size_t feature_size(VkStructureType type)
{
    switch ((int)type) {
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES: return sizeof(VkPhysicalDevice16BitStorageFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES: return sizeof(VkPhysicalDevice8BitStorageFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES: return sizeof(VkPhysicalDeviceShaderFloat16Int8Features);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES:
        return sizeof(VkPhysicalDeviceSubgroupSizeControlFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SUBGROUP_EXTENDED_TYPES_FEATURES:
        return sizeof(VkPhysicalDeviceShaderSubgroupExtendedTypesFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES: return sizeof(VkPhysicalDeviceVulkanMemoryModelFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SCALAR_BLOCK_LAYOUT_FEATURES: return sizeof(VkPhysicalDeviceScalarBlockLayoutFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES: return sizeof(VkPhysicalDeviceMaintenance4Features);
    default: return 0;
    }
}

static VkBool32 *flags_of(smoe_helper_feature *feature)
{
    return (VkBool32 *)(void *)((unsigned char *)feature + sizeof(VkBaseOutStructure));
}

static size_t flag_count(const smoe_helper_feature *feature)
{
    return (feature_size(feature->base.sType) - sizeof(VkBaseOutStructure)) / sizeof(VkBool32);
}

/* Appends the wanted structs that are known, each once, to out's links. */
static void collect(smoe_helper_features *out, const VkPhysicalDeviceFeatures2 *wanted)
{
    VkBool32 *core = (VkBool32 *)(void *)&out->head.features;
    const VkBool32 *wanted_core = (const VkBool32 *)(const void *)&wanted->features;
    for (size_t i = 0; i < sizeof out->head.features / sizeof *core; i++)
        core[i] = core[i] || wanted_core[i];

    for (const VkBaseInStructure *link = wanted->pNext; link; link = link->pNext) {
        const size_t size = feature_size(link->sType);
        uint32_t at = 0;
        while (at < out->link_count && out->links[at].base.sType != link->sType)
            at++;
        if (size == 0 || at == SMOE_HELPER_MAX_FEATURES)
            continue;
        if (at == out->link_count) {
            memcpy(&out->links[at], link, size);
            out->link_count++;
            continue;
        }
        const VkBool32 *flags = (const VkBool32 *)(const void *)((const unsigned char *)link + sizeof *link);
        for (size_t i = 0; i < flag_count(&out->links[at]); i++)
            flags_of(&out->links[at])[i] |= flags[i];
    }
}

static void chain(smoe_helper_features *features)
{
    void *next = NULL;
    for (uint32_t i = features->link_count; i-- > 0;) {
        features->links[i].base.pNext = next;
        next = &features->links[i];
    }
    features->head.pNext = next;
}

void smoe_helper_features_find(const smoe_helper_instance *instance, VkPhysicalDevice physical_device, smoe_helper_features *out)
{
    smoe_helper_features reported;

    memset(out, 0, sizeof *out);
    out->head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    collect(out, smoe_required_features());
    collect(out, smoe_recommended_features());

    /* The same structs, all flags off: a driver that does not know a struct leaves it so. */
    memset(&reported, 0, sizeof reported);
    reported.head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    reported.link_count = out->link_count;
    for (uint32_t i = 0; i < out->link_count; i++)
        reported.links[i].base.sType = out->links[i].base.sType;
    chain(&reported);
    instance->GetPhysicalDeviceFeatures2(physical_device, &reported.head);

    VkBool32 *core = (VkBool32 *)(void *)&out->head.features;
    const VkBool32 *reported_core = (const VkBool32 *)(const void *)&reported.head.features;
    for (size_t i = 0; i < sizeof out->head.features / sizeof *core; i++)
        core[i] = core[i] && reported_core[i];

    /* A struct with nothing on is dropped: its extension may not be there, and then it must not be in the chain. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < reported.link_count; i++) {
        bool any = false;
        for (size_t k = 0; k < flag_count(&out->links[i]); k++) {
            flags_of(&out->links[i])[k] &= flags_of(&reported.links[i])[k];
            any = any || flags_of(&out->links[i])[k];
        }
        if (any)
            out->links[kept++] = out->links[i];
    }
    out->link_count = kept;
    chain(out);
}

/* The version that made an extension core, 0 if none. */
static uint32_t core_since(const char *name)
{
    static const struct {
        const char *name;
        uint32_t version;
    } promoted[] = {
        {VK_KHR_16BIT_STORAGE_EXTENSION_NAME, VK_API_VERSION_1_1},
        {VK_KHR_8BIT_STORAGE_EXTENSION_NAME, VK_API_VERSION_1_2},
        {VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME, VK_API_VERSION_1_2},
        {VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME, VK_API_VERSION_1_2},
        {VK_KHR_SHADER_SUBGROUP_EXTENDED_TYPES_EXTENSION_NAME, VK_API_VERSION_1_2},
        {VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME, VK_API_VERSION_1_2},
        {VK_EXT_SCALAR_BLOCK_LAYOUT_EXTENSION_NAME, VK_API_VERSION_1_2},
        {VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, VK_API_VERSION_1_3},
        {VK_KHR_MAINTENANCE_4_EXTENSION_NAME, VK_API_VERSION_1_3},
    };
    for (size_t i = 0; i < sizeof promoted / sizeof *promoted; i++)
        if (!strcmp(promoted[i].name, name))
            return promoted[i].version;
    return 0;
}

smoe_result smoe_helper_extensions_find(const smoe_helper_instance *instance, VkPhysicalDevice physical_device,
                                        uint32_t device_version, uint32_t *count, const char ***out)
{
    VkExtensionProperties *listed = NULL;
    uint32_t listed_count = 0, required_count = 0, recommended_count = 0, found = 0;
    const char *const *required = smoe_required_extensions(&required_count);
    const char *const *recommended = smoe_recommended_extensions(&recommended_count);
    const uint32_t wanted_count = required_count + recommended_count + 1;

    *count = 0;
    *out = NULL;
    smoe_result result = smoe_helper_device_extensions(instance, physical_device, &listed_count, &listed);
    if (result != SMOE_SUCCESS)
        return result;
    const char **names = smoe_helper_allocate_zeroed(&instance->allocator, wanted_count * sizeof *names);
    if (!names)
        result = smoe_helper_fail(&instance->log, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no memory for the list of device extensions");
    for (uint32_t i = 0; names && i < wanted_count; i++) {
        const char *name = PORTABILITY_SUBSET; /* the specification demands it where it is listed */
        if (i < required_count)
            name = required[i];
        else if (i < required_count + recommended_count)
            name = recommended[i - required_count];
        const uint32_t since = core_since(name);
        if (since && device_version >= since)
            continue;
        for (uint32_t k = 0; k < listed_count; k++) {
            if (!strcmp(listed[k].extensionName, name)) {
                names[found++] = name;
                break;
            }
        }
    }
    smoe_helper_release(&instance->allocator, listed);
    *count = names ? found : 0;
    *out = names;
    return result;
}
