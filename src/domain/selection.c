#include "selection.h"

#include <stdio.h>

#include "vulkan/device_info.h"
#include "vulkan/quirks.h"

/* The tuning table of a step; NULL: it has no tiles, and only regime 0. */
static const smoe_tuning *tuning_of(const smoe_selection *selection, smoe_step step)
{
    switch (smoe_step_get(step)->tiles) {
    case SMOE_TILES_ROUTER: return selection->tuning;
    case SMOE_TILES_EXPERTS: return selection->expert_tuning;
    case SMOE_TILES_NONE: break;
    }
    return NULL;
}

void smoe_selection_regimes(const smoe_selection *selection, const smoe_plan_desc *desc, uint32_t token_count,
                            uint32_t expected_active, uint32_t regimes[SMOE_STEP_COUNT])
{
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++) {
        const smoe_tuning *tuning = tuning_of(selection, step);
        const smoe_rows rows = smoe_step_rows(desc, step, expected_active);
        regimes[step] = tuning ? smoe_regime_for(tuning, &rows, token_count) : 0;
    }
}

static void select_step(const smoe_device_info *info, const smoe_shape *shape, smoe_step step, smoe_selection *out)
{
    const smoe_plan_desc *desc = &shape->desc;
    const smoe_tuning *tuning = tuning_of(out, step);
    if (!tuning) {
        out->configs[step][0] = smoe_step_config(info, shape, NULL, step);
        out->used[step] = 1;
        return;
    }
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++)
        if (tuning->regimes[i].rows > 0)
            out->configs[step][i] = smoe_step_config(info, shape, &tuning->regimes[i], step);
    for (uint32_t expected = desc->top_k; expected <= desc->max_expected_active; expected++) {
        const smoe_rows rows = smoe_step_rows(desc, step, expected);
        out->used[step] |= smoe_regimes_for(tuning, &rows, desc->min_tokens, desc->max_tokens);
    }
}

/* What a plan must have: any forward may have totals, and experts. */
static uint32_t all_features(const smoe_shape *shape)
{
    return smoe_shape_features(shape) | SMOE_HAS_TOTALS | SMOE_HAS_EXPERTS;
}

void smoe_selection_init(const smoe_device_info *info, const smoe_shape *shape, smoe_selection *out)
{
    const uint32_t features = all_features(shape);
    *out = (smoe_selection){.tuning = smoe_tuning_find(info),
                            .expert_tuning = smoe_tuning_find_experts(info, &shape->desc)};
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        if (smoe_step_runs(step, features))
            select_step(info, shape, step, out);
}

static smoe_kernel_choice choice_of(const smoe_kernel_config *config)
{
    return (smoe_kernel_choice){
        .name = smoe_kernel_row_get(config->kernel)->name,
        .workgroup_size = config->workgroup_size,
        .subgroup_size = config->required_subgroup_size,
        .tile_rows = config->tile_rows,
        .tile_columns = config->tile_columns,
        .tile_depth = config->tile_depth,
        .shared_memory_size = config->shared_memory_size,
    };
}

/* A stage's choice is that for the router, or the routed experts: not that for the shared expert, or for routing that
 * is given. */
static void put_choices(const smoe_selection *selection, const smoe_shape *shape, const smoe_selection_desc *desc,
                        smoe_kernel_choice choices[SMOE_STAGE_COUNT])
{
    const uint32_t features =
        all_features(shape) & ~(uint32_t)(SMOE_HAS_SHARED_EXPERT | SMOE_HAS_SHARED_GATE | SMOE_HAS_GIVEN_ROUTING);
    uint32_t regimes[SMOE_STEP_COUNT];
    smoe_selection_regimes(selection, &shape->desc, desc->token_count, desc->expected_active, regimes);
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        if (smoe_step_runs(step, features))
            choices[smoe_step_get(step)->stage] = choice_of(&selection->configs[step][regimes[step]]);
}

static void keep_reason(void *user, smoe_log_level level, const char *text)
{
    (void)level;
    if (user)
        snprintf(user, SMOE_REASON_SIZE, "%s", text);
}

