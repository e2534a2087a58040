#include "base/arithmetic.h"
#include "stage.h"

/* routed: of the routed experts' rows. An invocation sums 4 columns where the width is a multiple of 4, else 1; those
 * past the last column return at once. */
static smoe_kernel_config config_of(const smoe_device_info *info, const smoe_shape *shape, uint32_t width, bool routed)
{
    return (smoe_kernel_config){
        .kernel = routed && shape->desc.zero_experts > 0 ? SMOE_KERNEL_combine_zero : SMOE_KERNEL_combine,
        .workgroup_size = smoe_tuning_find(info)->combine_workgroup_size,
        .subgroup_size = 1,
        .inputs_aligned = width % 4 == 0,
        .given = shape->desc.given_count > 0 ? SMOE_GIVEN_IDS : SMOE_GIVEN_NONE, /* with weights or without */
    };
}

smoe_kernel_config smoe_latent_sum_config(const smoe_device_info *info, const smoe_shape *shape)
{
    return config_of(info, shape, shape->desc.d_latent, true);
}

smoe_kernel_config smoe_combine_config(const smoe_device_info *info, const smoe_shape *shape)
{
    smoe_kernel_config config = config_of(info, shape, shape->desc.d_model, shape->desc.d_latent == 0);
    config.shared_expert = shape->desc.shared_hidden > 0;
    config.shared_gate = shape->desc.shared_gate;
    config.latent = shape->desc.d_latent > 0;
    return config;
}

smoe_workgroups smoe_combine_workgroups(const smoe_kernel_config *config, uint32_t columns, uint32_t token_count)
{
    const uint32_t invocations = config->inputs_aligned ? columns / 4 : columns;
    return (smoe_workgroups){smoe_divide_up(invocations, config->workgroup_size), token_count, 1};
}
