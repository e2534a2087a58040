/* The numbers of smoe_plan_desc that 0 switches off: the one list of their names, ranges and rules; and the rules of
 * what else a plan says of its routing. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/number.h"
#include "base/text.h"
#include "smoe/smoe.h"

/* Products with numbers of ordinary size neither overflow nor become denormal. */
#define POSITIVE 1e-30f, 1e30f, "0 or 1e-30 .. 1e30"
#define DIVISOR SMOE_LEAST_DIVISOR, SMOE_MOST_DIVISOR, "0 or 1e-30 .. 1e30"
#define ANY -1e30f, 1e30f, "-1e30 .. 1e30"

/* Whose a number is: smoe_plan_number's router and shared. */
#define ROUTER true, false
#define EXPERTS false, false
#define SHARED false, true

#define NUMBER(member, ...)                                                                                            \
    {                                                                                                                  \
#member, offsetof(smoe_plan_desc, member), __VA_ARGS__                                                         \
    }

static const smoe_plan_number numbers[] = {
    NUMBER(gate_max, EXPERTS, POSITIVE),
    NUMBER(up_limit, EXPERTS, POSITIVE),
    NUMBER(gate_limit_after, EXPERTS, POSITIVE),
    NUMBER(gate_alpha, EXPERTS, POSITIVE),
    NUMBER(up_offset, EXPERTS, ANY),
    NUMBER(renormalize_floor, ROUTER, DIVISOR),
    NUMBER(renormalize_add, ROUTER, DIVISOR),
    NUMBER(shared_gate_max, SHARED, POSITIVE),
    NUMBER(shared_up_limit, SHARED, POSITIVE),
    NUMBER(shared_gate_limit_after, SHARED, POSITIVE),
};

_Static_assert(sizeof numbers / sizeof *numbers <= SMOE_MAX_PLAN_NUMBERS, "smoe.h's bound");

const smoe_plan_number *smoe_plan_number_get(uint32_t index)
{
    return index < sizeof numbers / sizeof *numbers ? &numbers[index] : NULL;
}

float smoe_plan_number_value(const smoe_plan_number *number, const smoe_plan_desc *plan)
{
    return number && plan ? *(const float *)(const void *)((const char *)plan + number->offset) : NAN;
}

void smoe_plan_number_set(const smoe_plan_number *number, smoe_plan_desc *plan, float value)
{
    if (number && plan)
        *(float *)(void *)((char *)plan + number->offset) = value;
}

static bool is_alpha(const smoe_plan_number *number)
{
    return number->offset == offsetof(smoe_plan_desc, gate_alpha);
}

/* What a plan with a floor or an addend must have; NULL: it has it. */
static const char *missing_of_divisor(const smoe_plan_desc *plan, const smoe_plan_number *number)
{
    if (!plan->renormalize)
        return "must be 0 where renormalize is false";
    if (plan->gate == SMOE_GATE_SOFTMAX)
        return "must be 0 with softmax gates";
    const bool both =
        number->offset == offsetof(smoe_plan_desc, renormalize_add) && !smoe_is_zero(plan->renormalize_floor);
    return both ? "must be 0 where renormalize_floor is not" : NULL;
}

/* What a plan whose number changes something must have; NULL: it has it. */
static const char *missing(const smoe_plan_desc *plan, const smoe_plan_number *number)
{
    if (number->router)
        return missing_of_divisor(plan, number);
    if (!plan->gated)
        return "must be 0 unless the experts are gated";
    if (number->shared && plan->shared_hidden == 0)
        return "must be 0 where there is no shared expert";
    if (plan->activation == SMOE_ACTIVATION_SWIGLU_CLAMPED)
        return "must be 0 with swiglu_clamped, which has numbers of its own";
    return is_alpha(number) && plan->activation != SMOE_ACTIVATION_SILU ? "must be 0 unless activation is silu" : NULL;
}

