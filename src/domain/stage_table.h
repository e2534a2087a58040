/* The one table of stages: what each dispatches, when, and with which kernels. Selection, the plan's pipelines, the
 * recording and its timestamps read it. */
#ifndef SMOE_DOMAIN_STAGE_TABLE_H
#define SMOE_DOMAIN_STAGE_TABLE_H

#include "stage.h"

/* A step: a kernel that a stage dispatches. Most stages have one, some another for the shared expert. In the order of a
 * forward. */
typedef enum smoe_step {
    SMOE_STEP_ROUTE_PROJECT,
    SMOE_STEP_ROUTE_LOGITS, /* the linear router's */
    SMOE_STEP_ROUTE_LOGITS_COSINE,
    SMOE_STEP_SHARED_GATE,
    SMOE_STEP_ROUTE_GROUP,
    SMOE_STEP_ROUTE_GROUP_BALANCED,
    SMOE_STEP_ROUTE_SELECT,
    SMOE_STEP_ROUTE_GIVEN,
    SMOE_STEP_TOTALS,
    SMOE_STEP_SORT,
    SMOE_STEP_LATENT_DOWN,
    SMOE_STEP_SHARED_UP,
    SMOE_STEP_EXPERT_UP,
    SMOE_STEP_SHARED_DOWN,
    SMOE_STEP_EXPERT_DOWN,
    SMOE_STEP_LATENT_SUM,
    SMOE_STEP_LATENT_UP,
    SMOE_STEP_COMBINE,
    SMOE_STEP_COUNT
} smoe_step;

/* What a step needs to run: features of a shape, and of a forward over it. */
enum {
    SMOE_HAS_LINEAR_ROUTER = 1 << 0,
    SMOE_HAS_COSINE_ROUTER = 1 << 1,
    SMOE_HAS_GROUPS = 1 << 2,
    SMOE_HAS_SHARED_EXPERT = 1 << 3,
    SMOE_HAS_SHARED_GATE = 1 << 4,
    SMOE_HAS_TOTALS = 1 << 5,  /* of a forward whose binding has totals */
    SMOE_HAS_EXPERTS = 1 << 6, /* of a forward that does more than route */
    SMOE_HAS_BALANCED_GROUPS = 1 << 7,
    SMOE_HAS_GIVEN_ROUTING = 1 << 8,
    SMOE_HAS_LATENT = 1 << 9,
};

/* Whose tiles a step takes. */
typedef enum smoe_step_tiles {
    SMOE_TILES_NONE, /* one configuration for every count of tokens: regime 0 */
    SMOE_TILES_ROUTER,
    SMOE_TILES_EXPERTS,
} smoe_step_tiles;

typedef struct smoe_step_row {
    smoe_stage stage;
    uint32_t needs; /* SMOE_HAS_*, all of them */
    smoe_step_tiles tiles;
    bool follows; /* reads what the stage's earlier steps write */
    /* The axes of what it reads and writes per row, letters of smoe_axis_width; 0: none. They are a matrix
     * multiplication's K and N. */
    char depth, columns;
    const smoe_matmul_kernels *kernels; /* of a matrix multiplication, else NULL */
    size_t type; /* of its weights: the place in smoe_plan_desc; 0: float32 */
} smoe_step_row;

const smoe_step_row *smoe_step_get(smoe_step step);

/* SMOE_HAS_* of a shape; what a forward may add is not among them. */
uint32_t smoe_shape_features(const smoe_shape *shape);
bool smoe_step_runs(smoe_step step, uint32_t features);

/* The widths of its axes; 0 where it has none. */
uint32_t smoe_step_depth(const smoe_plan_desc *desc, smoe_step step);
uint32_t smoe_step_columns(const smoe_plan_desc *desc, smoe_step step);

/* What an expert_up does with its sums; of another step the identity. */
smoe_gating smoe_step_gating(const smoe_plan_desc *desc, smoe_step step);

/* Whether its rows are those of the routed experts, which only the device knows. */
bool smoe_step_is_routed(smoe_step step);

/* How its tokens become rows: what its regimes follow from. expected_active: of the forward; 0: k. */
smoe_rows smoe_step_rows(const smoe_plan_desc *desc, smoe_step step, uint32_t expected_active);

/* Which kernel with which constants. tile: NULL for SMOE_TILES_NONE. */
smoe_kernel_config smoe_step_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile,
                                    smoe_step step);

/* Over one pass of so many tokens, not cut. Routed experts are dispatched indirectly. */
smoe_workgroups smoe_step_workgroups(const smoe_shape *shape, const smoe_kernel_config *config, smoe_step step,
                                     uint32_t token_count);

#endif
