/* The tensors of a layer: the one list of their names, shapes, and places in the public structs. */
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "shape.h"
#include "smoe/smoe.h"

/* Where a layer may have a tensor, and, for those that are not optional, must. */
typedef enum condition {
    ALWAYS,
    LINEAR,
    COSINE,
    BIASED,
    GATED,
    SHARED,
    SHARED_GATED,
    SHARED_GATE,
    SCALED,
    LATENT
} condition;

static const char *const condition_texts[] = {
    [LINEAR] = "the router is linear",     [COSINE] = "the router is cosine",
    [BIASED] = "the gate is not softmax",  [GATED] = "the experts are gated",
    [SHARED] = "there is a shared expert", [SHARED_GATED] = "there is a gated shared expert",
    [SHARED_GATE] = "shared_gate is true", [SCALED] = "expert_scale is true",
    [LATENT] = "there is a latent width",
};

/* Whose type a tensor has. */
typedef enum kind { NUMBERS, UP, DOWN, SHARED_UP, SHARED_DOWN, LATENT_DOWN, LATENT_UP } kind;

typedef struct tensor_row {
    const char *name, *file_name, *axes;
    kind kind;
    condition condition;
    bool optional;
    size_t layer_offset, host_offset;
} tensor_row;

#define EXPERTS "experts." /* their tensors' names in files */
#define PLACE(field) offsetof(smoe_layer_desc, field), offsetof(smoe_host_weights, field)

static const tensor_row rows[] = {
    {"router_weight", "router.weight", "ED", NUMBERS, LINEAR, false, PLACE(router_weight)},
    {"router_bias", "router.bias", "E", NUMBERS, LINEAR, true, PLACE(router_bias)},
    {"router_projection", "router.projection.weight", "PD", NUMBERS, COSINE, false, PLACE(router_projection)},
    {"router_projection_bias", "router.projection.bias", "P", NUMBERS, COSINE, true, PLACE(router_projection_bias)},
    {"router_similarity", "router.similarity", "PE", NUMBERS, COSINE, false, PLACE(router_similarity)},
    {"router_log_scale", "router.log_scale", "1", NUMBERS, COSINE, false, PLACE(router_log_scale)},
    {"selection_bias", "router.selection_bias", "E", NUMBERS, BIASED, true, PLACE(selection_bias)},
    {"expert_scale", "router.expert_scale", "E", NUMBERS, SCALED, false, PLACE(expert_scale)},
    {"latent_down", "latent.down", "LD", LATENT_DOWN, LATENT, false, PLACE(latent_down)},
    {"latent_down_bias", "latent.down.bias", "L", NUMBERS, LATENT, true, PLACE(latent_down_bias)},
    {"latent_up", "latent.up", "DL", LATENT_UP, LATENT, false, PLACE(latent_up)},
    {"latent_up_bias", "latent.up.bias", "D", NUMBERS, LATENT, true, PLACE(latent_up_bias)},
    {"w1", "experts.w1", "EHL", UP, ALWAYS, false, PLACE(w1)},
    {"b1", "experts.b1", "EH", NUMBERS, ALWAYS, true, PLACE(b1)},
    {"w3", "experts.w3", "EHL", UP, GATED, false, PLACE(w3)},
    {"b3", "experts.b3", "EH", NUMBERS, GATED, true, PLACE(b3)},
    {"w2", "experts.w2", "ELH", DOWN, ALWAYS, false, PLACE(w2)},
    {"b2", "experts.b2", "EL", NUMBERS, ALWAYS, true, PLACE(b2)},
    {"shared_w1", "shared.w1", "SD", SHARED_UP, SHARED, false, PLACE(shared_w1)},
    {"shared_b1", "shared.b1", "S", NUMBERS, SHARED, true, PLACE(shared_b1)},
    {"shared_w3", "shared.w3", "SD", SHARED_UP, SHARED_GATED, false, PLACE(shared_w3)},
    {"shared_b3", "shared.b3", "S", NUMBERS, SHARED_GATED, true, PLACE(shared_b3)},
    {"shared_w2", "shared.w2", "DS", SHARED_DOWN, SHARED, false, PLACE(shared_w2)},
    {"shared_b2", "shared.b2", "D", NUMBERS, SHARED, true, PLACE(shared_b2)},
    {"shared_gate", "shared.gate", "D", NUMBERS, SHARED_GATE, false, PLACE(shared_gate)},
};

