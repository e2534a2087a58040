#include "stage.h"

smoe_kernel_config smoe_expert_up_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile,
                                         bool shared_expert)
{
    const smoe_matmul_stage stage = {
        .vector = SMOE_KERNEL_expert_up_vector,
        .vector_basic = SMOE_KERNEL_expert_up_vector_basic,
        .tiled = SMOE_KERNEL_expert_up_tiled,
        .broadcast = SMOE_KERNEL_expert_up_broadcast,
        .cooperative = shape->desc.weight_type == SMOE_TYPE_BFLOAT16 ? SMOE_KERNEL_expert_up_cooperative_bfloat16
                                                                     : SMOE_KERNEL_expert_up_cooperative,
        .depth = shape->desc.d_model,
        .type = shape->desc.weight_type,
        .gated = shape->desc.gated,
        .shared_expert = shared_expert,
        .activation = shape->desc.activation,
    };
    return smoe_matmul_config(info, tile, &stage);
}
