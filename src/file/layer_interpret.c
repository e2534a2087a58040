/* A safetensors file as a layer: shapes from the tensors, the rest from the metadata, and no contradiction between
 * them. */
#include "layer_reading.h"

#include <string.h>

#define FAIL SMOE_LAYER_READING_FAIL

static void read_activation(smoe_layer_reading *r)
{
    smoe_layer_reading_require(r, "activation");
    const char *name = smoe_layer_reading_metadata(r, "activation");
    if (!name)
        return;
    char known[SMOE_NAME_LIST_SIZE];
    smoe_activation_list(known);
    if (!smoe_activation_find(name, &r->plan.activation))
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "metadata activation is \"%.40s\", but must be %s", name, known);
}

/* The numbers of smoe_plan_number_get that are looked at. */
static void read_numbers(smoe_layer_reading *r)
{
    const smoe_plan_number *number;
    char reason[SMOE_REASON_SIZE];
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++) {
        float value = 0;
        if (!r->router_only || number->router)
            smoe_layer_reading_float(r, number->name, &value);
        smoe_plan_number_set(number, &r->plan, value);
    }
    if (r->result == SMOE_SUCCESS && smoe_plan_numbers_check(&r->plan, reason) != SMOE_SUCCESS)
        FAIL(r, SMOE_ERROR_FILE, "metadata %s", reason);
}

/* Ids, and weights for them, of so many tokens: what the plan gets of it is how many of each token. */
static void read_given(smoe_layer_reading *r)
{
    const smoe_tensor *ids = smoe_layer_reading_find(r, "given.ids");
    const bool weights = smoe_layer_reading_find(r, "given.weights") != NULL;
    if (!ids && weights)
        FAIL(r, SMOE_ERROR_FILE, "tensor given.weights must not be there without given.ids");
    if (!ids)
        return;
    ids = smoe_layer_reading_take(r, "given.ids", 2, (const uint64_t[2]){0, 0});
    if (ids && ids->type != SMOE_TENSOR_INT32)
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor given.ids is %s; smoe reads it as I32 only",
             smoe_file_type_of(ids->type).name);
    r->plan.given_count = smoe_layer_reading_width(r, "given.ids", ids, 1, "experts of a token:", SMOE_MAX_EXPERTS);
    r->plan.given_weights = weights;
    if (weights && ids)
        smoe_layer_reading_float32(r, "given.weights", 2, ids->shape);
}

static void read_balanced_groups(smoe_layer_reading *r)
{
    const uint32_t groups = smoe_layer_reading_count(r, "balanced_groups", 0, SMOE_MAX_EXPERTS, 0);
    r->plan.balanced_groups = groups > 1 ? groups : 0;
}

/* What else the file says of its routing. */
static void read_routing(smoe_layer_reading *r)
{
    char reason[SMOE_REASON_SIZE];
    read_balanced_groups(r);
    read_given(r);
    if (r->result == SMOE_SUCCESS && smoe_plan_routing_check(&r->plan, reason) != SMOE_SUCCESS)
        FAIL(r, SMOE_ERROR_FILE, "%s%s", strncmp(reason, "given", 5) == 0 ? "" : "metadata ", reason);
}

static void read_choice(smoe_layer_reading *r)
{
    smoe_plan_desc *plan = &r->plan;
    smoe_layer_reading_require(r, "k");
    if (!r->router_only)
        read_activation(r);
    smoe_layer_reading_require(r, "renormalize");
    plan->renormalize = smoe_layer_reading_bool(r, "renormalize", false);
    read_numbers(r);
    plan->top_k = smoe_layer_reading_count(r, "k", 1, plan->expert_count, 1);
    plan->max_active = smoe_layer_reading_count(r, "max_active", plan->top_k, plan->expert_count, 0);
    if (r->result == SMOE_SUCCESS)
        r->result = smoe_file_check_groups(&r->file->host, "metadata n_group", "metadata topk_group",
                                           plan->expert_count, plan->group_count, plan->top_groups, plan->top_k);
    read_routing(r);
}

static void read_input(smoe_layer_reading *r)
{
    const smoe_tensor *given = smoe_layer_reading_find(r, "given.ids");
    r->plan.max_tokens = given ? smoe_layer_reading_width(r, "given.ids", given, 0, "tokens:", SMOE_MAX_TOKENS) : 1;
    const uint64_t shape[2] = {given ? r->plan.max_tokens : 0, r->plan.d_model};
    if (!smoe_layer_reading_find(r, "x")) {
        if (given)
            smoe_layer_reading_agree(r, "tokens", r->plan.max_tokens, "given.ids");
        else
            smoe_layer_reading_count(r, "tokens", 0, UINT32_MAX, 0);
        return;
    }
    smoe_layer_reading_float32(r, "x", 2, shape);
    r->plan.max_tokens =
        smoe_layer_reading_width(r, "x", smoe_layer_reading_find(r, "x"), 0, "tokens:", SMOE_MAX_TOKENS);
    smoe_layer_reading_agree(r, "tokens", r->plan.max_tokens, "x");
}

static smoe_result interpret(const smoe_layer_file *file, bool router_only, smoe_plan_desc *plan,
                             smoe_forward_params *params, smoe_host_weights *weights)
{
    if (!file)
        return SMOE_ERROR_INVALID_ARGUMENT;
    smoe_layer_reading r;
    memset(&r, 0, sizeof r);
    r.file = file;
    r.router_only = router_only;
    r.params = smoe_forward_defaults();
    smoe_layer_reading_tensors(&r);
    smoe_layer_reading_compare(&r);
    smoe_layer_reading_groups(&r);
    read_choice(&r);
    smoe_layer_reading_params(&r);
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

smoe_result smoe_layer_file_layer(const smoe_layer_file *file, smoe_plan_desc *plan, smoe_forward_params *params,
                                  smoe_host_weights *weights)
{
    return interpret(file, false, plan, params, weights);
}

smoe_result smoe_layer_file_router(const smoe_layer_file *file, smoe_plan_desc *plan, smoe_forward_params *params,
                                   smoe_host_weights *weights)
{
    return interpret(file, true, plan, params, weights);
}
