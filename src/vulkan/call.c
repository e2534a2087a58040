#include "call.h"

smoe_result smoe_vulkan_check(const smoe_host *host, VkResult result, const char *call)
{
    if (result >= 0)
        return SMOE_SUCCESS;
    return smoe_fail(host, smoe_result_of_vulkan(result), "%s: VkResult %d", call, (int)result);
}
