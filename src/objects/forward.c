#include "base/arithmetic.h"
#include "base/text.h"
#include "recording.h"

static smoe_result check_numbers(const smoe_plan *plan, const smoe_forward_params *params)
{
    const smoe_forward_number *number;
    char text[SMOE_NUMBER_SIZE];
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++) {
        const float value = smoe_forward_number_value(number, params);
        const bool used = !number->groups || plan->shape.group_count > 0;
        if (used && !smoe_forward_number_allows(number, value))
            return smoe_fail(&plan->context->host, SMOE_ERROR_INVALID_ARGUMENT, "params.%s: %s, must be %s",
                             number->name, smoe_number_text(text, 6, (double)value), number->rule);
    }
    return SMOE_SUCCESS;
}

static smoe_result check_params(const smoe_plan *plan, const smoe_binding *binding, const smoe_forward_params *params)
{
    const smoe_host *host = &plan->context->host;
    const smoe_plan_desc *desc = &plan->shape.desc;
    if (params->token_count > binding->max_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.token_count: %u, must be at most the binding's %u",
                         params->token_count, binding->max_tokens);
    if (params->token_count != 0 && params->token_count < desc->min_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "params.token_count: %u, must be 0 or at least the plan's min_tokens, %u", params->token_count,
                         desc->min_tokens);
    if (params->max_active != 0 && (params->max_active < desc->top_k || params->max_active > desc->max_active))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.max_active: %u, must be 0 or %u .. %u",
                         params->max_active, desc->top_k, desc->max_active);
    return check_numbers(plan, params);
}

static void record_pass(smoe_recording *r, uint32_t pass)
{
    r->io = &r->binding->passes[pass];
    r->token_count = smoe_shape_pass_token_count(&r->plan->shape, r->params->token_count, pass);
    smoe_record_begin(r);
    for (smoe_stage stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        smoe_record_stage(r, stage);
}

/* work: SMOE_HAS_EXPERTS, or 0 to route only. */
static smoe_result record(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                          const smoe_forward_params *params, const smoe_timestamps *timestamps, uint32_t work)
{
    if (!layer && !binding)
        return SMOE_ERROR_INVALID_ARGUMENT;
    const smoe_plan *plan = layer ? layer->plan : binding->plan;
    const smoe_host *host = &plan->context->host;
    if (!command_buffer || !layer || !binding || !params)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL",
                         !command_buffer ? "command_buffer"
                         : !layer        ? "layer"
                         : !binding      ? "binding"
                                         : "params");
    if (binding->plan != plan)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "binding: must be of the same plan as layer");
    if (timestamps && !timestamps->pool)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "timestamps.pool: must not be VK_NULL_HANDLE");
    smoe_result result = check_params(plan, binding, params);
    if (result != SMOE_SUCCESS || params->token_count == 0)
        return result;
    const uint32_t features = smoe_shape_features(&plan->shape) | (binding->has_totals ? SMOE_HAS_TOTALS : 0u) | work;
    smoe_recording r = {
        .command_buffer = command_buffer,
        .context = plan->context,
        .plan = plan,
        .layer = layer,
        .binding = binding,
        .params = params,
        .timestamps = timestamps,
        .features = features,
    };
    smoe_selection_regimes(&plan->selection, &plan->shape.desc, params->token_count, r.regimes);
    result = smoe_plan_check_pipelines(plan, r.regimes, params->token_count, features);
    if (result != SMOE_SUCCESS)
        return result;
    smoe_record_barrier(&r);
    const uint32_t pass_count = smoe_divide_up(params->token_count, plan->shape.pass_tokens);
    for (uint32_t pass = 0; pass < pass_count; pass++) {
        record_pass(&r, pass);
        r.timestamps = NULL; /* a query may be written once */
    }
    return SMOE_SUCCESS;
}

smoe_result smoe_forward(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                         const smoe_forward_params *params, const smoe_timestamps *timestamps)
{
    return record(command_buffer, layer, binding, params, timestamps, SMOE_HAS_EXPERTS);
}

smoe_result smoe_route(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                       const smoe_forward_params *params, const smoe_timestamps *timestamps)
{
    return record(command_buffer, layer, binding, params, timestamps, 0);
}
