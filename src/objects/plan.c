#include "plan.h"

_Static_assert(SMOE_CONSTANT_COUNT <= SMOE_PIPELINE_MAX_CONSTANTS, "a pipeline takes every constant");

static smoe_result create_pipeline(const smoe_plan *plan, const smoe_kernel_config *config, VkPipeline *out)
{
    const smoe_context *context = plan->context;
    const smoe_kernel_row *row = smoe_kernel_row_get(config->kernel);
    const uint32_t whole =
        config->required_subgroup_size ? config->required_subgroup_size : context->info.subgroup_size_max;
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

static smoe_result create_pipelines(smoe_plan *plan)
{
    const smoe_selection *selection = &plan->selection;
    smoe_result result = SMOE_SUCCESS;
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        for (uint32_t i = 0; result == SMOE_SUCCESS && i < SMOE_REGIME_COUNT; i++)
            if (selection->used[step] >> i & 1)
                result = create_pipeline(plan, &selection->configs[step][i], &plan->pipelines[step][i]);
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
    if (result != SMOE_SUCCESS)
        goto fail;
    smoe_selection_init(&context->info, &plan->shape, &plan->selection);
    result = create_pipelines(plan);
    if (result != SMOE_SUCCESS)
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

smoe_result smoe_plan_check_pipelines(const smoe_plan *plan, const uint32_t regimes[SMOE_STEP_COUNT],
                                      uint32_t token_count, uint32_t features)
{
    for (smoe_step step = 0; step < SMOE_STEP_COUNT; step++)
        if (smoe_step_runs(step, features) && !plan->pipelines[step][regimes[step]])
            return smoe_fail(&plan->context->host, SMOE_ERROR_INVALID_ARGUMENT,
                             "params.token_count: %u, the plan has no pipeline of %s for it", token_count,
                             smoe_stage_name(smoe_step_get(step)->stage));
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
