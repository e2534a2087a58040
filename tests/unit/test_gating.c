/* The numbers of gated experts: what kernels are told of a plan's. */
#include <math.h>

#include "common/cmocka_all.h"
#include "domain/gating.h"
#include "domain/stage_table.h"

#define GATED .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 8

static void assert_gating(smoe_gating is, smoe_gating expected)
{
    assert_int_equal(is.activation, expected.activation);
    assert_int_equal(is.limited, expected.limited);
    assert_true(is.gate_max == expected.gate_max && is.up_limit == expected.up_limit);
    assert_true(is.gate_limit_after == expected.gate_limit_after && is.gate_alpha == expected.gate_alpha);
    assert_true(is.up_offset == expected.up_offset);
}

#define NO INFINITY

/* The shared expert has its own limits, and the layer's alpha and offset; gpt-oss's numbers are everyone's. */
static void test_gating(void **state)
{
    const smoe_plan_desc all = {
        GATED,          .gate_max = 1,        .up_limit = 2,        .gate_limit_after = 3,       .gate_alpha = 4,
        .up_offset = 5, .shared_gate_max = 6, .shared_up_limit = 7, .shared_gate_limit_after = 8};
    const smoe_plan_desc routed = {GATED, .gate_max = 1, .gate_alpha = 1}, shared = {GATED, .shared_up_limit = 2};
    const smoe_plan_desc plain = {.activation = SMOE_ACTIVATION_GELU};
    const smoe_plan_desc clamped = {.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true};
    const smoe_activation silu = SMOE_ACTIVATION_SILU;
    (void)state;
    assert_gating(smoe_gating_of(&all, false), (smoe_gating){silu, true, 1, 2, 3, 4, 5});
    assert_gating(smoe_gating_of(&all, true), (smoe_gating){silu, true, 6, 7, 8, 4, 5});
    assert_gating(smoe_gating_of(&routed, false), (smoe_gating){silu, true, 1, NO, NO, 1, 0});
    assert_gating(smoe_gating_of(&routed, true), (smoe_gating){silu, false, NO, NO, NO, 1, 0});
    assert_gating(smoe_gating_of(&shared, false), (smoe_gating){silu, false, NO, NO, NO, 1, 0});
    assert_gating(smoe_gating_of(&shared, true), (smoe_gating){silu, true, NO, 2, NO, 1, 0});
    assert_gating(smoe_gating_of(&plain, false), (smoe_gating){SMOE_ACTIVATION_GELU, false, NO, NO, NO, 1, 0});
    assert_gating(smoe_gating_of(&clamped, false), (smoe_gating){silu, true, 7, 7, NO, 1.702f, 1});
    assert_gating(smoe_gating_of(&clamped, true), (smoe_gating){silu, true, 7, 7, NO, 1.702f, 1});
    assert_false(smoe_step_gating(&all, SMOE_STEP_EXPERT_DOWN).limited);
    assert_true(smoe_step_gating(&all, SMOE_STEP_SHARED_UP).gate_max == 6.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
