/* What layer files and checkpoints share: pairs by their keys, rules for groups, shapes as text. */
#include "file_internal.h"

#include <string.h>

const smoe_file_pair *smoe_file_find_pair(const smoe_file_pair *pairs, uint32_t count, const char *key)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return &pairs[i];
    return NULL;
}

smoe_result smoe_file_check_groups(const smoe_file_host *host, const char *count_name, const char *top_name,
                                   uint32_t experts, uint32_t groups, uint32_t chosen, uint32_t top_k)
{
    if (chosen > groups)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is %u, but %s is %u", top_name, chosen, count_name, groups);
    if (groups > 1 && experts % groups != 0)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is %u, which does not divide the %u experts", count_name,
                              groups, experts);
    if (groups > 1 && chosen * (experts / groups) < top_k)
        return smoe_file_fail(host, SMOE_ERROR_FILE, "%s is %u: so many groups of %u experts hold fewer than k = %u",
                              top_name, chosen, experts / groups, top_k);
    return SMOE_SUCCESS;
}

smoe_result smoe_file_check_divisor(const smoe_file_host *host, smoe_result code, const char *prefix,
                                    const smoe_plan_desc *plan)
{
    const struct {
        const char *name;
        float value;
    } numbers[] = {{"renormalize_floor", plan->renormalize_floor}, {"renormalize_add", plan->renormalize_add}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const float value = numbers[i].value;
        if (value != 0 && !(value >= SMOE_LEAST_DIVISOR && value <= SMOE_MOST_DIVISOR))
            return smoe_file_fail(host, code, "%s%s must be 0 or 1e-30 .. 1e30", prefix, numbers[i].name);
        if (value != 0 && (!plan->renormalize || plan->gate == SMOE_GATE_SOFTMAX))
            return smoe_file_fail(host, code, "%s%s must be 0 %s", prefix, numbers[i].name,
                                  plan->renormalize ? "with score softmax" : "where the weights are not renormalized");
    }
    if (plan->renormalize_floor != 0 && plan->renormalize_add != 0)
        return smoe_file_fail(host, code, "%srenormalize_add must be 0 where renormalize_floor is not", prefix);
    return SMOE_SUCCESS;
}

smoe_result smoe_file_check_balanced(const smoe_file_host *host, smoe_result code, const char *prefix,
                                     const smoe_plan_desc *plan)
{
    const uint32_t groups = plan->balanced_groups;
    const struct {
        const char *name;
        uint32_t count;
    } counts[] = {{"the experts", plan->expert_count}, {"k", plan->top_k}, {"max_active", plan->max_active}};
    if (groups <= 1)
        return SMOE_SUCCESS;
    if (plan->group_count > 1)
        return smoe_file_fail(host, code, "%sbalanced_groups is %u, but there are %u groups to choose from", prefix,
                              groups, plan->group_count);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].count % groups != 0)
            return smoe_file_fail(host, code, "%sbalanced_groups is %u, which does not divide %s, %u", prefix, groups,
                                  counts[i].name, counts[i].count);
    return SMOE_SUCCESS;
}

bool smoe_file_is_empty(uint32_t rank, const uint64_t *shape)
{
    for (uint32_t i = 0; i < rank && i < SMOE_TENSOR_MAX_RANK; i++)
        if (shape[i] == 0)
            return true;
    return false;
}

void smoe_file_write_shape(char text[SMOE_FILE_SHAPE_SIZE], const char *zero, uint32_t rank, const uint64_t *shape)
{
    size_t used = 0;
    for (uint32_t i = 0; i < rank && i < SMOE_TENSOR_MAX_RANK; i++) { /* at most 22 characters each */
        const char *separator = i ? "," : "[";
        const int size = shape[i] ? snprintf(text + used, SMOE_FILE_SHAPE_SIZE - used, "%s%llu", separator,
                                             (unsigned long long)shape[i])
                                  : snprintf(text + used, SMOE_FILE_SHAPE_SIZE - used, "%s%s", separator, zero);
        used += (size_t)size;
    }
    snprintf(text + used, SMOE_FILE_SHAPE_SIZE - used, rank > SMOE_TENSOR_MAX_RANK ? ",...]" : rank ? "]" : "[]");
}
