#include "device_table.h"

const char *smoe_device_table_load(PFN_vkGetDeviceProcAddr load, VkDevice object, smoe_device_table *table)
{
    SMOE_DEVICE_FUNCTIONS(SMOE_FUNCTION_LOAD)
    return NULL;
}
