/* Stands before the Vulkan loader and shows another device than there is. SHIM_DEVICE=no-graphics: none of its queues
 * draws. SHIM_DEVICE=own-queue: it has one more queue family, which only computes; buffers must then be for both. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr instance_function;
static PFN_vkGetDeviceProcAddr device_function;
static PFN_vkGetPhysicalDeviceQueueFamilyProperties queue_families;
static PFN_vkCreateDevice create_device;
static PFN_vkGetDeviceQueue get_queue;
static PFN_vkCreateCommandPool create_pool;
static PFN_vkCreateBuffer create_buffer;

static int is(const char *device)
{
    return !strcmp(getenv("SHIM_DEVICE"), device);
}

static void my_queue_families(VkPhysicalDevice device, uint32_t *count, VkQueueFamilyProperties *out)
{
    const uint32_t room = *count;
    queue_families(device, count, out);
    for (uint32_t i = 0; out && is("no-graphics") && i < *count; i++)
        out[i].queueFlags &= ~(VkQueueFlags)VK_QUEUE_GRAPHICS_BIT;
    if (!is("own-queue"))
        return;
    if (out && *count == 1 && room > 1) {
        out[1] = out[0];
        out[1].queueFlags &= ~(VkQueueFlags)VK_QUEUE_GRAPHICS_BIT;
    }
    *count = 2;
}

/* The family that is not there is the first one too. */
static VkResult my_create_device(VkPhysicalDevice device, const VkDeviceCreateInfo *info,
                                 const VkAllocationCallbacks *callbacks, VkDevice *out)
{
    VkDeviceCreateInfo real = *info;
    real.queueCreateInfoCount = 1;
    return create_device(device, &real, callbacks, out);
}

static void my_get_queue(VkDevice device, uint32_t family, uint32_t index, VkQueue *out)
{
    (void)family;
    get_queue(device, 0, index, out);
}

static VkResult my_create_pool(VkDevice device, const VkCommandPoolCreateInfo *info,
                               const VkAllocationCallbacks *callbacks, VkCommandPool *out)
{
    VkCommandPoolCreateInfo real = *info;
    real.queueFamilyIndex = 0;
    return create_pool(device, &real, callbacks, out);
}

static VkResult my_create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                 const VkAllocationCallbacks *callbacks, VkBuffer *out)
{
    VkBufferCreateInfo real = *info;
    if (is("own-queue") && (info->sharingMode != VK_SHARING_MODE_CONCURRENT || info->queueFamilyIndexCount != 2)) {
        fprintf(stderr, "a buffer of %llu bytes is for one family\n", (unsigned long long)info->size);
        abort();
    }
    real.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
    return create_buffer(device, &real, callbacks, out);
}

static PFN_vkVoidFunction my_device_function(VkDevice device, const char *name);

#define REPLACE(vulkan, real, mine)            \
    if (function && !strcmp(name, vulkan)) {   \
        real = (void *)function;               \
        return (PFN_vkVoidFunction)mine;       \
    }
static PFN_vkVoidFunction replace(PFN_vkVoidFunction function, const char *name)
{
    REPLACE("vkGetDeviceProcAddr", device_function, my_device_function)
    REPLACE("vkGetPhysicalDeviceQueueFamilyProperties", queue_families, my_queue_families)
    REPLACE("vkCreateDevice", create_device, my_create_device)
    REPLACE("vkGetDeviceQueue", get_queue, my_get_queue)
    REPLACE("vkCreateCommandPool", create_pool, my_create_pool)
    REPLACE("vkCreateBuffer", create_buffer, my_create_buffer)
    return function;
}

static PFN_vkVoidFunction my_device_function(VkDevice device, const char *name)
{
    return replace(device_function(device, name), name);
}

PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char *name)
{
    if (!instance_function)
        instance_function = (void *)dlsym(dlopen(getenv("SHIM_LOADER"), RTLD_NOW), "vkGetInstanceProcAddr");
    return strcmp(name, "vkGetInstanceProcAddr") ? replace(instance_function(instance, name), name)
                                                 : (PFN_vkVoidFunction)vkGetInstanceProcAddr;
}
