#define VOLK_IMPLEMENTATION
#include "volk_table.h"

typedef struct table_source {
    PFN_vkGetDeviceProcAddr load;
    VkDevice device;
} table_source;

static PFN_vkVoidFunction load_function(void *context, const char *name)
{
    const table_source *source = context;
    return source->load(source->device, name);
}

void smoe_volk_load_table(struct VolkDeviceTable *table, PFN_vkGetDeviceProcAddr load, VkDevice device)
{
    table_source source = {load, device};
    volkGenLoadDeviceTable(table, &source, load_function);
}
