#include "tuning.h"

#include "kernel_table.h"
#include "stage.h"

/* GPUs, few rows: teams of up to 32 lanes read 512 consecutive bytes of a float32 row. */
#define VECTOR(min_rows_, rows_, columns_)                                                                      \
    {                                                                                                           \
        .matmul = SMOE_MATMUL_VECTOR, .min_rows = min_rows_, .rows = rows_, .depth = 32, .workgroup_size = 128, \
        .thread_columns = columns_                                                                              \
    }
#define TILED(min_rows_, rows_, columns_, depth_, thread_rows_, thread_columns_)                                    \
    {                                                                                                              \
        .matmul = SMOE_MATMUL_TILED, .min_rows = min_rows_, .rows = rows_, .columns = columns_, .depth = depth_,   \
        .thread_rows = thread_rows_, .thread_columns = thread_columns_                                             \
    }

/* 4x4 outputs per invocation: 2 bytes of shared memory per multiply-add; registers are in tests/drivers/TABLE.md. No
 * compiler that was tried spills, but Mali's (docs/performance.md). */
#define SMALL_REGIMES VECTOR(0, 1, 4), VECTOR(0.4f, 4, 2), TILED(5, 16, 64, 16, 2, 4), TILED(24, 32, 64, 16, 4, 4)
#define STANDARD_REGIMES SMALL_REGIMES, TILED(48, 64, 64, 16, 4, 4)

/* Adreno runs subgroups of 128 lanes only where a workgroup of combine has as many: with 64 it holds half the
 * invocations (tests/drivers/TABLE.md). */
#define COMBINE_WORKGROUP_SIZE 128

static const smoe_tuning standard = {
    .name = "standard",
    .experts_per_lane = 32,
    .combine_workgroup_size = COMBINE_WORKGROUP_SIZE,
    .regimes = {STANDARD_REGIMES},
};

/* GPUs with registers for 4x8 outputs per invocation at 16 subgroups of 32 lanes, or 8 of 64, per multiprocessor or
 * SIMD: 1.5 bytes of shared memory per multiply-add. min_rows: there are as many workgroups as the tile before has from
 * 48 rows on. */
static const smoe_tuning wide = {
    .name = "wide",
    .experts_per_lane = 32,
    .combine_workgroup_size = COMBINE_WORKGROUP_SIZE,
    .regimes = {STANDARD_REGIMES, TILED(96, 64, 128, 16, 4, 8)},
};

/* 64 registers per invocation: 2x4 outputs; where few invocations share the loads of a tile, half the depth. Its
 * compiler makes seven times as many instructions of route_select_subgroup as other compilers do, and spills hundreds
 * of registers even with 4 experts per lane. */
static const smoe_tuning mali = {
    .name = "mali",
    .combine_workgroup_size = COMBINE_WORKGROUP_SIZE,
    .regimes = {VECTOR(0, 1, 4), VECTOR(0.4f, 4, 1), TILED(5, 16, 64, 8, 2, 4), TILED(24, 32, 64, 16, 2, 4)},
};

/* Workgroups of 128 invocations at most. */
static const smoe_tuning small = {
    .name = "small",
    .experts_per_lane = 32,
    .combine_workgroup_size = COMBINE_WORKGROUP_SIZE,
    .regimes = {SMALL_REGIMES},
};

/* Software drivers: a lane is a SIMD lane and every load a loop over lanes, so the algorithm with the fewest loads wins
 * at every number of rows. min_rows: where a tile of this height costs less than the next smaller one, for
 * Poisson-distributed rows. */
#define BROADCAST(min_rows_, rows_, depth_, columns_)                                                        \
    {                                                                                                        \
        .matmul = SMOE_MATMUL_BROADCAST, .min_rows = min_rows_, .rows = rows_, .depth = depth_,              \
        .workgroup_size = 1, .thread_columns = columns_                                                      \
    }

static const smoe_tuning software = {
    .name = "software",
    .experts_per_lane = 32,
    /* idle invocations cost as much as others: with 128 it took 1.2 times as long for D = 64 */
    .combine_workgroup_size = 32,
    .regimes = {BROADCAST(0, 1, 4, 1), BROADCAST(0.4f, 2, 4, 2), BROADCAST(1.1f, 4, 2, 4), BROADCAST(3.2f, 8, 2, 4),
                BROADCAST(8, 16, 2, 4), BROADCAST(18, 32, 2, 4)},
};

#define COOPERATIVE(min_rows_, rows_, thread_rows_, thread_columns_)                                         \
    {                                                                                                        \
        .matmul = SMOE_MATMUL_COOPERATIVE, .min_rows = min_rows_, .rows = rows_, .columns = 64, .depth = 32, \
        .thread_rows = thread_rows_, .thread_columns = thread_columns_                                       \
    }

/* Matrix units: where the tiled kernels would run. 32 sums per lane at most; 80 bytes of shared memory per row of a
 * tile. */
#define COOPERATIVE_REGIMES COOPERATIVE(5, 16, 16, 16), COOPERATIVE(24, 32, 16, 32), COOPERATIVE(48, 64, 32, 32)

static const smoe_tuning cooperative = {.name = "cooperative",
                                        .regimes = {VECTOR(0, 1, 4), VECTOR(0.4f, 4, 2), COOPERATIVE_REGIMES}};
/* With the vector kernels of mali. */
static const smoe_tuning mali_cooperative = {.name = "cooperative",
                                             .regimes = {VECTOR(0, 1, 4), VECTOR(0.4f, 4, 1), COOPERATIVE_REGIMES}};

#define VENDOR_AMD 0x1002u
#define VENDOR_NVIDIA 0x10deu
#define VENDOR_ARM 0x13b5u

/* NVIDIA, where Maxwell and later were compiled for, and RDNA: GCN, which has no subgroups of 32, would hold two of
 * 64. */
static bool has_wide_registers(const smoe_device_info *info)
{
    return info->vendor_id == VENDOR_NVIDIA || (info->vendor_id == VENDOR_AMD && info->subgroup_size_min == 32);
}

const smoe_tuning *smoe_tuning_find(const smoe_device_info *info)
{
    const bool can_broadcast =
        smoe_kernel_runs(SMOE_KERNEL_expert_up_broadcast, info) && smoe_subgroups_are_exact(info);
    if (info->type == VK_PHYSICAL_DEVICE_TYPE_CPU && can_broadcast)
        return &software;
    if (info->max_workgroup_invocations < 256 || info->max_workgroup_size_x < 256)
        return &small;
    return info->vendor_id == VENDOR_ARM ? &mali : has_wide_registers(info) ? &wide : &standard;
}

const smoe_tuning *smoe_tuning_cooperative(void)
{
    return &cooperative;
}

const smoe_tuning *smoe_tuning_find_experts(const smoe_device_info *info, const smoe_plan_desc *desc)
{
    const smoe_tuning *plain = smoe_tuning_find(info);
    /* Software drivers take such matrices apart again, which costs many times what the broadcast kernels do. */
    if (plain != &software && smoe_cooperative_runs(info, desc->precision))
        return plain == &mali ? &mali_cooperative : &cooperative;
    return plain;
}
