#include "stage_table.h"

#define ROW(STEP, STAGE, needs_, ...) [SMOE_STEP_##STEP] = {.stage = SMOE_STAGE_##STAGE, .needs = (needs_), __VA_ARGS__}
#define NO_TILES .tiles = SMOE_TILES_NONE
#define ROUTER .kernels = &smoe_route_logits_kernels, .tiles = SMOE_TILES_ROUTER, .depth = 'D'
#define UP .kernels = &smoe_expert_up_kernels, .tiles = SMOE_TILES_EXPERTS
#define TYPE(name) .type = offsetof(smoe_plan_desc, types.name)
#define DOWN .kernels = &smoe_expert_down_kernels, .tiles = SMOE_TILES_EXPERTS
#define SHARED (SMOE_HAS_SHARED_EXPERT | SMOE_HAS_EXPERTS)
#define LATENT (SMOE_HAS_LATENT | SMOE_HAS_EXPERTS)

static const smoe_step_row rows[SMOE_STEP_COUNT] = {
    ROW(ROUTE_PROJECT, ROUTE_PROJECT, SMOE_HAS_COSINE_ROUTER, ROUTER, .columns = 'P'),
    ROW(ROUTE_LOGITS, ROUTE_LOGITS, SMOE_HAS_LINEAR_ROUTER, ROUTER, .columns = 'E'),
    ROW(ROUTE_LOGITS_COSINE, ROUTE_LOGITS, SMOE_HAS_COSINE_ROUTER, NO_TILES, .depth = 'P', .columns = 'E'),
    ROW(SHARED_GATE, ROUTE_LOGITS, SMOE_HAS_SHARED_GATE | SMOE_HAS_EXPERTS, ROUTER, .columns = '1'),
    ROW(ROUTE_GROUP, ROUTE_GROUP, SMOE_HAS_GROUPS, NO_TILES),
    ROW(ROUTE_GROUP_BALANCED, ROUTE_GROUP, SMOE_HAS_BALANCED_GROUPS, NO_TILES),
    ROW(ROUTE_SELECT, ROUTE_SELECT, 0, NO_TILES),
    ROW(ROUTE_GIVEN, ROUTE_SELECT, SMOE_HAS_GIVEN_ROUTING, NO_TILES, .follows = true),
    ROW(TOTALS, TOTALS, SMOE_HAS_TOTALS, NO_TILES),
    ROW(SORT, SORT, SMOE_HAS_EXPERTS, .tiles = SMOE_TILES_EXPERTS),
    ROW(LATENT_DOWN, LATENT_DOWN, LATENT, DOWN, .depth = 'D', .columns = 'L', TYPE(latent_down)),
    ROW(SHARED_UP, EXPERT_UP, SHARED, UP, .depth = 'D', .columns = 'S', TYPE(shared_up)),
    ROW(EXPERT_UP, EXPERT_UP, SMOE_HAS_EXPERTS, UP, .depth = 'L', .columns = 'H', TYPE(up)),
    ROW(SHARED_DOWN, EXPERT_DOWN, SHARED, DOWN, .depth = 'S', .columns = 'D', TYPE(shared_down)),
    ROW(EXPERT_DOWN, EXPERT_DOWN, SMOE_HAS_EXPERTS, DOWN, .depth = 'H', .columns = 'L', TYPE(down)),
    ROW(LATENT_SUM, LATENT_SUM, LATENT, NO_TILES, .columns = 'L'),
    ROW(LATENT_UP, LATENT_UP, LATENT, DOWN, .depth = 'L', .columns = 'D', TYPE(latent_up)),
    ROW(COMBINE, COMBINE, SMOE_HAS_EXPERTS, NO_TILES, .columns = 'D'),
};

const smoe_step_row *smoe_step_get(smoe_step step)
{
    return &rows[step];
}

uint32_t smoe_shape_features(const smoe_shape *shape)
{
    const smoe_plan_desc *desc = &shape->desc;
    return (desc->router == SMOE_ROUTER_COSINE ? SMOE_HAS_COSINE_ROUTER : SMOE_HAS_LINEAR_ROUTER) |
           (shape->group_count > 0 ? SMOE_HAS_GROUPS : 0u) | (desc->shared_hidden > 0 ? SMOE_HAS_SHARED_EXPERT : 0u) |
           (desc->shared_gate ? SMOE_HAS_SHARED_GATE : 0u) |
           (shape->balanced_groups > 0 ? SMOE_HAS_BALANCED_GROUPS : 0u) |
           (desc->given_count > 0 ? SMOE_HAS_GIVEN_ROUTING : 0u) | (desc->d_latent > 0 ? SMOE_HAS_LATENT : 0u);
}

bool smoe_step_runs(smoe_step step, uint32_t features)
{
    return (rows[step].needs & ~features) == 0;
}

uint32_t smoe_step_depth(const smoe_plan_desc *desc, smoe_step step)
{
    return smoe_axis_width(desc, rows[step].depth);
}

uint32_t smoe_step_columns(const smoe_plan_desc *desc, smoe_step step)
{
    return smoe_axis_width(desc, rows[step].columns);
}

bool smoe_step_is_routed(smoe_step step)
{
    return step == SMOE_STEP_EXPERT_UP || step == SMOE_STEP_EXPERT_DOWN;
}

/* Whether it multiplies a matrix of the experts' kernels by a row of each token. */
static bool takes_tokens(smoe_step step)
{
    return rows[step].kernels && rows[step].tiles == SMOE_TILES_EXPERTS && !smoe_step_is_routed(step);
}

