#include "floor_device.h"

#include <stdio.h>

smoe_device_info floor_device(const char *name)
{
    smoe_device_info info = {
        .type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU,
        .api_version = VK_API_VERSION_1_1,
        .subgroup_size = 1,
        .subgroup_size_min = 1,
        .subgroup_size_max = 1,
        .max_workgroup_invocations = 128,
        .max_workgroup_size_x = 128,
        .max_workgroup_count = {65535, 65535, 65535},
        .max_shared_memory_size = 16384,
        .max_stage_storage_buffers = 8,
        .max_storage_buffer_range = 1u << 27,
        .min_storage_buffer_offset_alignment = 256,
        .usable = true,
    };
    snprintf(info.name, sizeof info.name, "%s", name);
    return info;
}
