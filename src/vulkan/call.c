#include "call.h"

smoe_result smoe_vulkan_check(const smoe_host *host, VkResult result, const char *call)
{
    if (result >= 0)
        return SMOE_SUCCESS;
    smoe_result converted = SMOE_ERROR_VULKAN;
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY: converted = SMOE_ERROR_OUT_OF_HOST_MEMORY; break;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL: converted = SMOE_ERROR_OUT_OF_DEVICE_MEMORY; break;
    case VK_ERROR_DEVICE_LOST: converted = SMOE_ERROR_DEVICE_LOST; break;
    default: break;
    }
    return smoe_fail(host, converted, "%s: VkResult %d", call, (int)result);
}
