/* Vulkan results as smoe results. */
#ifndef SMOE_VULKAN_CALL_H
#define SMOE_VULKAN_CALL_H

#include "base/host.h"

/* Logs "call: VkResult n" for a failure and gives the smoe_result for it. VK_SUCCESS and other non-negative codes: SMOE_SUCCESS. */
smoe_result smoe_vulkan_check(const smoe_host *host, VkResult result, const char *call);

#endif
