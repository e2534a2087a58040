/* A safetensors file as a layer: shapes from the tensors, the rest from the metadata, and no contradiction between them. */
#include "file_internal.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

/* What one interpretation carries along. result is the first failure; everything after it does nothing. */
typedef struct reading {
    const smoe_layer_file *file;
    smoe_result result;
    smoe_plan_desc plan;
    smoe_forward_params params;
    smoe_host_weights weights;
    bool bias, all_biases; /* some, every bias of the experts is there */
} reading;

#define FAIL(r, code, ...) ((r)->result = smoe_file_fail(&(r)->file->host, (code), __VA_ARGS__))

/* ---- metadata ------------------------------------------------------------------------------------------------------ */

/* The value of a key that may be absent: NULL then, and once something has failed. */
static const char *metadata(const reading *r, const char *key)
{
    return r->result == SMOE_SUCCESS ? smoe_layer_file_metadata(r->file, key) : NULL;
}

static void read_float(reading *r, const char *key, float *out)
{
    const char *text = metadata(r, key);
    double value;
    if (!text)
        return;
    if (!smoe_file_parse_number(text, &value) || value > FLT_MAX || value < -FLT_MAX)
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", which is not a finite number", key, text);
    else
        *out = (float)value;
}

static uint32_t read_count(reading *r, const char *key, uint32_t least, uint32_t largest, uint32_t absent)
{
    const char *text = metadata(r, key);
    uint64_t value = absent;
    if (text && (!smoe_file_parse_integer(text, &value) || value < least || value > largest)) {
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be a whole number from %u to %u", key, text, least, largest);
        return absent;
    }
    return (uint32_t)value;
}

static bool read_bool(reading *r, const char *key, bool absent)
{
    const char *text = metadata(r, key);
    if (text && strcmp(text, "True") != 0 && strcmp(text, "False") != 0) {
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be True or False", key, text);
        return absent;
    }
    return text ? strcmp(text, "True") == 0 : absent;
}

static void require(reading *r, const char *key)
{
    if (r->result == SMOE_SUCCESS && !metadata(r, key))
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is missing: no tensor tells it", key);
}

/* Metadata that repeats what the tensors say. */
static void agree(reading *r, const char *key, uint32_t value, const char *tensor)
{
    const char *text = metadata(r, key);
    uint64_t written;
    if (text && (!smoe_file_parse_integer(text, &written) || written != value))
        FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but tensor %s has %u", key, text, tensor, value);
}

/* ---- tensors ------------------------------------------------------------------------------------------------------- */

static const smoe_tensor *find(const reading *r, const char *name)
{
    return r->result == SMOE_SUCCESS ? smoe_layer_file_tensor(r->file, name) : NULL;
}

#define SHAPE_TEXT_SIZE 96

/* "[8,24,n]", where n is a length that nothing else determines. */
static void write_shape(char text[SHAPE_TEXT_SIZE], uint32_t rank, const uint64_t *shape)
{
    size_t used = 0;
    for (uint32_t i = 0; i < rank; i++) { /* at most 22 characters for each of SMOE_TENSOR_MAX_RANK */
        const char *separator = i ? "," : "[";
        const int size = shape[i] ? snprintf(text + used, SHAPE_TEXT_SIZE - used, "%s%llu", separator, (unsigned long long)shape[i])
                                  : snprintf(text + used, SHAPE_TEXT_SIZE - used, "%sn", separator);
        used += (size_t)size;
    }
    snprintf(text + used, SHAPE_TEXT_SIZE - used, rank ? "]" : "[]");
}

