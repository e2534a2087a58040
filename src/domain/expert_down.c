#include "stage.h"

smoe_kernel_config smoe_expert_down_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile,
                                           bool shared_expert)
{
    const smoe_matmul_stage stage = {
        .vector = SMOE_KERNEL_expert_down_vector,
        .vector_basic = SMOE_KERNEL_expert_down_vector_basic,
        .tiled = SMOE_KERNEL_expert_down_tiled,
        .broadcast = SMOE_KERNEL_expert_down_broadcast,
        .cooperative = shape->desc.weight_type == SMOE_TYPE_BFLOAT16 ? SMOE_KERNEL_expert_down_cooperative_bfloat16
                                                                     : SMOE_KERNEL_expert_down_cooperative,
        .depth = shared_expert ? shape->desc.shared_hidden : shape->desc.d_hidden,
        .type = shape->desc.weight_type,
        .shared_expert = shared_expert,
    };
    return smoe_matmul_config(info, tile, &stage);
}
