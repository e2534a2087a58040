#include "stage.h"

smoe_kernel_config smoe_expert_down_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile, bool shared)
{
    const smoe_type type = shared ? shape->desc.types.shared_down : shape->desc.types.down;
    const smoe_matmul_stage stage = {
        .vector = SMOE_KERNEL_expert_down_vector,
        .vector_basic = SMOE_KERNEL_expert_down_vector_basic,
        .tiled = SMOE_KERNEL_expert_down_tiled,
        .broadcast = SMOE_KERNEL_expert_down_broadcast,
        .cooperative = type == SMOE_TYPE_BFLOAT16 ? SMOE_KERNEL_expert_down_cooperative_bfloat16 : SMOE_KERNEL_expert_down_cooperative,
        .depth = shared ? shape->desc.shared_hidden : shape->desc.d_hidden,
        .type = type,
        .shared = shared,
    };
    return smoe_matmul_config(info, tile, &stage);
}
