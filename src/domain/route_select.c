#include "base/arithmetic.h"
#include "stage.h"

static smoe_kernel_config subgroup_config(const smoe_device_info *info, const smoe_shape *shape)
{
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_select_subgroup,
        .workgroup_size = smoe_max_u32(info->subgroup_size_max, 64),
        .subgroup_size = info->subgroup_size_min,
        .most_active = smoe_power_of_two(shape->desc.max_active),
    };
}

static smoe_kernel_config rank_config(uint32_t most_experts)
{
    /* No more invocations than there are experts, in steps that suit every subgroup size. */
    const uint32_t workgroup_size = most_experts <= 32 ? 32 : most_experts <= 64 ? 64 : 128;
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_select_rank,
        .workgroup_size = workgroup_size,
        .subgroup_size = 1,
        .shared_memory_size = 12 * most_experts + 4 * workgroup_size + 12,
    };
}

smoe_kernel_config smoe_route_select_config(const smoe_device_info *info, const smoe_shape *shape)
{
    const uint32_t experts = smoe_power_of_two(shape->desc.expert_count);
    /* beyond, shared memory */
    const uint32_t most = smoe_tuning_find(info)->experts_per_lane * info->subgroup_size_min;
    const bool by_subgroup = smoe_kernel_runs(SMOE_KERNEL_route_select_subgroup, info) && experts <= most;
    smoe_kernel_config config = by_subgroup ? subgroup_config(info, shape) : rank_config(experts);
    config.most_experts = experts;
    config.grouped = shape->group_count > 0;
    config.gate = (uint32_t)shape->desc.gate;
    config.renormalize = shape->desc.renormalize;
    return config;
}

smoe_workgroups smoe_route_select_workgroups(const smoe_kernel_config *config, uint32_t token_count)
{
    const uint32_t tokens =
        config->kernel == SMOE_KERNEL_route_select_subgroup ? config->workgroup_size / config->subgroup_size : 1;
    return (smoe_workgroups){smoe_divide_up(token_count, tokens), 1, 1};
}
