/* Blocking forwards over host arrays, their logits and their times. */
#include "base/system.h"
#include "layer_internal.h"

static void record_query(smoe_device *device, VkPipelineStageFlagBits stage, uint32_t query)
{
    device->table.vkCmdWriteTimestamp(device->commands.buffer, stage, device->query_pool, query);
}

/* Each slice in a submission of its own. */
static smoe_result record_slices(smoe_device_layer *layer, const smoe_binding *binding,
                                 const smoe_forward_params *params, bool route, const smoe_timestamps *timestamps)
{
    smoe_helper_commands *commands = &layer->device->commands;
    const uint32_t slices = (route ? smoe_route_slice_count : smoe_forward_slice_count)(layer->layer, binding, params);
    smoe_result result = SMOE_SUCCESS;

    if (slices == 0) /* nothing to record, or an error to tell */
        return (route ? smoe_route : smoe_forward)(commands->buffer, layer->layer, binding, params, timestamps);
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < slices; i++) {
        if (i > 0)
            result = smoe_helper_next(layer->device, commands);
        if (result == SMOE_SUCCESS)
            result = (route ? smoe_route_slices : smoe_forward_slices)(commands->buffer, layer->layer, binding, params,
                                                                       timestamps, i, 1);
    }
    return result;
}

/* Records the forward, or for `route` only its routing, so that what it writes can be read afterwards by the host and
 * by copies. */
static smoe_result record(smoe_device_layer *layer, const smoe_binding *binding, const smoe_forward_params *params,
                          bool route, bool timed)
{
    smoe_device *device = layer->device;
    const smoe_timestamps timestamps = {device->query_pool, 0};
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT,
    };

    smoe_result result = smoe_helper_begin(device, &device->commands);
    if (result != SMOE_SUCCESS)
        return result;
    if (timed) {
        device->table.vkCmdResetQueryPool(device->commands.buffer, device->query_pool, 0, SMOE_HELPER_QUERY_COUNT);
        record_query(device, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, SMOE_HELPER_QUERY_BEGIN);
    }
    result = record_slices(layer, binding, params, route, timed ? &timestamps : NULL);
    if (result != SMOE_SUCCESS)
        return result;
    if (timed)
        record_query(device, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, SMOE_HELPER_QUERY_END);
    device->table.vkCmdPipelineBarrier(device->commands.buffer, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                       VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &barrier, 0,
                                       NULL, 0, NULL);
    return smoe_helper_end(device, &device->commands);
}

/* Timestamps have only `bits` valid bits and wrap around there. */
static double ticks_to_nanoseconds(const smoe_device *device, uint64_t begin, uint64_t end)
{
    const uint64_t mask = device->timestamp_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << device->timestamp_bits) - 1;
    return (double)((end - begin) & mask) * (double)device->info.timestamp_period;
}

static smoe_result read_stage_times(const smoe_device *device, smoe_timings *timings)
{
    uint64_t ticks[SMOE_HELPER_QUERY_COUNT];
    const VkResult status =
        device->table.vkGetQueryPoolResults(device->handle, device->query_pool, 0, SMOE_HELPER_QUERY_COUNT,
                                            sizeof ticks, ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT);
    const smoe_result result = smoe_vulkan_check(&device->instance.host, status, "vkGetQueryPoolResults");
    if (result != SMOE_SUCCESS)
        return result;
    for (int i = 0; i < SMOE_STAGE_COUNT; i++)
        timings->stage[i] = ticks_to_nanoseconds(device, ticks[i], ticks[i + 1]);
    timings->device_total = ticks_to_nanoseconds(device, ticks[SMOE_HELPER_QUERY_BEGIN], ticks[SMOE_HELPER_QUERY_END]);
    return SMOE_SUCCESS;
}

/* Submits what has been recorded. A forward without tokens writes no timestamps. */
static smoe_result run(smoe_device_layer *layer, bool timed, smoe_timings *timings)
{
    if (timings)
        *timings = (smoe_timings){0};
    const double begin = smoe_system_time();
    const smoe_result result = smoe_helper_submit(layer->device);
    if (result != SMOE_SUCCESS || !timings)
        return result;
    timings->host_total = smoe_system_time() - begin;
    return timed ? read_stage_times(layer->device, timings) : SMOE_SUCCESS;
}

static bool can_time(const smoe_device_layer *layer, const smoe_forward_params *params)
{
    return layer->device->query_pool && params->token_count > 0;
}

smoe_result smoe_helper_check_tokens(const smoe_device_layer *layer, const char *call,
                                     const smoe_forward_params *params, bool or_none)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);
    const uint32_t count = params->token_count;

    if ((count >= plan->min_tokens && count <= plan->max_tokens) || (count == 0 && or_none))
        return SMOE_SUCCESS;
    return smoe_fail(&layer->device->instance.host, SMOE_ERROR_INVALID_ARGUMENT,
                     "%s: params.token_count is %u, must be %s%u .. %u, the plan's min_tokens and max_tokens", call,
                     count, or_none ? "0 or " : "", plan->min_tokens, plan->max_tokens);
}

