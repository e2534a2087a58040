/* Host memory, the log, and Vulkan's results as smoe's. */
#include "device_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void default_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

smoe_allocator smoe_helper_allocator(const smoe_allocator *allocator)
{
    return allocator ? *allocator : (smoe_allocator){default_allocate, default_release, NULL};
}

void *smoe_helper_allocate_zeroed(const smoe_allocator *allocator, size_t size)
{
    void *memory = allocator->allocate(allocator->user, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

void smoe_helper_release(const smoe_allocator *allocator, void *memory)
{
    if (memory)
        allocator->release(allocator->user, memory);
}

smoe_result smoe_helper_fail(const smoe_log *log, smoe_result result, const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (!log->message)
        return result;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log->message(log->user, SMOE_LOG_ERROR, text);
    return result;
}

static const char *vulkan_result_text(VkResult result)
{
    switch (result) {
    case VK_NOT_READY: return "VK_NOT_READY";
    case VK_TIMEOUT: return "VK_TIMEOUT";
    case VK_INCOMPLETE: return "VK_INCOMPLETE";
    case VK_ERROR_OUT_OF_HOST_MEMORY: return "VK_ERROR_OUT_OF_HOST_MEMORY";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
    case VK_ERROR_INITIALIZATION_FAILED: return "VK_ERROR_INITIALIZATION_FAILED";
    case VK_ERROR_DEVICE_LOST: return "VK_ERROR_DEVICE_LOST";
    case VK_ERROR_MEMORY_MAP_FAILED: return "VK_ERROR_MEMORY_MAP_FAILED";
    case VK_ERROR_LAYER_NOT_PRESENT: return "VK_ERROR_LAYER_NOT_PRESENT";
    case VK_ERROR_EXTENSION_NOT_PRESENT: return "VK_ERROR_EXTENSION_NOT_PRESENT";
    case VK_ERROR_FEATURE_NOT_PRESENT: return "VK_ERROR_FEATURE_NOT_PRESENT";
    case VK_ERROR_INCOMPATIBLE_DRIVER: return "VK_ERROR_INCOMPATIBLE_DRIVER";
    case VK_ERROR_TOO_MANY_OBJECTS: return "VK_ERROR_TOO_MANY_OBJECTS";
    case VK_ERROR_FRAGMENTED_POOL: return "VK_ERROR_FRAGMENTED_POOL";
    case VK_ERROR_OUT_OF_POOL_MEMORY: return "VK_ERROR_OUT_OF_POOL_MEMORY";
    default: return "";
    }
}

smoe_result smoe_helper_check(const smoe_log *log, VkResult result, const char *call)
{
    smoe_result mapped = SMOE_ERROR_VULKAN;
    if (result == VK_SUCCESS)
        return SMOE_SUCCESS;
    switch (result) { /* as libsmoe does */
    case VK_ERROR_OUT_OF_HOST_MEMORY: mapped = SMOE_ERROR_OUT_OF_HOST_MEMORY; break;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL: mapped = SMOE_ERROR_OUT_OF_DEVICE_MEMORY; break;
    case VK_ERROR_DEVICE_LOST: mapped = SMOE_ERROR_DEVICE_LOST; break;
    default: break;
    }
    return smoe_helper_fail(log, mapped, "%s failed: VkResult %d %s", call, (int)result, vulkan_result_text(result));
}
