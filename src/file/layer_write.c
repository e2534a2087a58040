/* A layer as a layer file. */
#include "file_internal.h"

#include <string.h>

#define MAX_TENSORS (SMOE_MAX_LAYER_TENSORS + 1) /* and x */
#define MAX_TYPES 8                              /* of matrices */
/* describe_metadata has fewer than 24 others */
#define MAX_PAIRS (24 + MAX_TYPES + SMOE_MAX_PLAN_NUMBERS + SMOE_MAX_FORWARD_NUMBERS)

typedef struct layer_text {
    smoe_tensor tensors[MAX_TENSORS];
    uint32_t tensor_count;
    const char *metadata[2 * MAX_PAIRS];
    char values[MAX_PAIRS][SMOE_NUMBER_SIZE];
    uint32_t pair_count;
    char type_keys[MAX_TYPES][SMOE_FILE_TYPE_KEY_SIZE];
    uint32_t type_count;
} layer_text;

static void add_tensor(layer_text *text, const char *name, smoe_tensor_type type, const void *data, uint32_t rank,
                       const uint64_t *shape)
{
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
    snprintf(room, SMOE_NUMBER_SIZE, "%u", value);
    add_text(text, key, room);
}

static void add_number(layer_text *text, const char *key, float value)
{
    char *room = text->values[text->pair_count];
    add_text(text, key, smoe_number_text(room, 9, (double)value));
}

/* A matrix with scales is bytes, of each expert so many. */
static void add_stored(layer_text *text, const smoe_layer_tensor *tensor, smoe_host_weight array)
{
    const bool by_expert = tensor->axis_count == SMOE_TENSOR_AXES;
    const uint64_t size = smoe_layer_tensor_size(tensor, array.type, 1);
    const uint64_t shape[2] = {by_expert ? tensor->shape[0] : size, size};
    char *key = text->type_keys[text->type_count++];
    smoe_file_type_key(tensor, key);
    add_text(text, key, smoe_type_short_name(array.type));
    add_tensor(text, tensor->file_name, SMOE_TENSOR_UINT8, array.data, by_expert ? 2 : 1, shape);
}

static void describe_tensors(layer_text *text, const smoe_plan_desc *plan, const smoe_host_weights *weights)
{
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++) {
        const smoe_host_weight array = smoe_host_weights_get(weights, &tensor);
        uint64_t shape[SMOE_TENSOR_AXES];
        smoe_tensor_type type;
        for (uint32_t axis = 0; axis < SMOE_TENSOR_AXES; axis++)
            shape[axis] = tensor.shape[axis];
        if (array.data && !smoe_file_tensor_type(array.type, &type))
            add_stored(text, &tensor, array);
        else if (array.data)
            add_tensor(text, tensor.file_name, type, array.data, tensor.axis_count, shape);
    }
}

/* Writes those that are not 0. */
static void describe_numbers(layer_text *text, const smoe_plan_desc *plan)
{
    const smoe_plan_number *number;
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (smoe_plan_number_value(number, plan) != 0.0f)
            add_number(text, number->name, smoe_plan_number_value(number, plan));
}

static void describe_metadata(layer_text *text, const smoe_plan_desc *plan, const smoe_forward_params *params)
{
    add_text(text, "router", smoe_router_name(plan->router));
    add_text(text, "score", smoe_gate_name(plan->gate));
    add_text(text, "activation", smoe_activation_name(plan->activation));
    add_text(text, "gated", plan->gated ? "True" : "False");
    describe_numbers(text, plan);
    add_text(text, "renormalize", plan->renormalize ? "True" : "False");
    add_count(text, "shared", plan->shared_hidden > 0);
    add_count(text, "k", plan->top_k);
    if (text->type_count > 0) { /* their shapes do not tell */
        add_count(text, "d_hidden", plan->d_hidden);
        if (plan->shared_hidden > 0)
            add_count(text, "shared_hidden", plan->shared_hidden);
    }
    if (plan->max_active > 0)
        add_count(text, "max_active", plan->max_active);
    if (plan->group_count > 1) {
        add_count(text, "n_group", plan->group_count);
        add_count(text, "topk_group", plan->top_groups);
        add_text(text, "group_score", smoe_group_score_name(plan->group_score));
    }
    if (plan->balanced_groups > 1)
        add_count(text, "balanced_groups", plan->balanced_groups);
    const smoe_forward_number *number;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        if (!number->groups || plan->group_count > 1)
            add_number(text, number->name, smoe_forward_number_value(number, params));
}

