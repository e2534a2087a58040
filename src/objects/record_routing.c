/* The steps up to the totals: which experts run for each token, with which weights. */
#include "recording.h"

void smoe_record_route_project(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_ROUTE_PROJECT, piece, r->io->x_hidden, &r->layer->project,
                       r->plan->shape.control.projected);
}

void smoe_record_route_logits(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_ROUTE_LOGITS, piece, r->io->x_hidden, &r->layer->router,
                       r->plan->shape.control.logits);
}

void smoe_record_route_logits_cosine(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
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
    smoe_record_bind(r, SMOE_STEP_ROUTE_LOGITS_COSINE, r->io->x_hidden, weights, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_ROUTE_LOGITS_COSINE);
}

void smoe_record_shared_gate(const smoe_recording *r, const smoe_piece *piece)
{
    smoe_record_matmul(r, SMOE_STEP_SHARED_GATE, piece, r->io->x_shared_gate, &r->layer->shared_gate, 0);
}

static uint32_t select_flags(const smoe_recording *r)
{
    return r->layer->select.flags | (r->binding->has_report ? SMOE_FLAG_REPORT : 0u) |
           (r->binding->has_totals ? SMOE_FLAG_TOTALS : 0u) | (r->params->keep_scores ? SMOE_FLAG_SCORES : 0u);
}

static smoe_push_scores scores_push(const smoe_recording *r)
{
    const smoe_shape *shape = &r->plan->shape;
    const uint32_t groups = shape->balanced_groups ? shape->balanced_groups : shape->group_count;
    return (smoe_push_scores){
        .token_count = r->token_count,
        .flags = select_flags(r),
        .expert_count = shape->desc.expert_count,
        .group_count = groups,
        .group_size = groups ? shape->desc.expert_count / groups : 0,
        .b_offset = r->layer->select.offsets[SMOE_BINDING_B],
        .logits_at = (uint32_t)shape->control.logits,
        .groups_at = (uint32_t)shape->control.groups,
    };
}

void smoe_record_route_group(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    const smoe_push_group push = {
        .scores = scores_push(r),
        .top_groups = r->plan->shape.desc.top_groups,
        .group_eps = r->params->group_eps,
    };
    smoe_record_bind(r, SMOE_STEP_ROUTE_GROUP, r->io->x_report, &r->layer->select, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_ROUTE_GROUP);
}

/* Given routing has none. */
static float band_of(const smoe_recording *r)
{
    return r->plan->shape.desc.given_count > 0 ? 0 : r->params->eps;
}

static uint32_t cap_of(const smoe_recording *r)
{
    return r->params->max_active ? r->params->max_active : r->plan->shape.desc.max_active;
}

void smoe_record_route_group_balanced(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    const smoe_shape *shape = &r->plan->shape;
    const smoe_push_balance push = {
        .scores = scores_push(r),
        .group_top_k = shape->desc.top_k / shape->balanced_groups,
        .group_cap = cap_of(r) / shape->balanced_groups,
        .eps = band_of(r),
        .tie_tolerance = r->params->tie_tolerance,
    };
    smoe_record_bind(r, SMOE_STEP_ROUTE_GROUP_BALANCED, r->io->x_report, &r->layer->select, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_ROUTE_GROUP_BALANCED);
}

static smoe_push_select select_push(const smoe_recording *r)
{
    const smoe_shape *shape = &r->plan->shape;
    const smoe_control *control = &shape->control;
    const smoe_forward_params *params = r->params;
    return (smoe_push_select){
        .scores = scores_push(r),
        .top_k = shape->desc.top_k,
        .max_active = cap_of(r),
        .active_stride = shape->desc.max_active,
        .active_at = (uint32_t)control->active,
        .ids_at = (uint32_t)control->ids,
        .weights_at = (uint32_t)control->weights,
        .input_weights_at = (uint32_t)control->input_weights,
        .notes_at = (uint32_t)control->notes,
        .eps = band_of(r),
        .a = params->a,
        .b = params->b,
        .temperature = params->temperature,
        .tie_tolerance = params->tie_tolerance,
        .scale = params->scale,
        .log_divisor = shape->log_divisor,
        .expert_scale_offset = r->layer->select.offsets[SMOE_BINDING_B3],
    };
}

void smoe_record_route_select(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    const smoe_push_select push = select_push(r);
    smoe_record_bind(r, SMOE_STEP_ROUTE_SELECT, r->io->x_report, &r->layer->select, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_ROUTE_SELECT);
}

void smoe_record_route_given(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    const smoe_shape *shape = &r->plan->shape;
    const smoe_push_given push = {.select = select_push(r), .given_count = shape->desc.given_count};
    const smoe_weights_set inputs = {.set = r->io->inputs};
    smoe_record_bind(r, SMOE_STEP_ROUTE_GIVEN, r->io->ids_report,
                     shape->desc.given_weights ? &inputs : &r->layer->select, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_ROUTE_GIVEN);
}

void smoe_record_totals(const smoe_recording *r, const smoe_piece *piece)
{
    (void)piece;
    const smoe_shape *shape = &r->plan->shape;
    const smoe_push_totals push = {
        .token_count = r->token_count,
        .expert_count = shape->desc.expert_count,
        .active_stride = shape->desc.max_active,
        .active_at = (uint32_t)shape->control.active,
        .ids_at = (uint32_t)shape->control.ids,
        .notes_at = (uint32_t)shape->control.notes,
    };
    smoe_record_bind(r, SMOE_STEP_TOTALS, r->binding->totals, NULL, &push, sizeof push);
    smoe_record_dispatch(r, SMOE_STEP_TOTALS);
}