_Static_assert(sizeof rows / sizeof rows[0] <= SMOE_MAX_LAYER_TENSORS, "smoe.h's bound");

static bool holds(condition which, const smoe_plan_desc *plan)
{
    switch (which) {
    case ALWAYS: return true;
    case LINEAR: return plan->router == SMOE_ROUTER_LINEAR;
    case COSINE: return plan->router == SMOE_ROUTER_COSINE;
    case BIASED: return plan->gate != SMOE_GATE_SOFTMAX && !plan->weighted_input;
    case GATED: return plan->gated;
    case SHARED: return plan->shared_hidden > 0;
    case SHARED_GATED: return plan->shared_hidden > 0 && plan->gated;
    case SHARED_GATE: return plan->shared_gate;
    case SCALED: return plan->expert_scale;
    case LATENT: return plan->d_latent > 0;
    }
    return false;
}

/* A selection bias has two rules: the one that the plan breaks. */
static const char *condition_text(condition which, const smoe_plan_desc *plan)
{
    return which == BIASED && plan->weighted_input ? "weighted_input is false" : condition_texts[which];
}

/* Without a latent width L is D. */
static const char *axes_of(const tensor_row *row, const smoe_plan_desc *plan)
{
    static const char *const both[][2] = {{"EHL", "EHD"}, {"ELH", "EDH"}, {"EL", "ED"}};
    for (size_t i = 0; plan->d_latent == 0 && i < sizeof both / sizeof both[0]; i++)
        if (strcmp(row->axes, both[i][0]) == 0)
            return both[i][1];
    return row->axes;
}

static const size_t type_offsets[] = {
    [UP] = offsetof(smoe_plan_desc, types.up),
    [DOWN] = offsetof(smoe_plan_desc, types.down),
    [SHARED_UP] = offsetof(smoe_plan_desc, types.shared_up),
    [SHARED_DOWN] = offsetof(smoe_plan_desc, types.shared_down),
    [LATENT_DOWN] = offsetof(smoe_plan_desc, types.latent_down),
    [LATENT_UP] = offsetof(smoe_plan_desc, types.latent_up),
};

smoe_type smoe_matrix_type(const smoe_plan_desc *desc, size_t offset)
{
    const void *type = (const char *)desc + offset;
    return offset == 0 ? SMOE_TYPE_FLOAT32 : *(const smoe_type *)type;
}

uint32_t smoe_axis_width(const smoe_plan_desc *desc, char axis)
{
    switch (axis) {
    case 'E': return desc->expert_count;
    case 'M': return desc->expert_count > desc->zero_experts ? desc->expert_count - desc->zero_experts : 0;
    case 'D': return desc->d_model;
    case 'H': return desc->d_hidden;
    case 'L': return desc->d_latent ? desc->d_latent : desc->d_model;
    case 'P': return desc->projection_width;
    case 'S': return desc->shared_hidden;
    case '1': return 1;
    default: return 0;
    }
}

bool smoe_layer_tensor_get(const smoe_plan_desc *plan, uint32_t index, smoe_layer_tensor *out)
{
    if (!plan || !out || index >= sizeof rows / sizeof rows[0])
        return false;
    const tensor_row *row = &rows[index];
    *out = (smoe_layer_tensor){
        .name = row->name,
        .file_name = row->file_name,
        .axes = axes_of(row, plan),
        .by_expert = row->axes[0] == 'E',
        .router = strncmp(row->file_name, "router.", 7) == 0,
        .matrix = row->kind != NUMBERS,
        .presence = !holds(row->condition, plan) ? SMOE_PRESENCE_FORBIDDEN
                    : row->optional              ? SMOE_PRESENCE_OPTIONAL
                                                 : SMOE_PRESENCE_REQUIRED,
        .condition = condition_text(row->condition, plan),
        .type = smoe_matrix_type(plan, type_offsets[row->kind]),
        .shape = {1, 1, 1},
        .element_count = 1,
        .layer_offset = row->layer_offset,
        .host_offset = row->host_offset,
        .type_offset = type_offsets[row->kind],
    };
    for (const char *axis = row->axes; *axis; axis++) {
        const bool of_experts = *axis == 'E' && strncmp(row->file_name, EXPERTS, sizeof EXPERTS - 1) == 0;
        const uint32_t width = smoe_axis_width(plan, of_experts ? 'M' : *axis); /* zero experts have no tensors */
        out->shape[out->axis_count++] = width;
        out->element_count *= width;
    }
    out->size = smoe_align_up(smoe_layer_tensor_size(out, out->type, out->shape[0]), 4);
    return true;
}

