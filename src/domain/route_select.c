#include "base/arithmetic.h"
#include "stage.h"

smoe_kernel_config smoe_route_select_config(const smoe_device_info *info, const smoe_shape *shape)
{
    const uint32_t experts = shape->desc.expert_count;
    const uint32_t lanes = info->subgroup_size_min;
    const uint32_t most = smoe_tuning_find(info)->experts_per_lane * lanes; /* beyond, ranking by counting */
    if (smoe_kernel_runs(SMOE_KERNEL_route_select_subgroup, info) && experts <= most)
        return (smoe_kernel_config){
            .kernel = SMOE_KERNEL_route_select_subgroup,
            .workgroup_size = smoe_max_u32(info->subgroup_size_max, 64),
            .subgroup_size = lanes,
        };
    /* No more invocations than there are experts, in steps that suit every subgroup size. */
    const uint32_t wanted = experts <= 32 ? 32 : experts <= 64 ? 64 : 128;
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_select_rank,
        .workgroup_size = wanted,
        .subgroup_size = 1,
        .shared_memory_size = 12 * experts + 4 * wanted + 12,
    };
}

smoe_groups smoe_route_select_groups(const smoe_kernel_config *config, uint32_t token_count)
{
    const uint32_t tokens =
        config->kernel == SMOE_KERNEL_route_select_subgroup ? config->workgroup_size / config->subgroup_size : 1;
    return (smoe_groups){smoe_divide_up(token_count, tokens), 1, 1};
}
