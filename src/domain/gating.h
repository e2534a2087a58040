/* What a gated expert does with its two sums, in the one form that kernels have (docs/routing.md, 2.7). */
#ifndef SMOE_DOMAIN_GATING_H
#define SMOE_DOMAIN_GATING_H

#include "smoe/smoe.h"

typedef struct smoe_gating {
    smoe_activation activation; /* never SMOE_ACTIVATION_SWIGLU_CLAMPED, which gating.c writes out */
    bool limited;               /* false: none of the numbers changes anything, and no kernel looks at them */
    float gate_max, up_limit, gate_limit_after; /* +infinity: no limit */
    float gate_alpha, up_offset;
} smoe_gating;

/* Of the routed experts, or of the shared one. desc: one that smoe_plan_numbers_check allows. */
smoe_gating smoe_gating_of(const smoe_plan_desc *desc, bool shared_expert);

#endif
