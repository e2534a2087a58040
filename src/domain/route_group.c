#include "base/arithmetic.h"
#include "stage.h"

#define WORKGROUP_SIZE 64u

smoe_kernel_config smoe_route_group_config(const smoe_shape *shape)
{
    const uint32_t groups = smoe_power_of_two(shape->group_count);
    const uint32_t tokens = smoe_max_u32(WORKGROUP_SIZE / groups, 1);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_group,
        .workgroup_size = WORKGROUP_SIZE,
        .subgroup_size = 1,
        .tile_rows = tokens,
        .most_groups = groups,
        .gate = (uint32_t)shape->desc.gate,
        .group_score = (uint32_t)shape->desc.group_score,
        .shared_memory_size = 4 * tokens * (groups + 7),
    };
}

smoe_kernel_config smoe_route_group_balanced_config(const smoe_shape *shape)
{
    const uint32_t experts = smoe_power_of_two(shape->desc.expert_count),
                   groups = smoe_power_of_two(shape->balanced_groups),
                   workgroup_size = smoe_route_workgroup_size(experts);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_group_balanced,
        .workgroup_size = workgroup_size,
        .subgroup_size = 1,
        .most_experts = experts,
        .most_groups = groups,
        .gate = (uint32_t)shape->desc.gate,
        .shared_memory_size = 4 * (experts + 2 * groups + workgroup_size),
    };
}

smoe_workgroups smoe_route_group_workgroups(const smoe_kernel_config *config, uint32_t token_count)
{
    return (smoe_workgroups){smoe_divide_up(token_count, config->tile_rows), 1, 1};
}
