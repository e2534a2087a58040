#include "base/arithmetic.h"
#include "base/text.h"
#include "recording.h"

static smoe_result check_params(const smoe_plan *plan, const smoe_binding *binding, const smoe_forward_params *params)
{
    const smoe_host *host = &plan->context->host;
    const smoe_plan_desc *desc = &plan->shape.desc;
    char reason[SMOE_REASON_SIZE];
    if (params->token_count > binding->max_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.token_count: %u, must be at most the binding's %u",
                         params->token_count, binding->max_tokens);
    if (params->token_count != 0 && params->token_count < desc->min_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "params.token_count: %u, must be 0 or at least the plan's min_tokens, %u", params->token_count,
                         desc->min_tokens);
    const uint32_t least = smoe_max_u32(desc->top_k, desc->given_count);
    if (params->max_active != 0 && (params->max_active < least || params->max_active > desc->max_active))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.max_active: %u, must be 0 or %u .. %u",
                         params->max_active, least, desc->max_active);
    if (desc->given_count > 0 && params->keep_scores)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "params.keep_scores: must be false with given routing, whose weights follow from the logits");
    if (plan->shape.balanced_groups && params->max_active % plan->shape.balanced_groups != 0)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "params.max_active: %u, must be a multiple of the plan's balanced_groups, %u",
                         params->max_active, plan->shape.balanced_groups);
    const uint32_t most =
        smoe_min_u32(desc->max_expected_active, params->max_active ? params->max_active : desc->max_active);
    if (params->expected_active != 0 && (params->expected_active < desc->top_k || params->expected_active > most))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "params.expected_active: %u, must be 0 or %u .. %u, up to the plan's max_expected_active and "
                         "the cap",
                         params->expected_active, desc->top_k, most);
    if (smoe_forward_numbers_check(desc, params, reason) != SMOE_SUCCESS)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.%s", reason);
    return SMOE_SUCCESS;
}

static void record_pass(smoe_recording *r, uint32_t pass)
{
    r->io = &r->binding->passes[pass];
    r->token_count = smoe_shape_pass_token_count(&r->plan->shape, r->params->token_count, pass);
    r->range_pieces = smoe_record_range_pieces(r);
    smoe_record_begin(r);
    for (smoe_stage stage = 0; stage < SMOE_STAGE_COUNT; stage++)
        smoe_record_stage(r, stage);
}

/* The wanted slices; none is recorded where none is wanted. Tells how many the forward has. */
static uint32_t record_passes(smoe_recording *r)
{
    const uint32_t pass_count = smoe_divide_up(r->params->token_count, r->plan->shape.pass_tokens);
    for (uint32_t pass = 0; pass < pass_count; pass++) {
        record_pass(r, pass);
        r->timestamps = NULL; /* a query may be written once */
    }
    return pass_count > 0 ? r->slices.at + 1 : 0;
}

/* Where and what to record. */
typedef struct smoe_wanted {
    VkCommandBuffer command_buffer;
    const smoe_timestamps *timestamps;
    uint32_t first, count; /* slices; all: 0 and UINT32_MAX */
} smoe_wanted;

/* work: SMOE_HAS_EXPERTS, or 0 to route only. wanted: NULL to record nothing. */
static smoe_result prepare(const smoe_layer *layer, const smoe_binding *binding, const smoe_forward_params *params,
                           uint32_t work, const smoe_wanted *wanted, smoe_recording *out)
{
    if (!layer && !binding)
        return SMOE_ERROR_INVALID_ARGUMENT;
    const smoe_plan *plan = layer ? layer->plan : binding->plan;
    const smoe_host *host = &plan->context->host;
    const bool no_commands = wanted && !wanted->command_buffer;
    if (no_commands || !layer || !binding || !params)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: must not be NULL",
                         no_commands ? "command_buffer"
                         : !layer    ? "layer"
                         : !binding  ? "binding"
                                     : "params");
    if (binding->plan != plan)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "binding: must be of the same plan as layer");
    if (wanted && wanted->timestamps && !wanted->timestamps->pool)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "timestamps.pool: must not be VK_NULL_HANDLE");
    const smoe_result result = check_params(plan, binding, params);
    if (result != SMOE_SUCCESS)
        return result;
    *out = (smoe_recording){
        .context = plan->context,
        .plan = plan,
        .layer = layer,
        .binding = binding,
        .params = params,
        .features = smoe_shape_features(&plan->shape) | (binding->has_totals ? SMOE_HAS_TOTALS : 0u) | work,
        .slices = {.limit = plan->context->slice_work},
    };
    if (params->token_count == 0)
        return SMOE_SUCCESS;
    smoe_selection_regimes(&plan->selection, &plan->shape.desc, params->token_count, params->expected_active,
                           out->regimes);
    return smoe_plan_check_pipelines(plan, out->regimes, params->token_count, out->features);
}

