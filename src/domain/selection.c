#include "selection.h"

#include <stdio.h>

#include "vulkan/device_info.h"
#include "vulkan/quirks.h"

/* What tokens are to each matrix multiplication. */
typedef struct smoe_all_rows {
    smoe_rows logits, project, shared_gate, shared, experts;
} smoe_all_rows;

static smoe_all_rows rows_of(const smoe_plan_desc *desc)
{
    return (smoe_all_rows){
        .logits = {1, 1, desc->expert_count},
        .project = {1, 1, desc->projection_width},
        .shared_gate = {1, 1, 1},
        .shared = {1, 1, UINT32_MAX},
        .experts = {desc->top_k, desc->expert_count, UINT32_MAX},
    };
}

smoe_regimes smoe_selection_regimes(const smoe_selection *selection, const smoe_plan_desc *desc, uint32_t token_count)
{
    const smoe_tuning *tuning = selection->tuning, *expert_tuning = selection->expert_tuning;
    const smoe_all_rows rows = rows_of(desc);
    return (smoe_regimes){
        .logits = smoe_regime_for(tuning, &rows.logits, token_count),
        .project = smoe_regime_for(tuning, &rows.project, token_count),
        .shared_gate = smoe_regime_for(tuning, &rows.shared_gate, token_count),
        .shared = smoe_regime_for(expert_tuning, &rows.shared, token_count),
        .experts = smoe_regime_for(expert_tuning, &rows.experts, token_count),
    };
}

/* Which regimes some count of first .. last tokens leads to. */
static void mark_used(const smoe_plan_desc *desc, uint32_t first, uint32_t last, smoe_selection *out)
{
    const smoe_tuning *tuning = out->tuning, *expert_tuning = out->expert_tuning;
    const smoe_all_rows rows = rows_of(desc);
    const bool cosine = desc->router == SMOE_ROUTER_COSINE;
    const uint32_t gate = desc->shared_gate ? smoe_regimes_for(tuning, &rows.shared_gate, first, last) : 0;
    const uint32_t router = gate | smoe_regimes_for(tuning, cosine ? &rows.project : &rows.logits, first, last);
    const uint32_t shared = desc->shared_hidden > 0 ? smoe_regimes_for(expert_tuning, &rows.shared, first, last) : 0;
    const uint32_t experts = smoe_regimes_for(expert_tuning, &rows.experts, first, last);
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        out->router_used[i] = router >> i & 1;
        out->experts[i].used = experts >> i & 1;
        out->experts[i].shared_used = shared >> i & 1;
    }
}

void smoe_selection_init(const smoe_device_info *info, const smoe_shape *shape, smoe_selection *out)
{
    const smoe_tuning *tuning = smoe_tuning_find(info);
    const smoe_tuning *expert_tuning = smoe_tuning_find_experts(info, &shape->desc);
    *out = (smoe_selection){.tuning = tuning, .expert_tuning = expert_tuning};
    const bool cosine = shape->desc.router == SMOE_ROUTER_COSINE;
    if (cosine)
        out->cosine = smoe_route_logits_cosine_config(shape);
    if (shape->group_count)
        out->group = smoe_route_group_config(shape);
    out->select = smoe_route_select_config(info, shape);
    out->totals = smoe_totals_config(info, shape);
    out->combine = smoe_combine_config(info, shape);
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        if (tuning->regimes[i].rows > 0)
            out->router[i] = smoe_route_logits_config(info, shape, &tuning->regimes[i]);
        const smoe_tile *tile = &expert_tuning->regimes[i];
        if (tile->rows == 0)
            continue;
        smoe_expert_selection *experts = &out->experts[i];
        experts->up = smoe_expert_up_config(info, shape, tile, false);
        experts->down = smoe_expert_down_config(info, shape, tile, false);
        experts->sort = smoe_sort_config(info, shape, experts->up.tile_rows);
        if (shape->desc.shared_hidden == 0)
            continue;
        experts->shared_up = smoe_expert_up_config(info, shape, tile, true);
        experts->shared_down = smoe_expert_down_config(info, shape, tile, true);
    }
    mark_used(&shape->desc, shape->desc.min_tokens, shape->desc.max_tokens, out);
}

