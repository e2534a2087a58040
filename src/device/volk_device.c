/* Loading: the system's Vulkan loader, and volk's table of a device. See volk_device.h for why volk's variables stay unused. */
#define VOLK_IMPLEMENTATION
#include "volk_device.h"

#include "base/system.h"

typedef struct table_source {
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    VkDevice device;
} table_source;

/* volkInitialize would do this too, but into process-wide variables and without a way back. */
bool smoe_helper_loader_open(smoe_helper_loader *loader)
{
    void (*entry)(void);
    loader->library = smoe_system_loader_open(&entry);
    loader->get_instance_proc_addr = (PFN_vkGetInstanceProcAddr)entry;
    if (loader->get_instance_proc_addr)
        return true;
    smoe_helper_loader_close(loader);
    return false;
}

void smoe_helper_loader_close(smoe_helper_loader *loader)
{
    if (loader->library)
        smoe_system_loader_close(loader->library);
    loader->library = NULL;
    loader->get_instance_proc_addr = NULL;
}

static PFN_vkVoidFunction load_function(void *context, const char *name)
{
    const table_source *source = context;
    return source->get_device_proc_addr(source->device, name);
}

void smoe_helper_load_table(struct VolkDeviceTable *table, PFN_vkGetDeviceProcAddr get_device_proc_addr, VkDevice device)
{
    table_source source = {get_device_proc_addr, device};
    volkGenLoadDeviceTable(table, &source, load_function);
}
