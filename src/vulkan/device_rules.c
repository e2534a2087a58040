/* What the numbers of a description must obey, whether a driver reported them or an app read them from somewhere. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/text.h"
#include "device_info.h"

/* The floor: what every kernel may assume. 8 storage buffers per stage is WebGPU's floor as well, so no device in use
 * is lost. */
#define FLOOR_STORAGE_BUFFERS 8u
#define FLOOR_INVOCATIONS 128u
#define FLOOR_SHARED_MEMORY 16384u

/* Vulkan's own bounds: a ballot has 128 bits; the required limit of maxComputeWorkGroupCount. */
#define MOST_LANES 128u
#define LEAST_WORKGROUPS 65535u

#define BREAKS(...) (snprintf(reason, SMOE_REASON_SIZE, __VA_ARGS__), false)

static bool power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool lanes(const char *name, uint32_t value, char *reason)
{
    return power_of_two(value) && value <= MOST_LANES
               ? true
               : BREAKS("%s: %u, must be a power of two up to %u", name, value, MOST_LANES);
}

static bool ends(const char *name, const char *text, size_t size, char *reason)
{
    return memchr(text, '\0', size) ? true : BREAKS("%s: must end within %zu bytes", name, size);
}

bool smoe_device_info_is_consistent(const smoe_device_info *info, char reason[SMOE_REASON_SIZE])
{
    if (!ends("name", info->name, sizeof info->name, reason) ||
        !ends("driver_name", info->driver_name, sizeof info->driver_name, reason) ||
        !ends("driver_info", info->driver_info, sizeof info->driver_info, reason) ||
        !ends("reason", info->reason, sizeof info->reason, reason))
        return false;
    if (info->capabilities & ~(uint32_t)SMOE_CAPABILITY_ALL)
        return BREAKS("capabilities: 0x%x, must be SMOE_CAPABILITY_* bits", info->capabilities);
    if (!info->usable) /* nothing else need be known of it */
        return true;
    if (!lanes("subgroup_size", info->subgroup_size, reason) ||
        !lanes("subgroup_size_min", info->subgroup_size_min, reason) ||
        !lanes("subgroup_size_max", info->subgroup_size_max, reason))
        return false;
    if (info->subgroup_size_min > info->subgroup_size_max)
        return BREAKS("subgroup_size_min: %u, must be at most subgroup_size_max, %u", info->subgroup_size_min,
                      info->subgroup_size_max);
    if (info->subgroup_size < info->subgroup_size_min || info->subgroup_size > info->subgroup_size_max)
        return BREAKS("subgroup_size: %u, must be %u .. %u as subgroup_size_min and _max say", info->subgroup_size,
                      info->subgroup_size_min, info->subgroup_size_max);
    for (int i = 0; i < 3; i++)
        if (info->max_workgroup_count[i] < LEAST_WORKGROUPS)
            return BREAKS("max_workgroup_count: %u, must be at least %u", info->max_workgroup_count[i],
                          LEAST_WORKGROUPS);
    if (info->max_storage_buffer_range == 0)
        return BREAKS("max_storage_buffer_range: 0, must be at least 1");
    if (!power_of_two(info->min_storage_buffer_offset_alignment) ||
        info->min_storage_buffer_offset_alignment > SMOE_MOST_OFFSET_ALIGNMENT)
        return BREAKS("min_storage_buffer_offset_alignment: %llu, must be a power of two up to %u",
                      (unsigned long long)info->min_storage_buffer_offset_alignment, SMOE_MOST_OFFSET_ALIGNMENT);
    if (info->matrix_shape_count > SMOE_MAX_MATRIX_SHAPES)
        return BREAKS("matrix_shape_count: %u, must be at most %u", info->matrix_shape_count, SMOE_MAX_MATRIX_SHAPES);
    for (uint32_t i = 0; i < info->matrix_shape_count; i++) {
        const smoe_matrix_shape *shape = &info->matrix_shapes[i];
        if (shape->type != SMOE_TYPE_FLOAT16 && shape->type != SMOE_TYPE_BFLOAT16)
            return BREAKS("matrix_shapes: type %u, must be float16 or bfloat16", (unsigned)shape->type);
        if (shape->rows == 0 || shape->columns == 0 || shape->depth == 0)
            return BREAKS("matrix_shapes: %ux%ux%u, each must be at least 1", shape->rows, shape->columns,
                          shape->depth);
    }
    char text[SMOE_NUMBER_SIZE];
    if (!isfinite(info->timestamp_period) || info->timestamp_period < 0)
        return BREAKS("timestamp_period: %s, must be finite and not negative",
                      smoe_number_text(text, 6, (double)info->timestamp_period));
    return true;
}

