/* Reads one layer of a checkpoint. */
#include "checkpoint_internal.h"

#include <math.h>
#include <string.h>

#define NAME_ROOM 128 /* the longest name in the table, and an expert's number */

/* Tutel's smooth_top learns the band as softplus(eta). */
static smoe_result set_band(smoe_checkpoint_reading *r)
{
    if (!r->slots[SMOE_SLOT_BAND].there)
        return SMOE_SUCCESS;
    float eta;
    char text[SMOE_NUMBER_SIZE];
    memcpy(&eta, r->out->memory + r->slots[SMOE_SLOT_BAND].offset, sizeof eta);
    const float eps = eta > 30.0f ? eta : (float)log1p(exp((double)eta));
    const smoe_forward_number *band = smoe_forward_number_find("eps");
    if (!smoe_forward_number_allows(band, eps))
        return smoe_file_fail(&r->checkpoint->host, SMOE_ERROR_FILE,
                              "layer %u: the band of its router is softplus(%s), but must be %s", r->layer,
                              smoe_number_text(text, 6, (double)eta), band->rule);
    r->out->params.eps = eps;
    return SMOE_SUCCESS;
}

static void release_reading(smoe_checkpoint_reading *r)
{
    const smoe_file_host *host = &r->checkpoint->host;
    for (uint32_t i = 0; i < r->shard_count; i++) {
        smoe_file_stream_close(&r->shards[i].stream);
        if (!r->shards[i].borrowed)
            smoe_layer_file_close(r->shards[i].headers);
        smoe_file_release(host, r->shards[i].path);
    }
    smoe_file_release(host, r->shards);
    smoe_file_release(host, r->pieces);
    smoe_file_release(host, r->name);
}

static smoe_result read_layer(smoe_checkpoint_reading *r)
{
    const smoe_file_host *host = &r->checkpoint->host;
    smoe_result result = smoe_checkpoint_prefix(r->checkpoint, r->layer, &r->prefix, &r->prefix_size);
    if (result != SMOE_SUCCESS)
        return result;
    r->name_size = r->prefix_size + NAME_ROOM;
    r->name = smoe_file_allocate(host, r->name_size);
    if (!r->name)
        return smoe_file_out_of_memory(host, r->name_size);
    result = smoe_layer_resolve(r);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_configure(r);
    if (result == SMOE_SUCCESS)
        result = smoe_layer_copy(r);
    if (result == SMOE_SUCCESS)
        result = set_band(r);
    if (result == SMOE_SUCCESS)
        smoe_layer_tell_unread(r);
    return result;
}

smoe_result smoe_checkpoint_read(const smoe_checkpoint *checkpoint, uint32_t layer,
                                 const smoe_checkpoint_options *options, smoe_checkpoint_layer **out)
{
    if (out)
        *out = NULL;
    if (!checkpoint)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (!out)
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_INVALID_ARGUMENT, "out must not be NULL");
    if (options && options->activation && !smoe_activation_name(*options->activation))
        return smoe_file_fail(&checkpoint->host, SMOE_ERROR_INVALID_ARGUMENT,
                              "options.activation must be a smoe_activation");
    smoe_checkpoint_reading r;
    memset(&r, 0, sizeof r);
    r.checkpoint = checkpoint;
    r.layer = layer;
    r.options = options;
    r.out = smoe_file_allocate(&checkpoint->host, sizeof *r.out);
    if (!r.out)
        return smoe_file_out_of_memory(&checkpoint->host, sizeof *r.out);
    memset(r.out, 0, sizeof *r.out);
    r.out->host = checkpoint->host;
    const smoe_result result = read_layer(&r);
    release_reading(&r);
    if (result != SMOE_SUCCESS) {
        smoe_checkpoint_layer_destroy(r.out);
        return result;
    }
    *out = r.out;
    return SMOE_SUCCESS;
}

void smoe_checkpoint_layer_destroy(smoe_checkpoint_layer *layer)
{
    if (!layer)
        return;
    const smoe_file_host host = layer->host; /* its path is the checkpoint's, and not looked at */
    smoe_file_release(&host, layer->memory);
    smoe_file_release(&host, layer);
}

smoe_result smoe_checkpoint_layer_get(const smoe_checkpoint_layer *layer, smoe_plan_desc *plan,
                                      smoe_forward_params *params, smoe_host_weights *weights)
{
    if (!layer)
        return SMOE_ERROR_INVALID_ARGUMENT;
    if (plan)
        *plan = layer->plan;
    if (params)
        *params = layer->params;
    if (weights)
        *weights = layer->weights;
    return SMOE_SUCCESS;
}
