#include "device_table.h"

const char *smoe_device_table_load(PFN_vkGetDeviceProcAddr load, VkDevice object, smoe_device_table *table)
{
    struct VolkDeviceTable all;
    smoe_volk_load_table(&all, load, object);
    SMOE_DEVICE_FUNCTIONS(SMOE_FUNCTION_TAKE)
    return NULL;
}
