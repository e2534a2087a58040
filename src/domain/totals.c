#include <math.h>

#include "base/arithmetic.h"
#include "stage.h"

/* Tokens of a workgroup: many, since each workgroup adds its counts in global memory once, few enough that a pass has
 * several. */
#define TOKENS 1024u

smoe_kernel_config smoe_totals_config(const smoe_device_info *info, const smoe_shape *shape)
{
    const uint32_t experts = smoe_power_of_two(shape->desc.expert_count);
    const uint32_t most = smoe_min_u32(smoe_min_u32(info->max_workgroup_invocations, info->max_workgroup_size_x), 256);
    return (smoe_kernel_config){
        .kernel = SMOE_KERNEL_totals,
        .workgroup_size = most,
        .subgroup_size = 1,
        .tile_rows = TOKENS,
        .most_experts = experts,
        .shared_memory_size = 4 * (SMOE_TOTALS_WORDS(experts) / 2),
    };
}

smoe_workgroups smoe_totals_workgroups(const smoe_kernel_config *config, uint32_t token_count)
{
    return (smoe_workgroups){smoe_divide_up(token_count, config->tile_rows), 1, 1};
}

static uint64_t count_at(const uint32_t *words, uint32_t at)
{
    return words[at] | (uint64_t)words[at + 1] << 32;
}

smoe_result smoe_totals_read(const uint32_t *words, uint32_t expert_count, smoe_totals *out, uint64_t *expert_tokens)
{
    if (!words || !out || expert_count == 0 || expert_count > SMOE_MAX_EXPERTS)
        return SMOE_ERROR_INVALID_ARGUMENT;
    *out = (smoe_totals){
        .tokens = count_at(words, SMOE_TOTALS_TOKENS),
        .active = count_at(words, SMOE_TOTALS_ACTIVE),
        .capped = count_at(words, SMOE_TOTALS_CAPPED),
        .nonfinite = count_at(words, SMOE_TOTALS_NONFINITE),
        .group_ties = count_at(words, SMOE_TOTALS_GROUP_TIES),
        .max_active = words[SMOE_TOTALS_MAX_ACTIVE],
    };
    for (uint32_t i = 0; i < SMOE_TOTALS_ORDER_COUNT; i++)
        out->order[i] = count_at(words, SMOE_TOTALS_ORDER + 2 * i);
    for (uint32_t i = 0; i < SMOE_TOTALS_GAP_COUNT; i++)
        out->gap[i] = count_at(words, SMOE_TOTALS_GAP + 2 * i);
    for (uint32_t i = 0; expert_tokens && i < expert_count; i++)
        expert_tokens[i] = count_at(words, SMOE_TOTALS_EXPERTS + 2 * i);
    return SMOE_SUCCESS;
}

float smoe_totals_gap_edge(uint32_t bin)
{
    if (bin == 0)
        return 0.0f;
    if (bin >= SMOE_TOTALS_GAP_COUNT)
        return INFINITY;
    return (float)exp2((double)(bin - 1) / 4.0 - 24.0);
}
