/* The blocks with experts, through libsmoe-file's reader of Tutel's names: it knows the routers, transposes what Tutel
 * stores the other way round, and says which tensors are missing or misshapen. */
#include "load.h"

#include <stdio.h>
#include <string.h>

bool load_is_expert_block(const load *l, uint32_t index)
{
    char gates[64], experts[64];
    snprintf(gates, sizeof gates, "blocks.%u.mlp.gates.", index);
    snprintf(experts, sizeof experts, "blocks.%u.mlp.experts.", index);
    return load_has_prefix(l, gates) || load_has_prefix(l, experts);
}

/* The reader warns of tensors that it does not read. Here load_end refuses those that Tutel's layers never have. */
static void pass_errors(void *user, smoe_log_level level, const char *text)
{
    const smoe_log *log = *(const smoe_log *const *)user;
    if (level == SMOE_LOG_ERROR && log && log->message)
        log->message(log->user, level, text);
}

bool load_find_experts(load *l)
{
    const smoe_log errors = {pass_errors, &l->model->log};
    bool any = false;
    for (uint32_t i = 0; i < l->model->depth; i++)
        any = any || load_is_expert_block(l, i);
    l->expert_layer_count = VISION_MAX_DEPTH;
    if (!any)
        return l->expert_layer_count = 0, true;
    return smoe_checkpoint_open(l->model->path, NULL, &errors, &l->model->checkpoint) == SMOE_SUCCESS &&
           smoe_checkpoint_layers(l->model->checkpoint, &l->expert_layer_count, l->expert_layers) == SMOE_SUCCESS;
}

/* The names that Tutel gives a layer with one gate. The reader takes those it needs; the rest of this list means
 * nothing to inference. */
static void mark_used(load *l, uint32_t index)
{
    static const char *const names[] = {"gates.0.wg.weight", "gates.0.eta_parameterized",
                                        "gates.0.cosine_projector.weight", "gates.0.cosine_projector.bias",
                                        "gates.0.sim_matrix", "gates.0.temperature", "experts.batched_fc1_w",
                                        "experts.batched_fc1_bias", "experts.batched_fc2_w", "experts.batched_fc2_bias",
                                        "_num_global_experts"};
    char name[LOAD_NAME_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "blocks.%u.mlp.%s", index, names[i]);
        load_find(l, name);
    }
}

/* The metadata's word for the router must be what the tensors make of it. */
static bool router_agrees(load *l, uint32_t index, const vision_block *block)
{
    const char *router = smoe_layer_file_metadata(l->model->file, "router");
    const bool cosine = block->plan.router == SMOE_ROUTER_COSINE;
    char name[LOAD_NAME_SIZE];
    snprintf(name, sizeof name, "blocks.%u.mlp.gates.0.eta_parameterized", index);
    const bool smooth = load_find(l, name) != NULL;
    if (!router)
        return true;
    if (strcmp(router, "cosine_top") != 0 && strcmp(router, "top") != 0 && strcmp(router, "smooth_top") != 0)
        return load_fail(l, "metadata router is '%.40s', but must be cosine_top, top or smooth_top", router);
    if (strcmp(router, "cosine_top") == 0 ? cosine : strcmp(router, "smooth_top") == 0 ? smooth : !cosine && !smooth)
        return true;
    if (strcmp(router, "smooth_top") == 0)
        return load_fail(l, "tensor %s%s is missing, which metadata router, smooth_top, asks for", l->prefix, name);
    return load_fail(l, "metadata router is %s, but block %u has the tensors of %s", router, index,
                     cosine ? "cosine_top" : smooth ? "smooth_top" : "top");
}

/* A number of the metadata for every block's forward. */
static bool override_number(const load *l, const char *key, float *value)
{
    double number;
    uint32_t count;
    if (!load_numbers(l, key, 1, &number, &count))
        return false;
    if (count && !(number > 0 && number <= 1024))
        return load_fail(l, "metadata %s must be a number above 0 and at most 1024", key);
    *value = count ? (float)number : *value;
    return true;
}

bool load_experts(load *l, uint32_t index, vision_block *block)
{
    const vision_model *model = l->model;
    const smoe_activation gelu = SMOE_ACTIVATION_GELU;
    smoe_checkpoint_options options = {.activation = &gelu};
    bool known = false;

    if (!load_count(l, "k", 1, SMOE_MAX_EXPERTS, &options.top_k))
        return false;
    for (uint32_t i = 0; i < l->expert_layer_count; i++)
        known = known || l->expert_layers[i] == index;
    if (!known)
        return load_fail(l,
                         "block %u has experts, but neither %sblocks.%u.mlp.gates.0.wg.weight nor "
                         "%sblocks.%u.mlp.gates.0.sim_matrix",
                         index, l->prefix, index, l->prefix, index);
    if (smoe_checkpoint_read(model->checkpoint, index, &options, &block->experts) != SMOE_SUCCESS ||
        smoe_checkpoint_layer_get(block->experts, &block->plan, &block->params, &block->weights) != SMOE_SUCCESS)
        return false;
    mark_used(l, index);
    if (block->plan.d_model != model->width)
        return load_fail(l, "the experts of block %u have rows of %u, but the model is %u wide", index,
                         block->plan.d_model, model->width);
    block->plan.max_active = block->plan.expert_count;
    if (!load_count(l, "max_active", block->plan.expert_count, block->plan.expert_count, &block->plan.max_active))
        return false;
    if (block->plan.max_active < block->plan.top_k)
        return load_fail(l, "metadata max_active must not be below k");
    return router_agrees(l, index, block) && load_agrees(l, "num_experts", block->plan.expert_count) &&
           override_number(l, "a", &block->params.a) && override_number(l, "b", &block->params.b);
}
