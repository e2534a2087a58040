/* The experts of a layer file, and the shared one. */
#include "layer_reading.h"

#include <string.h>

#define FAIL SMOE_READING_FAIL

/* The type of the experts' matrices; F32 for any other, with the failure. */
static smoe_type weight_type(smoe_reading *r, const char *name, const smoe_tensor *tensor)
{
    switch (tensor->type) {
    case SMOE_TENSOR_FLOAT32: return SMOE_TYPE_FLOAT32;
    case SMOE_TENSOR_FLOAT16: return SMOE_TYPE_FLOAT16;
    case SMOE_TENSOR_BFLOAT16: return SMOE_TYPE_BFLOAT16;
    default:
        FAIL(r, SMOE_ERROR_UNSUPPORTED, "tensor %s is %s; smoe takes F32, F16 and BF16", name, smoe_file_type_of(tensor->type).name);
        return SMOE_TYPE_FLOAT32;
    }
}

void smoe_reading_experts(smoe_reading *r)
{
    smoe_plan_desc *plan = &r->plan;
    smoe_host_weights *weights = &r->weights;
    const uint64_t e = plan->expert_count, d = plan->d_model;
    const uint64_t up_any[3] = {e, 0, d};
    const smoe_tensor *w1 = smoe_reading_take(r, "experts.w1", 3, up_any);
    plan->d_hidden = smoe_reading_width(r, "experts.w1", w1, 1, "d_hidden", SMOE_MAX_WIDTH);
    const uint64_t h = plan->d_hidden;
    const uint64_t up[3] = {e, h, d}, down[3] = {e, d, h}, hidden[2] = {e, h}, model[2] = {e, d};
    plan->gated = smoe_reading_find(r, "experts.w3") != NULL;
    const smoe_tensor *w3 = plan->gated ? smoe_reading_take(r, "experts.w3", 3, up) : NULL;
    const smoe_tensor *w2 = smoe_reading_take(r, "experts.w2", 3, down);
    weights->b1 = smoe_reading_float32(r, "experts.b1", true, 2, hidden);
    weights->b3 = smoe_reading_float32(r, "experts.b3", true, 2, hidden);
    weights->b2 = smoe_reading_float32(r, "experts.b2", true, 2, model);
    if (r->result != SMOE_SUCCESS || !w1 || !w2)
        return;
    if (weights->b3 && !plan->gated)
        FAIL(r, SMOE_ERROR_FILE, "tensor experts.b3 is there without experts.w3");
    else if (w2->type != w1->type || (w3 && w3->type != w1->type))
        FAIL(r, SMOE_ERROR_FILE, "tensors experts.w1, experts.w2 and experts.w3 must have one dtype");
    else
        plan->weight_type = weight_type(r, "experts.w1", w1);
    weights->weight_type = plan->weight_type;
    weights->w1 = w1->data;
    weights->w2 = w2->data;
    weights->w3 = w3 ? w3->data : NULL;
    r->bias = weights->b1 || weights->b2 || weights->b3;
    r->all_biases = weights->b1 && weights->b2 && (weights->b3 || !plan->gated);

    smoe_reading_agree(r, "d_hidden", plan->d_hidden, "experts.w1");
    if (smoe_reading_bool(r, "gated", plan->gated) != plan->gated)
        FAIL(r, SMOE_ERROR_FILE, "metadata gated contradicts the tensors: experts.w3 is %s", plan->gated ? "there" : "missing");
    if (smoe_reading_bool(r, "bias", r->bias) != r->bias || (smoe_reading_metadata(r, "bias") && r->bias && !r->all_biases))
        FAIL(r, SMOE_ERROR_FILE, "metadata bias contradicts the tensors: %s of experts.b1, b2 (and b3 if gated) is there",
             r->bias ? "one" : "none");
}

/* The first tensor of the shared expert, NULL if there is none. */
static const char *shared_tensor(const smoe_reading *r)
{
    for (uint32_t i = 0; smoe_layer_file_tensor_at(r->file, i); i++)
        if (strncmp(smoe_layer_file_tensor_at(r->file, i)->name, "shared.", 7) == 0)
            return smoe_layer_file_tensor_at(r->file, i)->name;
    return NULL;
}

/* Several shared experts lie one after another in the hidden width of one: how many there were is the file's own business. */
static bool has_shared(smoe_reading *r)
{
    const char *tensor = shared_tensor(r);
    const uint32_t count = smoe_reading_count(r, "shared", 0, SMOE_MAX_WIDTH, tensor ? 1 : 0);
    if (r->result == SMOE_SUCCESS && (tensor != NULL) != (count > 0)) {
        if (tensor)
            FAIL(r, SMOE_ERROR_FILE, "metadata shared is 0, but the file has a tensor \"%.80s\"", tensor);
        else
            FAIL(r, SMOE_ERROR_FILE, "metadata shared is %u, but the file has no tensor \"shared.*\"", count);
    }
    return r->result == SMOE_SUCCESS && tensor != NULL;
}

void smoe_reading_shared(smoe_reading *r)
{
    smoe_plan_desc *plan = &r->plan;
    smoe_host_weights *weights = &r->weights;
    if (!has_shared(r))
        return;
    const uint64_t d = plan->d_model, up_any[2] = {0, d};
    const smoe_tensor *w1 = smoe_reading_take(r, "shared.w1", 2, up_any);
    plan->shared_hidden = smoe_reading_width(r, "shared.w1", w1, 0, "hidden width", SMOE_MAX_WIDTH);
    const uint64_t s = plan->shared_hidden, up[2] = {s, d}, down[2] = {d, s};
    const bool gated = smoe_reading_find(r, "shared.w3") != NULL;
    const smoe_tensor *w3 = gated ? smoe_reading_take(r, "shared.w3", 2, up) : NULL;
    const smoe_tensor *w2 = smoe_reading_take(r, "shared.w2", 2, down);
    weights->shared_b1 = smoe_reading_float32(r, "shared.b1", true, 1, &s);
    weights->shared_b3 = smoe_reading_float32(r, "shared.b3", true, 1, &s);
    weights->shared_b2 = smoe_reading_float32(r, "shared.b2", true, 1, &d);
    weights->shared_gate = smoe_reading_float32(r, "shared.gate", true, 1, &d);
    if (r->result != SMOE_SUCCESS || !w1 || !w2)
        return;
    const smoe_tensor_type own = smoe_layer_file_tensor(r->file, "experts.w1")->type;
    if (gated != plan->gated)
        FAIL(r, SMOE_ERROR_FILE, "tensor shared.w3 is %s, but the experts are %s", gated ? "there" : "missing",
             plan->gated ? "gated" : "not gated");
    else if (weights->shared_b3 && !gated)
        FAIL(r, SMOE_ERROR_FILE, "tensor shared.b3 is there without shared.w3");
    else if (w1->type != own || w2->type != own || (w3 && w3->type != own))
        FAIL(r, SMOE_ERROR_FILE, "tensors shared.w1, shared.w2 and shared.w3 must have the dtype of experts.w1");
    plan->shared_gate = weights->shared_gate != NULL;
    weights->shared_w1 = w1->data;
    weights->shared_w3 = w3 ? w3->data : NULL;
    weights->shared_w2 = w2->data;
}
