#include <math.h>

#include "base/arithmetic.h"
#include "binding.h"
#include "layer.h"
#include "push.h"

#define MAX_EXPONENT 1024.0f

/* What is being recorded, and where. */
typedef struct recording {
    VkCommandBuffer command_buffer;
    const smoe_context *context;
    const smoe_plan *plan;
    const smoe_layer *layer;
    const smoe_binding *binding;
    const smoe_timestamps *timestamps; /* NULL: none */
    bool routing_alone;
    smoe_push push;
} recording;

smoe_forward_params smoe_forward_defaults(void)
{
    return (smoe_forward_params){.a = 1.0f, .b = 50.0f, .temperature = 1.0f, .scale = 1.0f};
}

/* Vulkan promises a division only by normal numbers up to 2^126. */
static bool in_range(float divisor)
{
    return divisor >= 1e-30f && divisor <= 1e30f;
}

static smoe_result check_params(const smoe_plan *plan, const smoe_binding *binding, const smoe_forward_params *params)
{
    const smoe_host *host = &plan->context->host;
    const smoe_plan_desc *desc = &plan->shape.desc;
    if (params->token_count > binding->max_tokens)
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.token_count: %u, must be at most the binding's %u", params->token_count,
                         binding->max_tokens);
    if (params->max_active != 0 && (params->max_active < desc->top_k || params->max_active > desc->max_active))
        return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.max_active: %u, must be 0 or %u .. %u", params->max_active, desc->top_k,
                         desc->max_active);
    const struct {
        const char *name;
        float value;
        bool legal;
        const char *rule;
    } rules[] = {
        {"eps", params->eps, params->eps == 0.0f || in_range(params->eps), "0 or 1e-30 .. 1e30"},
        {"a", params->a, params->a > 0.0f && params->a <= MAX_EXPONENT, "above 0 and at most 1024"},
        {"b", params->b, params->b > 0.0f && params->b <= MAX_EXPONENT, "above 0 and at most 1024"},
        {"temperature", params->temperature, in_range(params->temperature), "1e-30 .. 1e30"},
        {"tie_tolerance", params->tie_tolerance, isfinite(params->tie_tolerance) && params->tie_tolerance >= 0.0f,
         "finite and at least 0"},
        {"scale", params->scale, isfinite(params->scale), "finite"},
        {"group_eps", params->group_eps, plan->shape.group_count == 0 || params->group_eps == 0.0f || in_range(params->group_eps),
         "0 or 1e-30 .. 1e30"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (!rules[i].legal)
            return smoe_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.%s: %g, must be %s", rules[i].name, (double)rules[i].value,
                             rules[i].rule);
    return SMOE_SUCCESS;
}

/* Orders everything before against everything after among compute shaders and indirect arguments. Global rather than per buffer:
 * on every driver in use the cost is the same, and what a stage may touch needs no list. */
static void barrier(const recording *r)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_INDIRECT_COMMAND_READ_BIT,
    };
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT;
    r->context->vk.vkCmdPipelineBarrier(r->command_buffer, stages, stages, 0, 1, &memory, 0, NULL, 0, NULL);
}

static void write_timestamp(const recording *r, uint32_t index)
{
    if (r->timestamps)
        r->context->vk.vkCmdWriteTimestamp(r->command_buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r->timestamps->pool,
                                           r->timestamps->first + index);
}

static void begin_timestamps(const recording *r)
{
    write_timestamp(r, 0);
}

/* At the end of a stage, also of one that the shape does not have. */
static void timestamp(const recording *r, smoe_stage stage)
{
    write_timestamp(r, (uint32_t)stage + 1);
}

