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

uint32_t smoe_route_workgroup_size(uint32_t most_experts)
{
    return most_experts <= 32 ? 32 : most_experts <= 64 ? 64 : 128;
}

static smoe_kernel_config rank_config(uint32_t most_experts)
{
    const uint32_t workgroup_size = smoe_route_workgroup_size(most_experts);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_select_rank,
        .workgroup_size = workgroup_size,
        .subgroup_size = 1,
        .shared_memory_size = 12 * most_experts + 4 * workgroup_size + 12,
    };
}

uint32_t smoe_renormalize_of(const smoe_plan_desc *desc)
{
    if (!desc->renormalize)
        return SMOE_RENORMALIZE_NONE;
    return desc->renormalize_floor > 0 ? SMOE_RENORMALIZE_FLOOR
           : desc->renormalize_add > 0 ? SMOE_RENORMALIZE_ADDEND
                                       : SMOE_RENORMALIZE_SUM;
}

smoe_kernel_config smoe_route_select_config(const smoe_device_info *info, const smoe_shape *shape)
{
    const uint32_t experts = smoe_power_of_two(shape->desc.expert_count);
    /* beyond, shared memory */
    const uint32_t most = smoe_tuning_find(info)->experts_per_lane * info->subgroup_size_min;
    const bool by_subgroup = smoe_kernel_runs(SMOE_KERNEL_route_select_subgroup, info) && experts <= most;
    smoe_kernel_config config = by_subgroup ? subgroup_config(info, shape) : rank_config(experts);
    config.most_experts = experts;
    config.grouped = shape->balanced_groups > 0 ? SMOE_GROUPED_BALANCED
                     : shape->group_count > 0   ? SMOE_GROUPED_LIMITED
                                                : SMOE_GROUPED_NONE;
    config.gate = (uint32_t)shape->desc.gate;
    config.renormalize = smoe_renormalize_of(&shape->desc);
    config.expert_scale = shape->desc.expert_scale;
    config.weighted_input = shape->desc.weighted_input;
    return config;
}

smoe_workgroups smoe_route_select_workgroups(const smoe_kernel_config *config, uint32_t token_count)
{
    const uint32_t tokens =
        config->kernel == SMOE_KERNEL_route_select_subgroup ? config->workgroup_size / config->subgroup_size : 1;
    return (smoe_workgroups){smoe_divide_up(token_count, tokens), 1, 1};
}
