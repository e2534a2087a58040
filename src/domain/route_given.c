#include "base/arithmetic.h"
#include "stage.h"

uint32_t smoe_given_of(const smoe_plan_desc *desc)
{
    return desc->given_count == 0 ? SMOE_GIVEN_NONE : desc->given_weights ? SMOE_GIVEN_WEIGHTS : SMOE_GIVEN_IDS;
}

/* Weights that are given need neither the gate nor what follows from it. */
smoe_kernel_config smoe_route_given_config(const smoe_shape *shape)
{
    const smoe_plan_desc *desc = &shape->desc;
    const uint32_t active = smoe_power_of_two(desc->max_active),
                   workgroup_size = smoe_route_workgroup_size(smoe_power_of_two(desc->expert_count));
    smoe_kernel_config config = {
        .kernel = SMOE_KERNEL_route_given,
        .workgroup_size = workgroup_size,
        .subgroup_size = 1,
        .most_active = active,
        .given = smoe_given_of(desc),
        .weighted_input = desc->weighted_input,
        .shared_memory_size = 8 * active + 4 * workgroup_size + 4,
    };
    if (desc->given_weights)
        return config;
    config.gate = (uint32_t)desc->gate;
    config.renormalize = smoe_renormalize_of(desc);
    config.expert_scale = desc->expert_scale;
    return config;
}
