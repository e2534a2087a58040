#version 450
#extension GL_GOOGLE_include_directive : require
// Balanced groups: which experts are chosen in each, and what a token's groups report. One workgroup per token ranks
// the experts of each group by counting: E^2 / G comparisons.
// control in: LOGITS [T,E]; out: GROUPS [T,3G+3]; weights: b = selection_bias [E].
#define PUSH_BLOCK SMOE_PUSH_BALANCE
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "score.glsl"
#include "workgroup_softmax.glsl"

shared float scores[MOST_EXPERTS]; // by expert
// By group, 10 bits each: the experts of the last score that is chosen, of the first that is not, and of the first past
// the cap.
shared uint experts[MOST_GROUPS];
shared uint tied[MOST_GROUPS];

const uint LAST = 0u, FIRST_LEFT = 10u, PAST_CAP = 20u;

// No bits there lead out of bounds.
uint expert_at(uint group, uint place) {
    return min(experts[group] >> place & 1023u, push.expert_count - 1u);
}

float score_at(uint group, uint place) {
    return scores[expert_at(group, place)];
}

// Within its group.
uint rank_of(uint expert) {
    // Push constants are read before a loop, here and below: lavapipe would load them in every round.
    const uint group_size = push.group_size, first = expert / group_size * group_size;
    const float s = scores[expert];
    uint rank = 0u;
    for (uint other = first; other < first + group_size; other++)
        rank += ranks_before(scores[other], other, s, expert) ? 1u : 0u;
    return rank;
}

float gap_of(uint group) {
    return push.group_top_k < push.group_size ? distance_below(score_at(group, LAST), score_at(group, FIRST_LEFT))
                                              : INFINITY;
}

float band_of(uint group) {
    return push.group_cap < push.group_size
               ? band(push.eps, score_at(group, LAST), score_at(group, PAST_CAP))
               : push.eps;
}

// The least gap, its first group's order, the least band.
void write_token(uint token) {
    const uint group_count = push.group_count;
    float gap = INFINITY, eps = push.eps;
    uint order = 0u;
    for (uint group = 0u; group < group_count; group++) {
        eps = min(eps, band_of(group));
        if (gap_of(group) < gap) {
            gap = gap_of(group);
            order = max(tied[group], 1u) - 1u;
        }
    }
    const uint at = balance_of_group(token, group_count);
    control[at] = floatBitsToUint(gap);
    control[at + 1u] = order;
    control[at + 2u] = floatBitsToUint(eps);
}

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    const Softmax softmax = softmax_of(token);
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
        scores[e] = raw_score(token, e, softmax);
    for (uint group = lane; group < push.group_count; group += WORKGROUP_SIZE) {
        experts[group] = 0u;
        tied[group] = 0u;
    }
    barrier();
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) {
        const uint group = e / push.group_size, rank = rank_of(e);
        if (rank == push.group_top_k - 1u)
            atomicOr(experts[group], e << LAST);
        if (rank == push.group_top_k)
            atomicOr(experts[group], e << FIRST_LEFT);
        if (rank == push.group_cap)
            atomicOr(experts[group], e << PAST_CAP);
    }
    barrier();
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) {
        const uint group = e / push.group_size;
        if (gap_of(group) <= push.tie_tolerance && apart(scores[e], score_at(group, LAST)) <= push.tie_tolerance)
            atomicAdd(tied[group], 1u);
    }
    barrier();
    for (uint group = lane; group < push.group_count; group += WORKGROUP_SIZE) {
        const uint at = balance_of_group(token, group);
        control[at] = floatBitsToUint(score_at(group, LAST));
        control[at + 1u] = expert_at(group, LAST);
        control[at + 2u] = floatBitsToUint(band_of(group));
    }
    if (lane == 0u)
        write_token(token);
}
