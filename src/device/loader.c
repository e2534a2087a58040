#include "device_internal.h"

#include "base/system.h"

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
