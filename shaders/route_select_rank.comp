#version 450
#extension GL_GOOGLE_include_directive : require
// route_select without subgroup operations. One workgroup per token: every invocation ranks its own experts by counting those before
// them, E^2 / WORKGROUP_SIZE comparisons, then all see the ranks in shared memory.
// control in: logits [T,E]; control out: ACTIVE [T], IDS [T,A], WEIGHTS [T,A]; output: report [T,stride] if asked for.
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"

shared float scores[EXPERT_COUNT];  // by expert
shared float ranked[EXPERT_COUNT];  // by rank: the score, later the unnormalised weight of the active ones
shared uint ranked_ids[EXPERT_COUNT];
shared float partial[WORKGROUP_SIZE];
shared uint nonfinite, tied, active_count;

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    const bool reporting = (push.flags & SMOE_PUSH_REPORT) != 0u;
    if (lane == 0u) {
        nonfinite = 0u;
        tied = 0u;
        active_count = 0u;
    }
    barrier();
    for (uint e = lane; e < EXPERT_COUNT; e += WORKGROUP_SIZE) {
        const float s = logit(token, e);
        scores[e] = s;
        if (!is_finite(s))
            atomicOr(nonfinite, 1u);
    }
    barrier();
    if (nonfinite != 0u) {
        if (lane == 0u)
            control[AT_ACTIVE + token] = 0u;
        if (reporting) {
            for (uint rank = lane; rank < MAX_ACTIVE; rank += WORKGROUP_SIZE)
                write_unused(token, rank);
            if (lane == 0u)
                write_report(token, NAN, 0.0, 0u, 0u, SMOE_REPORT_FLAG_NONFINITE);
        }
        return;
    }
    for (uint e = lane; e < EXPERT_COUNT; e += WORKGROUP_SIZE) {
        uint rank = 0u;
        for (uint f = 0u; f < EXPERT_COUNT; f++)
            rank += ranks_before(scores[f], f, scores[e], e) ? 1u : 0u;
        ranked[rank] = scores[e];
        ranked_ids[rank] = e;
    }
    barrier();
    const float s_first = ranked[0];
    const float s_k = ranked[TOP_K - 1u];
    const float eps = push.max_active < EXPERT_COUNT ? band(s_k, ranked[min(push.max_active, EXPERT_COUNT - 1u)]) : push.eps;
    const float gap = TOP_K < EXPERT_COUNT ? s_k - ranked[min(TOP_K, EXPERT_COUNT - 1u)] : INFINITY;
    float total = 0.0;
    for (uint e = lane; e < EXPERT_COUNT; e += WORKGROUP_SIZE) {
        if (RENORMALIZE == 0u)
            total += gate_value(scores[e], s_first);
        if (reporting && gap <= push.tie_tolerance && abs(scores[e] - s_k) <= push.tie_tolerance)
            atomicAdd(tied, 1u);
    }
    partial[lane] = total;
    barrier();
    for (uint rank = lane; rank < push.max_active; rank += WORKGROUP_SIZE) {
        const float distance = s_k - ranked[rank];
        const float m = rank < TOP_K ? 1.0 : eps > 0.0 ? mask(distance, eps) : 0.0;
        // Active is decided by the distance, as the spec's u > 0 is, not by a mask that may underflow.
        const bool is_active = rank < TOP_K || (eps > 0.0 && distance < eps);
        ranked[rank] = is_active ? gate_value(ranked[rank], s_first) * m : 0.0;
        if (is_active)
            atomicMax(active_count, rank + 1u);
    }
    barrier();
    const uint n = active_count;
    float sum = 0.0;
    if (RENORMALIZE != 0u)
        for (uint rank = 0u; rank < n; rank++)
            sum += ranked[rank];
    else
        for (uint i = 0u; i < WORKGROUP_SIZE; i++)
            sum += partial[i];
    for (uint rank = lane; rank < n; rank += WORKGROUP_SIZE)
        write_active(token, rank, ranked_ids[rank], ranked[rank] / sum * push.scale);
    if (lane == 0u)
        control[AT_ACTIVE + token] = n;
    if (reporting) {
        for (uint rank = n + lane; rank < MAX_ACTIVE; rank += WORKGROUP_SIZE)
            write_unused(token, rank);
        if (lane == 0u)
            write_report(token, gap, eps, tied > 0u ? tied - 1u : 0u, n,
                         push.eps > 0.0 && eps <= 0.0 ? SMOE_REPORT_FLAG_CAPPED : 0u);
    }
}