bool smoe_device_info_reaches_floor(const smoe_device_info *info, char reason[SMOE_REASON_SIZE])
{
    const uint32_t invocations = smoe_min_u32(info->max_workgroup_invocations, info->max_workgroup_size_x);
    if (info->max_stage_storage_buffers < FLOOR_STORAGE_BUFFERS)
        return BREAKS("%u storage buffers per stage, %u are needed", info->max_stage_storage_buffers,
                      FLOOR_STORAGE_BUFFERS);
    if (invocations < FLOOR_INVOCATIONS)
        return BREAKS("%u invocations per workgroup, %u are needed", invocations, FLOOR_INVOCATIONS);
    if (info->max_shared_memory_size < FLOOR_SHARED_MEMORY)
        return BREAKS("%u bytes of shared memory, %u are needed", info->max_shared_memory_size, FLOOR_SHARED_MEMORY);
    return true;
}

uint64_t smoe_device_info_offset_alignment(const smoe_device_info *info)
{
    const uint64_t least = 4;
    return info->min_storage_buffer_offset_alignment > least ? info->min_storage_buffer_offset_alignment : least;
}

void smoe_device_info_mend_subgroups(smoe_device_info *info)
{
    char reason[SMOE_REASON_SIZE];
    if (lanes("", info->subgroup_size, reason) && lanes("", info->subgroup_size_min, reason) &&
        lanes("", info->subgroup_size_max, reason) && info->subgroup_size_min <= info->subgroup_size &&
        info->subgroup_size <= info->subgroup_size_max)
        return;
    info->subgroup_size = info->subgroup_size_min = info->subgroup_size_max = 1;
    info->capabilities = info->matrix_shape_count = 0;
}

void smoe_device_info_act_as(smoe_device_info *info, const smoe_device_info *as)
{
    smoe_device_info acting = *as;
    acting.capabilities &= info->capabilities;
    acting.api_version = smoe_min_u32(as->api_version, info->api_version);
    memcpy(acting.uuid, info->uuid, sizeof acting.uuid);
    acting.subgroup_size = info->subgroup_size;
    acting.subgroup_size_min = info->subgroup_size_min;
    acting.subgroup_size_max = info->subgroup_size_max;
    acting.max_workgroup_invocations = smoe_min_u32(as->max_workgroup_invocations, info->max_workgroup_invocations);
    acting.max_workgroup_size_x = smoe_min_u32(as->max_workgroup_size_x, info->max_workgroup_size_x);
    for (int i = 0; i < 3; i++)
        acting.max_workgroup_count[i] = smoe_min_u32(as->max_workgroup_count[i], info->max_workgroup_count[i]);
    acting.max_shared_memory_size = smoe_min_u32(as->max_shared_memory_size, info->max_shared_memory_size);
    acting.max_stage_storage_buffers = smoe_min_u32(as->max_stage_storage_buffers, info->max_stage_storage_buffers);
    if (acting.max_storage_buffer_range > info->max_storage_buffer_range)
        acting.max_storage_buffer_range = info->max_storage_buffer_range;
    if (acting.min_storage_buffer_offset_alignment < info->min_storage_buffer_offset_alignment)
        acting.min_storage_buffer_offset_alignment = info->min_storage_buffer_offset_alignment;
    if (acting.max_allocation_size == 0 ||
        (info->max_allocation_size > 0 && acting.max_allocation_size > info->max_allocation_size))
        acting.max_allocation_size = info->max_allocation_size;
    acting.device_memory_size = info->device_memory_size;
    acting.timestamp_period = info->timestamp_period;
    acting.matrix_shape_count = info->matrix_shape_count;
    memcpy(acting.matrix_shapes, info->matrix_shapes, sizeof acting.matrix_shapes);
    *info = acting;
}
