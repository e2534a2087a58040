/* The numbers of gated experts: what a plan may have, one line for what it may not, and what kernels are told. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "domain/gating.h"
#include "domain/stage_table.h"

#define GATED .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 8

static void check(smoe_plan_desc plan, const char *text)
{
    char reason[SMOE_REASON_SIZE];
    const smoe_result result = smoe_plan_numbers_check(&plan, reason);
    assert_int_equal(result, text ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_SUCCESS);
    assert_string_equal(reason, text ? text : "");
    assert_int_equal(smoe_plan_numbers_check(&plan, NULL), result);
}

/* Every number: its name is its member's, it may be 0 in any plan, and nothing that is not a number of its range. */
static void test_numbers(void **state)
{
    const char *const names[] = {"gate_max",  "up_limit",        "gate_limit_after", "gate_alpha",
                                 "up_offset", "shared_gate_max", "shared_up_limit",  "shared_gate_limit_after"};
    const smoe_plan_desc plain = {.activation = SMOE_ACTIVATION_GELU}, gated = {GATED};
    const smoe_plan_number *number;
    uint32_t count = 0;
    (void)state;
    check(plain, NULL);
    check(gated, NULL);
    for (; (number = smoe_plan_number_get(count)) != NULL; count++) {
        const bool positive = number->least > 0;
        const float bad[] = {NAN, INFINITY, -INFINITY, 1.1e30f, positive ? -1.0f : -1.1e30f, positive ? 1e-31f : NAN};
        smoe_plan_desc plan = gated;
        assert_true(count < sizeof names / sizeof *names);
        assert_string_equal(number->name, names[count]);
        smoe_plan_number_set(number, &plan, 0.75f);
        assert_true(smoe_plan_number_value(number, &plan) == 0.75f);
        check(plan, NULL);
        plan.gated = false;
        assert_int_equal(smoe_plan_numbers_check(&plan, NULL), SMOE_ERROR_INVALID_ARGUMENT);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            char reason[SMOE_REASON_SIZE], begins[64];
            snprintf(begins, sizeof begins, "%s: ", number->name);
            plan = gated;
            smoe_plan_number_set(number, &plan, bad[i]);
            assert_int_equal(smoe_plan_numbers_check(&plan, reason), SMOE_ERROR_INVALID_ARGUMENT);
            assert_memory_equal(reason, begins, strlen(begins));
            assert_non_null(strstr(reason, number->rule));
        }
    }
    assert_int_equal(count, sizeof names / sizeof *names);
    assert_true(isnan(smoe_plan_number_value(NULL, &plain)));
    smoe_plan_number_set(NULL, NULL, 1);
    assert_int_equal(smoe_plan_numbers_check(NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
}

static void test_together(void **state)
{
    (void)state;
    check((smoe_plan_desc){GATED, .gate_max = 10, .up_limit = 10, .shared_gate_max = 2}, NULL);
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_GELU, .gated = true, .gate_limit_after = 1, .up_offset = -1},
          NULL);
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_GELU, .gate_alpha = 1, .up_offset = -0.0f}, NULL);
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true, .gate_alpha = 1}, NULL);
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_SILU, .up_limit = 1},
          "up_limit: 1, must be 0 unless the experts are gated");
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_gate_max = 1},
          "shared_gate_max: 1, must be 0 where there is no shared expert");
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_RELU, .gated = true, .gate_alpha = 2},
          "gate_alpha: 2, must be 0 unless activation is silu");
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED, .gated = true, .gate_max = 7},
          "gate_max: 7, must be 0 with swiglu_clamped, which has numbers of its own");
    check((smoe_plan_desc){.activation = SMOE_ACTIVATION_SWIGLU_CLAMPED},
          "activation: swiglu_clamped needs gated experts");
}

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
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_gating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
