/* Layers and numbers of a forward as the library has them, for the reference. */
#include "ref.h"

static void set_arrays(ref_layer *layer, const smoe_host_weights *weights)
{
    layer->router_weight = weights->router_weight;
    layer->router_bias = weights->router_bias;
    layer->router_projection = weights->router_projection;
    layer->router_projection_bias = weights->router_projection_bias;
    layer->router_similarity = weights->router_similarity;
    layer->router_log_scale = weights->router_log_scale;
    layer->selection_bias = weights->selection_bias;
    layer->given = (smoe_matrix_types){.up = weights->w1.type,
                                       .down = weights->w2.type,
                                       .shared_up = weights->shared_w1.type,
                                       .shared_down = weights->shared_w2.type,
                                       .latent_down = weights->latent_down.type,
                                       .latent_up = weights->latent_up.type};
    layer->expert_scale = weights->expert_scale;
    layer->latent_down = weights->latent_down.data;
    layer->latent_down_bias = weights->latent_down_bias;
    layer->latent_up = weights->latent_up.data;
    layer->latent_up_bias = weights->latent_up_bias;
    layer->w1 = weights->w1.data;
    layer->b1 = weights->b1;
    layer->w3 = weights->w3.data;
    layer->b3 = weights->b3;
    layer->w2 = weights->w2.data;
    layer->b2 = weights->b2;
    layer->shared_w1 = weights->shared_w1.data;
    layer->shared_b1 = weights->shared_b1;
    layer->shared_w3 = weights->shared_w3.data;
    layer->shared_b3 = weights->shared_b3;
    layer->shared_w2 = weights->shared_w2.data;
    layer->shared_b2 = weights->shared_b2;
    layer->shared_gate = weights->shared_gate;
}

/* swiglu_clamped has the numbers of gpt-oss, for a shared expert too. */
static ref_gating gating_of(const smoe_plan_desc *plan, bool shared)
{
    if (plan->activation == SMOE_ACTIVATION_SWIGLU_CLAMPED)
        return (ref_gating){SMOE_ACTIVATION_SILU, 7, 7, 0, 1.702, 1};
    return (ref_gating){
        .activation = plan->activation,
        .gate_max = (double)(shared ? plan->shared_gate_max : plan->gate_max),
        .up_limit = (double)(shared ? plan->shared_up_limit : plan->up_limit),
        .gate_limit_after = (double)(shared ? plan->shared_gate_limit_after : plan->gate_limit_after),
        .alpha = (double)plan->gate_alpha,
        .up_offset = (double)plan->up_offset,
    };
}

ref_layer ref_layer_of(const smoe_plan_desc *plan, const smoe_host_weights *weights)
{
    ref_layer layer = {
        .d_model = plan->d_model,
        .d_hidden = plan->d_hidden,
        .d_latent = plan->d_latent,
        .expert_count = plan->expert_count,
        .top_k = plan->top_k,
        .zero_experts = plan->zero_experts,
        .router = plan->router,
        .gate = plan->gate,
        .gating = gating_of(plan, false),
        .shared_gating = gating_of(plan, true),
        .gated = plan->gated,
        .renormalize = plan->renormalize,
        .weighted_input = plan->weighted_input,
        .renormalize_floor = (double)plan->renormalize_floor,
        .renormalize_add = (double)plan->renormalize_add,
        .group_score = plan->group_score,
        .types = plan->types,
        .projection_width = plan->projection_width,
        .group_count = plan->group_count,
        .top_groups = plan->top_groups,
        .balanced_groups = plan->balanced_groups,
        .shared_hidden = plan->shared_hidden,
    };

    if (weights)
        set_arrays(&layer, weights);
    return layer;
}

ref_params ref_params_of(const smoe_plan_desc *plan, const smoe_forward_params *params)
{
    const uint32_t plan_active = plan->max_active ? plan->max_active : plan->expert_count;

    return (ref_params){
        .max_active = params->max_active ? params->max_active : plan_active,
        .given_count = plan->given_count,
        .eps = plan->given_count > 0 ? 0 : (double)params->eps,
        .a = (double)params->a,
        .b = (double)params->b,
        .temperature = (double)params->temperature,
        .tie_tolerance = (double)params->tie_tolerance,
        .scale = (double)params->scale,
        .group_eps = (double)params->group_eps,
    };
}

ref_params ref_params_at(const ref_params *params, uint32_t token)
{
    ref_params at = *params;

    if (at.given_ids)
        at.given_ids += (size_t)token * at.given_count;
    if (at.given_weights)
        at.given_weights += (size_t)token * at.given_count;
    return at;
}
