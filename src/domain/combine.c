#include "base/arithmetic.h"
#include "stage.h"

static uint32_t columns(const smoe_shape *shape)
{
    return shape->aligned ? shape->desc.d_model / 4 : shape->desc.d_model;
}

smoe_kernel_config smoe_combine_config(const smoe_shape *shape)
{
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_combine,
        .workgroup_size = columns(shape) <= 32 ? 32 : columns(shape) <= 64 ? 64 : 128,
        .subgroup_size = 1,
    };
}

smoe_groups smoe_combine_groups(const smoe_shape *shape, const smoe_kernel_config *config, uint32_t token_count)
{
    return (smoe_groups){smoe_divide_up(columns(shape), config->workgroup_size), token_count, 1};
}
