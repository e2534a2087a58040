/* What a row of the case table means: descriptions for the library and for the reference. */
#include <math.h>
#include <stdio.h>

#include "cases.h"

smoe_plan_desc case_plan_desc(const layer_case *shape)
{
    return (smoe_plan_desc){
        .d_model = shape->d_model,
        .d_hidden = shape->d_hidden,
        .expert_count = shape->expert_count,
        .top_k = shape->top_k,
        .max_active = shape->max_active,
        .max_tokens = shape->max_tokens ? shape->max_tokens : shape->tokens,
        .router = SMOE_ROUTER_LINEAR,
        .gate = SMOE_GATE_SOFTMAX,
        .activation = shape->activation,
        .weight_type = shape->weight_type,
        .gated = shape->gated,
        .renormalize = !shape->keep_softmax,
    };
}

bool plan_descs_equal(const smoe_plan_desc *a, const smoe_plan_desc *b)
{
    return a->d_model == b->d_model && a->d_hidden == b->d_hidden && a->expert_count == b->expert_count && a->top_k == b->top_k &&
           a->max_active == b->max_active && a->max_tokens == b->max_tokens && a->router == b->router && a->gate == b->gate &&
           a->activation == b->activation && a->weight_type == b->weight_type && a->gated == b->gated && a->renormalize == b->renormalize;
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
    };
}

ref_params case_ref_params(const layer_case *shape)
{
    const smoe_forward_params params = case_params(shape);
    const uint32_t plan_active = shape->max_active ? shape->max_active : shape->expert_count;

    return (ref_params){
        .max_active = params.max_active ? params.max_active : plan_active,
        .eps = (double)params.eps,
        .a = (double)params.a,
        .b = (double)params.b,
        .temperature = (double)params.temperature,
        .tie_tolerance = (double)params.tie_tolerance,
        .scale = (double)params.scale,
    };
}

ref_layer case_ref_layer(const layer_case *shape)
{
    return (ref_layer){
        .d_model = shape->d_model,
        .d_hidden = shape->d_hidden,
        .expert_count = shape->expert_count,
        .top_k = shape->top_k,
        .activation = shape->activation,
        .gated = shape->gated,
        .renormalize = !shape->keep_softmax,
    };
}

double case_sum_error(uint32_t term_count, double absolute_sum)
{
    return 0x1p-24 * (2 + sqrt(term_count)) * absolute_sum;
}

double case_logit_error(const case_data *data, uint32_t token)
{
    const uint32_t D = data->ref.d_model;
    const float *x = data->x + (size_t)token * D;
    double largest = 0;

    if (data->shape->logits != LOGITS_RANDOM)
        return 0;
    for (uint32_t e = 0; e < data->ref.expert_count; e++) {
        double sum = data->ref.router_bias ? fabs((double)data->ref.router_bias[e]) : 0;
        for (uint32_t i = 0; i < D; i++)
            sum += fabs((double)x[i] * (double)data->ref.router_weight[(size_t)e * D + i]);
        largest = fmax(largest, sum);
    }
    return case_sum_error(D + 1, largest);
}

void case_print(const case_data *data)
{
    const layer_case *s = data->shape;

    fprintf(stderr,
            "  \"%s\": SMOE_TEST_SEED=%llu T=%u/%u D=%u H=%u E=%u k=%u A=%u/%u eps=%g a=%g b=%g temperature=%g activation=%d gated=%d "
            "biases=%u type=%d renormalize=%d logits=%d tied=%u\n",
            s->name, (unsigned long long)data->seed, s->tokens, data->plan.max_tokens, s->d_model, s->d_hidden, s->expert_count, s->top_k,
            s->max_active, s->call_active, (double)s->eps, (double)data->params.a, (double)data->params.b, (double)data->params.temperature,
            (int)s->activation, s->gated, s->biases, (int)s->weight_type, data->plan.renormalize, (int)s->logits, s->tied_experts);
}
