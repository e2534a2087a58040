#include "base/arithmetic.h"
#include "stage.h"

/* An invocation sums 4 columns where D is a multiple of 4, else 1; those past the last column return at once. */
smoe_kernel_config smoe_combine_config(const smoe_device_info *info, const smoe_shape *shape)
{
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_combine,
        .workgroup_size = smoe_tuning_find(info)->combine_workgroup_size,
        .subgroup_size = 1,
        .inputs_aligned = shape->desc.d_model % 4 == 0,
        .shared_expert = shape->desc.shared_hidden > 0,
        .shared_gate = shape->desc.shared_gate,
    };
}

smoe_workgroups smoe_combine_workgroups(const smoe_kernel_config *config, uint32_t columns, uint32_t token_count)
{
    const uint32_t invocations = config->inputs_aligned ? columns / 4 : columns;
    return (smoe_workgroups){smoe_divide_up(invocations, config->workgroup_size), token_count, 1};
}
