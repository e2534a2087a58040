#include "base/arithmetic.h"
#include "stage.h"

/* Experts per lane of route_select_subgroup at most: they live in registers. Beyond, ranking by counting. */
#define MAX_EXPERTS_PER_LANE 32u

smoe_kernel_config smoe_route_select_config(const smoe_device_info *info, const smoe_shape *shape)
{
    const uint32_t experts = shape->desc.expert_count;
    const uint32_t lanes = info->subgroup_size_min;
    if (smoe_kernel_runs(SMOE_KERNEL_route_select_subgroup, info->capabilities) && experts <= MAX_EXPERTS_PER_LANE * lanes)
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
