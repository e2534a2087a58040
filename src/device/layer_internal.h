/* A layer on host arrays: what layer.c makes and forward.c runs. */
#ifndef SMOE_DEVICE_LAYER_INTERNAL_H
#define SMOE_DEVICE_LAYER_INTERNAL_H

#include "device_internal.h"

enum {
    SMOE_HELPER_BUFFER_ROUTER_WEIGHT,
    SMOE_HELPER_BUFFER_ROUTER_BIAS,
    SMOE_HELPER_BUFFER_W1,
    SMOE_HELPER_BUFFER_B1,
    SMOE_HELPER_BUFFER_W3,
    SMOE_HELPER_BUFFER_B3,
    SMOE_HELPER_BUFFER_W2,
    SMOE_HELPER_BUFFER_B2,
    SMOE_HELPER_BUFFER_X,
    SMOE_HELPER_BUFFER_Y,
    SMOE_HELPER_BUFFER_WORKSPACE,
    SMOE_HELPER_BUFFER_REPORT, /* made by the first forward that wants a report */
    SMOE_HELPER_BUFFER_COUNT
};

struct smoe_device_layer {
    smoe_device *device;
    smoe_plan *plan;
    smoe_layer *layer;
    smoe_binding *binding;             /* without a report */
    smoe_binding *binding_with_report; /* made together with the report's buffer */
    smoe_helper_buffer buffers[SMOE_HELPER_BUFFER_COUNT];
    bool has_run;      /* the last forward succeeded */
    uint32_t x_tokens; /* its rows of x, which the device holds */
};

smoe_buffer smoe_helper_whole_buffer(const smoe_helper_buffer *buffer);

/* Makes the report's buffer and binding if they are not there yet. */
smoe_result smoe_helper_ensure_report(smoe_device_layer *layer);

#endif
