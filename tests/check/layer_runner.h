/* Layers of host arrays, one after another. */
#ifndef TEST_LAYER_RUNNER_H
#define TEST_LAYER_RUNNER_H

#include "smoe/device.h"

/* A device with the last layer that ran: the next one shares its pipelines. */
typedef struct layer_runner {
    smoe_device *device;
    smoe_device_layer *last; /* the caller's to destroy in the end */
} layer_runner;

/* state: of a test with test_device_setup. */
layer_runner runner_of(void **state);

/* Makes a layer and runs it once. */
void run_layer(layer_runner *runner, const smoe_plan_desc *plan, const smoe_host_weights *weights,
               const smoe_forward_params *params, const float *x, float *y);

#endif
