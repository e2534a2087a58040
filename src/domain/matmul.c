/* What route_logits, expert_up and expert_down have in common: regimes and the constants of a matrix multiplication. */
#include <math.h>

#include "base/arithmetic.h"
#include "stage.h"

/* The fewest tokens that reach a tile: its least rows on average, and a tile less than twice as high as any matrix's
 * rows can be. */
static uint32_t least_tokens(const smoe_tile *tile, const smoe_rows *rows)
{
    const double reached = ceil((double)tile->min_rows * rows->expert_count / rows->active);
    return smoe_max_u32((uint32_t)reached, tile->rows / 2u + 1);
}

/* A tile that is mostly past the last column idles: an earlier regime's instead. */
static uint32_t without_idle_columns(const smoe_tuning *tuning, uint32_t regime, uint32_t columns)
{
    while (regime > 0 && tuning->regimes[regime].matmul == SMOE_MATMUL_TILED &&
           columns <= tuning->regimes[regime].columns / 2u)
        regime--;
    return regime;
}

uint32_t smoe_regime_for(const smoe_tuning *tuning, const smoe_rows *rows, uint32_t token_count)
{
    uint32_t chosen = 0;
    for (uint32_t i = 1; i < SMOE_REGIME_COUNT; i++)
        if (tuning->regimes[i].rows > 0 && token_count >= least_tokens(&tuning->regimes[i], rows))
            chosen = i;
    return without_idle_columns(tuning, chosen, rows->columns);
}

/* Backwards: a regime serves the tokens from its least on, up to the least of a later one. */
uint32_t smoe_regimes_for(const smoe_tuning *tuning, const smoe_rows *rows, uint32_t first, uint32_t last)
{
    uint32_t set = 0;
    for (uint32_t i = SMOE_REGIME_COUNT; i-- > 0 && first <= last;) {
        if (i > 0 && tuning->regimes[i].rows == 0)
            continue;
        const uint32_t least = i > 0 ? smoe_max_u32(least_tokens(&tuning->regimes[i], rows), first) : first;
        if (least > last)
            continue;
        set |= 1u << without_idle_columns(tuning, i, rows->columns);
        last = least - 1;
    }
    return set;
}

smoe_workgroups smoe_matmul_workgroups(const smoe_kernel_config *config, uint32_t columns, uint32_t token_count)
{
    return (smoe_workgroups){smoe_divide_up(columns, config->tile_columns),
                             smoe_divide_up(token_count, config->tile_rows), 1};
}

static smoe_kernel_config vector_config(const smoe_device_info *info, const smoe_tile *tile,
                                        const smoe_matmul_stage *stage)
{
    const bool shuffle = smoe_kernel_runs(stage->kernels->vector, info);
    const uint32_t most_team = shuffle ? info->subgroup_size_min : tile->workgroup_size;
    const uint32_t team = smoe_min_u32(tile->depth, most_team);
    /* Whole subgroups, whatever size the driver picks: lanes are numbered by them. */
    const uint32_t workgroup_size =
        shuffle ? smoe_max_u32(tile->workgroup_size, info->subgroup_size_max) : tile->workgroup_size;
    return (smoe_kernel_config){
        .kernel = shuffle ? stage->kernels->vector : stage->kernels->vector_basic,
        .workgroup_size = workgroup_size,
        .subgroup_size = shuffle ? info->subgroup_size_min : 1,
        .tile_columns = workgroup_size / team * tile->thread_columns,
        .tile_depth = team * smoe_matmul_load(stage),
        .thread_rows = tile->rows,
        .thread_columns = tile->thread_columns,
        .shared_memory_size =
            shuffle ? 0 : 4 * (workgroup_size + 1) * tile->rows * tile->thread_columns * smoe_matmul_matrices(stage),
    };
}

/* Bytes of shared memory of matmul_tiled.comp. */
static uint32_t tiles_size(const smoe_tile *tile, uint32_t depth, uint32_t columns)
{
    const uint32_t stride = (depth / 4u) | 1u;
    return 16 * stride * (tile->rows + columns);
}

static smoe_kernel_config tiled_config(const smoe_device_info *info, const smoe_tile *tile,
                                       const smoe_matmul_stage *stage)
{
    const uint32_t matrices = smoe_matmul_matrices(stage);
    const uint32_t depth = smoe_max_u32(tile->depth, smoe_matmul_load(stage));
    const uint32_t thread_columns = smoe_max_u32(tile->thread_columns / matrices, 1);
    uint32_t columns = tile->columns / matrices;
    /* A load of 4-bit weights is deeper than the tiles of the table, which devices with little shared memory fill. */
    while (tiles_size(tile, depth, matrices * columns) > info->max_shared_memory_size && columns > thread_columns)
        columns /= 2;
    return (smoe_kernel_config){
        .kernel = stage->kernels->tiled,
        .workgroup_size = columns / thread_columns * (tile->rows / tile->thread_rows),
        .subgroup_size = 1,
        .tile_columns = columns,
        .tile_depth = depth,
        .thread_rows = tile->thread_rows,
        .thread_columns = thread_columns,
        .shared_memory_size = tiles_size(tile, depth, matrices * columns),
    };
}

static smoe_kernel_config broadcast_config(const smoe_device_info *info, const smoe_tile *tile,
                                           const smoe_matmul_stage *stage)
{
    const uint32_t lanes = info->subgroup_size_min;
    const uint32_t thread_columns = smoe_max_u32(tile->thread_columns / smoe_matmul_matrices(stage), 1);
    const uint32_t workgroup_size = tile->workgroup_size * lanes;
    const bool controlled = (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0;
    return (smoe_kernel_config){
        .kernel = stage->kernels->broadcast,
        .workgroup_size = workgroup_size,
        .subgroup_size = lanes,
        .required_subgroup_size = controlled ? lanes : 0,
        .tile_columns = workgroup_size * thread_columns,
        /* Every lane reads the same whole number of vec4 inputs per round. */
        .tile_depth = smoe_max_u32(tile->depth * smoe_matmul_load(stage), 4 * lanes / tile->rows),
        .thread_rows = tile->rows,
        .thread_columns = thread_columns,
    };
}

static smoe_kernel_config tile_config(const smoe_device_info *info, const smoe_tile *tile,
                                      const smoe_matmul_stage *stage)
{
    switch (tile->matmul) {
    case SMOE_MATMUL_VECTOR: return vector_config(info, tile, stage);
    case SMOE_MATMUL_TILED: return tiled_config(info, tile, stage);
    case SMOE_MATMUL_BROADCAST: return broadcast_config(info, tile, stage);
    case SMOE_MATMUL_COOPERATIVE: break;
    }
    return smoe_cooperative_config(info, tile, stage);
}

smoe_kernel_config smoe_matmul_config(const smoe_device_info *info, const smoe_tile *tile,
                                      const smoe_matmul_stage *stage)
{
    smoe_kernel_config config = tile_config(info, tile, stage);
    if (config.tile_rows == 0)
        config.tile_rows = tile->rows;
    config.weight_type = (uint32_t)stage->type;
    config.activation = (uint32_t)stage->activation;
    config.gated = stage->gated;
    config.limited = stage->limited;
    config.weighted_input = stage->weighted_input;
    config.shared_expert = stage->shared_expert;
    config.inputs_aligned = stage->depth % 4 == 0;
    config.weights_aligned = smoe_type_has_scales(stage->type) || stage->depth % smoe_matmul_load(stage) == 0;
    config.depth_aligned = stage->depth % config.tile_depth == 0;
    return config;
}
