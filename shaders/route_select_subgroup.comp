#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// route_select with subgroup operations. One subgroup per token, TOKENS per workgroup: rounds of arg-max find the ranks one by one and
// stop where the band ends, so the cost follows the experts that run: at most A + 1 rounds over E / subgroup size scores.
// Right for any subgroup size: lanes stride over the experts by gl_SubgroupSize, subgroups over the tokens by gl_NumSubgroups.
// control in: logits [T,E]; control out: ACTIVE [T], IDS [T,A], WEIGHTS [T,A]; output: report [T,stride] if asked for.
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"

const uint TOKENS = WORKGROUP_SIZE / SUBGROUP_SIZE;
const uint OWN = (EXPERT_COUNT + SUBGROUP_SIZE - 1u) / SUBGROUP_SIZE; // experts of a lane at most
const uint UNRANKED = 0xffffffffu;

// The experts of this lane: lane, lane + gl_SubgroupSize, ...
float own_score[OWN];
uint own_rank[OWN];

// The best expert not ranked yet: its owner notes the rank, every lane gets the score.
float next_rank(uint rank) {
    float best = -INFINITY;
    uint best_id = UNRANKED;
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint e = gl_SubgroupInvocationID + i * gl_SubgroupSize;
        // Ascending e: among equal scores the first seen has the lowest index.
        if (e < EXPERT_COUNT && own_rank[i] == UNRANKED && (own_score[i] > best || best_id == UNRANKED)) {
            best = own_score[i];
            best_id = e;
        }
    }
    const float score = subgroupMax(best);
    const uint id = subgroupMin(best == score ? best_id : UNRANKED);
    [[unroll]] for (uint i = 0u; i < OWN; i++)
        if (gl_SubgroupInvocationID + i * gl_SubgroupSize == id)
            own_rank[i] = rank;
    return score;
}

void select_token(uint token) {
    const uint lane = gl_SubgroupInvocationID;
    const bool reporting = (push.flags & SMOE_PUSH_REPORT) != 0u;
    uint nonfinite = 0u;
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint e = lane + i * gl_SubgroupSize;
        own_rank[i] = UNRANKED;
        own_score[i] = -INFINITY;
        if (e < EXPERT_COUNT) {
            own_score[i] = logit(token, e);
            if (!is_finite(own_score[i]))
                nonfinite = 1u;
        }
    }
    if (subgroupMax(nonfinite) != 0u) {
        if (lane == 0u)
            control[AT_ACTIVE + token] = 0u;
        if (reporting) {
            for (uint rank = lane; rank < MAX_ACTIVE; rank += gl_SubgroupSize)
                write_unused(token, rank);
            if (lane == 0u)
                write_report(token, NAN, 0.0, 0u, 0u, SMOE_REPORT_FLAG_NONFINITE);
        }
        return;
    }

    // Ranks 1 .. k, then on while the band reaches, to A + 1 at most: that one is only looked at.
    float s_first = 0.0, s_k = 0.0, score = 0.0;
    for (uint rank = 0u; rank < TOP_K; rank++) {
        score = next_rank(rank);
        if (rank == 0u)
            s_first = score;
        s_k = score;
    }
    float gap = INFINITY, eps = push.eps;
    for (uint rank = TOP_K; rank < EXPERT_COUNT; rank++) {
        score = next_rank(rank);
        if (rank == TOP_K)
            gap = s_k - score;
        if (rank == push.max_active)
            eps = band(s_k, score);
        if (rank >= push.max_active || s_k - score >= push.eps)
            break;
    }

    float total = 0.0;
    uint tied = 0u, active_count = 0u;
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint e = lane + i * gl_SubgroupSize;
        const float distance = s_k - own_score[i];
        const float g = e < EXPERT_COUNT ? gate_value(own_score[i], s_first) : 0.0;
        if (RENORMALIZE == 0u)
            total += g;
        if (e < EXPERT_COUNT && gap <= push.tie_tolerance && abs(distance) <= push.tie_tolerance)
            tied++;
        // Active is decided by the distance, as the spec's u > 0 is, not by a mask that may underflow.
        const bool in_band = own_rank[i] < push.max_active && eps > 0.0 && distance < eps;
        if (own_rank[i] < TOP_K || in_band) {
            own_score[i] = own_rank[i] < TOP_K ? g : g * mask(distance, eps); // from here on the unnormalised weight
            if (RENORMALIZE != 0u)
                total += own_score[i];
            active_count = max(active_count, own_rank[i] + 1u);
        } else {
            own_rank[i] = UNRANKED;
        }
    }
    const float sum = subgroupAdd(total);
    const uint n = subgroupMax(active_count);
    [[unroll]] for (uint i = 0u; i < OWN; i++)
        if (own_rank[i] != UNRANKED)
            write_active(token, own_rank[i], lane + i * gl_SubgroupSize, own_score[i] / sum * push.scale);
    if (lane == 0u)
        control[AT_ACTIVE + token] = n;
    if (reporting) {
        tied = subgroupAdd(tied);
        for (uint rank = n + lane; rank < MAX_ACTIVE; rank += gl_SubgroupSize)
            write_unused(token, rank);
        if (lane == 0u)
            write_report(token, gap, eps, tied > 0u ? tied - 1u : 0u, n,
                         push.eps > 0.0 && eps <= 0.0 ? SMOE_REPORT_FLAG_CAPPED : 0u);
    }
}

void main() {
    for (uint i = gl_SubgroupID; i < TOKENS; i += gl_NumSubgroups) {
        const uint token = gl_WorkGroupID.x * TOKENS + i;
        if (token < push.token_count)
            select_token(token);
    }
}
