#include "instance.h"

/* The name of a function that is not there, or NULL. */
static const char *load_required(PFN_vkGetInstanceProcAddr load, VkInstance object, smoe_instance_table *table)
{
    SMOE_INSTANCE_FUNCTIONS(SMOE_FUNCTION_LOAD)
    return NULL;
}

#define LOAD(name) .name = (PFN_##name)get(instance, #name)

smoe_result smoe_instance_table_load(const smoe_host *host, PFN_vkGetInstanceProcAddr get, VkInstance instance,
                                     smoe_instance_table *out)
{
    smoe_instance_table table = {
        LOAD(vkGetPhysicalDeviceFeatures2),
        LOAD(vkGetPhysicalDeviceProperties2),
        LOAD(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR),
    };
    const char *missing = load_required(get, instance, &table);
    if (missing)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "get_instance_proc_addr: must find %s for this instance",
                         missing);
    *out = table;
    return SMOE_SUCCESS;
}
