#version 450
#extension GL_GOOGLE_include_directive : require
// Which groups of experts a token may choose from, and what a group within the groups' band takes from its experts'
// scores.
// Workgroup: TOKENS tokens (as many as their groups fit the invocations, or one). Invocation: slots, one after another,
// each a group of a token with all scores of the group read; ranks by counting, a comparison with each group. A token
// has MOST_GROUPS slots; those past the last group are skipped.
// control in: LOGITS [T,E]; out: GROUPS [T,G+2]; weights: b = selection_bias [E].
#define PUSH_BLOCK SMOE_PUSH_GROUP
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "score.glsl"

const uint TOKENS = TILE_ROWS;
const uint SLOTS = TOKENS * MOST_GROUPS;

shared float group_score[SLOTS];
shared float last_kept[TOKENS], first_left[TOKENS]; // G[g] and G[g+1]
shared uint taking_part[TOKENS];
shared uint nonfinite[TOKENS];
// Of softmax_bias gates.
shared float largest_logit[TOKENS];
shared uint sum_high[TOKENS], sum_low[TOKENS];

// Push constants are read before a loop, here and below: lavapipe would load them in every round.
float score_of_group(uint token, uint group, Softmax softmax) {
    const uint group_size = push.group_size, first_expert = group * group_size;
    float first = raw_score(token, first_expert, softmax);
    float second = 0.0;
    for (uint i = 1u; i < group_size; i++) {
        const float s = raw_score(token, first_expert + i, softmax);
        second = i == 1u ? min(s, first) : max(second, min(s, first));
        first = max(s, first);
    }
    return GROUP_SCORE == GROUP_SCORE_MAX ? first : first + second;
}

bool has_group(uint slot) {
    return slot % MOST_GROUPS < push.group_count;
}

float largest_of_group(uint token, uint group) {
    const uint group_size = push.group_size, first_expert = group * group_size;
    float largest = logit(token, first_expert);
    for (uint i = 1u; i < group_size; i++)
        largest = max(largest, logit(token, first_expert + i));
    return largest;
}

// The largest logit of the slot's token; group_score has each group's at that time.
float largest_of_token(uint slot) {
    const uint base = slot - slot % MOST_GROUPS, group_count = push.group_count;
    float largest = group_score[base];
    for (uint other = 1u; other < group_count; other++)
        largest = max(largest, group_score[base + other]);
    return largest;
}

void add_terms(uint token, uint slot) {
    const uint group_size = push.group_size, first_expert = slot % MOST_GROUPS * group_size;
    const float largest = largest_of_token(slot);
    uvec2 terms = uvec2(0u);
    for (uint i = 0u; i < group_size; i++)
        terms += whole_term(softmax_term(logit(token, first_expert + i), largest));
    atomicAdd(sum_high[slot / MOST_GROUPS], terms.x);
    atomicAdd(sum_low[slot / MOST_GROUPS], terms.y);
    if (slot % MOST_GROUPS == 0u)
        largest_logit[slot / MOST_GROUPS] = largest;
}

Softmax softmax_of(uint slot) {
    if (GATE != GATE_SOFTMAX_BIAS)
        return NO_SOFTMAX;
    const uint t = slot / MOST_GROUPS;
    return Softmax(largest_logit[t], sum_of_whole_terms(sum_high[t], sum_low[t]));
}

// What softmax_of reads. The caller's barrier follows; then group_score is free again.
void find_softmaxes(uint first, uint count) {
    const uint lane = gl_LocalInvocationID.x;
    for (uint t = lane; t < TOKENS; t += WORKGROUP_SIZE) {
        sum_high[t] = 0u;
        sum_low[t] = 0u;
    }
    for (uint slot = lane; slot < count * MOST_GROUPS; slot += WORKGROUP_SIZE)
        if (has_group(slot))
            group_score[slot] = largest_of_group(first + slot / MOST_GROUPS, slot % MOST_GROUPS);
    barrier();
    for (uint slot = lane; slot < count * MOST_GROUPS; slot += WORKGROUP_SIZE)
        if (has_group(slot))
            add_terms(first + slot / MOST_GROUPS, slot);
}

uint rank_of(uint slot) {
    const uint group = slot % MOST_GROUPS, base = slot - group;
    const uint group_count = push.group_count;
    const float score = group_score[slot];
    uint rank = 0u;
    for (uint other = 0u; other < group_count; other++)
        rank += ranks_before(group_score[base + other], other, score, group) ? 1u : 0u;
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
    if (GATE == GATE_SOFTMAX_BIAS)
        find_softmaxes(first, count);
    barrier();
    for (uint slot = lane; slot < count * MOST_GROUPS; slot += WORKGROUP_SIZE) {
        if (!has_group(slot))
            continue;
        const float score = score_of_group(first + slot / MOST_GROUPS, slot % MOST_GROUPS, softmax_of(slot));
        group_score[slot] = score;
        if (!is_finite(score))
            atomicOr(nonfinite[slot / MOST_GROUPS], 1u);
    }
    barrier();
    for (uint slot = lane; slot < count * MOST_GROUPS; slot += WORKGROUP_SIZE) {
        if (!has_group(slot))
            continue;
        const uint rank = rank_of(slot);
        if (rank == push.top_groups - 1u)
            last_kept[slot / MOST_GROUPS] = group_score[slot];
        if (rank == push.top_groups)
            first_left[slot / MOST_GROUPS] = group_score[slot];
    }
    barrier();
    for (uint slot = lane; slot < count * MOST_GROUPS; slot += WORKGROUP_SIZE) {
        if (!has_group(slot))
            continue;
        const uint t = slot / MOST_GROUPS;
        const float distance = last_kept[t] - group_score[slot];
        float taken = SMOE_GROUP_OUT;
        if (rank_of(slot) < push.top_groups)
            taken = 0.0;
        else if (distance < push.group_eps) // in this order: the quotient neither overflows nor reaches 0
            taken = distance / ((push.group_eps - distance) / push.group_eps);
        if (taken >= 0.0)
            atomicAdd(taking_part[t], 1u);
        control[groups_of(first + t) + slot % MOST_GROUPS] = floatBitsToUint(taken);
    }
    barrier();
    for (uint t = lane; t < count; t += WORKGROUP_SIZE) {
        const uint at = groups_of(first + t) + push.group_count;
        const float gap = push.top_groups < push.group_count ? last_kept[t] - first_left[t] : INFINITY;
        control[at] = floatBitsToUint(gap);
        control[at + 1u] = nonfinite[t] != 0u ? 0u : taking_part[t];
    }
}
