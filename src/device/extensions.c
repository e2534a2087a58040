/* Extensions: listing them, and which ones a device gets. */
#include "device_internal.h"

#include <string.h>

/* In vulkan_beta.h only, which asks for a definition of its own. Among the features that a device with it may lack,
 * only events are of any use to compute, and smoe has none; the others are about images, samplers and drawing. */
#define PORTABILITY_SUBSET "VK_KHR_portability_subset"

smoe_result smoe_helper_extensions_list(const smoe_helper_instance *instance,
                                        PFN_vkEnumerateInstanceExtensionProperties of_loader,
                                        VkPhysicalDevice physical_device, const char *layer, uint32_t *count,
                                        VkExtensionProperties **out)
{
    const char *call =
        physical_device ? "vkEnumerateDeviceExtensionProperties" : "vkEnumerateInstanceExtensionProperties";
    VkExtensionProperties *extensions = NULL;
    VkResult status;

    *count = 0;
    *out = NULL;
    for (;;) {
        status = physical_device
                     ? instance->vkEnumerateDeviceExtensionProperties(physical_device, layer, count, extensions)
                     : of_loader(layer, count, extensions);
        if (status == VK_SUCCESS && (extensions || *count == 0))
            break;
        smoe_host_free(&instance->host, extensions);
        extensions = NULL;
        if (status == VK_INCOMPLETE) /* more came between the two calls */
            continue;
        if (status != VK_SUCCESS) {
            *count = 0;
            return smoe_vulkan_check(&instance->host, status, call);
        }
        extensions = smoe_host_alloc(&instance->host, *count, sizeof *extensions);
        if (!extensions) {
            *count = 0;
            return smoe_fail(&instance->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "%s: no memory for the list", call);
        }
    }
    *out = extensions;
    return SMOE_SUCCESS;
}

bool smoe_helper_extension_listed(const VkExtensionProperties *extensions, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(extensions[i].extensionName, name))
            return true;
    return false;
}

smoe_result smoe_helper_extensions_find(const smoe_helper_instance *instance, VkPhysicalDevice physical_device,
                                        uint32_t *count, const char ***out)
{
    VkExtensionProperties *listed = NULL;
    uint32_t listed_count = 0, recommended_count = 0;
    const char *const *recommended = smoe_recommended_extensions(&recommended_count);

    *count = 0;
    *out = NULL;
    smoe_result result = smoe_helper_extensions_list(instance, NULL, physical_device, NULL, &listed_count, &listed);
    if (result != SMOE_SUCCESS)
        return result;
    const char **names = smoe_host_alloc(&instance->host, recommended_count + 1, sizeof *names);
    if (!names)
        result =
            smoe_fail(&instance->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no memory for the names of device extensions");
    for (uint32_t i = 0; names && i <= recommended_count; i++) {
        /* The specification demands the last one where it is listed. */
        const char *name = i < recommended_count ? recommended[i] : PORTABILITY_SUBSET;
        if (smoe_helper_extension_listed(listed, listed_count, name))
            names[(*count)++] = name;
    }
    smoe_host_free(&instance->host, listed);
    *out = names;
    return result;
}
