#include "layer_runner.h"

#include "common/cmocka_all.h"
#include "common/fixture.h"

layer_runner runner_of(void **state)
{
    return (layer_runner){((const test_device *)*state)->device, NULL};
}

void run_layer(layer_runner *runner, const smoe_plan_desc *plan, const smoe_host_weights *weights,
               const smoe_forward_params *params, const float *x, float *y)
{
    smoe_device_layer *layer;
    assert_int_equal(smoe_device_layer_create(runner->device, plan, weights, &layer), SMOE_SUCCESS);
    smoe_device_layer_destroy(runner->last);
    runner->last = layer;
    assert_int_equal(smoe_device_layer_forward(layer, params, x, y, NULL, NULL), SMOE_SUCCESS);
}
