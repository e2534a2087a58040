/* Physical devices: listing them, and finding the one that a selector names. */
#include "device_internal.h"

#include <string.h>

#define UUID_DIGITS (2u * VK_UUID_SIZE)

/* An array of *count elements, to be released by the caller; NULL and 0 for none and on failure. */
static smoe_result list_devices(const smoe_helper_instance *instance, uint32_t *count, VkPhysicalDevice **out)
{
    VkPhysicalDevice *devices = NULL;
    VkResult status;
    smoe_result result = SMOE_SUCCESS;

    *count = 0;
    *out = NULL;
    do {
        smoe_host_free(&instance->host, devices);
        devices = NULL;
        status = instance->vkEnumeratePhysicalDevices(instance->handle, count, NULL);
        if (status != VK_SUCCESS || *count == 0)
            break;
        devices = smoe_host_alloc(&instance->host, *count, sizeof *devices);
        if (!devices) {
            *count = 0;
            return smoe_fail(&instance->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no memory for the list of devices");
        }
        status = instance->vkEnumeratePhysicalDevices(instance->handle, count, devices);
    } while (status == VK_INCOMPLETE); /* one came between the two calls */
    /* The loader's answer where drivers are installed and none finds its GPU (github.com/KhronosGroup/Vulkan-Loader,
     * issue 104). */
    if (status == VK_ERROR_INITIALIZATION_FAILED) {
        smoe_inform(&instance->host,
                    "vkEnumeratePhysicalDevices: VK_ERROR_INITIALIZATION_FAILED, taken for no devices");
        status = VK_SUCCESS;
        *count = 0;
    }
    result = smoe_vulkan_check(&instance->host, status, "vkEnumeratePhysicalDevices");
    if (result != SMOE_SUCCESS || *count == 0) {
        smoe_host_free(&instance->host, devices);
        devices = NULL;
        *count = 0;
    }
    *out = devices;
    return result;
}

static smoe_result describe(const smoe_helper_instance *instance, VkPhysicalDevice physical_device,
                            uint32_t masked_capabilities, smoe_device_info *out)
{
    const smoe_result result =
        smoe_physical_device_info(instance->loader.get_instance_proc_addr, instance->handle, instance->api_version,
                                  physical_device, masked_capabilities, out);
    if (result != SMOE_SUCCESS)
        smoe_fail(&instance->host, result, "smoe_physical_device_info failed: %s", smoe_result_text(result));
    return result;
}

smoe_result smoe_device_list(PFN_vkGetInstanceProcAddr get_instance_proc_addr, const smoe_log *log, uint32_t *count,
                             smoe_device_info *infos)
{
    smoe_host host;
    smoe_helper_instance instance;
    VkPhysicalDevice *devices = NULL;
    uint32_t device_count = 0;
    bool no_driver;

    smoe_host_init(&host, NULL, log);
    if (!count)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_list: count must not be NULL");
    const uint32_t capacity = *count;
    *count = 0;
    smoe_result result = smoe_helper_instance_create(&instance, &host, get_instance_proc_addr, false, &no_driver);
    if (result != SMOE_SUCCESS)
        return no_driver ? SMOE_SUCCESS : result;
    result = list_devices(&instance, &device_count, &devices);
    if (infos && device_count > capacity)
        device_count = capacity;
    for (uint32_t i = 0; infos && result == SMOE_SUCCESS && i < device_count; i++)
        result = describe(&instance, devices[i], 0, &infos[i]);
    if (result == SMOE_SUCCESS)
        *count = device_count;
    smoe_host_free(&instance.host, devices);
    smoe_helper_instance_destroy(&instance);
    return result;
}

/* ---- selectors --------------------------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains_ignoring_case(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && lower(text[i]) == lower(part[i]))
            i++;
        if (!part[i])
            return true;
    }
    return false;
}

static int hexadecimal_digit(char c)
{
    c = lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_uuid(const char *text, uint8_t uuid[VK_UUID_SIZE])
{
    if (strlen(text) != UUID_DIGITS)
        return false;
    for (size_t i = 0; i < VK_UUID_SIZE; i++) {
        const int high = hexadecimal_digit(text[2 * i]);
        const int low = hexadecimal_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* An index too large for any list is one all the same: it matches nothing. */
static bool parse_index(const char *text, uint32_t *index)
{
    *index = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        *index = *index < UINT32_MAX / 10 - 1 ? *index * 10 + (uint32_t)(*c - '0') : UINT32_MAX;
    }
    return true;
}

static int rank_of_type(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 3;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 1;
    default: return 2;
    }
}

uint32_t smoe_device_find(const smoe_device_info *infos, uint32_t count, const char *selector)
{
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t found = count, index;

    if (!infos)
        return count;
    if (!selector || !strcmp(selector, "best")) {
        for (uint32_t i = 0; i < count; i++)
            if (infos[i].usable && (found == count || rank_of_type(infos[i].type) > rank_of_type(infos[found].type)))
                found = i;
        return found;
    }
    if (parse_uuid(selector, uuid)) {
        for (uint32_t i = count; i-- > 0;)
            if (!memcmp(infos[i].uuid, uuid, sizeof uuid))
                found = i;
        return found;
    }
    if (parse_index(selector, &index))
        return index < count ? index : count;
    for (uint32_t i = count; i-- > 0;)
        if (contains_ignoring_case(infos[i].name, selector))
            found = i;
    return found;
}

smoe_result smoe_helper_select(const smoe_helper_instance *instance, const char *selector, uint32_t masked_capabilities,
                               VkPhysicalDevice *physical_device, smoe_device_info *info)
{
    VkPhysicalDevice *devices = NULL;
    smoe_device_info *infos = NULL;
    uint32_t count = 0;

    smoe_result result = list_devices(instance, &count, &devices);
    if (result != SMOE_SUCCESS)
        return result;
    if (count == 0)
        return smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE,
                         "smoe_device_create: no Vulkan driver of this system finds a device" SMOE_HELPER_INSTALL);
    infos = smoe_host_alloc(&instance->host, count, sizeof *infos);
    if (!infos)
        result = smoe_fail(&instance->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no memory for the list of devices");
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++)
        result = describe(instance, devices[i], masked_capabilities, &infos[i]);
    if (result == SMOE_SUCCESS) {
        const uint32_t found = smoe_device_find(infos, count, selector);
        if (found == count)
            result = smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "selector: \"%s\" matches no device of %u%s",
                               selector ? selector : "best", count,
                               !selector || !strcmp(selector, "best") ? ": none is usable" : "");
        else if (!infos[found].usable)
            result = smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "selector: device %u (%s) is not usable: %s",
                               found, infos[found].name, infos[found].reason);
        else {
            *physical_device = devices[found];
            *info = infos[found];
        }
    }
    smoe_host_free(&instance->host, infos);
    smoe_host_free(&instance->host, devices);
    return result;
}
