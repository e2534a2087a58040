/* What the functions of smoe.h from the layer on are called with, all of it made right: for calls with one thing
 * wrong. */
#ifndef CALL_PARTS_H
#define CALL_PARTS_H

#include "common/gpu.h"
#include "refusal.h"

/* One of everything, made right. */
typedef struct parts {
    test_record record;
    smoe_log log;
    smoe_context *context;
    smoe_plan *plan, *ungated;
    smoe_plan *full; /* with everything that the plain one lacks, but balanced groups and what is given */
    smoe_plan *balanced, *given;
    test_gpu gpu;
    test_buffer memory; /* large enough for every part */
    smoe_layer_desc layer_desc, full_layer_desc;
    smoe_binding_desc binding_desc, full_binding_desc, given_binding_desc;
    smoe_layer *layer, *full_layer, *balanced_layer, *given_layer;
    smoe_binding *binding, *full_binding, *balanced_binding, *given_binding;
} parts;

void parts_create(parts *p, const smoe_device *device);
void parts_destroy(parts *p);

#endif
