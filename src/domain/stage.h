/* The stages: for each, which kernel with which constants, and how many workgroups. Pure functions. */
#ifndef SMOE_DOMAIN_STAGE_H
#define SMOE_DOMAIN_STAGE_H

#include "../../shaders/common/interface.h"
#include "gating.h"
#include "kernel_table.h"
#include "shape.h"
#include "tuning.h"
#include "weights.h"

#define SMOE_CONSTANT_ID(id, NAME, name, value) SMOE_ID_##NAME = (id),
#define SMOE_CONSTANT_FIELD(id, NAME, name, value) uint32_t name;

/* Ids of specialisation constants. */
enum { SMOE_CONSTANTS(SMOE_CONSTANT_ID) SMOE_CONSTANT_COUNT };

/* A kernel with its constants: all that a pipeline is made from. It depends on the device and on classes of shapes,
 * never on a width, k or a token count, so that plans share pipelines. A constant that the kernel does not look at
 * follows from the others, or is 0: equal pipelines have equal configurations. */
typedef struct smoe_kernel_config {
    smoe_kernel kernel;
    uint32_t required_subgroup_size; /* for the pipeline; 0 = any */
    union {
        uint32_t constants[SMOE_CONSTANT_COUNT]; /* by id */
        struct {
            SMOE_CONSTANTS(SMOE_CONSTANT_FIELD)
        };
    };
} smoe_kernel_config;

#define SMOE_CHECK_CONSTANT(id, NAME, name, value)                                                                     \
    _Static_assert(offsetof(smoe_kernel_config, name) == offsetof(smoe_kernel_config, constants) + 4 * (id),           \
                   "ids count up from 0");
SMOE_CONSTANTS(SMOE_CHECK_CONSTANT)
#undef SMOE_CHECK_CONSTANT
#undef SMOE_CONSTANT_FIELD
#undef SMOE_CONSTANT_ID

/* Workgroups of a direct dispatch. The routed experts of expert_up and expert_down are dispatched indirectly. */
typedef struct smoe_workgroups {
    uint32_t x, y, z;
} smoe_workgroups;

/* How tokens become the rows of a matrix. */
typedef struct smoe_rows {
    /* of expert_count matrices, `active` get each token; 1 and 1: the one matrix gets every token */
    uint32_t active, expert_count;
    /* outputs of a matrix, where a tile may be too wide for them; UINT32_MAX: not asked */
    uint32_t columns;
} smoe_rows;

/* The regime of the tuning table for token_count tokens: the last one whose min_rows a matrix gets when tokens choose
 * evenly, and whose tile is less than twice as high as a matrix's rows can be. Where a tiled kernel's tile would lie
 * mostly past the last column, an earlier regime is taken. */
uint32_t smoe_regime_for(const smoe_tuning *tuning, const smoe_rows *rows, uint32_t token_count);
/* Those of every count from first to last: bit i for regime i. */
uint32_t smoe_regimes_for(const smoe_tuning *tuning, const smoe_rows *rows, uint32_t first, uint32_t last);

/* The kernels of a matrix multiplication, one per algorithm. */
typedef struct smoe_matmul_kernels {
    smoe_kernel vector, vector_basic, tiled, broadcast;
    smoe_kernel cooperative, cooperative_bfloat16; /* the experts' only */
} smoe_matmul_kernels;

extern const smoe_matmul_kernels smoe_route_logits_kernels, smoe_expert_up_kernels, smoe_expert_down_kernels;

/* What distinguishes matrix multiplications from one another. */
typedef struct smoe_matmul_stage {
    const smoe_matmul_kernels *kernels;
    uint32_t depth; /* K */
    smoe_type type; /* of the weights */
    smoe_precision precision; /* the plan's */
    bool gated;     /* two matrices: expert_up only */
    bool shared_expert; /* or another matrix that every token goes through */
    smoe_activation activation; /* expert_up only: of smoe_gating, so never swiglu_clamped */
    bool limited;               /* likewise */
    bool weighted_input;        /* likewise, of the routed experts */
} smoe_matmul_stage;

static inline uint32_t smoe_matmul_matrices(const smoe_matmul_stage *stage)
{
    return stage->gated ? 2 : 1;
}

/* Weights in one load of 16 bytes. */
static inline uint32_t smoe_matmul_load(const smoe_matmul_stage *stage)
{
    return 128 / smoe_weight_kind_of(stage->type)->bits;
}

smoe_kernel_config smoe_matmul_config(const smoe_device_info *info, const smoe_tile *tile,
                                      const smoe_matmul_stage *stage);

/* Whether the device can run the cooperative kernels of a precision, in any build and in this one; and which of its
 * shapes they take. None of float32. */
bool smoe_cooperative_fits(const smoe_device_info *info, smoe_precision precision);
bool smoe_cooperative_runs(const smoe_device_info *info, smoe_precision precision);
const smoe_matrix_shape *smoe_cooperative_shape(const smoe_device_info *info, smoe_precision precision); /* or NULL */
smoe_kernel_config smoe_cooperative_config(const smoe_device_info *info, const smoe_tile *tile,
                                           const smoe_matmul_stage *stage);

/* The stages that multiply no matrices, and the cosine router's logits, as stage_table.c asks for them. */
smoe_kernel_config smoe_route_logits_cosine_config(const smoe_shape *shape);
smoe_kernel_config smoe_route_group_config(const smoe_shape *shape);
smoe_kernel_config smoe_route_group_balanced_config(const smoe_shape *shape);
/* Invocations of a kernel with a workgroup for each token: no more than there are experts, in steps that suit every
 * subgroup size. */
uint32_t smoe_route_workgroup_size(uint32_t most_experts);
smoe_kernel_config smoe_route_select_config(const smoe_device_info *info, const smoe_shape *shape);
smoe_kernel_config smoe_route_given_config(const smoe_shape *shape);
/* SMOE_GIVEN_*, SMOE_RENORMALIZE_* */
uint32_t smoe_given_of(const smoe_plan_desc *desc);
uint32_t smoe_renormalize_of(const smoe_plan_desc *desc);
smoe_kernel_config smoe_totals_config(const smoe_device_info *info, const smoe_shape *shape);
/* tile_rows: those of expert_up and expert_down, whose tiles sort lays out. */
smoe_kernel_config smoe_sort_config(const smoe_device_info *info, const smoe_shape *shape, uint32_t tile_rows);
smoe_kernel_config smoe_latent_sum_config(const smoe_device_info *info, const smoe_shape *shape);
smoe_kernel_config smoe_combine_config(const smoe_device_info *info, const smoe_shape *shape);

/* Workgroups over one pass; columns: outputs of a token. */
smoe_workgroups smoe_matmul_workgroups(const smoe_kernel_config *config, uint32_t columns, uint32_t token_count);
smoe_workgroups smoe_route_group_workgroups(const smoe_kernel_config *config, uint32_t token_count);
smoe_workgroups smoe_route_select_workgroups(const smoe_kernel_config *config, uint32_t token_count);
smoe_workgroups smoe_totals_workgroups(const smoe_kernel_config *config, uint32_t token_count);
smoe_workgroups smoe_combine_workgroups(const smoe_kernel_config *config, uint32_t columns, uint32_t token_count);

#endif
