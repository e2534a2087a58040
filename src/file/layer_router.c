/* The router of a layer file: linear or cosine, its gate, its groups. */
#include "layer_reading.h"

#include <string.h>

#define FAIL SMOE_READING_FAIL

/* The file's router, by its tensors; the metadata must say the same. */
static void read_kind(smoe_reading *r)
{
    static const char *const of_cosine[] = {"router.projection.weight", "router.projection.bias", "router.similarity", "router.log_scale"};
    const char *router = smoe_reading_metadata(r, "router");
    const char *cosine = NULL;
    for (size_t i = 0; !cosine && i < sizeof of_cosine / sizeof *of_cosine; i++)
        cosine = smoe_reading_find(r, of_cosine[i]) ? of_cosine[i] : NULL;
    const char *linear = smoe_reading_find(r, "router.weight") ? "router.weight"
                         : smoe_reading_find(r, "router.bias") ? "router.bias"
                                                               : NULL;
    const smoe_router found = cosine ? SMOE_ROUTER_COSINE : SMOE_ROUTER_LINEAR;
    smoe_router named = found;
    if (cosine && linear)
        FAIL(r, SMOE_ERROR_FILE, "the tensors are those of a linear and of a cosine router at once: %s and %s", linear, cosine);
    else if (router && !smoe_router_find(router, &named))
        FAIL(r, SMOE_ERROR_FILE, "metadata router is \"%.40s\", but must be linear or cosine", router);
    else if (router && named != found)
        FAIL(r, SMOE_ERROR_FILE, "metadata router is \"%s\", but the tensors are those of a %s router", router, smoe_router_name(found));
    r->plan.router = found;
}

static void read_linear(smoe_reading *r)
{
    const uint64_t any[2] = {0, 0};
    const smoe_tensor *weight = smoe_reading_take(r, "router.weight", 2, any);
    r->plan.expert_count = smoe_reading_width(r, "router.weight", weight, 0, "experts:", SMOE_MAX_EXPERTS);
    r->plan.d_model = smoe_reading_width(r, "router.weight", weight, 1, "d_model", SMOE_MAX_WIDTH);
    const uint64_t e = r->plan.expert_count;
    r->weights.router_weight = smoe_reading_float32(r, "router.weight", false, 2, any);
    r->weights.router_bias = smoe_reading_float32(r, "router.bias", true, 1, &e);
}

static void read_cosine(smoe_reading *r)
{
    const uint64_t any[2] = {0, 0}, one = 1;
    const smoe_tensor *projection = smoe_reading_take(r, "router.projection.weight", 2, any);
    r->plan.projection_width = smoe_reading_width(r, "router.projection.weight", projection, 0, "projection width", SMOE_MAX_WIDTH);
    r->plan.d_model = smoe_reading_width(r, "router.projection.weight", projection, 1, "d_model", SMOE_MAX_WIDTH);
    const uint64_t p = r->plan.projection_width, similarity_shape[2] = {p, 0};
    const smoe_tensor *similarity = smoe_reading_take(r, "router.similarity", 2, similarity_shape);
    r->plan.expert_count = smoe_reading_width(r, "router.similarity", similarity, 1, "experts:", SMOE_MAX_EXPERTS);
    r->weights.router_projection = smoe_reading_float32(r, "router.projection.weight", false, 2, any);
    r->weights.router_projection_bias = smoe_reading_float32(r, "router.projection.bias", true, 1, &p);
    r->weights.router_similarity = smoe_reading_float32(r, "router.similarity", false, 2, similarity_shape);
    r->weights.router_log_scale = smoe_reading_float32(r, "router.log_scale", false, 1, &one);
}

static void read_gate(smoe_reading *r)
{
    const char *score = smoe_reading_metadata(r, "score");
    const uint64_t e = r->plan.expert_count;
    r->plan.gate = SMOE_GATE_SOFTMAX; /* of a file that does not say */
    if (score && !smoe_gate_find(score, &r->plan.gate))
        FAIL(r, SMOE_ERROR_FILE, "metadata score is \"%.40s\", but must be softmax or sigmoid", score);
    if (r->plan.gate != SMOE_GATE_SIGMOID && smoe_reading_find(r, "router.selection_bias"))
        FAIL(r, SMOE_ERROR_FILE, "tensor router.selection_bias needs metadata score sigmoid");
    r->weights.selection_bias = smoe_reading_float32(r, "router.selection_bias", true, 1, &e);
}

static void read_groups(smoe_reading *r)
{
    const uint32_t groups = smoe_reading_count(r, "n_group", 1, SMOE_MAX_EXPERTS, 1);
    if (groups > 1)
        smoe_reading_require(r, "topk_group");
    const uint32_t chosen = smoe_reading_count(r, "topk_group", 1, SMOE_MAX_EXPERTS, 1);
    if (r->result == SMOE_SUCCESS)
        r->result = smoe_file_check_groups(&r->file->host, "metadata n_group", "metadata topk_group", r->plan.expert_count, groups,
                                           chosen, 0);
    r->plan.group_count = groups > 1 ? groups : 0;
    r->plan.top_groups = groups > 1 ? chosen : 0;
}

void smoe_reading_router(smoe_reading *r)
{
    read_kind(r);
    if (r->plan.router == SMOE_ROUTER_COSINE)
        read_cosine(r);
    else
        read_linear(r);
    const char *tensor = r->plan.router == SMOE_ROUTER_COSINE ? "router.projection.weight" : "router.weight";
    smoe_reading_agree(r, "d_model", r->plan.d_model, tensor);
    smoe_reading_agree(r, "n_experts", r->plan.expert_count, r->plan.router == SMOE_ROUTER_COSINE ? "router.similarity" : tensor);
    read_gate(r);
    read_groups(r);
}