/* The device without what its quirks forbid, and the shape that the plan has there. */
static smoe_result describe(const smoe_host *host, const smoe_selection_desc *desc, smoe_device_info *mended,
                            smoe_shape *shape)
{
    const smoe_device_info *info = desc->info;
    char broken[SMOE_REASON_SIZE];
    if (!info || !desc->plan)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "desc.%s: must not be NULL", !info ? "info" : "plan");
    if (!smoe_device_info_is_consistent(info, broken))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "info.%s", broken);
    if (!info->usable)
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "info: %s", info->reason);
    if (!smoe_device_info_reaches_floor(info, broken))
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED, "info: %s", broken);
    *mended = *info;
    smoe_quirks_apply(mended);
    return smoe_shape_init(host, mended, desc->plan, shape);
}

smoe_result smoe_select_kernels(const smoe_selection_desc *desc, smoe_kernel_choice choices[SMOE_STAGE_COUNT],
                                char reason[SMOE_REASON_SIZE])
{
    const smoe_host host = {.log = {keep_reason, reason}};
    smoe_device_info info;
    smoe_shape shape;
    smoe_selection selection;
    if (reason)
        reason[0] = '\0';
    if (!desc || !choices)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL", !desc ? "desc" : "choices");
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        choices[i] = (smoe_kernel_choice){.name = ""};
    const smoe_result result = describe(&host, desc, &info, &shape);
    if (result != SMOE_SUCCESS)
        return result;
    const uint32_t least = shape.desc.min_tokens, most = shape.desc.max_tokens;
    if (desc->token_count < least || desc->token_count > most)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT,
                         "desc.token_count: %u, must be %u .. %u, the plan's min_tokens and max_tokens",
                         desc->token_count, least, most);
    if (desc->expected_active != 0 &&
        (desc->expected_active < shape.desc.top_k || desc->expected_active > shape.desc.max_expected_active))
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT,
                         "desc.expected_active: %u, must be 0 or %u .. %u, the plan's top_k and max_expected_active",
                         desc->expected_active, shape.desc.top_k, shape.desc.max_expected_active);
    smoe_selection_init(&info, &shape, &selection);
    put_choices(&selection, &shape, desc, choices);
    return SMOE_SUCCESS;
}

static bool all_take(const smoe_plan_desc *plan, smoe_precision precision)
{
    const smoe_matrix_types *types = &plan->types;
    return smoe_precision_takes(precision, types->up) && smoe_precision_takes(precision, types->down) &&
           (plan->shared_hidden == 0 || (smoe_precision_takes(precision, types->shared_up) &&
                                         smoe_precision_takes(precision, types->shared_down))) &&
           (plan->d_latent == 0 ||
            (smoe_precision_takes(precision, types->latent_down) && smoe_precision_takes(precision, types->latent_up)));
}

static bool has_units(const smoe_device_info *info, smoe_precision precision)
{
    const smoe_plan_desc desc = {.precision = precision};
    return smoe_tuning_find_experts(info, &desc) != smoe_tuning_find(info);
}

smoe_precision smoe_select_precision(const smoe_device_info *info, const smoe_plan_desc *plan)
{
    static const smoe_precision finest_first[] = {SMOE_PRECISION_FLOAT16, SMOE_PRECISION_BFLOAT16};
    smoe_precision first = SMOE_PRECISION_FLOAT32;
    smoe_device_info mended = {0};
    if (info) {
        mended = *info;
        smoe_quirks_apply(&mended);
    }
    for (size_t i = 0; plan && i < sizeof finest_first / sizeof finest_first[0]; i++) {
        if (!all_take(plan, finest_first[i]))
            continue;
        if (info && has_units(&mended, finest_first[i]))
            return finest_first[i];
        first = first == SMOE_PRECISION_FLOAT32 ? finest_first[i] : first;
    }
    return first;
}

smoe_result smoe_select_ranges(const smoe_selection_desc *desc, uint32_t *range_count, uint32_t *range_experts,
                               char reason[SMOE_REASON_SIZE])
{
    const smoe_host host = {.log = {keep_reason, reason}};
    smoe_device_info info;
    smoe_shape shape;
    if (reason)
        reason[0] = '\0';
    if (!desc || !range_count || !range_experts)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL",
                         !desc ? "desc" : !range_count ? "range_count" : "range_experts");
    *range_count = *range_experts = 0;
    const smoe_result result = describe(&host, desc, &info, &shape);
    if (result == SMOE_SUCCESS) {
        *range_count = shape.range_count;
        *range_experts = shape.range_experts;
    }
    return result;
}