smoe_rows smoe_step_rows(const smoe_plan_desc *desc, smoe_step step, uint32_t expected_active)
{
    if (rows[step].tiles != SMOE_TILES_EXPERTS)
        return (smoe_rows){1, 1, smoe_step_columns(desc, step)};
    if (takes_tokens(step))
        return (smoe_rows){1, 1, UINT32_MAX};
    return (smoe_rows){expected_active ? expected_active : desc->top_k, desc->expert_count, UINT32_MAX};
}

smoe_gating smoe_step_gating(const smoe_plan_desc *desc, smoe_step step)
{
    if (rows[step].stage != SMOE_STAGE_EXPERT_UP)
        return (smoe_gating){.activation = SMOE_ACTIVATION_IDENTITY};
    return smoe_gating_of(desc, (rows[step].needs & SMOE_HAS_SHARED_EXPERT) != 0);
}

static smoe_matmul_stage matmul_of(const smoe_plan_desc *desc, smoe_step step)
{
    const bool up = rows[step].stage == SMOE_STAGE_EXPERT_UP;
    const smoe_gating gating = smoe_step_gating(desc, step);
    return (smoe_matmul_stage){
        .kernels = rows[step].kernels,
        .depth = smoe_step_depth(desc, step),
        .type = smoe_matrix_type(desc, rows[step].type),
        .precision = desc->precision,
        .gated = up && desc->gated,
        .shared_expert = takes_tokens(step),
        .activation = gating.activation,
        .limited = gating.limited,
        .weighted_input = step == SMOE_STEP_EXPERT_UP && desc->weighted_input,
    };
}

smoe_kernel_config smoe_step_config(const smoe_device_info *info, const smoe_shape *shape, const smoe_tile *tile,
                                    smoe_step step)
{
    switch (step) {
    case SMOE_STEP_ROUTE_LOGITS_COSINE: return smoe_route_logits_cosine_config(shape);
    case SMOE_STEP_ROUTE_GROUP: return smoe_route_group_config(shape);
    case SMOE_STEP_ROUTE_GROUP_BALANCED: return smoe_route_group_balanced_config(shape);
    case SMOE_STEP_ROUTE_SELECT: return smoe_route_select_config(info, shape);
    case SMOE_STEP_ROUTE_GIVEN: return smoe_route_given_config(shape);
    case SMOE_STEP_TOTALS: return smoe_totals_config(info, shape);
    case SMOE_STEP_SORT:
        return smoe_sort_config(info, shape, smoe_step_config(info, shape, tile, SMOE_STEP_EXPERT_UP).tile_rows);
    case SMOE_STEP_LATENT_SUM: return smoe_latent_sum_config(info, shape);
    case SMOE_STEP_COMBINE: return smoe_combine_config(info, shape);
    case SMOE_STEP_ROUTE_PROJECT:
    case SMOE_STEP_ROUTE_LOGITS:
    case SMOE_STEP_SHARED_GATE:
    case SMOE_STEP_LATENT_DOWN:
    case SMOE_STEP_SHARED_UP:
    case SMOE_STEP_EXPERT_UP:
    case SMOE_STEP_SHARED_DOWN:
    case SMOE_STEP_EXPERT_DOWN:
    case SMOE_STEP_LATENT_UP:
    case SMOE_STEP_COUNT: break; /* all named: compilers miss a new one */
    }
    const smoe_matmul_stage stage = matmul_of(&shape->desc, step);
    return smoe_matmul_config(info, tile, &stage);
}

smoe_workgroups smoe_step_workgroups(const smoe_shape *shape, const smoe_kernel_config *config, smoe_step step,
                                     uint32_t token_count)
{
    const uint32_t columns = smoe_step_columns(&shape->desc, step);
    switch (step) {
    case SMOE_STEP_ROUTE_GROUP: return smoe_route_group_workgroups(config, token_count);
    case SMOE_STEP_ROUTE_GROUP_BALANCED:
    case SMOE_STEP_ROUTE_GIVEN: return (smoe_workgroups){token_count, 1, 1};
    case SMOE_STEP_ROUTE_SELECT: return smoe_route_select_workgroups(config, token_count);
    case SMOE_STEP_TOTALS: return smoe_totals_workgroups(config, token_count);
    case SMOE_STEP_SORT: return (smoe_workgroups){1, 1, 1}; /* it sees its own counts */
    case SMOE_STEP_LATENT_SUM:
    case SMOE_STEP_COMBINE: return smoe_combine_workgroups(config, columns, token_count);
    default: return smoe_matmul_workgroups(config, columns, token_count);
    }
}

const char *smoe_stage_name(smoe_stage stage)
{
    static const char *const names[SMOE_STAGE_COUNT] = {
        [SMOE_STAGE_ROUTE_PROJECT] = "route_project", [SMOE_STAGE_ROUTE_LOGITS] = "route_logits",
        [SMOE_STAGE_ROUTE_GROUP] = "route_group",     [SMOE_STAGE_ROUTE_SELECT] = "route_select",
        [SMOE_STAGE_TOTALS] = "totals",               [SMOE_STAGE_SORT] = "sort",
        [SMOE_STAGE_LATENT_DOWN] = "latent_down",     [SMOE_STAGE_EXPERT_UP] = "expert_up",
        [SMOE_STAGE_EXPERT_DOWN] = "expert_down",     [SMOE_STAGE_LATENT_SUM] = "latent_sum",
        [SMOE_STAGE_LATENT_UP] = "latent_up",         [SMOE_STAGE_COMBINE] = "combine",
    };
    return (uint32_t)stage < SMOE_STAGE_COUNT ? names[stage] : "unknown";
}
