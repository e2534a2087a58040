/* The numbers that 0 switches off and balanced groups: what a plan may have, and one line for what it may not. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "smoe/smoe.h"

#define GATED .activation = SMOE_ACTIVATION_SILU, .gated = true, .shared_hidden = 8
#define DIVIDED .gate = SMOE_GATE_SIGMOID, .renormalize = true
#define ALL GATED, DIVIDED /* a plan that may have every number */

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
    const char *const names[] = {
        "gate_max",          "up_limit",        "gate_limit_after", "gate_alpha",      "up_offset",
        "renormalize_floor", "renormalize_add", "shared_gate_max",  "shared_up_limit", "shared_gate_limit_after"};
    const smoe_plan_desc plain = {.activation = SMOE_ACTIVATION_GELU}, all = {ALL};
    const smoe_plan_number *number;
    uint32_t count = 0;
    (void)state;
    check(plain, NULL);
    check(all, NULL);
    for (; (number = smoe_plan_number_get(count)) != NULL; count++) {
        const bool positive = number->least > 0;
        const float bad[] = {NAN, INFINITY, -INFINITY, 1.1e30f, positive ? -1.0f : -1.1e30f, positive ? 1e-31f : NAN};
        smoe_plan_desc plan = all;
        assert_true(count < sizeof names / sizeof *names);
        assert_string_equal(number->name, names[count]);
        assert_int_equal(number->router, strncmp(number->name, "renormalize", 11) == 0);
        assert_int_equal(number->shared, strncmp(number->name, "shared", 6) == 0);
        smoe_plan_number_set(number, &plan, 0.75f);
        assert_true(smoe_plan_number_value(number, &plan) == 0.75f);
        check(plan, NULL);
        plan.gated = plan.renormalize = false;
        assert_int_equal(smoe_plan_numbers_check(&plan, NULL), SMOE_ERROR_INVALID_ARGUMENT);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            char reason[SMOE_REASON_SIZE], begins[64];
            snprintf(begins, sizeof begins, "%s: ", number->name);
            plan = all;
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

static void test_divisors(void **state)
{
    const char *const floor = "renormalize_floor: 0.5, must be 0 where renormalize is false";
    (void)state;
    check((smoe_plan_desc){DIVIDED, .renormalize_floor = SMOE_LEAST_DIVISOR}, NULL);
    check((smoe_plan_desc){DIVIDED, .renormalize_add = SMOE_MOST_DIVISOR}, NULL);
    check((smoe_plan_desc){DIVIDED, .renormalize_floor = -0.0f, .renormalize_add = 0.5f}, NULL);
    check((smoe_plan_desc){.renormalize = true, .renormalize_floor = -0.0f, .renormalize_add = -0.0f}, NULL);
    check((smoe_plan_desc){.gate = SMOE_GATE_SIGMOID, .renormalize_floor = 0.5f}, floor);
    check((smoe_plan_desc){.renormalize = true, .renormalize_add = 0.5f},
          "renormalize_add: 0.5, must be 0 with softmax gates");
    check((smoe_plan_desc){DIVIDED, .renormalize_floor = 0.5f, .renormalize_add = 0.25f},
          "renormalize_add: 0.25, must be 0 where renormalize_floor is not");
    check((smoe_plan_desc){DIVIDED, .renormalize_floor = 1e-40f, .renormalize_add = 0.25f},
          "renormalize_floor: 9.99995e-41, must be 0 or 1e-30 .. 1e30");
}

static void check_routing(smoe_plan_desc plan, const char *text)
{
    char reason[SMOE_REASON_SIZE];
    const smoe_result result = smoe_plan_routing_check(&plan, reason);
    assert_int_equal(result, text ? SMOE_ERROR_INVALID_ARGUMENT : SMOE_SUCCESS);
    assert_string_equal(reason, text ? text : "");
    assert_int_equal(smoe_plan_routing_check(&plan, NULL), result);
}

static void test_balance(void **state)
{
    const smoe_plan_desc plan = {.expert_count = 12, .top_k = 4};
    (void)state;
    for (uint32_t groups = 0; groups <= 13; groups++) {
        smoe_plan_desc with = plan;
        with.balanced_groups = groups;
        const bool divides = groups <= 1 || groups == 2 || groups == 4;
        assert_int_equal(smoe_plan_routing_check(&with, NULL), divides ? SMOE_SUCCESS : SMOE_ERROR_INVALID_ARGUMENT);
    }
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .max_active = 5, .balanced_groups = 1}, NULL);
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .max_active = 6, .balanced_groups = 3}, NULL);
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .group_count = 1, .balanced_groups = 3}, NULL);
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 5, .balanced_groups = 5},
                  "balanced_groups: 5, must divide expert_count, k and max_active, but expert_count is 12");
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 4, .balanced_groups = 3},
                  "balanced_groups: 3, must divide expert_count, k and max_active, but k is 4");
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .max_active = 5, .balanced_groups = 3},
                  "balanced_groups: 3, must divide expert_count, k and max_active, but max_active is 5");
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 4, .group_count = 2, .balanced_groups = 4},
                  "balanced_groups: 4, must be 0 where there are 2 groups to choose from");
    assert_int_equal(smoe_plan_routing_check(NULL, NULL), SMOE_ERROR_INVALID_ARGUMENT);
}

static void test_given(void **state)
{
    (void)state;
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .max_active = 5, .given_count = 3}, NULL);
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .given_count = 12, .given_weights = true}, NULL);
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .max_active = 5, .given_count = 2},
                  "given_count: 2, must be 0 or 3 .. 5, from k to max_active");
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .given_count = 13},
                  "given_count: 13, must be 0 or 3 .. 12, from k to max_active");
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .given_weights = true},
                  "given_weights: must be false where given_count is 0");
}

static void test_zero_experts(void **state)
{
    (void)state;
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .zero_experts = 11}, NULL);
    check_routing((smoe_plan_desc){.expert_count = 12, .top_k = 3, .zero_experts = 12},
                  "zero_experts: 12, must be less than expert_count, 12");
}

static void test_weighted_input(void **state)
{
    const smoe_plan_desc good = {.expert_count = 4, .top_k = 1, .gate = SMOE_GATE_SIGMOID, .weighted_input = true};
    smoe_plan_desc plan = good;
    (void)state;
    check_routing(good, NULL);
    plan.gate = SMOE_GATE_SOFTMAX;
    check_routing(plan, "weighted_input: must be false unless the gate is sigmoid");
    plan = good;
    plan.renormalize = true;
    check_routing(plan, "weighted_input: must be false where renormalize is true");
    plan = good;
    plan.zero_experts = 1;
    check_routing(plan, "weighted_input: must be false where zero_experts is not 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_together), cmocka_unit_test(test_divisors),
        cmocka_unit_test(test_balance), cmocka_unit_test(test_given),    cmocka_unit_test(test_zero_experts),
        cmocka_unit_test(test_weighted_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
