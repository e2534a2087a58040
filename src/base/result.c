#include <smoe/smoe.h>

const char *smoe_result_text(smoe_result result)
{
    switch (result) {
    case SMOE_SUCCESS: return "success";
    case SMOE_ERROR_INVALID_ARGUMENT: return "invalid argument";
    case SMOE_ERROR_OUT_OF_HOST_MEMORY: return "out of host memory";
    case SMOE_ERROR_OUT_OF_DEVICE_MEMORY: return "out of device memory";
    case SMOE_ERROR_UNSUPPORTED: return "not supported by this device";
    case SMOE_ERROR_DEVICE_LOST: return "device lost";
    case SMOE_ERROR_VULKAN: return "a Vulkan call failed";
    case SMOE_ERROR_NO_DEVICE: return "no usable Vulkan device";
    case SMOE_ERROR_FILE: return "unreadable or damaged file";
    }
    return "unknown result";
}
