/* A layer on host arrays: what layer.c makes, and forward.c, totals.c and calibrate.c run. */
#ifndef SMOE_DEVICE_LAYER_INTERNAL_H
#define SMOE_DEVICE_LAYER_INTERNAL_H

#include "device_internal.h"

/* What a forward does beside its y; the bits number the bindings. */
enum {
    SMOE_HELPER_WITH_REPORT = 1,
    SMOE_HELPER_WITH_TOTALS = 2,
    SMOE_HELPER_BINDING_COUNT = 4
};

struct smoe_device_layer {
    smoe_device *device;
    smoe_plan *plan;
    smoe_layer *layer;
    /* by smoe_layer_tensor_get's index; empty for those that are absent */
    smoe_helper_buffer weights[SMOE_MAX_LAYER_TENSORS];
    /* of tensors in ranges of experts: smoe_plan_range_count of them; else NULL */
    smoe_helper_buffer *ranges[SMOE_MAX_LAYER_TENSORS];
    smoe_helper_buffer x, y, workspace;
    smoe_helper_buffer given_ids, given_weights;       /* where the plan has them */
    uint32_t given_tokens;                             /* the tokens that a routing has been given for */
    smoe_helper_buffer report, totals;                 /* made when first wanted, as the bindings with them are */
    smoe_binding *bindings[SMOE_HELPER_BINDING_COUNT]; /* by SMOE_HELPER_WITH_* */
    bool has_totals;                                   /* they have been reset, and forwards add to them */
    bool has_run;                                      /* the last forward succeeded */
    bool routed;                                       /* it was only routing */
    uint32_t x_tokens;                                 /* its rows of x, which the device holds */
};

/* Weights to the start of a buffer, in the tensor's type: `count` experts from `first` on, or, where the tensor has
 * none, all of it. Another type is converted rows at a time, so that there is no second copy of the weights. */
smoe_result smoe_helper_upload_weights(smoe_device *device, const smoe_layer_tensor *tensor, smoe_host_weight from,
                                       uint32_t first, uint32_t count, smoe_helper_buffer *buffer);

/* Makes the totals' buffer, without contents, if it is not there yet. */
smoe_result smoe_helper_ensure_totals(smoe_device_layer *layer);

/* The binding for SMOE_HELPER_WITH_* bits; makes it, and the report's buffer, if they are not there yet. */
smoe_result smoe_helper_binding(smoe_device_layer *layer, uint32_t with, smoe_binding **out);

/* smoe_device_layer_forward without the checks of its arguments; with_totals: whether it adds to them. */
smoe_result smoe_helper_forward(smoe_device_layer *layer, const smoe_forward_params *params, const float *x, float *y,
                                uint32_t *report, smoe_timings *timings, bool with_totals);

/* INVALID_ARGUMENT, with a log line that begins with the call's name, where the layer's routing is given and has not
 * been for so many tokens. */
smoe_result smoe_helper_check_given(const smoe_device_layer *layer, const char *call, uint32_t token_count);

/* INVALID_ARGUMENT, with a log line that begins with the call's name, unless params->token_count is the plan's
 * min_tokens .. max_tokens, or 0 where or_none is true. */
smoe_result smoe_helper_check_tokens(const smoe_device_layer *layer, const char *call,
                                     const smoe_forward_params *params, bool or_none);

#endif
