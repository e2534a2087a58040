/* Which kernels multiply matrices for which stage. */
#include "stage.h"

const smoe_matmul_kernels smoe_route_logits_kernels = {
    .vector = SMOE_KERNEL_route_logits_vector,
    .vector_basic = SMOE_KERNEL_route_logits_vector_basic,
    .tiled = SMOE_KERNEL_route_logits_tiled,
    .broadcast = SMOE_KERNEL_route_logits_broadcast,
};

const smoe_matmul_kernels smoe_expert_up_kernels = {
    .vector = SMOE_KERNEL_expert_up_vector,
    .vector_basic = SMOE_KERNEL_expert_up_vector_basic,
    .tiled = SMOE_KERNEL_expert_up_tiled,
    .broadcast = SMOE_KERNEL_expert_up_broadcast,
    .cooperative = SMOE_KERNEL_expert_up_cooperative,
    .cooperative_bfloat16 = SMOE_KERNEL_expert_up_cooperative_bfloat16,
};

const smoe_matmul_kernels smoe_expert_down_kernels = {
    .vector = SMOE_KERNEL_expert_down_vector,
    .vector_basic = SMOE_KERNEL_expert_down_vector_basic,
    .tiled = SMOE_KERNEL_expert_down_tiled,
    .broadcast = SMOE_KERNEL_expert_down_broadcast,
    .cooperative = SMOE_KERNEL_expert_down_cooperative,
    .cooperative_bfloat16 = SMOE_KERNEL_expert_down_cooperative_bfloat16,
};
