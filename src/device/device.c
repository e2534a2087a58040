/* The device: its queue, its context, and what every call needs. */
#include "device_internal.h"
#include "work.h"

#include <string.h>

/* The name of a function that the device does not have, or NULL. Vulkan 1.0 has them all, so that a device without one
 * is broken. */
static const char *load_table(PFN_vkGetDeviceProcAddr load, VkDevice object, smoe_helper_table *table)
{
    struct VolkDeviceTable all;
    smoe_volk_load_table(&all, load, object);
    SMOE_HELPER_DEVICE_FUNCTIONS(SMOE_FUNCTION_TAKE)
    return NULL;
}

/* The first family with compute and timestamps, else the first with compute. */
static smoe_result find_queue_family(smoe_device *device)
{
    const smoe_helper_instance *instance = &device->instance;
    VkQueueFamilyProperties *families = NULL;
    uint32_t count = 0, found = UINT32_MAX;

    instance->vkGetPhysicalDeviceQueueFamilyProperties(device->physical_device, &count, NULL);
    families = smoe_host_alloc(&instance->host, count ? count : 1, sizeof *families);
    if (!families)
        return smoe_fail(&instance->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "no memory for the list of queue families");
    instance->vkGetPhysicalDeviceQueueFamilyProperties(device->physical_device, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0)
            continue;
        if (found == UINT32_MAX || (device->timestamp_bits == 0 && families[i].timestampValidBits > 0)) {
            found = i;
            device->timestamp_bits = families[i].timestampValidBits;
        }
    }
    smoe_host_free(&instance->host, families);
    if (found == UINT32_MAX)
        return smoe_fail(&instance->host, SMOE_ERROR_NO_DEVICE, "the device has no queue with compute");
    device->queue_family = found;
    return SMOE_SUCCESS;
}

static smoe_result create_context(smoe_device *device, const smoe_device_desc *desc,
                                  const VkPhysicalDeviceFeatures2 *features, const char *const *extensions,
                                  uint32_t extension_count)
{
    const smoe_context_desc info = {
        .get_instance_proc_addr = device->instance.loader.get_instance_proc_addr,
        .instance = device->instance.handle,
        .physical_device = device->physical_device,
        .device = device->handle,
        .api_version = device->instance.api_version,
        .enabled_features = features,
        .enabled_extensions = extensions,
        .enabled_extension_count = extension_count,
        .masked_capabilities = desc->masked_capabilities,
        .act_as = desc->act_as,
        .pipeline_cache = desc->pipeline_cache,
        .pipeline_cache_size = desc->pipeline_cache_size,
        .slice_work = desc->slice_work,
        .allocator = &device->instance.host.allocator,
        .log = &device->instance.host.log,
    };
    return smoe_context_create(&info, &device->context);
}

static smoe_result create_vulkan_device(smoe_device *device, const smoe_device_desc *desc)
{
    const smoe_helper_instance *instance = &device->instance;
    const float priority = 1.0f;
    const char **extensions = NULL;
    uint32_t extension_count = 0;
    VkDevice handle = VK_NULL_HANDLE;

    smoe_result result = find_queue_family(device);
    if (result != SMOE_SUCCESS)
        return result;
    const VkPhysicalDeviceFeatures2 *features = smoe_capability_features(device->info.capabilities);
    result = smoe_helper_extensions_find(instance, device->physical_device, &extension_count, &extensions);
    if (result != SMOE_SUCCESS)
        return result;
    const VkDeviceQueueCreateInfo queue_info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = device->queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = features,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue_info,
        .enabledExtensionCount = extension_count,
        .ppEnabledExtensionNames = extensions,
    };
    result = smoe_vulkan_check(&instance->host, instance->vkCreateDevice(device->physical_device, &info, NULL, &handle),
                               "vkCreateDevice");
    if (result == SMOE_SUCCESS) {
        device->handle = handle;
        const char *missing = load_table(instance->vkGetDeviceProcAddr, handle, &device->table);
        if (missing)
            result = smoe_fail(&instance->host, SMOE_ERROR_VULKAN, "the Vulkan device has no function %s", missing);
    }
    if (result == SMOE_SUCCESS) {
        device->table.vkGetDeviceQueue(handle, device->queue_family, 0, &device->queue);
        instance->vkGetPhysicalDeviceMemoryProperties(device->physical_device, &device->memory);
        result = create_context(device, desc, features, extensions, extension_count);
    }
    smoe_host_free(&instance->host, extensions);
    return result;
}

