#include "tuning.h"

#include "kernel_table.h"

/* GPUs. vector: teams of up to 32 lanes read 512 consecutive bytes of a float32 row. tiled: 4x4 outputs per invocation, 2 bytes of
 * shared memory per multiply-add, 64 to 108 registers; no compiler that was tried spills (bench/README.md). */
#define STANDARD_REGIMES                                                                                                              \
    {.matmul = SMOE_MATMUL_VECTOR, .min_rows = 0, .rows = 1, .depth = 32, .workgroup_size = 128, .thread_columns = 4},                \
        {.matmul = SMOE_MATMUL_VECTOR, .min_rows = 0.4f, .rows = 4, .depth = 32, .workgroup_size = 128, .thread_columns = 2},         \
        {.matmul = SMOE_MATMUL_TILED, .min_rows = 5, .rows = 16, .columns = 64, .depth = 16, .thread_rows = 2, .thread_columns = 4},  \
    {                                                                                                                                 \
        .matmul = SMOE_MATMUL_TILED, .min_rows = 24, .rows = 32, .columns = 64, .depth = 16, .thread_rows = 4, .thread_columns = 4    \
    }

static const smoe_tuning standard = {
    .name = "standard",
    .regimes = {STANDARD_REGIMES,
                {.matmul = SMOE_MATMUL_TILED, .min_rows = 48, .rows = 64, .columns = 64, .depth = 16, .thread_rows = 4,
                 .thread_columns = 4}},
};

/* Workgroups of 128 invocations at most. */
static const smoe_tuning small = {.name = "small", .regimes = {STANDARD_REGIMES}};

/* Software drivers: a lane is a SIMD lane and every load a loop over lanes, so the algorithm with the fewest loads wins at every
 * number of rows. min_rows: where a tile of this height costs less than the next smaller one, for Poisson-distributed rows. */
#define BROADCAST(min_rows_, rows_, depth_, columns_)                                                        \
    {                                                                                                        \
        .matmul = SMOE_MATMUL_BROADCAST, .min_rows = min_rows_, .rows = rows_, .depth = depth_,              \
        .workgroup_size = 1, .thread_columns = columns_                                                      \
    }

static const smoe_tuning software = {
    .name = "software",
    .regimes = {BROADCAST(0, 1, 4, 1), BROADCAST(0.4f, 2, 4, 2), BROADCAST(1.1f, 4, 2, 4), BROADCAST(3.2f, 8, 2, 4), BROADCAST(8, 16, 2, 4),
                BROADCAST(18, 32, 2, 4)},
};

/* Whether every subgroup of a pipeline can be made to have subgroup_size_min lanes. */
static bool exact_subgroups(const smoe_device_info *info)
{
    return (info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0 || info->subgroup_size_min == info->subgroup_size_max;
}

const smoe_tuning *smoe_tuning_find(const smoe_device_info *info)
{
    const bool can_broadcast = smoe_kernel_runs(SMOE_KERNEL_expert_up_broadcast, info->capabilities) && exact_subgroups(info);
    if (info->type == VK_PHYSICAL_DEVICE_TYPE_CPU && can_broadcast)
        return &software;
    return info->max_workgroup_invocations >= 256 && info->max_workgroup_size_x >= 256 ? &standard : &small;
}
