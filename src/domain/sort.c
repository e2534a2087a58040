#include "base/arithmetic.h"
#include "stage.h"

smoe_kernel_config smoe_sort_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_kernel_config *up,
                                    const smoe_kernel_config *down)
{
    const uint32_t experts = shape->desc.expert_count;
    const uint32_t most = smoe_min_u32(smoe_min_u32(info->max_workgroup_invocations, info->max_workgroup_size_x), 256);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_sort,
        .workgroup_size = most,
        .subgroup_size = 1,
        .tile_rows = up->tile_rows,
        .up_column_tiles = smoe_divide_up(shape->desc.d_hidden, up->tile_columns),
        .down_column_tiles = smoe_divide_up(shape->desc.d_model, down->tile_columns),
        .shared_memory_size = 12 * experts + 4 + 8 * most,
    };
}