static bool check_number(const smoe_plan_desc *plan, const smoe_plan_number *number, char reason[SMOE_REASON_SIZE])
{
    const float value = smoe_plan_number_value(number, plan);
    char text[SMOE_NUMBER_SIZE];
    if (smoe_is_zero(value))
        return true;
    smoe_number_text(text, 6, (double)value);
    if (!(value >= number->least && value <= number->most)) {
        snprintf(reason, SMOE_REASON_SIZE, "%s: %s, must be %s", number->name, text, number->rule);
        return false;
    }
    const char *rule = is_alpha(number) && value == 1.0f ? NULL : missing(plan, number);
    if (rule)
        snprintf(reason, SMOE_REASON_SIZE, "%s: %s, %s", number->name, text, rule);
    return !rule;
}

static bool check_numbers(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    if (plan->activation == SMOE_ACTIVATION_SWIGLU_CLAMPED && !plan->gated) {
        snprintf(reason, SMOE_REASON_SIZE, "activation: swiglu_clamped needs gated experts");
        return false;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!check_number(plan, &numbers[i], reason))
            return false;
    return true;
}

static bool check_balance(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    const uint32_t groups = plan->balanced_groups;
    const struct {
        const char *name;
        uint32_t count;
    } counts[] = {{"expert_count", plan->expert_count}, {"k", plan->top_k}, {"max_active", plan->max_active}};
    if (groups <= 1)
        return true;
    if (plan->group_count > 1) {
        snprintf(reason, SMOE_REASON_SIZE, "balanced_groups: %u, must be 0 where there are %u groups to choose from",
                 groups, plan->group_count);
        return false;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].count % groups != 0) {
            snprintf(reason, SMOE_REASON_SIZE,
                     "balanced_groups: %u, must divide expert_count, k and max_active, but %s is %u", groups,
                     counts[i].name, counts[i].count);
            return false;
        }
    return true;
}

static bool check_given(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    const uint32_t count = plan->given_count, most = plan->max_active ? plan->max_active : plan->expert_count;
    if (count > 0 && (count < plan->top_k || count > most)) {
        snprintf(reason, SMOE_REASON_SIZE, "given_count: %u, must be 0 or %u .. %u, from k to max_active", count,
                 plan->top_k, most);
        return false;
    }
    if (count > 0 || !plan->given_weights)
        return true;
    snprintf(reason, SMOE_REASON_SIZE, "given_weights: must be false where given_count is 0");
    return false;
}

static bool check_zero_experts(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    if (plan->zero_experts == 0 || plan->zero_experts < plan->expert_count)
        return true;
    snprintf(reason, SMOE_REASON_SIZE, "zero_experts: %u, must be less than expert_count, %u", plan->zero_experts,
             plan->expert_count);
    return false;
}

static bool check_weighted_input(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    const char *const rule = !plan->weighted_input             ? NULL
                             : plan->gate != SMOE_GATE_SIGMOID ? "must be false unless the gate is sigmoid"
                             : plan->renormalize               ? "must be false where renormalize is true"
                             : plan->zero_experts > 0          ? "must be false where zero_experts is not 0"
                                                               : NULL;
    if (rule)
        snprintf(reason, SMOE_REASON_SIZE, "weighted_input: %s", rule);
    return !rule;
}

static bool check_routing(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    return check_balance(plan, reason) && check_given(plan, reason) && check_zero_experts(plan, reason) &&
           check_weighted_input(plan, reason);
}

typedef bool plan_rules(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE]);

static smoe_result check(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE], plan_rules *rules)
{
    char unwanted[SMOE_REASON_SIZE];
    char *const text = reason ? reason : unwanted;
    text[0] = '\0';
    if (!plan) {
        snprintf(text, SMOE_REASON_SIZE, "plan must not be NULL");
        return SMOE_ERROR_INVALID_ARGUMENT;
    }
    return rules(plan, text) ? SMOE_SUCCESS : SMOE_ERROR_INVALID_ARGUMENT;
}

smoe_result smoe_plan_numbers_check(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    return check(plan, reason, check_numbers);
}

smoe_result smoe_plan_routing_check(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    return check(plan, reason, check_routing);
}
