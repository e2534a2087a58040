#include "base/arithmetic.h"
#include "stage.h"

smoe_kernel_config smoe_route_logits_config(const smoe_device_info *info, const smoe_tile *tile)
{
    const smoe_matmul_stage stage = {
        .vector = SMOE_KERNEL_route_logits_vector,
        .vector_basic = SMOE_KERNEL_route_logits_vector_basic,
        .tiled = SMOE_KERNEL_route_logits_tiled,
        .broadcast = SMOE_KERNEL_route_logits_broadcast,
        .matrices = 1,
        .load = 4,
    };
    return smoe_matmul_config(info, tile, &stage);
}

smoe_groups smoe_route_logits_groups(const smoe_shape *shape, const smoe_kernel_config *config, uint32_t token_count)
{
    return (smoe_groups){smoe_divide_up(shape->desc.expert_count, config->tile_columns),
                         smoe_divide_up(token_count, config->tile_rows), 1};
}
