/* Every choice for one shape on one device, made once: which kernels a forward of any token count runs. */
#ifndef SMOE_DOMAIN_SELECTION_H
#define SMOE_DOMAIN_SELECTION_H

#include "stage_table.h"

typedef struct smoe_selection {
    const smoe_tuning *tuning;        /* of the router */
    const smoe_tuning *expert_tuning; /* of the experts, the shared one too; the same unless inputs are rounded */
    smoe_kernel_config configs[SMOE_STEP_COUNT][SMOE_REGIME_COUNT]; /* of the steps that the shape has */
    /* bit i: some token count from min_tokens to max_tokens leads to regime i, with some expectation up to
     * max_expected_active */
    uint32_t used[SMOE_STEP_COUNT];
} smoe_selection;

/* The regime of every step in a forward of token_count tokens, for each of which expected_active experts are expected
 * to run; 0: k. */
void smoe_selection_regimes(const smoe_selection *selection, const smoe_plan_desc *desc, uint32_t token_count,
                            uint32_t expected_active, uint32_t regimes[SMOE_STEP_COUNT]);

void smoe_selection_init(const smoe_device_info *info, const smoe_shape *shape, smoe_selection *out);

#endif
