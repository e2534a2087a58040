/* The app's own instance and device. An app that has these already hands them to smoe_context_create as they are. */
#include "device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/output.h"

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"
#define PORTABILITY_ENUMERATION "VK_KHR_portability_enumeration" /* younger than some headers */
#define ENUMERATE_PORTABILITY_BIT 0x1u
#define PORTABILITY_SUBSET "VK_KHR_portability_subset" /* must be enabled where it is listed */

#define NO_DRIVER "no Vulkan driver of this system can show a window"

enum { MAX_DEVICES = 16, MAX_FAMILIES = 16 };

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
fail(window_device *device, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(device->error, sizeof device->error, format, arguments);
    va_end(arguments);
    return false;
}

void window_lock_queue(void *user)
{
    pthread_mutex_lock(&((window_device *)user)->queue_lock);
}

void window_unlock_queue(void *user)
{
    pthread_mutex_unlock(&((window_device *)user)->queue_lock);
}

bool window_check(window_device *device, VkResult result, const char *call)
{
    return result == VK_SUCCESS || fail(device, "%s: VkResult %d", call, (int)result);
}

bool window_submit(window_device *device, VkQueue queue, const VkSubmitInfo *info, VkFence fence)
{
    window_lock_queue(device);
    const VkResult result = vkQueueSubmit(queue, 1, info, fence);
    window_unlock_queue(device);
    return window_check(device, result, "vkQueueSubmit");
}

/* ---- instance ---------------------------------------------------------------------------------------------------- */

static VKAPI_ATTR VkBool32 VKAPI_CALL receive_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                      VkDebugUtilsMessageTypeFlagsEXT types,
                                                      const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    window_device *device = user;
    /* The loader uses the same channel, as "general", to complain about drivers of absent hardware. */
    if (types == VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT)
        return VK_FALSE;
    __atomic_fetch_add(&device->messages, 1, __ATOMIC_RELAXED); /* the loading thread has messages too */
    program_say("smoe-window", "validation %s: %s",
                severity >= VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT ? "error" : "warning", data->pMessage);
    return VK_FALSE;
}

static bool has_layer(const char *name)
{
    VkLayerProperties listed[64];
    uint32_t count = 64;
    if (vkEnumerateInstanceLayerProperties(&count, listed) < 0)
        return false;
    while (count > 0 && strcmp(listed[count - 1].layerName, name) != 0)
        count--;
    return count > 0;
}

/* Whether a device has an extension; with VK_NULL_HANDLE, whether instances do. */
static bool has_extension(VkPhysicalDevice device, const char *name)
{
    VkExtensionProperties *listed = NULL;
    uint32_t count = 0;
    const VkResult counted = device ? vkEnumerateDeviceExtensionProperties(device, NULL, &count, NULL)
                                    : vkEnumerateInstanceExtensionProperties(NULL, &count, NULL);
    if (counted == VK_SUCCESS && count > 0)
        listed = malloc(count * sizeof *listed);
    if (!listed || (device ? vkEnumerateDeviceExtensionProperties(device, NULL, &count, listed)
                           : vkEnumerateInstanceExtensionProperties(NULL, &count, listed)) < 0)
        count = 0;
    while (count > 0 && strcmp(listed[count - 1].extensionName, name) != 0)
        count--;
    free(listed);
    return count > 0;
}

