#version 450
#extension GL_GOOGLE_include_directive : require
// Which groups of experts a token may choose from, and what a group within the groups' band takes from its experts' scores.
// Workgroup: TOKENS tokens (as many as their groups fit the invocations, or one). Invocation: groups of them, one after another, with
// GROUP_SIZE scores read for each; ranks by counting, GROUP_COUNT comparisons per group.
// control in: LOGITS [T,E]; out: GROUPS [T,G+2]; weights: b = selection_bias [E].
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "score.glsl"

const uint GROUP_SIZE = EXPERT_COUNT / GROUP_COUNT;
const uint TOKENS = TILE_ROWS;
const uint SLOTS = TOKENS * GROUP_COUNT;

shared float group_score[SLOTS];
shared float last_kept[TOKENS], first_left[TOKENS]; // G[g] and G[g+1]
shared uint taking_part[TOKENS];
shared uint nonfinite[TOKENS];

float sum_of_two_largest(uint token, uint group) {
    float first = raw_score(token, group * GROUP_SIZE);
    float second = 0.0;
    for (uint i = 1u; i < GROUP_SIZE; i++) {
        const float s = raw_score(token, group * GROUP_SIZE + i);
        second = i == 1u ? min(s, first) : max(second, min(s, first));
        first = max(s, first);
    }
    return first + second;
}

uint rank_of(uint slot) {
    const uint group = slot % GROUP_COUNT, base = slot - group;
    uint rank = 0u;
    for (uint other = 0u; other < GROUP_COUNT; other++)
        rank += ranks_before(group_score[base + other], other, group_score[slot], group) ? 1u : 0u;
    return rank;
}

void main() {
    const uint lane = gl_LocalInvocationID.x;
    const uint first = gl_WorkGroupID.x * TOKENS;
    const uint count = min(TOKENS, push.token_count - first);
    for (uint t = lane; t < TOKENS; t += WORKGROUP_SIZE) {
        last_kept[t] = 0.0;
        first_left[t] = 0.0;
        taking_part[t] = 0u;
        nonfinite[t] = 0u;
    }
    barrier();
    for (uint slot = lane; slot < count * GROUP_COUNT; slot += WORKGROUP_SIZE) {
        const float score = sum_of_two_largest(first + slot / GROUP_COUNT, slot % GROUP_COUNT);
        group_score[slot] = score;
        if (!is_finite(score))
            atomicOr(nonfinite[slot / GROUP_COUNT], 1u);
    }
    barrier();
    for (uint slot = lane; slot < count * GROUP_COUNT; slot += WORKGROUP_SIZE) {
        const uint rank = rank_of(slot);
        if (rank == TOP_GROUPS - 1u)
            last_kept[slot / GROUP_COUNT] = group_score[slot];
        if (rank == TOP_GROUPS)
            first_left[slot / GROUP_COUNT] = group_score[slot];
    }
    barrier();
    for (uint slot = lane; slot < count * GROUP_COUNT; slot += WORKGROUP_SIZE) {
        const uint t = slot / GROUP_COUNT;
        const float distance = last_kept[t] - group_score[slot];
        float taken = SMOE_GROUP_OUT;
        if (rank_of(slot) < TOP_GROUPS)
            taken = 0.0;
        else if (distance < push.group_eps) // in this order: the quotient neither overflows nor reaches 0
            taken = distance / ((push.group_eps - distance) / push.group_eps);
        if (taken >= 0.0)
            atomicAdd(taking_part[t], 1u);
        control[AT_GROUPS + (first + t) * SMOE_GROUP_WORDS(GROUP_COUNT) + slot % GROUP_COUNT] = floatBitsToUint(taken);
    }
    barrier();
    for (uint t = lane; t < count; t += WORKGROUP_SIZE) {
        const uint at = AT_GROUPS + (first + t) * SMOE_GROUP_WORDS(GROUP_COUNT) + GROUP_COUNT;
        const float gap = TOP_GROUPS < GROUP_COUNT ? last_kept[t] - first_left[t] : INFINITY;
        control[at] = floatBitsToUint(gap);
        control[at + 1u] = nonfinite[t] != 0u ? 0u : taking_part[t];
    }
}
