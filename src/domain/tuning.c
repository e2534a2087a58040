#include "tuning.h"

/* GPUs. vector: 8 columns per workgroup of 64, teams of 8 lanes, so that a team reads 128 consecutive bytes of a row. tiled: 4x4
 * outputs per invocation. */
static const smoe_tuning standard = {
    .name = "standard",
    .regimes =
        {
            {.matmul = SMOE_MATMUL_VECTOR, .min_rows = 0, .rows = 1, .depth = 8, .workgroup_size = 64, .thread_columns = 2},
            {.matmul = SMOE_MATMUL_VECTOR, .min_rows = 0.4f, .rows = 4, .depth = 8, .workgroup_size = 64, .thread_columns = 2},
            {.matmul = SMOE_MATMUL_TILED, .min_rows = 5, .rows = 16, .columns = 64, .depth = 16, .thread_rows = 2, .thread_columns = 4},
            {.matmul = SMOE_MATMUL_TILED, .min_rows = 24, .rows = 32, .columns = 64, .depth = 16, .thread_rows = 4, .thread_columns = 4},
        },
};

/* Software drivers: a lane is a SIMD lane and every load a loop over lanes, so the algorithm with the fewest loads wins at every
 * number of rows. min_rows: where a tile of this height costs less than the next smaller one, for Poisson-distributed rows. */
static const smoe_tuning software = {
    .name = "software",
    .regimes =
        {
            {.matmul = SMOE_MATMUL_BROADCAST, .min_rows = 0, .rows = 1, .depth = 32, .workgroup_size = 1, .thread_columns = 1},
            {.matmul = SMOE_MATMUL_BROADCAST, .min_rows = 0.4f, .rows = 2, .depth = 32, .workgroup_size = 1, .thread_columns = 2},
            {.matmul = SMOE_MATMUL_BROADCAST, .min_rows = 1.1f, .rows = 4, .depth = 8, .workgroup_size = 1, .thread_columns = 4},
            {.matmul = SMOE_MATMUL_BROADCAST, .min_rows = 3.2f, .rows = 8, .depth = 8, .workgroup_size = 1, .thread_columns = 4},
            {.matmul = SMOE_MATMUL_BROADCAST, .min_rows = 8, .rows = 16, .depth = 8, .workgroup_size = 1, .thread_columns = 4},
            {.matmul = SMOE_MATMUL_BROADCAST, .min_rows = 18, .rows = 32, .depth = 8, .workgroup_size = 1, .thread_columns = 4},
        },
};

bool smoe_tuning_exact_subgroups(const smoe_device_info *info)
{
    return (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0 || info->subgroup_size_min == info->subgroup_size_max;
}

const smoe_tuning *smoe_tuning_find(const smoe_device_info *info)
{
    const bool can_broadcast = (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SHUFFLE) && smoe_tuning_exact_subgroups(info);
    if (info->type == VK_PHYSICAL_DEVICE_TYPE_CPU && can_broadcast)
        return &software;
    return &standard;
}
