/* The stages up to the totals: which experts run for each token, with which weights. */
#include "recording.h"

/* One of the router's matrix multiplications: x [T,D] by `columns` rows of weights, into the words of control from output_at on. */
static void record_product(const smoe_recording *r, uint32_t regime, VkDescriptorSet io, const smoe_weights_set *weights, uint32_t columns,
                           uint64_t output_at)
{
    const smoe_kernel_config *config = &r->plan->selection.router[regime];
    smoe_push_matmul push = smoe_matmul_push(r, weights, r->plan->shape.desc.d_model, columns);
    push.output_at = (uint32_t)output_at;
    smoe_record_bind(r, r->plan->router[regime], io, weights, &push, sizeof push);
    smoe_record_dispatch(r, smoe_matmul_workgroups(config, columns, r->token_count));
}

static void record_cosine(const smoe_recording *r, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_weights_set *weights = &r->layer->router;
    const smoe_push_cosine push = {
        .token_count = r->token_count,
        .projection_width = shape->desc.projection_width,
        .expert_count = shape->desc.expert_count,
        .projected_at = (uint32_t)shape->control.projected,
        .logits_at = (uint32_t)shape->control.logits,
        .w_offset = weights->offsets[SMOE_BINDING_W],
        .b_offset = weights->offsets[SMOE_BINDING_B],
    };
    smoe_record_bind(r, r->plan->cosine, io, weights, &push, sizeof push);
    smoe_record_dispatch(r, smoe_matmul_workgroups(&r->plan->selection.cosine, shape->desc.expert_count, r->token_count));
}

static void record_group(const smoe_recording *r, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_weights_set *weights = &r->layer->select;
    const smoe_push_group push = {
        .token_count = r->token_count,
        .flags = weights->flags,
        .expert_count = shape->desc.expert_count,
        .group_count = shape->group_count,
        .group_size = shape->desc.expert_count / shape->group_count,
        .top_groups = shape->desc.top_groups,
        .b_offset = weights->offsets[SMOE_BINDING_B],
        .logits_at = (uint32_t)shape->control.logits,
        .groups_at = (uint32_t)shape->control.groups,
        .group_eps = r->params->group_eps,
    };
    smoe_record_bind(r, r->plan->group, io, weights, &push, sizeof push);
    smoe_record_dispatch(r, smoe_route_group_workgroups(&r->plan->selection.group, r->token_count));
}

static uint32_t select_flags(const smoe_recording *r)
{
    return r->layer->select.flags | (r->binding->has_report ? SMOE_FLAG_REPORT : 0u) | (r->binding->has_totals ? SMOE_FLAG_TOTALS : 0u) |
           (r->params->keep_scores ? SMOE_FLAG_SCORES : 0u);
}

static void record_select(const smoe_recording *r, VkDescriptorSet io)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_control *control = &shape->control;
    const smoe_forward_params *params = r->params;
    const smoe_push_select push = {
        .token_count = r->token_count,
        .flags = select_flags(r),
        .expert_count = shape->desc.expert_count,
        .top_k = shape->desc.top_k,
        .max_active = params->max_active ? params->max_active : shape->desc.max_active,
        .active_stride = shape->desc.max_active,
        .group_count = shape->group_count,
        .group_size = shape->group_count ? shape->desc.expert_count / shape->group_count : 0,
        .b_offset = r->layer->select.offsets[SMOE_BINDING_B],
        .logits_at = (uint32_t)control->logits,
        .groups_at = (uint32_t)control->groups,
        .active_at = (uint32_t)control->active,
        .ids_at = (uint32_t)control->ids,
        .weights_at = (uint32_t)control->weights,
        .notes_at = (uint32_t)control->notes,
        .eps = params->eps,
        .a = params->a,
        .b = params->b,
        .temperature = params->temperature,
        .tie_tolerance = params->tie_tolerance,
        .scale = params->scale,
    };
    smoe_record_bind(r, r->plan->select, io, &r->layer->select, &push, sizeof push);
    smoe_record_dispatch(r, smoe_route_select_workgroups(&r->plan->selection.select, r->token_count));
}

static void record_totals(const smoe_recording *r)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_push_totals push = {
        .token_count = r->token_count,
        .expert_count = shape->desc.expert_count,
        .active_stride = shape->desc.max_active,
        .active_at = (uint32_t)shape->control.active,
        .ids_at = (uint32_t)shape->control.ids,
        .notes_at = (uint32_t)shape->control.notes,
    };
    smoe_record_bind(r, r->plan->totals, r->binding->totals, NULL, &push, sizeof push);
    smoe_record_dispatch(r, smoe_totals_workgroups(&r->plan->selection.totals, r->token_count));
}

static void record_logits(const smoe_recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io)
{
    const smoe_shape *shape = &r->plan->shape;
    const bool cosine = shape->desc.router == SMOE_ROUTER_COSINE;
    if (cosine) {
        record_product(r, regimes->project, io->x_hidden, &r->layer->project, shape->desc.projection_width, shape->control.projected);
        smoe_record_barrier(r);
    }
    smoe_record_stage_end(r, SMOE_STAGE_ROUTE_PROJECT);

    if (cosine)
        record_cosine(r, io->x_hidden);
    else
        record_product(r, regimes->logits, io->x_hidden, &r->layer->router, shape->desc.expert_count, shape->control.logits);
    if (shape->desc.shared_gate && !r->routing_alone)
        record_product(r, regimes->shared_gate, io->x_shared_gate, &r->layer->shared_gate, 1, 0);
    smoe_record_barrier(r);
    smoe_record_stage_end(r, SMOE_STAGE_ROUTE_LOGITS);
}

void smoe_record_routing(const smoe_recording *r, const smoe_regimes *regimes, const smoe_binding_pass *io)
{
    record_logits(r, regimes, io);

    if (r->plan->shape.group_count) {
        record_group(r, io->x_report);
        smoe_record_barrier(r);
    }
    smoe_record_stage_end(r, SMOE_STAGE_ROUTE_GROUP);

    record_select(r, io->x_report);
    smoe_record_barrier(r);
    smoe_record_stage_end(r, SMOE_STAGE_ROUTE_SELECT);

    if (r->binding->has_totals) {
        record_totals(r);
        smoe_record_barrier(r); /* sort writes other words of control: an overlap that synchronization validation takes for a hazard */
    }
    smoe_record_stage_end(r, SMOE_STAGE_TOTALS);
}
