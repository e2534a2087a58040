#include "selection.h"

#include <stdio.h>

#include "vulkan/device_info.h"
#include "vulkan/quirks.h"

/* 1,024 experts, k = 1 and tiles of 64 rows reach their last regime by then. */
#define MOST_DISTINCT_TOKENS 65536u

smoe_regimes smoe_selection_regimes(const smoe_selection *selection, const smoe_plan_desc *desc, uint32_t token_count)
{
    const smoe_tuning *tuning = selection->tuning;
    return (smoe_regimes){
        .logits = smoe_regime_for_router(tuning, desc->expert_count, token_count),
        .project = smoe_regime_for_router(tuning, desc->projection_width, token_count),
        .shared_gate = smoe_regime_for_router(tuning, 1, token_count),
        .shared = smoe_regime_for_shared(selection->expert_tuning, token_count),
        .experts = smoe_regime_for_experts(selection->expert_tuning, desc, token_count),
    };
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
    out->combine = smoe_combine_config(shape);
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
    const uint32_t most = shape->desc.max_tokens < MOST_DISTINCT_TOKENS ? shape->desc.max_tokens : MOST_DISTINCT_TOKENS;
    for (uint32_t tokens = 1; tokens <= most; tokens++) {
        const smoe_regimes regimes = smoe_selection_regimes(out, &shape->desc, tokens);
        out->router_used[cosine ? regimes.project : regimes.logits] = true;
        out->router_used[regimes.shared_gate] |= shape->desc.shared_gate;
        out->experts[regimes.shared].shared_used |= shape->desc.shared_hidden > 0;
        out->experts[regimes.experts].used = true;
    }
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

smoe_result smoe_select_kernels(const smoe_device_info *info, const smoe_plan_desc *desc, uint32_t token_count,
                                smoe_kernel_choice choices[SMOE_STAGE_COUNT], char reason[SMOE_REASON_SIZE])
{
    const smoe_host host = {.log = {keep_reason, reason}};
    smoe_shape shape;
    smoe_selection selection;
    if (reason)
        reason[0] = '\0';
    if (!info || !desc || !choices)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL", !info ? "info" : !desc ? "desc" : "choices");
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
    const smoe_result result = smoe_shape_init(&host, &mended, desc, &shape);
    if (result)
        return result;
    if (token_count == 0 || token_count > desc->max_tokens)
        return smoe_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "token_count: %u, must be 1 .. desc.max_tokens (%u)", token_count,
                         desc->max_tokens);
    smoe_selection_init(&mended, &shape, &selection);
    const smoe_regimes regimes = smoe_selection_regimes(&selection, &shape.desc, token_count);
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
