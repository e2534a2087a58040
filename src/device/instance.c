/* The instance, and the validation layers' messages. */
#include "device_internal.h"

#include <string.h>

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"
/* Vulkan's own names for these came with headers 1.3.208; Ubuntu 22.04's are older. */
#define PORTABILITY_ENUMERATION "VK_KHR_portability_enumeration"
#define ENUMERATE_PORTABILITY_BIT 0x1u
#define MAX_EXTENSIONS 4u

#ifdef _MSC_VER
long _InterlockedExchangeAdd(long volatile *, long);
#pragma intrinsic(_InterlockedExchangeAdd)
static uint32_t atomic_add(uint32_t *value, uint32_t addend)
{
    return (uint32_t)_InterlockedExchangeAdd((long volatile *)value, (long)addend);
}
#else
static uint32_t atomic_add(uint32_t *value, uint32_t addend)
{
    return __atomic_fetch_add(value, addend, __ATOMIC_RELAXED);
}
#endif

static VKAPI_ATTR VkBool32 VKAPI_CALL receive_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                      VkDebugUtilsMessageTypeFlagsEXT types,
                                                      const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    smoe_helper_instance *instance = user;
    const bool error = severity >= VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    /* The loader uses the same channel, as "general", to complain about drivers of absent hardware: no finding about
     * smoe. */
    const bool finding = (types & ~(VkDebugUtilsMessageTypeFlagsEXT)VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT) != 0;

    if (finding)
        atomic_add(&instance->message_count, 1);
    if (instance->host.log.message)
        instance->host.log.message(instance->host.log.user,
                                   !finding ? SMOE_LOG_INFO
                                   : error  ? SMOE_LOG_ERROR
                                            : SMOE_LOG_WARNING,
                                   data->pMessage);
    return VK_FALSE;
}

uint32_t smoe_helper_message_count(const smoe_helper_instance *instance)
{
    return atomic_add((uint32_t *)&instance->message_count, 0);
}