static uint32_t count_slices(const smoe_layer *layer, const smoe_binding *binding, const smoe_forward_params *params,
                             uint32_t work)
{
    smoe_recording r;
    return prepare(layer, binding, params, work, NULL, &r) == SMOE_SUCCESS ? record_passes(&r) : 0;
}

static smoe_result check_wanted(const smoe_recording *r, const smoe_wanted *wanted)
{
    smoe_recording counted = *r;
    if (wanted->first == 0 && wanted->count == UINT32_MAX)
        return SMOE_SUCCESS;
    const uint32_t slices = record_passes(&counted);
    if (wanted->first > slices || wanted->count > slices - wanted->first)
        return smoe_fail(&r->context->host, SMOE_ERROR_INVALID_ARGUMENT,
                         "first: %u and count: %u, but the forward has %u slices, as its slice count tells",
                         wanted->first, wanted->count, slices);
    return SMOE_SUCCESS;
}

static smoe_result record(const smoe_layer *layer, const smoe_binding *binding, const smoe_forward_params *params,
                          uint32_t work, const smoe_wanted *wanted)
{
    smoe_recording r;
    smoe_result result = prepare(layer, binding, params, work, wanted, &r);
    if (result == SMOE_SUCCESS)
        result = check_wanted(&r, wanted);
    if (result != SMOE_SUCCESS || params->token_count == 0 || wanted->count == 0)
        return result;
    r.command_buffer = wanted->command_buffer;
    r.timestamps = wanted->timestamps;
    r.slices.first = wanted->first;
    r.slices.count = wanted->count;
    smoe_record_barrier(&r);
    record_passes(&r);
    return SMOE_SUCCESS;
}

smoe_result smoe_forward(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                         const smoe_forward_params *params, const smoe_timestamps *timestamps)
{
    return smoe_forward_slices(command_buffer, layer, binding, params, timestamps, 0, UINT32_MAX);
}

smoe_result smoe_route(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                       const smoe_forward_params *params, const smoe_timestamps *timestamps)
{
    return smoe_route_slices(command_buffer, layer, binding, params, timestamps, 0, UINT32_MAX);
}

smoe_result smoe_forward_slices(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                                const smoe_forward_params *params, const smoe_timestamps *timestamps, uint32_t first,
                                uint32_t count)
{
    const smoe_wanted wanted = {command_buffer, timestamps, first, count};
    return record(layer, binding, params, SMOE_HAS_EXPERTS, &wanted);
}

smoe_result smoe_route_slices(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                              const smoe_forward_params *params, const smoe_timestamps *timestamps, uint32_t first,
                              uint32_t count)
{
    const smoe_wanted wanted = {command_buffer, timestamps, first, count};
    return record(layer, binding, params, 0, &wanted);
}

uint32_t smoe_forward_slice_count(const smoe_layer *layer, const smoe_binding *binding,
                                  const smoe_forward_params *params)
{
    return count_slices(layer, binding, params, SMOE_HAS_EXPERTS);
}

uint32_t smoe_route_slice_count(const smoe_layer *layer, const smoe_binding *binding, const smoe_forward_params *params)
{
    return count_slices(layer, binding, params, 0);
}