/* A tensor that must be there; lengths of 0 are anything from 1 to the limit of a width. */
static const smoe_tensor *take(reading *r, const char *name, uint32_t rank, const uint64_t *shape)
{
    const smoe_tensor *tensor = find(r, name);
    if (!tensor) {
        if (r->result == SMOE_SUCCESS)
            FAIL(r, SMOE_ERROR_FILE, "tensor %s is missing, or has a type or rank that a layer cannot have", name);
        return NULL;
    }
    bool right = tensor->rank == rank;
    for (uint32_t i = 0; right && i < rank; i++)
        right = shape[i] ? tensor->shape[i] == shape[i] : tensor->shape[i] > 0;
    if (!right) {
        char is[SHAPE_TEXT_SIZE], must[SHAPE_TEXT_SIZE];
        write_shape(is, tensor->rank, tensor->shape);
        write_shape(must, rank, shape);
        FAIL(r, SMOE_ERROR_FILE, "tensor %s is %s, but the other tensors ask for %s", name, is, must);
    }
    return right ? tensor : NULL;
}

static const float *take_float32(reading *r, const char *name, bool optional, uint32_t rank, const uint64_t *shape)
{
    if (optional && !find(r, name))
        return NULL;
    const smoe_tensor *tensor = take(r, name, rank, shape);
    if (tensor && tensor->type != SMOE_TENSOR_FLOAT32) {
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s is %s; smoe reads it as F32 only", name, smoe_file_type_of(tensor->type).name);
        return NULL;
    }
    return tensor ? tensor->data : NULL;
}

static uint32_t take_width(reading *r, const char *name, const smoe_tensor *tensor, uint32_t index, const char *what, uint32_t largest)
{
    if (!tensor || r->result != SMOE_SUCCESS)
        return 0;
    if (tensor->shape[index] > largest) {
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s has %s %llu; smoe takes %u at most", name, what,
             (unsigned long long)tensor->shape[index], largest);
        return 0;
    }
    return (uint32_t)tensor->shape[index];
}

/* ---- the layer ----------------------------------------------------------------------------------------------------- */

/* What the format knows and smoe does not have yet, before tensors are asked for that only a linear router has. */
static void check_features(reading *r)
{
    const char *router = metadata(r, "router"), *score = metadata(r, "score");
    const bool cosine = find(r, "router.projection.weight") || find(r, "router.similarity");
    if (cosine && find(r, "router.weight"))
        FAIL(r, SMOE_ERROR_FILE, "the tensors are those of a linear and of a cosine router at once");
    else if (router && strcmp(router, "linear") != 0 && strcmp(router, "cosine") != 0)
        FAIL(r, SMOE_ERROR_FILE, "metadata router is \"%.40s\", but must be linear or cosine", router);
    else if (router && cosine != (strcmp(router, "cosine") == 0))
        FAIL(r, SMOE_ERROR_FILE, "metadata router is \"%s\", but the tensors are those of a %s router", router,
             cosine ? "cosine" : "linear");
    else if (cosine)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "the router is cosine; smoe has the linear router only");
    else if (score && strcmp(score, "softmax") != 0 && strcmp(score, "sigmoid") != 0)
        FAIL(r, SMOE_ERROR_FILE, "metadata score is \"%.40s\", but must be softmax or sigmoid", score);
    else if (score && strcmp(score, "sigmoid") == 0)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "the score is sigmoid; smoe has softmax only");
    else if (find(r, "router.selection_bias"))
        FAIL(r, SMOE_ERROR_FILE, "tensor router.selection_bias needs metadata score sigmoid");
    const uint32_t groups = read_count(r, "n_group", 1, SMOE_MAX_EXPERTS, 1);
    const uint32_t chosen = read_count(r, "topk_group", 1, SMOE_MAX_EXPERTS, 1);
    if (r->result == SMOE_SUCCESS && chosen > groups)
        FAIL(r, SMOE_ERROR_FILE, "metadata topk_group is %u, but n_group is %u", chosen, groups);
    else if (r->result == SMOE_SUCCESS && groups > 1)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "metadata n_group is %u; smoe has no groups of experts yet", groups);
}