const char *smoe_stage_name(smoe_stage stage)
{
    switch (stage) {
    case SMOE_STAGE_ROUTE_PROJECT: return "route_project";
    case SMOE_STAGE_ROUTE_LOGITS: return "route_logits";
    case SMOE_STAGE_ROUTE_GROUP: return "route_group";
    case SMOE_STAGE_ROUTE_SELECT: return "route_select";
    case SMOE_STAGE_TOTALS: return "totals";
    case SMOE_STAGE_SORT: return "sort";
    case SMOE_STAGE_EXPERT_UP: return "expert_up";
    case SMOE_STAGE_EXPERT_DOWN: return "expert_down";
    case SMOE_STAGE_COMBINE: return "combine";
    case SMOE_STAGE_COUNT: break;
    }
    return "unknown";
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

static void keep_reason(void *user, smoe_log_level level, const char *text)
{
    (void)level;
    if (user)
        snprintf(user, SMOE_REASON_SIZE, "%s", text);
}

smoe_result smoe_select_kernels(const smoe_selection_desc *desc, smoe_kernel_choice choices[SMOE_STAGE_COUNT],
                                char reason[SMOE_REASON_SIZE])
{
    const smoe_host host = {.log = {keep_reason, reason}};
    smoe_shape shape;
    smoe_selection selection;
    if (reason)
        reason[0] = '\0';
    if (!desc || !choices)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL", !desc ? "desc" : "choices");
    const smoe_device_info *info = desc->info;
    if (!info || !desc->plan)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "desc.%s: must not be NULL", !info ? "info" : "plan");
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        choices[i] = (smoe_kernel_choice){.name = ""};
    char broken[SMOE_REASON_SIZE];
    if (!smoe_device_info_is_consistent(info, broken))
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "info.%s", broken);
    if (!info->usable)
        return smoe_fail(&host, SMOE_ERROR_UNSUPPORTED, "info: %s", info->reason);
    if (!smoe_device_info_reaches_floor(info, broken))
        return smoe_fail(&host, SMOE_ERROR_UNSUPPORTED, "info: %s", broken);
    smoe_device_info mended = *info;
    smoe_quirks_apply(&mended);
    const smoe_result result = smoe_shape_init(&host, &mended, desc->plan, &shape);
    if (result)
        return result;
    const uint32_t least = shape.desc.min_tokens, most = shape.desc.max_tokens;
    if (desc->token_count < least || desc->token_count > most)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "desc.token_count: %u, must be %u .. %u, the plan's min_tokens and max_tokens",
                         desc->token_count, least, most);
    smoe_selection_init(&mended, &shape, &selection);
    const smoe_regimes regimes = smoe_selection_regimes(&selection, &shape.desc, desc->token_count);
    const smoe_expert_selection *experts = &selection.experts[regimes.experts];
    if (shape.desc.router == SMOE_ROUTER_COSINE) {
        choices[SMOE_STAGE_ROUTE_PROJECT] = choice_of(&selection.router[regimes.project]);
        choices[SMOE_STAGE_ROUTE_LOGITS] = choice_of(&selection.cosine);
    } else {
        choices[SMOE_STAGE_ROUTE_LOGITS] = choice_of(&selection.router[regimes.logits]);
    }
    if (shape.group_count)
        choices[SMOE_STAGE_ROUTE_GROUP] = choice_of(&selection.group);
    choices[SMOE_STAGE_ROUTE_SELECT] = choice_of(&selection.select);
    choices[SMOE_STAGE_TOTALS] = choice_of(&selection.totals);
    choices[SMOE_STAGE_SORT] = choice_of(&experts->sort);
    choices[SMOE_STAGE_EXPERT_UP] = choice_of(&experts->up);
    choices[SMOE_STAGE_EXPERT_DOWN] = choice_of(&experts->down);
    choices[SMOE_STAGE_COMBINE] = choice_of(&selection.combine);
    return SMOE_SUCCESS;
}
