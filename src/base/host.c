#include "host.h"

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

const smoe_host smoe_host_silent = {{default_allocate, default_release, NULL}, {NULL, NULL}};

bool smoe_host_init(smoe_host *host, const smoe_allocator *allocator, const smoe_log *log)
{
    const smoe_allocator standard = {default_allocate, default_release, NULL};
    host->allocator = allocator ? *allocator : standard;
    host->log = log ? *log : (smoe_log){NULL, NULL};
    if (!host->allocator.allocate || !host->allocator.release) {
        smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                  "allocator: both allocate and release must be given, or no allocator at all");
        return false;
    }
    return true;
}

void *smoe_host_alloc(const smoe_host *host, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    const size_t bytes = count * size > 0 ? count * size : 1;
    void *memory = host->allocator.allocate(host->allocator.user, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void smoe_host_free(const smoe_host *host, void *memory)
{
    if (memory)
        host->allocator.release(host->allocator.user, memory);
}

static void write_line(const smoe_host *host, smoe_log_level level, const char *format, va_list arguments)
{
    char text[SMOE_LINE_SIZE];
    if (!host->log.message)
        return;
    vsnprintf(text, sizeof text, format, arguments);
    host->log.message(host->log.user, level, text);
}

smoe_result smoe_fail(const smoe_host *host, smoe_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(host, SMOE_LOG_ERROR, format, arguments);
    va_end(arguments);
    return result;
}

/* The smoe_result for a VkResult that is no success. */
static smoe_result result_of(VkResult error)
{
    switch (error) {
    case VK_ERROR_OUT_OF_HOST_MEMORY: return SMOE_ERROR_OUT_OF_HOST_MEMORY;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL: return SMOE_ERROR_OUT_OF_DEVICE_MEMORY;
    case VK_ERROR_DEVICE_LOST: return SMOE_ERROR_DEVICE_LOST;
    default: return SMOE_ERROR_VULKAN;
    }
}

void smoe_warn(const smoe_host *host, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(host, SMOE_LOG_WARNING, format, arguments);
    va_end(arguments);
}

void smoe_inform(const smoe_host *host, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(host, SMOE_LOG_INFO, format, arguments);
    va_end(arguments);
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

smoe_result smoe_vulkan_check(const smoe_host *host, VkResult result, const char *call)
{
    if (result == VK_SUCCESS)
        return SMOE_SUCCESS;
    return smoe_fail(host, result_of(result), "%s: VkResult %d %s", call, (int)result,
                     vulkan_result_text(result));
}
