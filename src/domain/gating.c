/* Gated experts: the list of the numbers that a plan has for them, the rules, and what follows for kernels. */
#include "gating.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Products with numbers of ordinary size neither overflow nor become denormal. */
#define POSITIVE 1e-30f, 1e30f, "0 or 1e-30 .. 1e30"
#define ANY -1e30f, 1e30f, "-1e30 .. 1e30"

#define NUMBER(member, shared, ...)                                                                                    \
    {                                                                                                                  \
#member, offsetof(smoe_plan_desc, member), shared, __VA_ARGS__                                                 \
    }

static const smoe_plan_number numbers[] = {
    NUMBER(gate_max, false, POSITIVE),
    NUMBER(up_limit, false, POSITIVE),
    NUMBER(gate_limit_after, false, POSITIVE),
    NUMBER(gate_alpha, false, POSITIVE),
    NUMBER(up_offset, false, ANY),
    NUMBER(shared_gate_max, true, POSITIVE),
    NUMBER(shared_up_limit, true, POSITIVE),
    NUMBER(shared_gate_limit_after, true, POSITIVE),
};

_Static_assert(sizeof numbers / sizeof *numbers <= SMOE_MAX_PLAN_NUMBERS, "smoe.h's bound");

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

/* By its bits: a thread may count denormal numbers as 0. */
static bool is_zero(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7fffffffu) == 0;
}

static bool is_alpha(const smoe_plan_number *number)
{
    return number->offset == offsetof(smoe_plan_desc, gate_alpha);
}

/* What a plan whose number changes something must have; NULL: it has it. */
static const char *missing(const smoe_plan_desc *plan, const smoe_plan_number *number)
{
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
    if (is_zero(value))
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

smoe_result smoe_plan_numbers_check(const smoe_plan_desc *plan, char reason[SMOE_REASON_SIZE])
{
    char unwanted[SMOE_REASON_SIZE];
    char *const text = reason ? reason : unwanted;
    text[0] = '\0';
    if (!plan) {
        snprintf(text, SMOE_REASON_SIZE, "plan must not be NULL");
        return SMOE_ERROR_INVALID_ARGUMENT;
    }
    if (plan->activation == SMOE_ACTIVATION_SWIGLU_CLAMPED && !plan->gated) {
        snprintf(text, SMOE_REASON_SIZE, "activation: swiglu_clamped needs gated experts");
        return SMOE_ERROR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!check_number(plan, &numbers[i], text))
            return SMOE_ERROR_INVALID_ARGUMENT;
    return SMOE_SUCCESS;
}

static float or_none(float limit)
{
    return is_zero(limit) ? INFINITY : limit;
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
        .gate_alpha = is_zero(desc->gate_alpha) ? 1.0f : desc->gate_alpha,
        .up_offset = desc->up_offset,
    };
    gating.limited = gating.gate_max < INFINITY || gating.up_limit < INFINITY || gating.gate_limit_after < INFINITY ||
                     gating.gate_alpha != 1.0f || !is_zero(gating.up_offset);
    return gating;
}
