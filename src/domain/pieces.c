#include "pieces.h"

#include "base/arithmetic.h"

/* Operations that a device does while it moves a byte: 0.4 TFLOP/s and 20 GB/s, an old integrated GPU's. */
#define OPERATIONS_PER_BYTE 20u

/* Every tile reads its matrices' rows, however few rows of its own it has. */
static uint64_t tile_work(const smoe_shape *shape, const smoe_kernel_config *config, smoe_step step)
{
    const uint64_t elements =
        (uint64_t)smoe_step_depth(&shape->desc, step) * smoe_step_columns(&shape->desc, step) * (config->gated ? 2 : 1);
    const uint64_t bytes =
        smoe_weights_size((smoe_type)config->weight_type, config->gated ? 2 : 1, smoe_step_columns(&shape->desc, step),
                          smoe_step_depth(&shape->desc, step));
    return smoe_max_u64(2 * elements * config->tile_rows, OPERATIONS_PER_BYTE * bytes);
}

/* The work of a step that is not cut: its multiply-adds, and about as many words as it reads and writes. */
static uint64_t whole_work(const smoe_shape *shape, smoe_step step, uint32_t token_count, uint32_t max_active)
{
    const uint64_t depth = smoe_step_depth(&shape->desc, step), columns = smoe_step_columns(&shape->desc, step);
    const uint64_t words = shape->desc.expert_count + max_active * (columns > 0 ? columns : 1);
    return token_count * (2 * depth * columns + OPERATIONS_PER_BYTE * 4 * words);
}

/* No tile is empty, and no expert has more than one that is not full. */
static uint32_t most_routed_tiles(const smoe_shape *shape, uint32_t tile_rows, uint32_t token_count,
                                  uint32_t max_active)
{
    const uint32_t rows = token_count * smoe_shape_range_rows(shape, max_active);
    return smoe_min_u32(rows, rows / tile_rows + shape->range_experts);
}

smoe_pieces smoe_step_pieces(const smoe_shape *shape, const smoe_kernel_config *config, smoe_step step, uint64_t limit,
                             uint32_t token_count, uint32_t max_active)
{
    if (!smoe_step_get(step)->kernels)
        return (smoe_pieces){0, 0, 1, whole_work(shape, step, token_count, max_active)};
    const bool routed = smoe_step_is_routed(step);
    const uint32_t tiles = routed ? most_routed_tiles(shape, config->tile_rows, token_count, max_active)
                                  : smoe_divide_up(token_count, config->tile_rows);
    const uint64_t work = tile_work(shape, config, step);
    const uint64_t fitting = smoe_min_u64(limit / work, smoe_min_u32(tiles, SMOE_MOST_PIECE_TILES));
    const uint32_t least = routed ? smoe_divide_up(tiles, shape->range_pieces) : 1;
    const uint32_t each = smoe_max_u32((uint32_t)fitting, least);
    return (smoe_pieces){tiles, each, smoe_divide_up(tiles, each), each * work};
}

bool smoe_slices_wanted(const smoe_slices *slices)
{
    return slices->at >= slices->first && slices->at - slices->first < slices->count;
}

bool smoe_slices_take(smoe_slices *slices, uint64_t work)
{
    if (slices->work > 0 && slices->work + work > slices->limit) {
        slices->at++;
        slices->work = 0;
    }
    slices->work += work;
    return smoe_slices_wanted(slices);
}
