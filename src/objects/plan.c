#include "plan.h"

#include "../../shaders/common/interface.h"
#include "base/arithmetic.h"
#include "vulkan/call.h"
#include "vulkan/pipeline.h"

_Static_assert(SMOE_ID_COUNT <= SMOE_PIPELINE_MAX_CONSTANTS, "a pipeline takes every constant");

/* part: SMOE_PART_*. */
static smoe_result create_pipeline(const smoe_plan *plan, const smoe_kernel_config *config, uint32_t part, VkPipeline *out)
{
    const smoe_context *context = plan->context;
    const smoe_shape *shape = &plan->shape;
    const smoe_kernel_row *row = smoe_kernel_row_get(config->kernel);
    const uint32_t constants[SMOE_ID_COUNT] = {
        [SMOE_ID_WORKGROUP_SIZE] = config->workgroup_size,
        [SMOE_ID_SUBGROUP_SIZE] = config->subgroup_size,
        [SMOE_ID_D_MODEL] = shape->desc.d_model,
        [SMOE_ID_D_HIDDEN] = shape->desc.d_hidden,
        [SMOE_ID_EXPERT_COUNT] = shape->desc.expert_count,
        [SMOE_ID_TOP_K] = shape->desc.top_k,
        [SMOE_ID_MAX_ACTIVE] = shape->desc.max_active,
        [SMOE_ID_PASS_TOKENS] = shape->pass_tokens,
        [SMOE_ID_RANGE_COUNT] = shape->range_count,
        [SMOE_ID_RANGE_EXPERTS] = shape->range_experts,
        [SMOE_ID_WEIGHT_TYPE] = (uint32_t)shape->desc.weight_type,
        [SMOE_ID_ACTIVATION] = (uint32_t)shape->desc.activation,
        [SMOE_ID_GATED] = shape->desc.gated,
        [SMOE_ID_RENORMALIZE] = shape->desc.renormalize,
        [SMOE_ID_ALIGNED] = part == SMOE_PART_SHARED ? shape->shared_aligned : shape->aligned,
        [SMOE_ID_TILE_ROWS] = config->tile_rows,
        [SMOE_ID_TILE_COLUMNS] = config->tile_columns,
        [SMOE_ID_TILE_DEPTH] = config->tile_depth,
        [SMOE_ID_THREAD_ROWS] = config->thread_rows,
        [SMOE_ID_THREAD_COLUMNS] = config->thread_columns,
        [SMOE_ID_UP_COLUMN_TILES] = config->up_column_tiles,
        [SMOE_ID_DOWN_COLUMN_TILES] = config->down_column_tiles,
        [SMOE_ID_PROJECTION_WIDTH] = shape->desc.projection_width,
        [SMOE_ID_GATE] = (uint32_t)shape->desc.gate,
        [SMOE_ID_GROUP_COUNT] = shape->group_count,
        [SMOE_ID_TOP_GROUPS] = shape->desc.top_groups,
        [SMOE_ID_SHARED_HIDDEN] = shape->desc.shared_hidden,
        [SMOE_ID_SHARED_GATE] = shape->desc.shared_gate,
        [SMOE_ID_PART] = part,
        [SMOE_ID_MATRIX_ROWS] = config->matrix.rows,
        [SMOE_ID_MATRIX_COLUMNS] = config->matrix.columns,
        [SMOE_ID_MATRIX_DEPTH] = config->matrix.depth,
        [SMOE_ID_SHARED_SIZE] = smoe_divide_up(config->shared_memory_size, 16),
    };
    const uint32_t whole = config->required_subgroup_size ? config->required_subgroup_size : context->info.subgroup_size_max;
    const bool size_control = (context->info.capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL) != 0;
    const smoe_pipeline_desc desc = {
        .name = row->name,
        .spirv = row->spirv,
        .spirv_size = row->spirv_size,
        .constants = constants,
        .constant_count = SMOE_ID_COUNT,
        .required_subgroup_size = config->required_subgroup_size,
        .full_subgroups = size_control && config->subgroup_size > 1 && config->workgroup_size % whole == 0,
    };
    return smoe_pipeline_create(&context->host, &context->vk, context->device, context->cache, context->pipeline_layout, &desc, out);
}

/* The pipelines of one regime, as far as some token count leads to it. */
static smoe_result create_regime(smoe_plan *plan, uint32_t i)
{
    const smoe_selection *selection = &plan->selection;
    const smoe_kernel_config *router = &selection->router[i];
    const smoe_expert_selection *experts = &selection->experts[i];
    const struct {
        bool used;
        const smoe_kernel_config *config;
        uint32_t part;
        VkPipeline *out;
    } pipelines[] = {
        {selection->logits_used[i], router, SMOE_PART_MAIN, &plan->logits[i]},
        {selection->project_used[i], router, SMOE_PART_PROJECTION, &plan->project[i]},
        {selection->shared_gate_used[i], router, SMOE_PART_SHARED_GATE, &plan->shared_gate[i]},
        {experts->used, &experts->sort, SMOE_PART_MAIN, &plan->experts[i].sort},
        {experts->used, &experts->up, SMOE_PART_MAIN, &plan->experts[i].up},
        {experts->used, &experts->down, SMOE_PART_MAIN, &plan->experts[i].down},
        {selection->shared_used[i], &experts->up, SMOE_PART_SHARED, &plan->shared[i].up},
        {selection->shared_used[i], &experts->down, SMOE_PART_SHARED, &plan->shared[i].down},
    };
    smoe_result result = SMOE_SUCCESS;
    for (size_t p = 0; !result && p < sizeof pipelines / sizeof pipelines[0]; p++)
        if (pipelines[p].used)
            result = create_pipeline(plan, pipelines[p].config, pipelines[p].part, pipelines[p].out);
    return result;
}