static smoe_result find_validation(const smoe_helper_instance *instance,
                                   PFN_vkEnumerateInstanceLayerProperties enumerate_layers,
                                   PFN_vkEnumerateInstanceExtensionProperties enumerate_extensions)
{
    VkLayerProperties *layers = NULL;
    VkExtensionProperties *extensions = NULL;
    uint32_t count = 0;
    bool found = false;
    VkResult status;
    smoe_result result;

    do {
        smoe_host_free(&instance->host, layers);
        layers = NULL;
        status = enumerate_layers(&count, NULL);
        if (status != VK_SUCCESS || count == 0)
            break;
        layers = smoe_host_alloc(&instance->host, count, sizeof *layers);
        if (!layers)
            return smoe_fail(&instance->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no memory for the list of layers");
        status = enumerate_layers(&count, layers);
    } while (status == VK_INCOMPLETE);
    for (uint32_t i = 0; status == VK_SUCCESS && i < count; i++)
        found = found || !strcmp(layers[i].layerName, VALIDATION_LAYER);
    smoe_host_free(&instance->host, layers);
    if (status != VK_SUCCESS)
        return smoe_vulkan_check(&instance->host, status, "vkEnumerateInstanceLayerProperties");
    if (!found)
        return smoe_fail(&instance->host, SMOE_ERROR_UNSUPPORTED,
                         "validation: the layer " VALIDATION_LAYER " is not installed");

    result = smoe_helper_extensions_list(instance, enumerate_extensions, NULL, VALIDATION_LAYER, &count, &extensions);
    if (result != SMOE_SUCCESS)
        return result;
    if (!smoe_helper_extension_listed(extensions, count, VK_EXT_DEBUG_UTILS_EXTENSION_NAME) ||
        !smoe_helper_extension_listed(extensions, count, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME))
        result = smoe_fail(&instance->host, SMOE_ERROR_UNSUPPORTED,
                           "validation: " VALIDATION_LAYER " lacks " VK_EXT_DEBUG_UTILS_EXTENSION_NAME
                           " or " VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
    smoe_host_free(&instance->host, extensions);
    return result;
}

/* The name of a function that the instance does not have, or NULL. */
static const char *load_functions(PFN_vkGetInstanceProcAddr load, VkInstance object, smoe_helper_instance *table)
{
    SMOE_HELPER_INSTANCE_FUNCTIONS(SMOE_FUNCTION_LOAD)
    return NULL;
}

static smoe_result create_messenger(smoe_helper_instance *instance, const VkDebugUtilsMessengerCreateInfoEXT *info)
{
    const PFN_vkGetInstanceProcAddr load = instance->loader.get_instance_proc_addr;
    VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
    const PFN_vkCreateDebugUtilsMessengerEXT create =
        (PFN_vkCreateDebugUtilsMessengerEXT)load(instance->handle, "vkCreateDebugUtilsMessengerEXT");

    instance->destroy_messenger =
        (PFN_vkDestroyDebugUtilsMessengerEXT)load(instance->handle, "vkDestroyDebugUtilsMessengerEXT");
    if (!create || !instance->destroy_messenger)
        return smoe_fail(&instance->host, SMOE_ERROR_VULKAN, "the Vulkan instance has no debug messenger functions");
    const smoe_result result = smoe_vulkan_check(&instance->host, create(instance->handle, info, NULL, &messenger),
                                                 "vkCreateDebugUtilsMessengerEXT");
    if (result == SMOE_SUCCESS)
        instance->messenger = messenger;
    return result;
}

/* The functions that need no instance. */
typedef struct global_functions {
    PFN_vkEnumerateInstanceVersion version;
    PFN_vkEnumerateInstanceExtensionProperties extensions;
    PFN_vkEnumerateInstanceLayerProperties layers;
    PFN_vkCreateInstance create;
} global_functions;

static smoe_result open_loader(smoe_helper_instance *instance, PFN_vkGetInstanceProcAddr load, global_functions *global)
{
    uint32_t version = 0;

    if (load)
        instance->loader.get_instance_proc_addr = load;
    else if (!smoe_helper_loader_open(&instance->loader))
        return smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "no Vulkan loader on this system");
    load = instance->loader.get_instance_proc_addr;
    global->version = (PFN_vkEnumerateInstanceVersion)load(NULL, "vkEnumerateInstanceVersion");
    global->extensions =
        (PFN_vkEnumerateInstanceExtensionProperties)load(NULL, "vkEnumerateInstanceExtensionProperties");
    global->layers = (PFN_vkEnumerateInstanceLayerProperties)load(NULL, "vkEnumerateInstanceLayerProperties");
    global->create = (PFN_vkCreateInstance)load(NULL, "vkCreateInstance");
    if (!global->version) /* Vulkan 1.1 brought it */
        return smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "the Vulkan loader is of version 1.0, smoe needs 1.1");
    if (!global->extensions || !global->layers || !global->create)
        return smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "the Vulkan loader lacks functions of Vulkan 1.0");

    const smoe_result result =
        smoe_vulkan_check(&instance->host, global->version(&version), "vkEnumerateInstanceVersion");
    if (result != SMOE_SUCCESS)
        return result;
    if (version < VK_API_VERSION_1_1)
        return smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "the Vulkan loader is of version 1.0, smoe needs 1.1");
    instance->api_version = version < VK_API_VERSION_1_3 ? VK_API_VERSION_1_1 : VK_API_VERSION_1_3;
    if (version >= VK_API_VERSION_1_2 && version < VK_API_VERSION_1_3)
        instance->api_version = VK_API_VERSION_1_2;
    return SMOE_SUCCESS;
}

typedef struct instance_extensions {
    const char *names[MAX_EXTENSIONS];
    uint32_t count;
    VkInstanceCreateFlags flags;
} instance_extensions;