static bool create_instance(window_device *device, bool validate)
{
    static const char *const layer = VALIDATION_LAYER;
    static const VkValidationFeatureEnableEXT synchronization =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = receive_message,
        .pUserData = device};
    const VkValidationFeaturesEXT validation = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                                .pNext = &messenger,
                                                .enabledValidationFeatureCount = 1,
                                                .pEnabledValidationFeatures = &synchronization};
    const char *extensions[8];
    uint32_t count = 0;
    const char **required = glfwGetRequiredInstanceExtensions(&count);
    if (!required || count > 4)
        return fail(device, NO_DRIVER);
    memcpy(extensions, required, count * sizeof *extensions);
    if (validate && !has_layer(VALIDATION_LAYER))
        return fail(device, "--validate: the layer " VALIDATION_LAYER " is not installed");
    if (validate)
        extensions[count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const bool portability = has_extension(VK_NULL_HANDLE, PORTABILITY_ENUMERATION);
    if (portability)
        extensions[count++] = PORTABILITY_ENUMERATION;
    /* A loader of version 1.1 or later takes any version here. */
    device->api_version = VK_API_VERSION_1_3;
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pApplicationName = "smoe-window",
                                           .apiVersion = device->api_version};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = validate ? &validation : NULL,
                                       .flags = portability ? ENUMERATE_PORTABILITY_BIT : 0,
                                       .pApplicationInfo = &application,
                                       .enabledLayerCount = validate,
                                       .ppEnabledLayerNames = &layer,
                                       .enabledExtensionCount = count,
                                       .ppEnabledExtensionNames = extensions};
    const VkResult result = vkCreateInstance(&info, NULL, &device->instance);
    if (result == VK_ERROR_EXTENSION_NOT_PRESENT || result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return fail(device, NO_DRIVER);
    if (!window_check(device, result, "vkCreateInstance"))
        return false;
    volkLoadInstanceOnly(device->instance);
    return !validate ||
           window_check(device, vkCreateDebugUtilsMessengerEXT(device->instance, &messenger, NULL, &device->messenger),
                        "vkCreateDebugUtilsMessengerEXT");
}

/* ---- which device, and which queues ------------------------------------------------------------------------------ */

/* The first family that draws into the window, and the one to compute on: of its own if it can be, so that the device
 * may draw frames while it computes, else the same. False where no family draws. */
static bool find_families(VkPhysicalDevice physical_device, VkSurfaceKHR surface, uint32_t *graphics, uint32_t *other)
{
    VkQueueFamilyProperties families[MAX_FAMILIES];
    uint32_t count = MAX_FAMILIES;
    *graphics = *other = UINT32_MAX;
    vkGetPhysicalDeviceQueueFamilyProperties(physical_device, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        VkBool32 presents = VK_FALSE;
        const bool draws = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        const bool computes = families[i].queueFlags & VK_QUEUE_COMPUTE_BIT;
        if (draws && *graphics == UINT32_MAX &&
            vkGetPhysicalDeviceSurfaceSupportKHR(physical_device, i, surface, &presents) == VK_SUCCESS && presents)
            *graphics = i;
        if (computes && !draws && *other == UINT32_MAX)
            *other = i;
    }
    if (*graphics == UINT32_MAX)
        return false;
    if (*other == UINT32_MAX && (families[*graphics].queueFlags & VK_QUEUE_COMPUTE_BIT))
        *other = *graphics;
    for (uint32_t i = 0; *other == UINT32_MAX && i < count; i++)
        if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)
            *other = i;
    return *other != UINT32_MAX;
}

/* What smoe says of the device, and that it cannot be used where it draws no window. */
static bool describe(window_device *device, VkPhysicalDevice physical_device, smoe_device_info *info)
{
    uint32_t graphics, other;
    if (smoe_physical_device_info(vkGetInstanceProcAddr, device->instance, device->api_version, physical_device, 0,
                                  info) != SMOE_SUCCESS)
        return fail(device, "smoe_physical_device_info failed");
    if (info->usable && (!has_extension(physical_device, VK_KHR_SWAPCHAIN_EXTENSION_NAME) ||
                         !find_families(physical_device, device->surface, &graphics, &other))) {
        info->usable = false;
        snprintf(info->reason, sizeof info->reason, "it has no graphics queue that can show what it draws in a window");
    }
    return true;
}

