#define VOLK_IMPLEMENTATION
#include "volk_table.h"

typedef struct device_functions {
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    VkDevice device;
} device_functions;

static PFN_vkVoidFunction load_device_function(void *context, const char *name)
{
    const device_functions *functions = context;
    return functions->get_device_proc_addr(functions->device, name);
}

void smoe_volk_load_device_table(struct VolkDeviceTable *table, PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device)
{
    device_functions functions = {get_device_proc_addr, device};
    volkGenLoadDeviceTable(table, &functions, load_device_function);
}