uint64_t smoe_layer_tensor_size(const smoe_layer_tensor *tensor, smoe_type type, uint64_t count)
{
    if (!tensor)
        return 0;
    const uint32_t *shape = tensor->shape;
    if (tensor->matrix)
        return tensor->by_expert ? smoe_weights_size(type, count, shape[1], shape[2])
                                 : smoe_weights_size(type, 1, shape[0], shape[1]);
    return smoe_type_size(type, tensor->by_expert && shape[0] ? count * (tensor->element_count / shape[0])
                                                              : tensor->element_count);
}

static bool is_given_rightly(const smoe_layer_tensor *tensor, smoe_host_weight array, char reason[SMOE_REASON_SIZE])
{
    const char *const where = tensor->condition;
    if (tensor->presence == SMOE_PRESENCE_REQUIRED && !array.data)
        snprintf(reason, SMOE_REASON_SIZE, "weights.%s must not be NULL%s%s", tensor->name, where ? " where " : "",
                 where ? where : "");
    else if (tensor->presence == SMOE_PRESENCE_FORBIDDEN && array.data)
        snprintf(reason, SMOE_REASON_SIZE, "weights.%s must be NULL unless %s", tensor->name, where);
    else if (array.data && !smoe_type_name(array.type) && array.type != SMOE_TYPE_SOURCES)
        snprintf(reason, SMOE_REASON_SIZE, "weights.%s.type must be a smoe_type, is %d", tensor->name, (int)array.type);
    else
        return true;
    return false;
}

smoe_result smoe_host_weights_check(const smoe_plan_desc *plan, const smoe_host_weights *weights,
                                    char reason[SMOE_REASON_SIZE])
{
    char unwanted[SMOE_REASON_SIZE];
    char *const text = reason ? reason : unwanted;
    smoe_layer_tensor tensor;
    text[0] = '\0';
    if (!plan || !weights) {
        snprintf(text, SMOE_REASON_SIZE, "%s must not be NULL", !plan ? "plan" : "weights");
        return SMOE_ERROR_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++)
        if (!is_given_rightly(&tensor, smoe_host_weights_get(weights, &tensor), text))
            return SMOE_ERROR_INVALID_ARGUMENT;
    return SMOE_SUCCESS;
}

smoe_host_weight smoe_host_weights_get(const smoe_host_weights *weights, const smoe_layer_tensor *tensor)
{
    if (!weights || !tensor)
        return (smoe_host_weight){NULL, SMOE_TYPE_FLOAT32};
    const void *field = (const char *)weights + tensor->host_offset;
    if (tensor->matrix)
        return *(const smoe_host_weight *)field;
    return (smoe_host_weight){*(const float *const *)field, SMOE_TYPE_FLOAT32};
}

void smoe_host_weights_set(smoe_host_weights *weights, const smoe_layer_tensor *tensor, smoe_host_weight array)
{
    if (!weights || !tensor)
        return;
    void *field = (char *)weights + tensor->host_offset;
    if (tensor->matrix)
        *(smoe_host_weight *)field = array;
    else
        *(const float **)field = array.data;
}

void smoe_layer_desc_set(smoe_layer_desc *desc, const smoe_layer_tensor *tensor, smoe_buffer buffer)
{
    if (!desc || !tensor)
        return;
    void *field = (char *)desc + tensor->layer_offset;
    *(smoe_buffer *)field = buffer;
}

void smoe_layer_desc_set_ranges(smoe_layer_desc *desc, const smoe_layer_tensor *tensor, const smoe_buffer *ranges)
{
    if (!desc || !tensor || !tensor->matrix)
        return;
    void *field = (char *)desc + tensor->layer_offset;
    ((smoe_weight *)field)->ranges = ranges;
}
