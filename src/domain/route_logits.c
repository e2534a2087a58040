#include "base/arithmetic.h"
#include "stage.h"

smoe_kernel_config smoe_route_logits_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile)
{
    const smoe_matmul_stage stage = {
        .vector = SMOE_KERNEL_route_logits_vector,
        .vector_basic = SMOE_KERNEL_route_logits_vector_basic,
        .tiled = SMOE_KERNEL_route_logits_tiled,
        .broadcast = SMOE_KERNEL_route_logits_broadcast,
        .depth = shape->desc.d_model,
        .type = SMOE_TYPE_FLOAT32,
    };
    return smoe_matmul_config(info, tile, &stage);
}

/* An invocation reads an element of S for so many tokens. */
#define COSINE_TOKENS 4u
#define COSINE_WORKGROUP_SIZE 64u

smoe_kernel_config smoe_route_logits_cosine_config(const smoe_shape *shape)
{
    const uint32_t experts = smoe_min_u32(smoe_power_of_two(shape->desc.expert_count), COSINE_WORKGROUP_SIZE);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_route_logits_cosine,
        .workgroup_size = COSINE_WORKGROUP_SIZE,
        .subgroup_size = 1,
        .tile_rows = COSINE_WORKGROUP_SIZE / experts * COSINE_TOKENS,
        .tile_columns = experts,
        .thread_rows = COSINE_TOKENS,
        .thread_columns = 1,
    };
}