static smoe_result create_pipelines(smoe_plan *plan)
{
    const smoe_selection *selection = &plan->selection;
    smoe_result result;
    if ((plan->shape.desc.router == SMOE_ROUTER_COSINE &&
         (result = create_pipeline(plan, &selection->cosine, SMOE_PART_MAIN, &plan->cosine))) ||
        (plan->shape.group_count && (result = create_pipeline(plan, &selection->group, SMOE_PART_MAIN, &plan->group))) ||
        (result = create_pipeline(plan, &selection->select, SMOE_PART_MAIN, &plan->select)) ||
        (result = create_pipeline(plan, &selection->totals, SMOE_PART_MAIN, &plan->totals)) ||
        (result = create_pipeline(plan, &selection->combine, SMOE_PART_MAIN, &plan->combine)))
        return result;
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++)
        if ((result = create_regime(plan, i)))
            return result;
    return SMOE_SUCCESS;
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
    if (!plan)
        return;
    const smoe_context *context = plan->context;
    const struct VolkDeviceTable *vk = &context->vk;
    const VkPipeline single[] = {plan->cosine, plan->group, plan->select, plan->totals, plan->combine};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        vk->vkDestroyPipeline(context->device, single[i], NULL);
    for (uint32_t i = 0; i < SMOE_REGIME_COUNT; i++) {
        const VkPipeline regime[] = {plan->logits[i],     plan->project[i],      plan->shared_gate[i], plan->experts[i].sort,
                                     plan->experts[i].up, plan->experts[i].down, plan->shared[i].up,   plan->shared[i].down};
        for (size_t p = 0; p < sizeof regime / sizeof regime[0]; p++)
            vk->vkDestroyPipeline(context->device, regime[p], NULL);
    }
    smoe_host_free(&context->host, plan);
}

smoe_result smoe_plan_check_pipelines(const smoe_plan *plan, uint32_t token_count, bool has_totals, bool routing_alone)
{
    const smoe_regimes regimes = smoe_selection_regimes(&plan->selection, &plan->shape.desc, token_count);
    const smoe_expert_pipelines *experts = &plan->experts[regimes.experts], *shared = &plan->shared[regimes.shared];
    const bool cosine = plan->shape.desc.router == SMOE_ROUTER_COSINE, runs_experts = !routing_alone;
    const bool has_shared = runs_experts && plan->shape.desc.shared_hidden > 0;
    const struct {
        smoe_stage stage;
        bool runs;
        VkPipeline pipeline;
    } needs[] = {
        {SMOE_STAGE_ROUTE_PROJECT, cosine, plan->project[regimes.project]},
        {SMOE_STAGE_ROUTE_LOGITS, true, cosine ? plan->cosine : plan->logits[regimes.logits]},
        {SMOE_STAGE_ROUTE_LOGITS, runs_experts && plan->shape.desc.shared_gate, plan->shared_gate[regimes.shared_gate]},
        {SMOE_STAGE_ROUTE_GROUP, plan->shape.group_count > 0, plan->group},
        {SMOE_STAGE_ROUTE_SELECT, true, plan->select},
        {SMOE_STAGE_TOTALS, has_totals, plan->totals},
        {SMOE_STAGE_SORT, runs_experts, experts->sort},
        {SMOE_STAGE_EXPERT_UP, runs_experts, experts->up},
        {SMOE_STAGE_EXPERT_UP, has_shared, shared->up},
        {SMOE_STAGE_EXPERT_DOWN, runs_experts, experts->down},
        {SMOE_STAGE_EXPERT_DOWN, has_shared, shared->down},
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

VkDeviceSize smoe_plan_workspace_size(const smoe_plan *plan)
{
    return plan ? plan->shape.workspace_size : 0;
}

VkDeviceSize smoe_plan_logits_offset(const smoe_plan *plan, uint32_t *pass_token_count)
{
    const smoe_shape *shape = plan ? &plan->shape : NULL;
    if (pass_token_count)
        *pass_token_count = shape ? shape->pass_tokens : 0;
    return shape ? 4 * SMOE_CONTROL_LOGITS((VkDeviceSize)shape->range_count, shape->pass_tokens, shape->desc.max_active) : 0;
}

VkDeviceSize smoe_plan_report_size(const smoe_plan *plan, uint32_t token_count)
{
    return plan ? 4ull * token_count * SMOE_REPORT_STRIDE((VkDeviceSize)plan->shape.desc.max_active) : 0;
}

VkDeviceSize smoe_plan_totals_size(const smoe_plan *plan)
{
    return plan ? 4 * SMOE_TOTALS_WORDS((VkDeviceSize)plan->shape.desc.expert_count) : 0;
}
