#include "gating.h"

#include <math.h>

#include "base/number.h"

/* gpt-oss (arXiv 2508.10925): its swiglu_limit and swiglu_alpha. A shared expert beside it has the same. */
static const smoe_gating swiglu_clamped = {
    .activation = SMOE_ACTIVATION_SILU,
    .limited = true,
    .gate_max = 7.0f,
    .up_limit = 7.0f,
    .gate_limit_after = INFINITY,
    .gate_alpha = 1.702f,
    .up_offset = 1.0f,
};

static float or_none(float limit)
{
    return smoe_is_zero(limit) ? INFINITY : limit;
}

smoe_gating smoe_gating_of(const smoe_plan_desc *desc, bool shared_expert)
{
    if (desc->activation == SMOE_ACTIVATION_SWIGLU_CLAMPED)
        return swiglu_clamped;
    smoe_gating gating = {
        .activation = desc->activation,
        .gate_max = or_none(shared_expert ? desc->shared_gate_max : desc->gate_max),
        .up_limit = or_none(shared_expert ? desc->shared_up_limit : desc->up_limit),
        .gate_limit_after = or_none(shared_expert ? desc->shared_gate_limit_after : desc->gate_limit_after),
        .gate_alpha = smoe_is_zero(desc->gate_alpha) ? 1.0f : desc->gate_alpha,
        .up_offset = desc->up_offset,
    };
    gating.limited = gating.gate_max < INFINITY || gating.up_limit < INFINITY || gating.gate_limit_after < INFINITY ||
                     gating.gate_alpha != 1.0f || !smoe_is_zero(gating.up_offset);
    return gating;
}
