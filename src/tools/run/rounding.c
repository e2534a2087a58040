/* What narrower weights do to y. */
#include "run.h"

#include <math.h>
#include <stdlib.h>

#include "program/output.h"

/* y of the same inputs with the file's own types, which no cap or permission of the run is for. */
static smoe_result run_own(const run *r, float *y)
{
    smoe_plan_desc plan = r->plan;
    smoe_device_layer *layer;
    plan.types = r->own_types;
    plan.precision = SMOE_PRECISION_FLOAT32;
    smoe_result result = smoe_device_layer_create(r->device, &plan, &r->weights, &layer);
    if (result == SMOE_SUCCESS)
        result = run_give_routing(r, layer);
    if (result == SMOE_SUCCESS)
        result = smoe_device_layer_forward(layer, &r->params, r->x, y, NULL, NULL);
    smoe_device_layer_destroy(layer);
    return result;
}

static void print_difference(const run *r, const float *own)
{
    const size_t count = (size_t)r->params.token_count * r->plan.d_model;
    double squares = 0, error_squares = 0, largest = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        const double value = (double)own[i], error = fabs((double)r->y[i] - value);
        if (!isfinite(value) || !isfinite(error))
            continue; /* of a token that is not finite */
        squares += value * value;
        error_squares += error * error;
        most = fmax(most, fabs(value));
        largest = fmax(largest, error);
    }
    program_printf(
        "rounding      %s weights change y by %.3g of its size (norms), and a number by %.3g of the largest\n",
        smoe_type_short_name(r->plan.types.up), squares > 0 ? sqrt(error_squares / squares) : 0.0,
        most > 0 ? largest / most : 0.0);
}

int run_show_rounding(run *r)
{
    float *own;
    /* The routing is the same: room for one layer at a time. */
    smoe_device_layer_destroy(r->layer);
    r->layer = NULL;
    own = malloc((size_t)r->params.token_count * r->plan.d_model * sizeof *own);
    const smoe_result result = own ? run_own(r, own) : SMOE_ERROR_OUT_OF_HOST_MEMORY;
    if (result == SMOE_SUCCESS)
        print_difference(r, own);
    else /* the run itself was good, and may be of such weights because the device has no room for others */
        program_printf("rounding      not measured: with the file's own weights the layer gives \"%s\"\n",
                       smoe_result_text(result));
    free(own);
    return result == SMOE_ERROR_DEVICE_LOST ? PROGRAM_FAILED : PROGRAM_OK;
}
