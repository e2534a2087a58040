#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// route_select with subgroup operations. One subgroup per token, TOKENS per workgroup: rounds of arg-max find the ranks one by one and
// stop where the band ends, so the cost follows the experts that run: at most A + 1 rounds over E / subgroup size scores.
// Right for any subgroup size of SUBGROUP_SIZE or more, also where fewer lanes live than gl_SubgroupSize says (Intel without size
// control reports 32 and may run 8 or 16): lanes are counted, and subgroups stride over the tokens by gl_NumSubgroups.
// control in: logits [T,E]; control out: ACTIVE [T], IDS [T,A], WEIGHTS [T,A]; output: report [T,stride] if asked for.
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"

const uint TOKENS = WORKGROUP_SIZE / SUBGROUP_SIZE;
const uint OWN = (EXPERT_COUNT + SUBGROUP_SIZE - 1u) / SUBGROUP_SIZE;  // experts of a lane at most; 32 at most, the bits of `ranked`
const uint SLOTS = (MAX_ACTIVE + SUBGROUP_SIZE - 1u) / SUBGROUP_SIZE;  // ranks of a lane at most
const uint NONE = 0xffffffffu;

uint lanes; // live ones of this subgroup

// Experts lane, lane + lanes, ... are this lane's own, and likewise ranks.
float own_score[OWN];
uint ranked; // bit i: own expert i has its rank
float slot_score[SLOTS];
uint slot_id[SLOTS];

// The best expert that has no rank yet gets this one. Its score to every lane.
float next_rank(uint rank) {
    float best = -INFINITY;
    uint best_id = NONE;
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint e = gl_SubgroupInvocationID + i * lanes;
        // Ascending e: among equal scores the first seen has the lowest index.
        if (e < EXPERT_COUNT && (ranked >> i & 1u) == 0u && (own_score[i] > best || best_id == NONE)) {
            best = own_score[i];
            best_id = e;
        }
    }
    const float score = subgroupMax(best);
    const uint id = subgroupMin(best == score ? best_id : NONE);
    if (id == best_id)
        ranked |= 1u << (id / lanes);
    [[unroll]] for (uint i = 0u; i < SLOTS; i++)
        if (gl_SubgroupInvocationID + i * lanes == rank) {
            slot_score[i] = score;
            slot_id[i] = id;
        }
    return score;
}

void write_nonfinite(uint token) {
    const bool first = gl_SubgroupInvocationID == 0u;
    if (first)
        control[AT_ACTIVE + token] = 0u;
    if ((push.flags & SMOE_PUSH_REPORT) != 0u) {
        for (uint rank = gl_SubgroupInvocationID; rank < MAX_ACTIVE; rank += lanes)
            write_unused(token, rank);
        if (first)
            write_report(token, NAN, 0.0, 0u, 0u, SMOE_REPORT_FLAG_NONFINITE);
    }
}

void select_token(uint token) {
    const uint lane = gl_SubgroupInvocationID;
    const bool reporting = (push.flags & SMOE_PUSH_REPORT) != 0u;
    uint nonfinite = 0u;
    ranked = 0u;
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint e = lane + i * lanes;
        own_score[i] = e < EXPERT_COUNT ? logit(token, e) : 0.0;
        nonfinite |= is_finite(own_score[i]) ? 0u : 1u;
    }
    if (subgroupMax(nonfinite) != 0u) {
        write_nonfinite(token);
        return;
    }

    // Ranks 1 .. k, then on while the band reaches, to A + 1 at most: that one is only looked at.
    float s_first = 0.0, s_k = 0.0, gap = INFINITY, eps = push.eps;
    uint found = 0u;
    for (uint rank = 0u; rank < EXPERT_COUNT; rank++) {
        const float score = next_rank(rank);
        found = rank + 1u;
        if (rank == 0u)
            s_first = score;
        if (rank < TOP_K) {
            s_k = score;
            continue;
        }
        if (rank == TOP_K)
            gap = s_k - score;
        if (rank == push.max_active)
            eps = band(s_k, score);
        if (rank >= push.max_active || s_k - score >= push.eps)
            break;
    }

    float total = 0.0;
    uint tied = 0u, active_count = 0u;
    [[unroll]] for (uint i = 0u; i < SLOTS; i++) {
        const uint rank = lane + i * lanes;
        const float distance = s_k - slot_score[i];
        const bool in_band = eps > 0.0 && distance < eps; // as the spec's u > 0; a mask may underflow
        if (rank < min(found, push.max_active) && (rank < TOP_K || in_band)) {
            const float m = rank < TOP_K ? 1.0 : mask(distance, eps);
            slot_score[i] = gate_value(slot_score[i], s_first) * m; // from here on the unnormalised weight
            active_count = rank + 1u;
            if (RENORMALIZE != 0u)
                total += slot_score[i];
        }
    }
    [[unroll]] for (uint i = 0u; i < OWN; i++)
        if (lane + i * lanes < EXPERT_COUNT) {
            if (RENORMALIZE == 0u)
                total += gate_value(own_score[i], s_first);
            if (gap <= push.tie_tolerance && abs(own_score[i] - s_k) <= push.tie_tolerance)
                tied++;
        }
    const float sum = subgroupAdd(total);
    const uint n = subgroupMax(active_count);
    [[unroll]] for (uint i = 0u; i < SLOTS; i++)
        if (lane + i * lanes < n)
            write_active(token, lane + i * lanes, slot_id[i], slot_score[i] / sum * push.scale);
    if (lane == 0u)
        control[AT_ACTIVE + token] = n;
    if (reporting) {
        tied = subgroupAdd(tied);
        for (uint rank = n + lane; rank < MAX_ACTIVE; rank += lanes)
            write_unused(token, rank);
        if (lane == 0u)
            write_report(token, gap, eps, tied > 0u ? tied - 1u : 0u, n,
                         push.eps > 0.0 && eps <= 0.0 ? SMOE_REPORT_FLAG_CAPPED : 0u);
    }
}

void main() {
    lanes = subgroupAdd(1u);
    for (uint i = gl_SubgroupID; i < TOKENS; i += gl_NumSubgroups) {
        const uint token = gl_WorkGroupID.x * TOKENS + i;
        if (token < push.token_count)
            select_token(token);
    }
}
