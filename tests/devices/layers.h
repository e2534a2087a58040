/* Layers whose selection the page of expectations shows. */
#ifndef TEST_DEVICE_LAYERS_H
#define TEST_DEVICE_LAYERS_H

#include <smoe/smoe.h>

typedef struct device_layer {
    const char *name;
    uint32_t tokens;
    smoe_plan_desc plan;
} device_layer;

extern const device_layer device_layers[];
extern const uint32_t device_layer_count;

#endif