static bool choose_physical_device(window_device *device, const char *selector)
{
    VkPhysicalDevice devices[MAX_DEVICES];
    smoe_device_info infos[MAX_DEVICES];
    uint32_t count = MAX_DEVICES;
    const VkResult result = vkEnumeratePhysicalDevices(device->instance, &count, devices);
    if (result == VK_ERROR_INITIALIZATION_FAILED || (result == VK_SUCCESS && count == 0))
        return fail(device, "no Vulkan driver of this system finds a device");
    if (result < 0)
        return window_check(device, result, "vkEnumeratePhysicalDevices");
    for (uint32_t i = 0; i < count; i++)
        if (!describe(device, devices[i], &infos[i]))
            return false;
    const uint32_t found = smoe_device_find(infos, count, selector);
    if (found == count && selector)
        return fail(device, "--device: \"%s\" matches no device of %u", selector, count);
    if (found == count || !infos[found].usable)
        return fail(device, "device %s cannot be used: %s", infos[found % count].name, infos[found % count].reason);
    device->physical_device = devices[found];
    device->info = infos[found];
    find_families(device->physical_device, device->surface, &device->graphics_family, &device->compute_family);
    return true;
}

/* ---- device ------------------------------------------------------------------------------------------------------ */

static void choose_extensions(window_device *device)
{
    uint32_t count = 0;
    const char *const *recommended = smoe_recommended_extensions(&count);
    device->extensions[device->extension_count++] = VK_KHR_SWAPCHAIN_EXTENSION_NAME;
    if (has_extension(device->physical_device, PORTABILITY_SUBSET))
        device->extensions[device->extension_count++] = PORTABILITY_SUBSET;
    for (uint32_t i = 0; i < count && device->extension_count < 16; i++)
        if (has_extension(device->physical_device, recommended[i]))
            device->extensions[device->extension_count++] = recommended[i];
}

static bool create_device(window_device *device)
{
    const float priority = 1;
    VkDeviceQueueCreateInfo queues[2];
    const uint32_t families[2] = {device->graphics_family, device->compute_family};
    const uint32_t count = families[0] == families[1] ? 1 : 2;
    for (uint32_t i = 0; i < count; i++)
        queues[i] = (VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                              .queueFamilyIndex = families[i],
                                              .queueCount = 1,
                                              .pQueuePriorities = &priority};
    choose_extensions(device);
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = smoe_capability_features(device->info.capabilities),
                                     .queueCreateInfoCount = count,
                                     .pQueueCreateInfos = queues,
                                     .enabledExtensionCount = device->extension_count,
                                     .ppEnabledExtensionNames = device->extensions};
    if (!window_check(device, vkCreateDevice(device->physical_device, &info, NULL, &device->device), "vkCreateDevice"))
        return false;
    volkLoadDevice(device->device);
    vkGetDeviceQueue(device->device, families[0], 0, &device->graphics);
    vkGetDeviceQueue(device->device, families[1], 0, &device->compute_queue);
    const smoe_device_handles handles = {vkGetInstanceProcAddr, device->instance,      device->physical_device,
                                         device->device,        device->compute_queue, device->compute_family};
    if (!compute_create_on(&device->compute, &handles, &device->info))
        return fail(device, "%s", device->compute.error);
    /* Both families read the results, and one frame reads them several times: they belong to neither. */
    memcpy(device->compute.sharing, families, sizeof families);
    device->compute.sharing_count = count == 2 ? 2 : 0;
    return true;
}

bool window_device_create(window_device *device, GLFWwindow *window, const char *selector, bool validate)
{
    *device = (window_device){.instance = VK_NULL_HANDLE};
    pthread_mutex_init(&device->queue_lock, NULL);
    if (volkInitialize() != VK_SUCCESS || !glfwVulkanSupported())
        return fail(device, "no Vulkan loader on this system");
    return create_instance(device, validate) &&
           window_check(device, glfwCreateWindowSurface(device->instance, window, NULL, &device->surface),
                        "glfwCreateWindowSurface") &&
           choose_physical_device(device, selector) && create_device(device);
}

void window_device_destroy(window_device *device)
{
    compute_destroy(&device->compute);
    if (device->device)
        vkDestroyDevice(device->device, NULL);
    if (device->surface)
        vkDestroySurfaceKHR(device->instance, device->surface, NULL);
    if (device->messenger)
        vkDestroyDebugUtilsMessengerEXT(device->instance, device->messenger, NULL);
    if (device->instance)
        vkDestroyInstance(device->instance, NULL);
    device->device = VK_NULL_HANDLE;
    device->instance = VK_NULL_HANDLE;
}