/* What submissions need. */
static smoe_result create_objects(smoe_device *device)
{
    VkQueryPool query_pool = VK_NULL_HANDLE;

    smoe_result result = smoe_helper_commands_create(device, &device->commands);
    if (result != SMOE_SUCCESS || device->timestamp_bits == 0)
        return result;
    const VkQueryPoolCreateInfo query_info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = SMOE_HELPER_QUERY_COUNT,
    };
    result = smoe_vulkan_check(&device->instance.host,
                               device->table.vkCreateQueryPool(device->handle, &query_info, NULL, &query_pool),
                               "vkCreateQueryPool");
    if (result == SMOE_SUCCESS)
        device->query_pool = query_pool;
    return result;
}

smoe_result smoe_device_create(const smoe_device_desc *desc, smoe_device **out)
{
    static const smoe_device_desc best = {0};
    smoe_device *device = NULL;
    bool no_driver;

    if (!desc)
        desc = &best;
    if (out)
        *out = NULL;
    smoe_host host;
    if (!smoe_host_init(&host, desc->allocator, desc->log))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!out)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_create: out must not be NULL");
    if (desc->selector && !desc->selector[0])
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_create: selector must not be empty");
    if (desc->masked_capabilities & ~(uint32_t)SMOE_CAPABILITY_ALL)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_create: masked_capabilities must be SMOE_CAPABILITY_* bits, is 0x%x",
                         desc->masked_capabilities);
    if (!desc->pipeline_cache && desc->pipeline_cache_size)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_create: pipeline_cache must not be NULL where pipeline_cache_size is not 0");

    device = smoe_host_alloc(&host, 1, sizeof *device);
    if (!device)
        return smoe_fail(&host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "smoe_device_create: no memory for the device");
    device->thread_count = smoe_helper_thread_count(desc->thread_count);
    smoe_result result = smoe_helper_instance_create(&device->instance, &host, desc->get_instance_proc_addr,
                                                     desc->validation, &no_driver);
    if (result != SMOE_SUCCESS) {
        if (no_driver)
            smoe_fail(&host, result, "smoe_device_create: this system has no Vulkan driver" SMOE_HELPER_INSTALL);
        smoe_host_free(&host, device);
        return result;
    }
    result = smoe_helper_select(&device->instance, desc->selector, desc->masked_capabilities, &device->physical_device,
                                &device->info);
    if (result == SMOE_SUCCESS)
        result = create_vulkan_device(device, desc);
    if (result == SMOE_SUCCESS)
        result = create_objects(device);
    if (result != SMOE_SUCCESS)
        goto fail;
    *out = device;
    return SMOE_SUCCESS;

fail:
    smoe_device_destroy(device);
    return result;
}

void smoe_device_destroy(smoe_device *device)
{
    if (!device)
        return;
    const smoe_host host = device->instance.host;
    smoe_helper_staging_destroy(device);
    if (device->query_pool)
        device->table.vkDestroyQueryPool(device->handle, device->query_pool, NULL);
    smoe_helper_commands_destroy(device, &device->commands);
    smoe_context_destroy(device->context);
    if (device->handle && device->table.vkDestroyDevice)
        device->table.vkDestroyDevice(device->handle, NULL);
    smoe_helper_instance_destroy(&device->instance);
    smoe_host_free(&host, device);
}

const smoe_context *smoe_device_context(const smoe_device *device)
{
    return device ? device->context : NULL;
}

smoe_result smoe_device_get_handles(const smoe_device *device, smoe_device_handles *out)
{
    if (!device || !out)
        return smoe_fail(device ? &device->instance.host : &smoe_host_silent, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_get_handles: device and out must not be NULL");
    *out = (smoe_device_handles){
        .get_instance_proc_addr = device->instance.loader.get_instance_proc_addr,
        .instance = device->instance.handle,
        .physical_device = device->physical_device,
        .device = device->handle,
        .queue = device->queue,
        .queue_family = device->queue_family,
    };
    return SMOE_SUCCESS;
}

uint32_t smoe_device_validation_count(const smoe_device *device)
{
    return device ? smoe_helper_message_count(&device->instance) : 0;
}
