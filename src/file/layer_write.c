/* A layer as a layer file. */
#include "file_internal.h"

#include <string.h>

#define MAX_TENSORS (SMOE_MAX_LAYER_TENSORS + 3 + SMOE_MAX_RESULTS) /* 3: inputs */
#define MAX_TYPES 8                              /* of matrices */
/* describe_metadata has fewer than 24 others */
#define MAX_PAIRS (24 + MAX_TYPES + SMOE_MAX_PLAN_NUMBERS + SMOE_MAX_FORWARD_NUMBERS)

typedef struct layer_text {
    bool router_only;
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
        if (text->router_only && !tensor.router)
            continue;
        if (array.data && !smoe_file_tensor_type(array.type, &type))
            add_stored(text, &tensor, array);
        else if (array.data)
            add_tensor(text, tensor.file_name, type, array.data, tensor.axis_count, shape);
    }
}

/* Those that are not 0. */
static void describe_numbers(layer_text *text, const smoe_plan_desc *plan)
{
    const smoe_plan_number *number;
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (smoe_plan_number_value(number, plan) != 0.0f && (!text->router_only || number->router))
            add_number(text, number->name, smoe_plan_number_value(number, plan));
}

static void describe_experts(layer_text *text, const smoe_plan_desc *plan)
{
    add_text(text, "activation", smoe_activation_name(plan->activation));
    add_text(text, "gated", plan->gated ? "True" : "False");
    add_count(text, "shared", plan->shared_hidden > 0);
    if (text->type_count > 0) { /* their shapes do not tell */
        add_count(text, "d_hidden", plan->d_hidden);
        if (plan->d_latent > 0)
            add_count(text, "d_latent", plan->d_latent);
        if (plan->shared_hidden > 0)
            add_count(text, "shared_hidden", plan->shared_hidden);
    }
}

static void describe_metadata(layer_text *text, const smoe_plan_desc *plan, const smoe_forward_params *params)
{
    if (!text->router_only)
        describe_experts(text, plan);
    add_text(text, "router", smoe_router_name(plan->router));
    add_text(text, "score", smoe_gate_name(plan->gate));
    describe_numbers(text, plan);
    add_text(text, "renormalize", plan->renormalize ? "True" : "False");
    if (plan->weighted_input)
        add_text(text, "weighted_input", "True");
    add_count(text, "k", plan->top_k);
    if (plan->max_active > 0)
        add_count(text, "max_active", plan->max_active);
    if (plan->group_count > 1) {
        add_count(text, "n_group", plan->group_count);
        add_count(text, "topk_group", plan->top_groups);
        add_text(text, "group_score", smoe_group_score_name(plan->group_score));
    }
    if (plan->balanced_groups > 1)
        add_count(text, "balanced_groups", plan->balanced_groups);
    if (plan->zero_experts > 0)
        add_count(text, "zero_experts", plan->zero_experts);
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

static smoe_result check_inputs(const smoe_file_host *host, const smoe_plan_desc *plan,
                                const smoe_forward_params *params, const smoe_layer_inputs *inputs)
{
    const bool any = inputs->x || inputs->given_ids;
    if (any && (params->token_count < 1 || params->token_count > SMOE_MAX_TOKENS))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "params.token_count is %u, but %s must have 1 to %u tokens", params->token_count,
                              inputs->x ? "x" : "given_ids", SMOE_MAX_TOKENS);
    if (!inputs->given_ids != !plan->given_count)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "inputs.given_ids must %sbe NULL where the plan's given_count is %u",
                              inputs->given_ids ? "" : "not ", plan->given_count);
    if (!inputs->given_weights != !plan->given_weights)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "inputs.given_weights must %sbe NULL where the plan's given_weights is %s",
                              inputs->given_weights ? "" : "not ", plan->given_weights ? "true" : "false");
    return SMOE_SUCCESS;
}

