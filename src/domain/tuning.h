/* The tuning table: which algorithm and which tile a device gets for how many rows per expert. docs/performance.md has
 * the measurements behind the numbers. */
#ifndef SMOE_DOMAIN_TUNING_H
#define SMOE_DOMAIN_TUNING_H

#include <smoe/smoe.h>

/* The algorithms of route_logits, expert_up and expert_down. */
typedef enum smoe_matmul {
    SMOE_MATMUL_VECTOR = 0,    /* few rows: a team of lanes along K per column; bound by memory */
    SMOE_MATMUL_TILED = 1,     /* many rows: tiles in shared memory */
    /* tiles in registers, inputs handed round by subgroup shuffles; needs an exact subgroup size */
    SMOE_MATMUL_BROADCAST = 2,
    /* matrix units, inputs rounded to 16 bits; only for experts, and with an exact subgroup size */
    SMOE_MATMUL_COOPERATIVE = 3
} smoe_matmul;

/* A tile, for one range of rows per expert. With a gated expert_up, which has two matrices, columns are halved. */
typedef struct smoe_tile {
    smoe_matmul matmul;
    float min_rows; /* used where an expert gets this many rows on average, or more */
    uint16_t rows;
    uint16_t columns;        /* tiled, cooperative; of a workgroup. The others: what their lanes come to */
    uint16_t depth; /* tiled, cooperative: elements of K between barriers. vector: the most lanes of a team. broadcast:
                       16-byte loads of one weight row per round */
    uint16_t workgroup_size; /* vector. tiled, cooperative: what the tile comes to. broadcast: subgroups */
    uint16_t thread_rows, thread_columns; /* cooperative: of a subgroup, as long as it has registers for so many sums */
} smoe_tile;

#define SMOE_REGIME_COUNT 6

typedef struct smoe_tuning {
    const char *name;
    /* of route_select_subgroup at most, 32 or less: they live in registers. 0: ranking in shared memory */
    uint32_t experts_per_lane;
    uint32_t combine_workgroup_size;
    smoe_tile regimes[SMOE_REGIME_COUNT]; /* by ascending min_rows; the first has 0; rows == 0: unused */
} smoe_tuning;

/* For the routers, and for experts whose inputs stay float32. */
const smoe_tuning *smoe_tuning_find(const smoe_device_info *info);
/* For the experts of a plan, the shared one too. */
const smoe_tuning *smoe_tuning_find_experts(const smoe_device_info *info, const smoe_plan_desc *desc);

/* What the latter gives for mixed precision on a device with matrix units, in a build that has the kernels. */
const smoe_tuning *smoe_tuning_cooperative(void);

#endif
