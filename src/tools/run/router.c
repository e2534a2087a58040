/* --route-only: a layer whose experts have been put out of the way. A plan needs experts, so the least stand in for
 * them: one hidden number each, without gate or bias, zeros for weights. They never run. */
#include "run.h"

#include "program/output.h"

#include <stdlib.h>

static void leave_numbers(smoe_plan_desc *plan)
{
    const smoe_plan_number *number;
    for (uint32_t i = 0; (number = smoe_plan_number_get(i)) != NULL; i++)
        if (!number->router)
            smoe_plan_number_set(number, plan, 0.0f);
}

static void leave_weights(const smoe_plan_desc *plan, smoe_host_weights *weights)
{
    smoe_layer_tensor tensor;
    for (uint32_t i = 0; smoe_layer_tensor_get(plan, i, &tensor); i++)
        if (!tensor.router)
            smoe_host_weights_set(weights, &tensor, (smoe_host_weight){NULL, SMOE_TYPE_FLOAT32});
}

int run_replace_experts(run *r)
{
    smoe_plan_desc *plan = &r->plan;
    leave_weights(plan, &r->weights);
    leave_numbers(plan);
    plan->d_hidden = 1;
    plan->d_latent = 0;
    plan->activation = SMOE_ACTIVATION_IDENTITY;
    plan->types = (smoe_matrix_types)SMOE_TYPES(SMOE_TYPE_FLOAT32);
    plan->gated = plan->shared_gate = false;
    plan->shared_hidden = 0;
    r->stand_in = calloc((size_t)plan->expert_count * plan->d_model, sizeof *r->stand_in);
    if (!r->stand_in) {
        program_say("smoe-run", "no host memory for --route-only");
        return PROGRAM_FAILED;
    }
    r->weights.w1 = r->weights.w2 = (smoe_host_weight){r->stand_in, SMOE_TYPE_FLOAT32};
    return PROGRAM_OK;
}
