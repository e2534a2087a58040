/* The numbers of smoe_forward_params: the one list of their names and ranges. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "smoe/smoe.h"

#define DIVISOR(zero, groups, or_zero) SMOE_LEAST_DIVISOR, SMOE_MOST_DIVISOR, zero, groups, or_zero "1e-30 .. 1e30"
#define MASK_EXPONENT 0.0f, 1024.0f, false, false, "above 0 and at most 1024"

#define NUMBER(member, ...)                                                                                            \
    {                                                                                                                  \
#member, offsetof(smoe_forward_params, member), __VA_ARGS__                                                    \
    }

static const smoe_forward_number numbers[] = {
    NUMBER(eps, DIVISOR(true, false, "0 or ")),
    NUMBER(a, MASK_EXPONENT),
    NUMBER(b, MASK_EXPONENT),
    NUMBER(temperature, DIVISOR(false, false, "")),
    NUMBER(tie_tolerance, 0.0f, FLT_MAX, true, false, "finite and at least 0"),
    NUMBER(scale, -FLT_MAX, FLT_MAX, true, false, "finite"),
    NUMBER(group_eps, DIVISOR(true, true, "0 or ")),
};

_Static_assert(sizeof numbers / sizeof *numbers <= SMOE_MAX_FORWARD_NUMBERS, "smoe.h's bound");

smoe_forward_params smoe_forward_defaults(void)
{
    return (smoe_forward_params){.a = 1.0f, .b = 50.0f, .temperature = 1.0f, .scale = 1.0f};
}

const smoe_forward_number *smoe_forward_number_get(uint32_t index)
{
    return index < sizeof numbers / sizeof *numbers ? &numbers[index] : NULL;
}

const smoe_forward_number *smoe_forward_number_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(numbers[i].name, name) == 0)
            return &numbers[i];
    return NULL;
}

float smoe_forward_number_value(const smoe_forward_number *number, const smoe_forward_params *params)
{
    return number && params ? *(const float *)(const void *)((const char *)params + number->offset) : NAN;
}

void smoe_forward_number_set(const smoe_forward_number *number, smoe_forward_params *params, float value)
{
    if (number && params)
        *(float *)(void *)((char *)params + number->offset) = value;
}

bool smoe_forward_number_allows(const smoe_forward_number *number, float value)
{
    if (!number)
        return false;
    return smoe_is_zero(value) ? number->zero : value >= number->least && value <= number->most;
}

/* What the value of a number must be for layers of the plan; NULL: it is. */
static const char *broken_rule(const smoe_plan_desc *plan, const smoe_forward_number *number, float value)
{
    if (number->groups && plan->group_count <= 1)
        return NULL;
    if (!smoe_forward_number_allows(number, value))
        return number->rule;
    const bool temperature = number->offset == offsetof(smoe_forward_params, temperature);
    return temperature && plan->gate != SMOE_GATE_SOFTMAX && value != 1.0f ? "1 unless the gate is softmax" : NULL;
}

smoe_result smoe_forward_numbers_check(const smoe_plan_desc *plan, const smoe_forward_params *params,
                                       char reason[SMOE_REASON_SIZE])
{
    char unwanted[SMOE_REASON_SIZE], value_text[SMOE_NUMBER_SIZE];
    char *const text = reason ? reason : unwanted;
    text[0] = '\0';
    if (!plan || !params) {
        snprintf(text, SMOE_REASON_SIZE, "%s must not be NULL", plan ? "params" : "plan");
        return SMOE_ERROR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const float value = smoe_forward_number_value(&numbers[i], params);
        const char *const rule = broken_rule(plan, &numbers[i], value);
        if (rule) {
            snprintf(text, SMOE_REASON_SIZE, "%s: %s, must be %s", numbers[i].name,
                     smoe_number_text(value_text, 6, (double)value), rule);
            return SMOE_ERROR_INVALID_ARGUMENT;
        }
    }
    return SMOE_SUCCESS;
}
