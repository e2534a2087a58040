#include "stage.h"

smoe_kernel_config smoe_expert_up_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile, bool shared)
{
    const smoe_type type = shared ? shape->desc.types.shared_up : shape->desc.types.up;
    const smoe_matmul_stage stage = {
        .vector = SMOE_KERNEL_expert_up_vector,
        .vector_basic = SMOE_KERNEL_expert_up_vector_basic,
        .tiled = SMOE_KERNEL_expert_up_tiled,
        .broadcast = SMOE_KERNEL_expert_up_broadcast,
        .cooperative = type == SMOE_TYPE_BFLOAT16 ? SMOE_KERNEL_expert_up_cooperative_bfloat16 : SMOE_KERNEL_expert_up_cooperative,
        .depth = shape->desc.d_model,
        .type = type,
        .gated = shape->desc.gated,
        .shared = shared,
        .activation = shape->desc.activation,
    };
    return smoe_matmul_config(info, tile, &stage);
}