static smoe_result choose_extensions(const smoe_helper_instance *instance, const global_functions *global,
                                     bool validation, instance_extensions *out)
{
    VkExtensionProperties *listed;
    uint32_t count;

    *out = (instance_extensions){.count = 0};
    const smoe_result result = smoe_helper_extensions_list(instance, global->extensions, NULL, NULL, &count, &listed);
    if (result != SMOE_SUCCESS)
        return result;
    if (validation) {
        out->names[out->count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
        out->names[out->count++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    }
    if (smoe_helper_extension_listed(listed, count, PORTABILITY_ENUMERATION)) {
        out->names[out->count++] = PORTABILITY_ENUMERATION;
        out->flags |= ENUMERATE_PORTABILITY_BIT; /* else the loader hides MoltenVK */
    }
    smoe_host_free(&instance->host, listed);
    return SMOE_SUCCESS;
}

static VkDebugUtilsMessengerCreateInfoEXT describe_messenger(smoe_helper_instance *instance)
{
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity =
            VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = receive_message,
        .pUserData = instance,
    };
}

/* messenger: NULL without validation. */
static smoe_result create_handle(smoe_helper_instance *instance, const global_functions *global,
                                 const instance_extensions *extensions,
                                 const VkDebugUtilsMessengerCreateInfoEXT *messenger, bool *no_driver)
{
    static const char *const layer_name = VALIDATION_LAYER;
    static const VkValidationFeatureEnableEXT synchronization =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkValidationFeaturesEXT validation = {
        .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
        .pNext = messenger, /* so that creation and destruction of the instance are covered too */
        .enabledValidationFeatureCount = 1,
        .pEnabledValidationFeatures = &synchronization,
    };
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "smoe",
        .pEngineName = "smoe",
        .apiVersion = instance->api_version,
    };
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = messenger ? &validation : NULL,
        .flags = extensions->flags,
        .pApplicationInfo = &application,
        .enabledLayerCount = messenger ? 1 : 0,
        .ppEnabledLayerNames = &layer_name,
        .enabledExtensionCount = extensions->count,
        .ppEnabledExtensionNames = extensions->names,
    };
    VkInstance handle = VK_NULL_HANDLE;
    const VkResult status = global->create(&info, NULL, &handle);
    *no_driver = status == VK_ERROR_INCOMPATIBLE_DRIVER; /* what the loader says where there is no driver at all */
    if (*no_driver)
        return SMOE_ERROR_NO_DEVICE;
    const smoe_result result = smoe_vulkan_check(&instance->host, status, "vkCreateInstance");
    if (result == SMOE_SUCCESS)
        instance->handle = handle;
    return result;
}

static smoe_result load_instance(smoe_helper_instance *instance)
{
    const char *missing = load_functions(instance->loader.get_instance_proc_addr, instance->handle, instance);
    if (missing)
        return smoe_fail(&instance->host, SMOE_ERROR_VULKAN, "the Vulkan instance has no function %s", missing);
    return SMOE_SUCCESS;
}

smoe_result smoe_helper_instance_create(smoe_helper_instance *instance, const smoe_host *host,
                                        PFN_vkGetInstanceProcAddr get_instance_proc_addr, bool validation,
                                        bool *no_driver)
{
    const VkDebugUtilsMessengerCreateInfoEXT messenger = describe_messenger(instance);
    global_functions global = {0};
    instance_extensions extensions;

    memset(instance, 0, sizeof *instance);
    *no_driver = false;
    instance->host = *host;
    smoe_result result = open_loader(instance, get_instance_proc_addr, &global);
    if (result == SMOE_SUCCESS && validation)
        result = find_validation(instance, global.layers, global.extensions);
    if (result == SMOE_SUCCESS)
        result = choose_extensions(instance, &global, validation, &extensions);
    if (result == SMOE_SUCCESS)
        result = create_handle(instance, &global, &extensions, validation ? &messenger : NULL, no_driver);
    if (result == SMOE_SUCCESS)
        result = load_instance(instance);
    if (result == SMOE_SUCCESS && validation)
        result = create_messenger(instance, &messenger);
    if (result != SMOE_SUCCESS)
        smoe_helper_instance_destroy(instance);
    return result;
}

void smoe_helper_instance_destroy(smoe_helper_instance *instance)
{
    if (instance->messenger)
        instance->destroy_messenger(instance->handle, instance->messenger, NULL);
    if (instance->handle && instance->vkDestroyInstance)
        instance->vkDestroyInstance(instance->handle, NULL);
    smoe_helper_loader_close(&instance->loader);
    instance->messenger = VK_NULL_HANDLE;
    instance->handle = VK_NULL_HANDLE;
}
