#include "plan.h"

_Static_assert(SMOE_CONSTANT_COUNT <= SMOE_PIPELINE_MAX_CONSTANTS, "a pipeline takes every constant");

static smoe_result create_pipeline(const smoe_plan *plan, const smoe_kernel_config *config, VkPipeline *out)
{
    const smoe_context *context = plan->context;
    const smoe_kernel_row *row = smoe_kernel_row_get(config->kernel);
    const uint32_t whole = config->required_subgroup_size ? config->required_subgroup_size : context->info.subgroup_size_max;
    const bool size_control = (context->info.capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0;
    const smoe_pipeline_desc desc = {
        .name = row->name,
        .spirv = row->spirv,
        .spirv_size = row->spirv_size,
        .constants = config->constants,
        .constant_count = SMOE_CONSTANT_COUNT,
        .required_subgroup_size = config->required_subgroup_size,
        .full_subgroups = size_control && config->subgroup_size > 1 && config->workgroup_size % whole == 0,
    };
    return smoe_pipeline_store_get(context->pipelines, &desc, out);
}

/* A pipeline of the plan: whether some token count leads to it, and what it is made from. */
typedef struct planned {
    bool used;
    const smoe_kernel_config *config;
    VkPipeline *out;
} planned;

static smoe_result create_used(const smoe_plan *plan, const planned *pipelines, size_t count)
{
    smoe_result result = SMOE_SUCCESS;
    for (size_t i = 0; !result && i < count; i++)
        if (pipelines[i].used)
            result = create_pipeline(plan, pipelines[i].config, pipelines[i].out);
    return result;
}

static smoe_result create_regime(smoe_plan *plan, uint32_t i)
{
    const smoe_selection *selection = &plan->selection;
    const smoe_expert_selection *experts = &selection->experts[i];
    smoe_expert_pipelines *out = &plan->experts[i];
    const planned pipelines[] = {
        {selection->router_used[i], &selection->router[i], &plan->router[i]},
        {experts->used, &experts->sort, &out->sort},
        {experts->used, &experts->up, &out->up},
        {experts->used, &experts->down, &out->down},
        {experts->shared_used, &experts->shared_up, &out->shared_up},
        {experts->shared_used, &experts->shared_down, &out->shared_down},
    };
    return create_used(plan, pipelines, sizeof pipelines / sizeof pipelines[0]);
}

static smoe_result create_pipelines(smoe_plan *plan)
{
    const smoe_selection *selection = &plan->selection;
    const planned pipelines[] = {
        {plan->shape.desc.router == SMOE_ROUTER_COSINE, &selection->cosine, &plan->cosine},
        {plan->shape.group_count > 0, &selection->group, &plan->group},
        {true, &selection->select, &plan->select},
        {true, &selection->totals, &plan->totals},
        {true, &selection->combine, &plan->combine},
    };
    smoe_result result = create_used(plan, pipelines, sizeof pipelines / sizeof pipelines[0]);
    for (uint32_t i = 0; !result && i < SMOE_REGIME_COUNT; i++)
        result = create_regime(plan, i);
    return result;
}

smoe_result smoe_plan_create(const smoe_context *context, const smoe_plan_desc *desc, smoe_plan **out)
{
    if (out)
        *out = NULL;
    if (!context)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!desc || !out)
        return smoe_fail(&context->host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL", desc ? "out" : "desc");
    smoe_plan *plan = smoe_host_alloc(&context->host, 1, sizeof *plan);
    if (!plan)
        return smoe_fail(&context->host, SMOE_ERROR_OUT_OF_HOST_MEMORY, "plan: no host memory");
    plan->context = context;
    smoe_result result = smoe_shape_init(&context->host, &context->info, desc, &plan->shape);
    if (result)
        goto fail;
    smoe_selection_init(&context->info, &plan->shape, &plan->selection);
    result = create_pipelines(plan);
    if (result)
        goto fail;
    *out = plan;
    return SMOE_SUCCESS;
fail:
    smoe_plan_destroy(plan);
    return result;
}

void smoe_plan_destroy(smoe_plan *plan)
{
    if (plan)
        smoe_host_free(&plan->context->host, plan);
}

smoe_result smoe_plan_check_pipelines(const smoe_plan *plan, uint32_t token_count, bool has_totals, bool routing_alone)
{
    const smoe_regimes regimes = smoe_selection_regimes(&plan->selection, &plan->shape.desc, token_count);
    const smoe_expert_pipelines *experts = &plan->experts[regimes.experts], *shared = &plan->experts[regimes.shared];
    const bool cosine = plan->shape.desc.router == SMOE_ROUTER_COSINE, runs_experts = !routing_alone;
    const bool has_shared = runs_experts && plan->shape.desc.shared_hidden > 0;
    /* What record_routing.c and record_experts.c bind; create_pipelines makes them where selection.c's mark_used has found a use. */
    const struct {
        smoe_stage stage;
        bool runs;
        VkPipeline pipeline;
    } needs[] = {
        {SMOE_STAGE_ROUTE_PROJECT, cosine, plan->router[regimes.project]},
        {SMOE_STAGE_ROUTE_LOGITS, true, cosine ? plan->cosine : plan->router[regimes.logits]},
        {SMOE_STAGE_ROUTE_LOGITS, runs_experts && plan->shape.desc.shared_gate, plan->router[regimes.shared_gate]},
        {SMOE_STAGE_ROUTE_GROUP, plan->shape.group_count > 0, plan->group},
        {SMOE_STAGE_ROUTE_SELECT, true, plan->select},
        {SMOE_STAGE_TOTALS, has_totals, plan->totals},
        {SMOE_STAGE_SORT, runs_experts, experts->sort},
        {SMOE_STAGE_EXPERT_UP, runs_experts, experts->up},
        {SMOE_STAGE_EXPERT_UP, has_shared, shared->shared_up},
        {SMOE_STAGE_EXPERT_DOWN, runs_experts, experts->down},
        {SMOE_STAGE_EXPERT_DOWN, has_shared, shared->shared_down},
        {SMOE_STAGE_COMBINE, runs_experts, plan->combine},
    };
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (needs[i].runs && !needs[i].pipeline)
            return smoe_fail(&plan->context->host, SMOE_ERROR_INVALID_ARGUMENT,
                             "params.token_count: %u, the plan has no pipeline of %s for it", token_count,
                             smoe_stage_name(needs[i].stage));
    return SMOE_SUCCESS;
}

const smoe_plan_desc *smoe_plan_get_desc(const smoe_plan *plan)
{
    return plan ? &plan->shape.desc : NULL;
}

uint32_t smoe_plan_range_count(const smoe_plan *plan, uint32_t *range_experts)
{
    if (range_experts)
        *range_experts = plan ? plan->shape.range_experts : 0;
    return plan ? plan->shape.range_count : 0;
}

VkDeviceSize smoe_plan_workspace_size(const smoe_plan *plan)
{
    return plan ? plan->shape.workspace_size : 0;
}

VkDeviceSize smoe_plan_logits_offset(const smoe_plan *plan, uint32_t *pass_token_count)
{
    const smoe_shape *shape = plan ? &plan->shape : NULL;
    if (pass_token_count)
        *pass_token_count = shape ? shape->pass_tokens : 0;
    return shape ? 4 * shape->control.logits : 0;
}

VkDeviceSize smoe_plan_report_size(const smoe_plan *plan, uint32_t token_count)
{
    return plan ? 4ull * token_count * SMOE_REPORT_STRIDE((VkDeviceSize)plan->shape.desc.max_active) : 0;
}

VkDeviceSize smoe_plan_totals_size(const smoe_plan *plan)
{
    return plan ? 4 * SMOE_TOTALS_WORDS((VkDeviceSize)plan->shape.desc.expert_count) : 0;
}
