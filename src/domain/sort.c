#include "base/arithmetic.h"
#include "stage.h"

smoe_kernel_config smoe_sort_config(const smoe_device_info *info, const smoe_shape *shape, uint32_t tile_rows)
{
    const uint32_t experts = smoe_power_of_two(shape->matrix_experts);
    const uint32_t most = smoe_min_u32(smoe_min_u32(info->max_workgroup_invocations, info->max_workgroup_size_x), 256);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_sort,
        .workgroup_size = most,
        .subgroup_size = 1,
        .tile_rows = tile_rows,
        .most_experts = experts,
        .zero_experts = shape->desc.zero_experts > 0,
        .weighted_input = shape->desc.weighted_input,
        .shared_memory_size = 12 * experts + 4 + 8 * most,
    };
}
