/* What a row of the case table means: descriptions for the library and for the reference. */
#include <stdio.h>

#include "cases.h"

static smoe_matrix_types types_of(const layer_case *shape)
{
    return shape->weight_type == SMOE_TYPE_FLOAT32 ? shape->types : (smoe_matrix_types)SMOE_TYPES(shape->weight_type);
}

smoe_plan_desc case_plan_desc(const layer_case *shape)
{
    return (smoe_plan_desc){
        .d_model = shape->d_model,
        .d_hidden = shape->d_hidden,
        .d_latent = shape->d_latent,
        .expert_count = shape->expert_count,
        .top_k = shape->top_k,
        .max_active = shape->max_active,
        .max_tokens = shape->max_tokens ? shape->max_tokens : shape->tokens,
        .router = shape->router,
        .gate = shape->gate,
        .activation = shape->activation,
        .types = types_of(shape),
        .gated = shape->gated,
        .gate_max = shape->gate_max,
        .up_limit = shape->up_limit,
        .gate_limit_after = shape->gate_limit_after,
        .gate_alpha = shape->gate_alpha,
        .up_offset = shape->up_offset,
        .shared_gate_max = shape->shared_gate_max,
        .shared_up_limit = shape->shared_up_limit,
        .shared_gate_limit_after = shape->shared_gate_limit_after,
        .renormalize = !shape->keep_softmax,
        .renormalize_floor = shape->renormalize_floor,
        .renormalize_add = shape->renormalize_add,
        .weighted_input = shape->weighted_input,
        .expert_scale = shape->expert_scale,
        .projection_width = shape->projection_width,
        .group_count = shape->group_count,
        .top_groups = shape->top_groups,
        .group_score = shape->group_score,
        .balanced_groups = shape->balanced_groups,
        .given_count = shape->given_count,
        .given_weights = shape->given_weights,
        .zero_experts = shape->zero_experts,
        .shared_hidden = shape->shared_hidden,
        .shared_gate = shape->shared_gate,
        .precision = shape->precision,
    };
}

smoe_plan_desc case_plan_of_one_count(const case_data *data)
{
    smoe_plan_desc desc = data->plan;

    desc.min_tokens = data->shape->max_tokens ? 0 : data->shape->tokens;
    return desc;
}

static bool numbers_equal(const smoe_plan_desc *a, const smoe_plan_desc *b)
{
    const smoe_plan_number *number;

    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (smoe_plan_number_value(number, a) != smoe_plan_number_value(number, b))
            return false;
    return true;
}

bool plan_descs_equal(const smoe_plan_desc *a, const smoe_plan_desc *b)
{
    return a->d_model == b->d_model && a->d_hidden == b->d_hidden && a->d_latent == b->d_latent &&
           a->expert_count == b->expert_count && a->top_k == b->top_k && a->max_active == b->max_active &&
           a->max_expected_active == b->max_expected_active && a->max_tokens == b->max_tokens &&
           a->min_tokens == b->min_tokens && a->router == b->router && a->gate == b->gate &&
           a->activation == b->activation && a->types.up == b->types.up && a->types.down == b->types.down &&
           a->types.shared_up == b->types.shared_up && a->types.shared_down == b->types.shared_down &&
           a->types.latent_down == b->types.latent_down && a->types.latent_up == b->types.latent_up &&
           a->gated == b->gated && a->renormalize == b->renormalize && a->weighted_input == b->weighted_input &&
           a->expert_scale == b->expert_scale && a->group_score == b->group_score &&
           a->balanced_groups == b->balanced_groups && a->given_count == b->given_count &&
           a->given_weights == b->given_weights && a->zero_experts == b->zero_experts &&
           a->projection_width == b->projection_width &&
           a->group_count == b->group_count && a->top_groups == b->top_groups && a->shared_hidden == b->shared_hidden &&
           a->shared_gate == b->shared_gate && a->precision == b->precision && numbers_equal(a, b);
}

bool case_plans_equal(const layer_case *a, const layer_case *b)
{
    const smoe_plan_desc one = case_plan_desc(a), two = case_plan_desc(b);

    return plan_descs_equal(&one, &two);
}