/* What the reader would refuse is not written. */
static smoe_result check_layer(const smoe_file_host *host, const smoe_plan_desc *plan,
                               const smoe_forward_params *params, const smoe_host_weights *weights,
                               const smoe_layer_inputs *inputs)
{
    char reason[SMOE_REASON_SIZE];
    smoe_result result = check_plan(host, plan);
    if (result != SMOE_SUCCESS)
        return result;
    if (smoe_forward_numbers_check(plan, params, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "params.%s", reason);
    if (smoe_plan_numbers_check(plan, reason) != SMOE_SUCCESS ||
        smoe_plan_routing_check(plan, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "plan.%s", reason);
    if (smoe_host_weights_check(plan, weights, reason) != SMOE_SUCCESS)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s", reason);
    result = check_inputs(host, plan, params, inputs);
    return result == SMOE_SUCCESS ? check_types(host, plan, weights) : result;
}

static void describe_inputs(layer_text *text, const smoe_plan_desc *plan, uint64_t tokens,
                            const smoe_layer_inputs *inputs)
{
    const uint64_t rows[2] = {tokens, plan->d_model}, given[2] = {tokens, plan->given_count};
    if (inputs->x)
        add_tensor(text, "x", SMOE_TENSOR_FLOAT32, inputs->x, 2, rows);
    if (inputs->given_ids)
        add_tensor(text, "given.ids", SMOE_TENSOR_INT32, inputs->given_ids, 2, given);
    if (inputs->given_weights)
        add_tensor(text, "given.weights", SMOE_TENSOR_FLOAT32, inputs->given_weights, 2, given);
}

/* What a call of either function writes. */
typedef struct layer_written {
    const smoe_plan_desc *plan;
    const smoe_forward_params *params;
    const smoe_host_weights *weights;
    const smoe_layer_inputs *inputs; /* NULL: none */
    bool router_only;
    const smoe_tensor *results; /* [result_count] */
    uint32_t result_count;
} layer_written;

static smoe_result check_call(const smoe_file_host *host, const char *path, const layer_written *layer)
{
    static const smoe_layer_inputs none = {0};
    const char *const missing = !path             ? "path"
                                : !layer->plan    ? "plan"
                                : !layer->params  ? "params"
                                : !layer->weights ? "weights"
                                                  : NULL;
    if (missing)
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT, "%s must not be NULL", missing);
    if (layer->result_count > SMOE_MAX_RESULTS || (layer->result_count && !layer->results))
        return smoe_file_fail(host, SMOE_ERROR_INVALID_ARGUMENT,
                              "result_count is %u, but must be 0 to %u, and results not NULL unless it is 0",
                              layer->result_count, SMOE_MAX_RESULTS);
    return check_layer(host, layer->plan, layer->params, layer->weights, layer->inputs ? layer->inputs : &none);
}

static smoe_result write_layer(const char *path, const layer_written *layer, const smoe_allocator *allocator,
                               const smoe_log *log)
{
    smoe_file_host host;
    if (!smoe_file_host_init(&host, allocator, log, path ? path : "smoe_layer_file_write"))
        return SMOE_ERROR_INVALID_ARGUMENT;
    const smoe_result result = check_call(&host, path, layer);
    if (result != SMOE_SUCCESS)
        return result;
    layer_text text;
    memset(&text, 0, sizeof text);
    text.router_only = layer->router_only;
    describe_tensors(&text, layer->plan, layer->weights);
    if (layer->inputs)
        describe_inputs(&text, layer->plan, layer->params->token_count, layer->inputs);
    for (uint32_t i = 0; i < layer->result_count; i++)
        text.tensors[text.tensor_count++] = layer->results[i];
    describe_metadata(&text, layer->plan, layer->params);
    return smoe_layer_file_write(path, text.tensors, text.tensor_count, text.metadata, text.pair_count, allocator, log);
}

smoe_result smoe_layer_file_write_layer(const char *path, const smoe_plan_desc *plan, const smoe_forward_params *params,
                                        const smoe_host_weights *weights, const smoe_layer_inputs *inputs,
                                        const smoe_allocator *allocator, const smoe_log *log)
{
    return write_layer(path, &(layer_written){.plan = plan, .params = params, .weights = weights, .inputs = inputs},
                       allocator, log);
}

smoe_result smoe_layer_file_write_router(const char *path, const smoe_plan_desc *plan,
                                         const smoe_forward_params *params, const smoe_host_weights *weights,
                                         const smoe_layer_inputs *inputs, const smoe_tensor *results,
                                         uint32_t result_count, const smoe_allocator *allocator, const smoe_log *log)
{
    return write_layer(path, &(layer_written){plan, params, weights, inputs, true, results, result_count}, allocator,
                       log);
}
