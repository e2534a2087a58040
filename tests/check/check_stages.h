/* One forward through the core API with everything it wrote in sight, and each stage compared with the reference fed by what the
 * device's earlier stages really gave. */
#ifndef CHECK_STAGES_H
#define CHECK_STAGES_H

#include "check_layer.h"
#include "common/gpu.h"
#include "domain/shape.h"

/* The last plan made: neighbouring rows of the case table often share it, and plans are slow to make. */
typedef struct plan_keeper {
    const smoe_context *context;
    smoe_plan_desc desc;
    smoe_plan *plan;
} plan_keeper;

void plan_keeper_clear(plan_keeper *keeper);

/* The app's side: every array in a buffer of its own. */
typedef struct stage_run {
    const case_data *data;
    smoe_shape shape;
    const smoe_plan *plan;
    smoe_layer *layer;
    smoe_binding *binding;
    test_buffer router_weight, router_bias, w1, b1, w3, b3, w2, b2;
    test_buffer x, y, workspace, report;
} stage_run;

/* Runs the case; false after printing what failed. Destroy it in any case, before the keeper's next plan. */
bool stage_run_create(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const case_data *data);
void stage_run_destroy(stage_run *run, test_gpu *gpu);

layer_output stage_run_output(const stage_run *run); /* in the run's memory: not to be destroyed */

/* Differences from the reference, printed; 0 when all is well. Each assumes that the stages before it are well formed. */
size_t check_route_logits(const stage_run *run);
size_t check_route_select(const stage_run *run);
size_t check_sort(const stage_run *run);
size_t check_expert_up(const stage_run *run);
size_t check_expert_down(const stage_run *run);
size_t check_combine(const stage_run *run);

#endif