static float value_or(float value, float otherwise)
{
    return value != 0 ? value : otherwise;
}

smoe_forward_params case_params(const layer_case *shape)
{
    return (smoe_forward_params){
        .token_count = shape->tokens,
        .eps = shape->eps,
        .a = value_or(shape->a, 1),
        .b = value_or(shape->b, 50),
        .max_active = shape->call_active,
        .temperature = value_or(shape->temperature, 1),
        .tie_tolerance = shape->tie_tolerance,
        .scale = value_or(shape->scale, 1),
        .group_eps = shape->group_eps,
    };
}

ref_params case_ref_params(const layer_case *shape)
{
    const smoe_plan_desc plan = case_plan_desc(shape);
    const smoe_forward_params params = case_params(shape);

    return ref_params_of(&plan, &params);
}

ref_layer case_ref_layer(const layer_case *shape)
{
    const smoe_plan_desc plan = case_plan_desc(shape);
    ref_layer layer = ref_layer_of(&plan, NULL);

    layer.types = (smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_FLOAT32); /* its arrays have been rounded already */
    return layer;
}

bool case_has_exact_logits(const layer_case *shape)
{
    return shape->logits != LOGITS_RANDOM && shape->router == SMOE_ROUTER_LINEAR;
}

uint32_t case_weight_size(const layer_case *shape)
{
    return (uint32_t)smoe_type_size(shape->weight_type, 1);
}

double case_projection_error(const case_data *data, uint32_t token)
{
    const float *x = data->x + (size_t)token * data->ref.d_model;

    return data->shape->logits == LOGITS_RANDOM ? ref_projection_error(&data->ref, x) : 0;
}

double case_logit_error(const case_data *data, uint32_t token)
{
    const ref_layer *ref = &data->ref;
    const float *x = data->x + (size_t)token * ref->d_model;

    if (data->shape->logits == LOGITS_RANDOM)
        return ref_logit_error(ref, x);
    if (ref->router != SMOE_ROUTER_COSINE)
        return 0;
    double v[REF_MAX_PROJECTION];
    ref_project(ref, x, v);
    return ref_cosine_error(ref, v, 0);
}

static void print_numbers(const smoe_plan_desc *plan)
{
    const smoe_plan_number *number;

    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (smoe_plan_number_value(number, plan) != 0)
            fprintf(stderr, " %s=%g", number->name, (double)smoe_plan_number_value(number, plan));
    fprintf(stderr, "\n");
}

void case_print(const case_data *data)
{
    const layer_case *s = data->shape;
    const smoe_matrix_types *types = &data->plan.types;

    fprintf(stderr,
            "  \"%s\": SMOE_TEST_SEED=%llu T=%u/%u D=%u H=%u L=%u E=%u k=%u A=%u/%u eps=%g a=%g b=%g temperature=%g "
            "activation=%d gated=%d "
            "biases=%u types=%d/%d/%d/%d/%d/%d renormalize=%d logits=%d tied=%u router=%d p=%u gate=%d groups=%u/%u "
            "group_eps=%g "
            "shared=%u/%d "
            "precision=%d weighted_input=%d expert_scale=%d group_score=%d "
            "balanced=%u given=%u/%d/%d zero_experts=%u",
            s->name, (unsigned long long)data->seed, s->tokens, data->plan.max_tokens, s->d_model, s->d_hidden,
            s->d_latent, s->expert_count, s->top_k, s->max_active, s->call_active, (double)s->eps,
            (double)data->params.a, (double)data->params.b, (double)data->params.temperature, (int)s->activation,
            s->gated, s->biases, (int)types->up, (int)types->down, (int)types->shared_up, (int)types->shared_down,
            (int)types->latent_down, (int)types->latent_up, data->plan.renormalize, (int)s->logits, s->tied_experts,
            (int)s->router, s->projection_width, (int)s->gate, s->group_count, s->top_groups, (double)s->group_eps,
            s->shared_hidden, s->shared_gate, (int)s->precision, s->weighted_input, s->expert_scale,
            (int)s->group_score, s->balanced_groups, s->given_count, s->given_weights, (int)s->given, s->zero_experts);
    print_numbers(&data->plan);
}
