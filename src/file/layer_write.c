/* A layer as a layer file. */
#include "file_internal.h"

#include <string.h>

#define MAX_TENSORS 21
#define MAX_PAIRS 20
#define VALUE_SIZE 24

typedef struct layer_text {
    smoe_tensor tensors[MAX_TENSORS];
    uint32_t tensor_count;
    const char *metadata[2 * MAX_PAIRS];
    char values[MAX_PAIRS][VALUE_SIZE];
    uint32_t pair_count;
} layer_text;

static void add_tensor(layer_text *text, const char *name, smoe_tensor_type type, const void *data, uint32_t rank, const uint64_t *shape)
{
    if (!data)
        return;
    smoe_tensor *tensor = &text->tensors[text->tensor_count++];
    *tensor = (smoe_tensor){name, type, rank, {1, 1, 1, 1}, data, smoe_file_type_of(type).size_bits / 8};
    for (uint32_t i = 0; i < rank; i++) {
        tensor->shape[i] = shape[i];
        tensor->size *= shape[i];
    }
}

static void add_text(layer_text *text, const char *key, const char *value)
{
    text->metadata[2 * text->pair_count] = key;
    text->metadata[2 * text->pair_count++ + 1] = value;
}

static void add_count(layer_text *text, const char *key, uint32_t value)
{
    char *room = text->values[text->pair_count];
    snprintf(room, VALUE_SIZE, "%u", value);
    add_text(text, key, room);
}

static void add_number(layer_text *text, const char *key, float value)
{
    char *room = text->values[text->pair_count];
    snprintf(room, VALUE_SIZE, "%.9g", (double)value);
    for (char *c = room; *c; c++) /* an app's locale may have a comma here */
        *c = *c == ',' ? '.' : *c;
    add_text(text, key, room);
}

static void describe_tensors(layer_text *text, const smoe_plan_desc *plan, const smoe_forward_params *params, const smoe_host_weights *w,
                             const float *x)
{
    const smoe_tensor_type f32 = SMOE_TENSOR_FLOAT32;
    const smoe_tensor_type type = w->weight_type == SMOE_TYPE_FLOAT16    ? SMOE_TENSOR_FLOAT16
                                  : w->weight_type == SMOE_TYPE_BFLOAT16 ? SMOE_TENSOR_BFLOAT16
                                                                         : SMOE_TENSOR_FLOAT32;
    const uint64_t e = plan->expert_count, d = plan->d_model, h = plan->d_hidden, p = plan->projection_width, s = plan->shared_hidden;
    const uint64_t up[3] = {e, h, d}, down[3] = {e, d, h}, hidden[2] = {e, h}, model[2] = {e, d};
    const uint64_t projection[2] = {p, d}, similarity[2] = {p, e}, shared_up[2] = {s, d}, shared_down[2] = {d, s}, one = 1;
    const uint64_t input[2] = {params->token_count, d};
    add_tensor(text, "router.weight", f32, w->router_weight, 2, model);
    add_tensor(text, "router.bias", f32, w->router_bias, 1, &e);
    add_tensor(text, "router.projection.weight", f32, w->router_projection, 2, projection);
    add_tensor(text, "router.projection.bias", f32, w->router_projection_bias, 1, &p);
    add_tensor(text, "router.similarity", f32, w->router_similarity, 2, similarity);
    add_tensor(text, "router.log_scale", f32, w->router_log_scale, 1, &one);
    add_tensor(text, "router.selection_bias", f32, w->selection_bias, 1, &e);
    add_tensor(text, "experts.w1", type, w->w1, 3, up);
    add_tensor(text, "experts.b1", f32, w->b1, 2, hidden);
    add_tensor(text, "experts.w3", type, w->w3, 3, up);
    add_tensor(text, "experts.b3", f32, w->b3, 2, hidden);
    add_tensor(text, "experts.w2", type, w->w2, 3, down);
    add_tensor(text, "experts.b2", f32, w->b2, 2, model);
    add_tensor(text, "shared.w1", type, w->shared_w1, 2, shared_up);
    add_tensor(text, "shared.b1", f32, w->shared_b1, 1, &s);
    add_tensor(text, "shared.w3", type, w->shared_w3, 2, shared_up);
    add_tensor(text, "shared.b3", f32, w->shared_b3, 1, &s);
    add_tensor(text, "shared.w2", type, w->shared_w2, 2, shared_down);
    add_tensor(text, "shared.b2", f32, w->shared_b2, 1, &d);
    add_tensor(text, "shared.gate", f32, w->shared_gate, 1, &d);
    add_tensor(text, "x", f32, x, 2, input);
}

static void describe_metadata(layer_text *text, const smoe_plan_desc *plan, const smoe_forward_params *params)
{
    add_text(text, "router", smoe_router_name(plan->router));
    add_text(text, "score", smoe_gate_name(plan->gate));
    add_text(text, "activation", smoe_activation_name(plan->activation));
    add_text(text, "gated", plan->gated ? "True" : "False");
    add_text(text, "renormalize", plan->renormalize ? "True" : "False");
    add_count(text, "shared", plan->shared_hidden > 0);
    add_count(text, "k", plan->top_k);
    if (plan->max_active > 0)
        add_count(text, "max_active", plan->max_active);
    if (plan->group_count > 1) {
        add_count(text, "n_group", plan->group_count);
        add_count(text, "topk_group", plan->top_groups);
    }
    const smoe_forward_number *number;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        if (!number->groups || plan->group_count > 1)
            add_number(text, number->name, smoe_forward_number_value(number, params));
}

smoe_result smoe_layer_file_write_layer(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                                        const smoe_host_weights *weights, const float *x, const smoe_allocator *allocator,
                                        const smoe_log *log)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_write_layer"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !plan || !params || !weights)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL",
                              !path ? "path" : !plan ? "plan" : !params ? "params" : "weights");
    if (!smoe_activation_name(plan->activation))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "plan.activation must be a smoe_activation");
    if (!smoe_router_name(plan->router))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "plan.router must be a smoe_router");
    if (!smoe_gate_name(plan->gate))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "plan.gate must be a smoe_gate");
    if (!smoe_type_name(plan->weight_type))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "plan.weight_type must be a smoe_type");
    if (x && (params->token_count < 1 || params->token_count > SMOE_MAX_TOKENS))
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "params.token_count is %u, but x must have 1 to %u tokens",
                              params->token_count, SMOE_MAX_TOKENS);
    layer_text text;
    memset(&text, 0, sizeof text);
    describe_tensors(&text, plan, params, weights, x);
    describe_metadata(&text, plan, params);
    return smoe_layer_file_write(path, text.tensors, text.tensor_count, text.metadata, text.pair_count, allocator, log);
}