/* Matrices that share a type of the plan have one in a file. */
static smoe_result check_shared_types(const smoe_file_host *host, const smoe_plan_desc *plan,
                                      const smoe_host_weights *weights)
{
    smoe_layer_tensor tensor, other;
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++)
        for (uint32_t j = 0; tensor.matrix && j < i && smoe_layer_tensor_get(plan, j, &other); j++) {
            const smoe_host_weight left = smoe_host_weights_get(weights, &other),
                                   right = smoe_host_weights_get(weights, &tensor);
            if (other.matrix && other.type_offset == tensor.type_offset && left.data && right.data &&
                left.type != right.type)
                return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                                      "weights.%s and weights.%s must have one type in a file", other.name,
                                      tensor.name);
        }
    return SMOE_SUCCESS;
}

/* A file has a dtype for every type without scales, and bytes for the others. */
static smoe_result check_types(const smoe_file_host *host, const smoe_plan_desc *plan, const smoe_host_weights *weights)
{
    smoe_layer_tensor tensor;
    smoe_tensor_type dtype;
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++) {
        const smoe_host_weight array = smoe_host_weights_get(weights, &tensor);
        if (array.data && array.type == SMOE_TYPE_SOURCES)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                                  "weights.%s.type: SMOE_TYPE_SOURCES, must be a type that a file has", tensor.name);
        if (array.data && !smoe_file_tensor_type(array.type, &dtype) &&
            smoe_layer_tensor_size(&tensor, array.type, 1) == 0)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                                  "weights.%s: blocks of %s do not divide its rows of %u", tensor.name,
                                  smoe_type_name(array.type), tensor.shape[tensor.axis_count - 1]);
    }
    return check_shared_types(host, plan, weights);
}

static smoe_result check_plan(const smoe_file_host *host, const smoe_plan_desc *plan)
{
    const struct {
        const char *field, *type, *name;
    } names[] = {
        {"activation", "smoe_activation", smoe_activation_name(plan->activation)},
        {"router", "smoe_router", smoe_router_name(plan->router)},
        {"gate", "smoe_gate", smoe_gate_name(plan->gate)},
        {"group_score", "smoe_group_score", smoe_group_score_name(plan->group_score)},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!names[i].name)
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan.%s must be a %s", names[i].field,
                                  names[i].type);
    if (plan->top_k < 1 || plan->top_k > plan->expert_count)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan.top_k is %u, but must be 1 to expert_count, %u",
                              plan->top_k, plan->expert_count);
    if (plan->max_active && (plan->max_active < plan->top_k || plan->max_active > plan->expert_count))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "plan.max_active is %u, but must be 0 or top_k to expert_count, %u to %u",
                              plan->max_active, plan->top_k, plan->expert_count);
    return SMOE_SUCCESS;
}

/* What the reader would refuse is not written. */
static smoe_result check_layer(const smoe_file_host *host, const smoe_plan_desc *plan,
                               const smoe_forward_params *params, const smoe_host_weights *weights, const float *x)
{
    const smoe_forward_number *number;
    char reason[SMOE_REASON_SIZE];
    smoe_result result = check_plan(host, plan);
    if (result != SMOE_SUCCESS)
        return result;
    for (uint32_t i = 0; (number = smoe_forward_number_get(i)) != NULL; i++)
        if (!smoe_forward_number_allows(number, smoe_forward_number_value(number, params)))
            return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.%s: must be %s", number->name,
                                  number->rule);
    if (x && (params->token_count < 1 || params->token_count > SMOE_MAX_TOKENS))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "params.token_count is %u, but x must have 1 to %u tokens", params->token_count,
                              SMOE_MAX_TOKENS);
    if (smoe_plan_numbers_check(plan, reason) != SMOE_SUCCESS ||
        smoe_plan_balance_check(plan, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan.%s", reason);
    if (smoe_host_weights_check(plan, weights, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s", reason);
    return check_types(host, plan, weights);
}

smoe_result smoe_layer_file_write_layer(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                                        const smoe_host_weights *weights, const float *x,
                                        const smoe_allocator *allocator, const smoe_log *log)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_write_layer"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!path || !plan || !params || !weights)
        return smoe_file_fail(&host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL",
                              !path ? "path" : !plan ? "plan" : !params ? "params" : "weights");
    const smoe_result result = check_layer(&host, plan, params, weights, x);
    if (result != SMOE_SUCCESS)
        return result;
    layer_text text;
    memset(&text, 0, sizeof text);
    describe_tensors(&text, plan, weights);
    if (x)
        add_tensor(&text, "x", SMOE_TENSOR_FLOAT32, x, 2, (const uint64_t[2]){params->token_count, plan->d_model});
    describe_metadata(&text, plan, params);
    return smoe_layer_file_write(path, text.tensors, text.tensor_count, text.metadata, text.pair_count, allocator, log);
}
