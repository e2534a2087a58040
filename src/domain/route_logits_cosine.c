#include "base/arithmetic.h"
#include "stage.h"

/* An invocation reads an element of S for so many tokens. */
#define TOKENS 4u
#define WORKGROUP_SIZE 64u

smoe_kernel_config smoe_route_logits_cosine_config(const smoe_shape *shape)
{
    const uint32_t experts = smoe_min_u32(smoe_power_of_two(shape->desc.expert_count), WORKGROUP_SIZE);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_logits_cosine,
        .workgroup_size = WORKGROUP_SIZE,
        .subgroup_size = 1,
        .tile_rows = WORKGROUP_SIZE / experts * TOKENS,
        .tile_columns = experts,
        .thread_rows = TOKENS,
        .thread_columns = 1,
    };
}