static void check_shared(reading *r)
{
    bool tensors = false;
    for (uint32_t i = 0; smoe_layer_file_tensor_at(r->file, i); i++)
        tensors = tensors || strncmp(smoe_layer_file_tensor_at(r->file, i)->name, "shared.", 7) == 0;
    const uint32_t count = read_count(r, "shared", 0, SMOE_MAX_EXPERTS, tensors ? 1 : 0);
    if (r->result == SMOE_SUCCESS && tensors != (count > 0))
        FAIL(r, SMOE_ERROR_FILE, "metadata shared is %u, but the file has %s tensor \"shared.*\"", count, tensors ? "a" : "no");
    else if (r->result == SMOE_SUCCESS && count > 0)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "the layer has shared experts; smoe does not have them yet");
}

static void read_weights(reading *r)
{
    smoe_plan_desc *plan = &r->plan;
    smoe_host_weights *weights = &r->weights;
    const uint64_t any[3] = {0, 0, 0};
    const smoe_tensor *router = take(r, "router.weight", 2, any);
    plan->expert_count = take_width(r, "router.weight", router, 0, "experts:", SMOE_MAX_EXPERTS);
    plan->d_model = take_width(r, "router.weight", router, 1, "d_model", SMOE_MAX_WIDTH);
    const uint64_t e = plan->expert_count, d = plan->d_model;
    const uint64_t up_any[3] = {e, 0, d};
    const smoe_tensor *w1 = take(r, "experts.w1", 3, up_any);
    plan->d_hidden = take_width(r, "experts.w1", w1, 1, "d_hidden", SMOE_MAX_WIDTH);
    const uint64_t h = plan->d_hidden;
    const uint64_t up[3] = {e, h, d}, down[3] = {e, d, h}, hidden[2] = {e, h}, model[2] = {e, d};
    plan->gated = find(r, "experts.w3") != NULL;
    const smoe_tensor *w3 = plan->gated ? take(r, "experts.w3", 3, up) : NULL;
    const smoe_tensor *w2 = take(r, "experts.w2", 3, down);

    weights->router_weight = take_float32(r, "router.weight", false, 2, model);
    weights->router_bias = take_float32(r, "router.bias", true, 1, &e);
    weights->b1 = take_float32(r, "experts.b1", true, 2, hidden);
    weights->b3 = take_float32(r, "experts.b3", true, 2, hidden);
    weights->b2 = take_float32(r, "experts.b2", true, 2, model);
    if (r->result != SMOE_SUCCESS || !w1 || !w2)
        return;
    if (weights->b3 && !plan->gated)
        FAIL(r, SMOE_ERROR_FILE, "tensor experts.b3 is there without experts.w3");
    else if (w2->type != w1->type || (w3 && w3->type != w1->type))
        FAIL(r, SMOE_ERROR_FILE, "tensors experts.w1, experts.w2 and experts.w3 must have one dtype");
    else if (w1->type != SMOE_TENSOR_FLOAT32 && w1->type != SMOE_TENSOR_FLOAT16)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor experts.w1 is %s; smoe takes F32 and F16", smoe_file_type_of(w1->type).name);
    plan->weight_type = w1->type == SMOE_TENSOR_FLOAT16 ? SMOE_TYPE_FLOAT16 : SMOE_TYPE_FLOAT32;
    weights->weight_type = plan->weight_type;
    weights->w1 = w1->data;
    weights->w2 = w2->data;
    weights->w3 = w3 ? w3->data : NULL;
    r->bias = weights->b1 || weights->b2 || weights->b3;
    r->all_biases = weights->b1 && weights->b2 && (weights->b3 || !plan->gated);
}

static void read_activation(reading *r)
{
    static const char *const names[] = {"identity", "relu", "gelu", "gelu_tanh", "silu"};
    static const smoe_activation values[] = {SMOE_ACTIVATION_IDENTITY, SMOE_ACTIVATION_RELU, SMOE_ACTIVATION_GELU,
                                             SMOE_ACTIVATION_GELU_TANH, SMOE_ACTIVATION_SILU};
    const char *name = metadata(r, "activation");
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            r->plan.activation = values[i];
            return;
        }
    }
    if (name)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "metadata activation is \"%.40s\"; smoe has identity, relu, gelu, gelu_tanh and silu", name);
}

static bool is_divisor(float value)
{
    return value >= 1e-30f && value <= 1e30f;
}

