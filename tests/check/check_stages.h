/* One forward through the core API with everything it wrote in sight, and each stage compared with the reference fed by
 * what the device's earlier stages really gave. */
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

/* What the indirect arguments are before a forward writes them. */
#define STAGE_UNWRITTEN UINT32_MAX

void plan_keeper_clear(plan_keeper *keeper);

/* The app's side: every array in a buffer of its own. */
typedef struct stage_run {
    const case_data *data;
    smoe_shape shape;
    const smoe_plan *plan;
    smoe_layer *layer;
    smoe_binding *binding;
    test_buffer weights[SMOE_MAX_LAYER_TENSORS]; /* by smoe_layer_tensor_get's index */
    smoe_buffer *ranges[SMOE_MAX_LAYER_TENSORS]; /* of those that come in ranges */
    test_buffer x, y, workspace, report, totals, given_ids, given_weights; /* the last two where the case has them */
} stage_run;

/* Runs the case; false after printing what failed. Destroy it in any case, before the keeper's next plan. The totals
 * begin at zero. */
bool stage_run_create(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const case_data *data);
/* The first half of it: everything made, nothing run. The second: one more forward, or only the routing. */
bool stage_run_prepare(stage_run *run, test_gpu *gpu, plan_keeper *keeper, const case_data *data);
bool stage_run_record(stage_run *run, test_gpu *gpu, const smoe_forward_params *params, bool routing_alone);
void stage_run_destroy(stage_run *run, test_gpu *gpu);

bool stage_run_guards_intact(const stage_run *run, const test_gpu *gpu); /* prints what was written outside of */
layer_output stage_run_output(const stage_run *run); /* in the run's memory: not to be destroyed */

/* Differences from the reference, printed; 0 when all is well. Each assumes that the stages before it are well
 * formed. */
size_t check_route_project(const stage_run *run);
size_t check_route_logits(const stage_run *run);
size_t check_route_group(const stage_run *run);
size_t check_route_select(const stage_run *run);
size_t check_sort(const stage_run *run);
size_t check_latent_down(const stage_run *run);
size_t check_expert_up(const stage_run *run);
size_t check_expert_down(const stage_run *run);
size_t check_latent_sum(const stage_run *run);
size_t check_latent_up(const stage_run *run);
size_t check_combine(const stage_run *run);

#endif