static void bind(const recording *r, VkPipeline pipeline, VkDescriptorSet io, const smoe_weights_set *weights)
{
    const struct VolkDeviceTable *vk = &r->context->vk;
    const VkPipelineLayout layout = r->context->pipeline_layout;
    smoe_push push = r->push;
    vk->vkCmdBindPipeline(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk->vkCmdBindDescriptorSets(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, SMOE_SET_IO, 1, &io, 0, NULL);
    if (weights) {
        vk->vkCmdBindDescriptorSets(r->command_buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, SMOE_SET_WEIGHTS, 1, &weights->set, 0,
                                    NULL);
        push.flags |= weights->flags;
        push.w_offset = weights->offsets[0];
        push.b_offset = weights->offsets[1];
        push.w_gate_offset = weights->offsets[2];
        push.b_gate_offset = weights->offsets[3];
    }
    vk->vkCmdPushConstants(r->command_buffer, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, &push);
}

static void dispatch(const recording *r, smoe_groups groups)
{
    r->context->vk.vkCmdDispatch(r->command_buffer, groups.x, groups.y, groups.z);
}

static void record_routing(recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io)
{
    const smoe_plan *plan = r->plan;
    const smoe_selection *selection = &plan->selection;
    const smoe_plan_desc *desc = &plan->shape.desc;
    const uint32_t tokens = r->push.token_count;

    if (desc->router == SMOE_ROUTER_COSINE) {
        bind(r, plan->project[regimes->project], io->x_hidden, &r->layer->project);
        dispatch(r, smoe_matmul_groups(&selection->router[regimes->project], desc->projection_width, tokens));
        barrier(r);
    }
    timestamp(r, SMOE_STAGE_ROUTE_PROJECT);

    if (desc->router == SMOE_ROUTER_COSINE) {
        bind(r, plan->cosine, io->x_hidden, &r->layer->router);
        dispatch(r, smoe_matmul_groups(&selection->cosine, desc->expert_count, tokens));
    } else {
        bind(r, plan->logits[regimes->logits], io->x_hidden, &r->layer->router);
        dispatch(r, smoe_matmul_groups(&selection->router[regimes->logits], desc->expert_count, tokens));
    }
    if (desc->shared_gate && !r->routing_alone) {
        bind(r, plan->shared_gate[regimes->shared_gate], io->x_gate, &r->layer->shared_gate);
        dispatch(r, smoe_matmul_groups(&selection->router[regimes->shared_gate], 1, tokens));
    }
    barrier(r);
    timestamp(r, SMOE_STAGE_ROUTE_LOGITS);

    if (plan->shape.group_count) {
        bind(r, plan->group, io->x_report, &r->layer->select);
        dispatch(r, smoe_route_group_groups(&selection->group, tokens));
        barrier(r);
    }
    timestamp(r, SMOE_STAGE_ROUTE_GROUP);

    bind(r, plan->select, io->x_report, &r->layer->select);
    dispatch(r, smoe_route_select_groups(&selection->select, tokens));
    barrier(r);
    timestamp(r, SMOE_STAGE_ROUTE_SELECT);

    if (r->binding->has_totals) {
        bind(r, plan->totals, r->binding->totals, NULL);
        dispatch(r, smoe_totals_groups(&selection->totals, tokens));
        barrier(r); /* sort writes other words of control: an overlap that synchronization validation takes for a hazard */
    }
    timestamp(r, SMOE_STAGE_TOTALS);
}

/* The shared expert, then one dispatch per range of experts; sort has written their sizes. Nothing orders them: they write rows of
 * their own. Those of the ranges interleave, and validation that looks into shaders takes them for hazards. down: 0 or 1. */
static void dispatch_experts(recording *r, const smoe_regimes *regimes, VkDescriptorSet io, VkDescriptorSet shared_io, uint32_t down)
{
    const smoe_plan *plan = r->plan;
    const smoe_plan_desc *desc = &plan->shape.desc;
    if (desc->shared_hidden > 0) {
        const smoe_expert_pipelines *pipelines = &plan->shared[regimes->shared];
        const smoe_expert_selection *experts = &plan->selection.experts[regimes->shared];
        bind(r, down ? pipelines->down : pipelines->up, shared_io, down ? &r->layer->shared_down : &r->layer->shared_up);
        dispatch(r, smoe_matmul_groups(down ? &experts->down : &experts->up, down ? desc->d_model : desc->shared_hidden,
                                       r->push.token_count));
    }
    const smoe_expert_pipelines *pipelines = &plan->experts[regimes->experts];
    for (uint32_t range = 0; range < plan->shape.range_count; range++) {
        const smoe_layer_range *weights = &r->layer->ranges[range];
        r->push.range = range;
        bind(r, down ? pipelines->down : pipelines->up, io, down ? &weights->down : &weights->up);
        r->context->vk.vkCmdDispatchIndirect(r->command_buffer, r->binding->workspace.buffer,
                                             r->binding->workspace.offset + 4 * (SMOE_CONTROL_ARGUMENTS((VkDeviceSize)range) + 4 * down));
    }
}

static void record_experts(recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io)
{
    const smoe_plan *plan = r->plan;
    bind(r, plan->experts[regimes->experts].sort, io->x_hidden, NULL);
    dispatch(r, (smoe_groups){1, 1, 1});
    barrier(r);
    timestamp(r, SMOE_STAGE_SORT);

    dispatch_experts(r, regimes, io->x_hidden, io->x_shared, 0);
    barrier(r);
    timestamp(r, SMOE_STAGE_EXPERT_UP);

    dispatch_experts(r, regimes, r->binding->hidden_rows, r->binding->shared_rows, 1);
    barrier(r);
    timestamp(r, SMOE_STAGE_EXPERT_DOWN);

    bind(r, plan->combine, io->rows_y, NULL);
    dispatch(r, smoe_combine_groups(&plan->shape, &plan->selection.combine, r->push.token_count));
    barrier(r);
    timestamp(r, SMOE_STAGE_COMBINE);
}

static void record_pass(recording *r, uint32_t token_count, uint32_t pass)
{
    const smoe_plan *plan = r->plan;
    const smoe_regimes regimes = smoe_selection_regimes(&plan->selection, &plan->shape.desc, token_count);
    const smoe_binding_pass *io = &r->binding->passes[pass];
    r->push.token_count = smoe_shape_pass_token_count(&plan->shape, token_count, pass);
    begin_timestamps(r);
    record_routing(r, &regimes, io);
    if (!r->routing_alone)
        record_experts(r, &regimes, io);
    else
        for (int stage = SMOE_STAGE_SORT; stage < SMOE_STAGE_COUNT; stage++)
            timestamp(r, (smoe_stage)stage);
}

static smoe_result record(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                          const smoe_forward_params *params, const smoe_timestamps *timestamps, bool routing_alone)
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
    if (result || params->token_count == 0)
        return result;
    result = smoe_plan_check_pipelines(plan, params->token_count, binding->has_totals, routing_alone);
    if (result)
        return result;

    recording r = {
        .command_buffer = command_buffer,
        .context = plan->context,
        .plan = plan,
        .layer = layer,
        .binding = binding,
        .timestamps = timestamps,
        .routing_alone = routing_alone,
        .push =
            {
                .flags = (binding->has_report ? SMOE_PUSH_REPORT : 0u) | (binding->has_totals ? SMOE_PUSH_TOTALS : 0u) |
                         (params->keep_scores ? SMOE_PUSH_SCORES : 0u),
                .max_active = params->max_active ? params->max_active : plan->shape.desc.max_active,
                .eps = params->eps,
                .a = params->a,
                .b = params->b,
                .temperature = params->temperature,
                .tie_tolerance = params->tie_tolerance,
                .scale = params->scale,
                .group_eps = params->group_eps,
            },
    };
    barrier(&r);
    const uint32_t pass_count = smoe_divide_up(params->token_count, plan->shape.pass_tokens);
    for (uint32_t pass = 0; pass < pass_count; pass++) {
        record_pass(&r, params->token_count, pass);
        r.timestamps = NULL; /* a query may be written once */
    }
    return SMOE_SUCCESS;
}

smoe_result smoe_forward(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                         const smoe_forward_params *params, const smoe_timestamps *timestamps)
{
    return record(command_buffer, layer, binding, params, timestamps, false);
}

smoe_result smoe_route(VkCommandBuffer command_buffer, const smoe_layer *layer, const smoe_binding *binding,
                       const smoe_forward_params *params, const smoe_timestamps *timestamps)
{
    return record(command_buffer, layer, binding, params, timestamps, true);
}
