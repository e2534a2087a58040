/* One case through device.h, and its comparison with the reference. */
#ifndef CHECK_LAYER_H
#define CHECK_LAYER_H

#include "cases.h"

typedef struct check_tally {
    uint64_t tokens, excused; /* excused: rounding of the logits may change the answer; at most 1 in 200 */
} check_tally;

/* What a forward gave. */
typedef struct layer_output {
    float *y;         /* [T,D] */
    uint32_t *report; /* T records */
    uint32_t stride;  /* words per record */
} layer_output;

/* Runs a layer over data->x with the given params (NULL: the case's own). False, with a line printed, on any error. */
bool layer_output_create(layer_output *output, smoe_device_layer *layer, const case_data *data,
                         const smoe_forward_params *params);
void layer_output_destroy(layer_output *output);

float report_float(const layer_output *output, uint32_t token, uint32_t word);

/* Differences from the reference, 0 when all is well; prints them. tally may be NULL. */
size_t check_output(const case_data *data, const ref_params *params, const layer_output *output, check_tally *tally);

/* Creates the layer, runs it, compares, destroys it; prints seed and shape where anything is wrong. Returns true when
 * all is well. */
bool check_case(smoe_device *device, const layer_case *shape, uint64_t seed, check_tally *tally);

#endif
