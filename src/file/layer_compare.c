/* The metadata of a layer file that the tensors tell too, and its groups. */
#include "layer_reading.h"

#define FAIL SMOE_LAYER_READING_FAIL

void smoe_layer_reading_groups(smoe_layer_reading *r)
{
    const uint32_t groups = smoe_layer_reading_count(r, "n_group", 1, SMOE_MAX_EXPERTS, 1);
    if (groups > 1)
        smoe_layer_reading_require(r, "topk_group");
    const uint32_t chosen = smoe_layer_reading_count(r, "topk_group", 1, SMOE_MAX_EXPERTS, 1);
    if (r->result == SMOE_SUCCESS)
        r->result = smoe_file_check_groups(&r->file->host, "metadata n_group", "metadata topk_group",
                                           r->plan.expert_count, groups, chosen, 0);
    const char *score = smoe_layer_reading_metadata(r, "group_score");
    char known[SMOE_NAME_LIST_SIZE];
    smoe_group_score_list(known);
    if (score && !smoe_group_score_find(score, &r->plan.group_score))
        FAIL(r, SMOE_ERROR_FILE, "metadata group_score is \"%.40s\", but must be %s", score, known);
    r->plan.group_count = groups > 1 ? groups : 0;
    r->plan.top_groups = groups > 1 ? chosen : 0;
}

/* `bias`: whether the routed experts have biases. b1 and b2 come together then; gated experts may have b3 besides. */
static void compare_bias(smoe_layer_reading *r)
{
    const smoe_host_weights *weights = &r->weights;
    const bool all = weights->b1 && weights->b2, none = !weights->b1 && !weights->b2 && !weights->b3;
    const bool said = smoe_layer_reading_bool(r, "bias", all);
    if (smoe_layer_reading_metadata(r, "bias") && !(said ? all : none))
        FAIL(r, SMOE_ERROR_FILE, "metadata bias contradicts the tensors: %s",
             said ? "experts.b1 and b2 must be there" : "experts.b1, b2 and b3 must not be there");
}

static void compare_experts(smoe_layer_reading *r)
{
    const bool gated = r->plan.gated;
    smoe_layer_reading_agree(r, "d_hidden", r->plan.d_hidden, "experts.w1");
    smoe_layer_reading_agree(r, "d_latent", r->plan.d_latent, "latent.down");
    if (smoe_layer_reading_bool(r, "gated", gated) != gated)
        FAIL(r, SMOE_ERROR_FILE, "metadata gated contradicts the tensors: experts.w3 is %s",
             gated ? "there" : "missing");
    compare_bias(r);
}

void smoe_layer_reading_compare(smoe_layer_reading *r)
{
    const bool cosine = r->plan.router == SMOE_ROUTER_COSINE;
    smoe_layer_reading_agree(r, "d_model", r->plan.d_model, cosine ? "router.projection.weight" : "router.weight");
    smoe_layer_reading_agree(r, "n_experts", r->plan.expert_count, cosine ? "router.similarity" : "router.weight");
    if (!r->router_only)
        compare_experts(r);
}