smoe_result smoe_helper_forward(smoe_device_layer *layer, const smoe_forward_params *params, const float *x, float *y,
                                uint32_t *report, smoe_timings *timings, bool with_totals)
{
    const smoe_plan_desc *plan = smoe_plan_get_desc(layer->plan);
    const bool timed = timings && can_time(layer, params);
    const size_t tokens = params->token_count, row = plan->d_model, record_words = SMOE_REPORT_STRIDE(plan->max_active);
    smoe_binding *binding;

    layer->has_run = false;
    smoe_result result = smoe_helper_binding(
        layer, (report ? SMOE_HELPER_WITH_REPORT : 0u) | (with_totals ? SMOE_HELPER_WITH_TOTALS : 0u), &binding);
    if (result == SMOE_SUCCESS && tokens > 0)
        result = smoe_helper_upload(layer->device, &layer->x, 0, x, tokens * row * sizeof *x);
    if (result == SMOE_SUCCESS && tokens > 0)
        result = smoe_helper_buffer_flush(layer->device, &layer->x);
    if (result == SMOE_SUCCESS)
        result = record(layer, binding, params, !y, timed);
    if (result == SMOE_SUCCESS)
        result = run(layer, timed, timings);
    if (result == SMOE_SUCCESS && tokens > 0 && y)
        result = smoe_helper_download(layer->device, &layer->y, 0, y, tokens * row * sizeof *y);
    if (result == SMOE_SUCCESS && tokens > 0 && report)
        result = smoe_helper_download(layer->device, &layer->report, 0, report, tokens * record_words * sizeof *report);
    if (result != SMOE_SUCCESS)
        return result;
    layer->has_run = true;
    layer->routed = !y;
    layer->x_tokens = params->token_count;
    return SMOE_SUCCESS;
}

smoe_result smoe_device_layer_forward(smoe_device_layer *layer, const smoe_forward_params *params, const float *x,
                                      float *y, uint32_t *report, smoe_timings *timings)
{
    static const char call[] = "smoe_device_layer_forward";
    const smoe_host *host = layer ? &layer->device->instance.host : &smoe_host_silent;

    if (!layer || !params || (params->token_count > 0 && !x))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s: %s must not be NULL", call,
                         !layer ? "layer" : !params ? "params" : "x");
    smoe_result result = smoe_helper_check_tokens(layer, call, params, true);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_check_given(layer, call, params->token_count);
    return result == SMOE_SUCCESS ? smoe_helper_forward(layer, params, x, y, report, timings, layer->has_totals)
                                  : result;
}

smoe_result smoe_device_layer_logits(smoe_device_layer *layer, float *logits)
{
    const smoe_host *host = layer ? &layer->device->instance.host : &smoe_host_silent;
    uint32_t pass_tokens;

    if (!layer || !logits)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_logits: %s must not be NULL",
                         layer ? "logits" : "layer");
    if (!layer->has_run)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_logits: comes after a smoe_device_layer_forward that succeeded");
    const VkDeviceSize offset = smoe_plan_logits_offset(layer->plan, &pass_tokens);
    if (layer->x_tokens > pass_tokens)
        return smoe_fail(host, SMOE_ERROR_UNSUPPORTED,
                         "smoe_device_layer_logits: the last forward had %u tokens, more than the %u of one pass",
                         layer->x_tokens, pass_tokens);
    const size_t row = smoe_plan_get_desc(layer->plan)->expert_count * sizeof *logits;
    /* The forward's last barrier has made the workspace available to copies. */
    return layer->x_tokens == 0
               ? SMOE_SUCCESS
               : smoe_helper_download(layer->device, &layer->workspace, offset, logits, layer->x_tokens * row);
}

smoe_result smoe_device_layer_repeat(smoe_device_layer *layer, const smoe_forward_params *params, bool report,
                                     uint32_t count, smoe_timings *timings)
{
    const smoe_host *host = layer ? &layer->device->instance.host : &smoe_host_silent;

    if (!layer || !params || !timings)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "smoe_device_layer_repeat: %s must not be NULL",
                         !layer ? "layer" : !params ? "params" : "timings");
    if (!layer->has_run)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_repeat: comes after a smoe_device_layer_forward that succeeded");
    if (params->token_count > layer->x_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                         "smoe_device_layer_repeat: params.token_count is %u, the last forward had %u",
                         params->token_count, layer->x_tokens);
    smoe_binding *binding;
    smoe_result result = smoe_helper_check_given(layer, "smoe_device_layer_repeat", params->token_count);
    if (result == SMOE_SUCCESS)
        result = smoe_helper_binding(
            layer, (report ? SMOE_HELPER_WITH_REPORT : 0u) | (layer->has_totals ? SMOE_HELPER_WITH_TOTALS : 0u),
            &binding);
    if (result == SMOE_SUCCESS)
        result = record(layer, binding, params, layer->routed, can_time(layer, params));
    for (uint32_t i = 0; result == SMOE_SUCCESS && i < count; i++)
        result = run(layer, can_time(layer, params), &timings[i]);
    return result;
}