/* The rules are those of smoe_forward_params. */
static void read_params(reading *r)
{
    smoe_forward_params *params = &r->params;
    read_float(r, "eps", &params->eps);
    read_float(r, "a", &params->a);
    read_float(r, "b", &params->b);
    read_float(r, "temperature", &params->temperature);
    read_float(r, "tie_tolerance", &params->tie_tolerance);
    read_float(r, "scale", &params->scale);
    const struct {
        const char *key;
        bool legal;
        const char *rule;
    } rules[] = {
        {"eps", params->eps == 0.0f || is_divisor(params->eps), "0 or 1e-30 .. 1e30"},
        {"a", params->a > 0.0f && params->a <= 1024.0f, "above 0 and at most 1024"},
        {"b", params->b > 0.0f && params->b <= 1024.0f, "above 0 and at most 1024"},
        {"temperature", is_divisor(params->temperature), "1e-30 .. 1e30"},
        {"tie_tolerance", params->tie_tolerance >= 0.0f, "at least 0"},
    };
    for (size_t i = 0; r->result == SMOE_SUCCESS && i < sizeof rules / sizeof *rules; i++)
        if (!rules[i].legal)
            FAIL(r, SMOE_ERROR_FILE, "metadata %s is \"%.40s\", but must be %s", rules[i].key, metadata(r, rules[i].key), rules[i].rule);
}

static void read_metadata(reading *r)
{
    smoe_plan_desc *plan = &r->plan;
    const uint32_t experts = plan->expert_count;
    agree(r, "n_experts", experts, "router.weight");
    agree(r, "d_model", plan->d_model, "router.weight");
    agree(r, "d_hidden", plan->d_hidden, "experts.w1");
    require(r, "k");
    require(r, "activation");
    require(r, "renormalize");
    if (read_bool(r, "gated", plan->gated) != plan->gated)
        FAIL(r, SMOE_ERROR_FILE, "metadata gated contradicts the tensors: experts.w3 is %s", plan->gated ? "there" : "missing");
    if (read_bool(r, "bias", r->bias) != r->bias || (metadata(r, "bias") && r->bias && !r->all_biases))
        FAIL(r, SMOE_ERROR_FILE, "metadata bias contradicts the tensors: %s of experts.b1, b2 (and b3 if gated) is there",
             r->bias ? "one" : "none");
    plan->router = SMOE_ROUTER_LINEAR;
    plan->gate = SMOE_GATE_SOFTMAX;
    read_activation(r);
    plan->renormalize = read_bool(r, "renormalize", false);
    plan->top_k = read_count(r, "k", 1, experts, 1);
    plan->max_active = read_count(r, "max_active", plan->top_k, experts, 0);
    read_params(r);
}

static void read_input(reading *r)
{
    r->plan.max_tokens = 1;
    const uint64_t shape[2] = {0, r->plan.d_model};
    if (!find(r, "x")) {
        read_count(r, "tokens", 0, UINT32_MAX, 0);
        return;
    }
    take_float32(r, "x", false, 2, shape);
    r->plan.max_tokens = take_width(r, "x", find(r, "x"), 0, "tokens:", SMOE_MAX_TOKENS);
    agree(r, "tokens", r->plan.max_tokens, "x");
}

smoe_result smoe_layer_file_layer(const smoe_layer_file *file, smoe_plan_desc *plan, smoe_forward_params *params,
                                  smoe_host_weights *weights)
{
    if (!file)
        return SMOE_ERROR_INVALID_ARGUMENT;
    reading r;
    memset(&r, 0, sizeof r);
    r.file = file;
    r.params = smoe_forward_defaults();
    check_features(&r);
    check_shared(&r);
    read_weights(&r);
    read_metadata(&r);
    read_input(&r);
    r.params.token_count = r.plan.max_tokens;
    if (r.result != SMOE_SUCCESS)
        return r.result;
    if (plan)
        *plan = r.plan;
    if (params)
        *params = r.params;
    if (weights)
        *weights = r.weights;
    return SMOE_SUCCESS;
}
