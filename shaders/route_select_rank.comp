#version 450
#extension GL_GOOGLE_include_directive : require
// route_select without subgroup operations. One workgroup per token: every invocation ranks its own experts by counting those before
// them, E^2 / WORKGROUP_SIZE comparisons, then all see the ranks in shared memory.
// control in: LOGITS [T,E], GROUPS [T,G+2]; out: ACTIVE [T], IDS [T,A], WEIGHTS [T,A], NOTES [T,2] for totals, scores in LOGITS if asked
// for; weights: b = selection_bias [E]; output: report [T,stride] if asked for.
#define PUSH_BLOCK SMOE_PUSH_SELECT
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"

shared float scores[MOST_EXPERTS];  // by expert
shared float ranked[MOST_EXPERTS];  // by rank: the score, later the unnormalised weight of the active ones
shared uint ranked_ids[MOST_EXPERTS];
shared float partial[WORKGROUP_SIZE];
shared uint nonfinite, tied, active_count;

// The largest `value` of all invocations, to all of them.
float largest_of_all(float value) {
    partial[gl_LocalInvocationID.x] = value;
    barrier();
    float largest = partial[0];
    for (uint i = 1u; i < WORKGROUP_SIZE; i++)
        largest = max(largest, partial[i]);
    barrier(); // partial is used again
    return largest;
}

// The largest logit of those whose gates are added up. n experts run.
float reference_logit(uint token, uint n, float s_first) {
    if (SCORES_ARE_LOGITS)
        return s_first;
    if (GATE != 0u)
        return 0.0; // a sigmoid needs none
    float largest = LEFT_OUT;
    if (RENORMALIZE != 0u) {
        for (uint rank = gl_LocalInvocationID.x; rank < n; rank += WORKGROUP_SIZE)
            largest = max(largest, logit(token, ranked_ids[rank]));
    } else {
        for (uint e = gl_LocalInvocationID.x; e < push.expert_count; e += WORKGROUP_SIZE)
            largest = max(largest, logit(token, e));
    }
    return largest_of_all(largest);
}

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    const bool reporting = (push.flags & SMOE_FLAG_REPORT) != 0u;
    if (lane == 0u) {
        nonfinite = GROUPED != 0u && groups_taking_part(token) == 0u ? 1u : 0u;
        tied = 0u;
        active_count = 0u;
    }
    barrier();
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) {
        const float raw = raw_score(token, e);
        scores[e] = score(token, e, raw);
        if (!is_finite(raw))
            atomicOr(nonfinite, 1u);
    }
    barrier();
    if (nonfinite != 0u) {
        if (reporting)
            for (uint rank = lane; rank < push.active_stride; rank += WORKGROUP_SIZE)
                write_unused(token, rank);
        if (lane == 0u)
            write_nonfinite(token);
        return;
    }
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) {
        uint rank = 0u;
        for (uint f = 0u; f < push.expert_count; f++)
            rank += ranks_before(scores[f], f, scores[e], e) ? 1u : 0u;
        ranked[rank] = scores[e];
        ranked_ids[rank] = e;
    }
    barrier();
    const float s_first = ranked[0];
    const float s_k = ranked[push.top_k - 1u];
    const float eps = push.max_active < push.expert_count ? band(s_k, ranked[min(push.max_active, push.expert_count - 1u)]) : push.eps;
    const float gap = push.top_k < push.expert_count ? gap_between(s_k, ranked[min(push.top_k, push.expert_count - 1u)]) : INFINITY;
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
        if (gap <= push.tie_tolerance && is_tied(scores[e], s_k))
            atomicAdd(tied, 1u);
    // Active is decided by the distance, as the spec's u > 0 is, not by a mask that may underflow.
    for (uint rank = lane; rank < push.max_active; rank += WORKGROUP_SIZE)
        if (rank < push.top_k || (eps > 0.0 && s_k - ranked[rank] < eps))
            atomicMax(active_count, rank + 1u);
    barrier();
    const uint n = active_count; // distances grow with the rank: all before n run
    const float reference = reference_logit(token, n, s_first);
    float total = 0.0;
    if (RENORMALIZE == 0u && GATE == 0u)
        for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
            total += gate_value(SCORES_ARE_LOGITS ? scores[e] : logit(token, e), reference);
    partial[lane] = total;
    float largest = LEFT_OUT;
    for (uint rank = lane; rank < n; rank += WORKGROUP_SIZE) {
        const float z = SCORES_ARE_LOGITS ? ranked[rank] : logit(token, ranked_ids[rank]);
        ranked[rank] = unnormalised_weight(rank, z, reference, s_k - ranked[rank], eps);
        largest = max(largest, ranked[rank]);
    }
    if (BY_LOGARITHM) {
        largest = largest_of_all(largest);
        for (uint rank = lane; rank < n; rank += WORKGROUP_SIZE)
            ranked[rank] = exp(ranked[rank] - largest);
    }
    barrier();
    float sum = 0.0;
    if (RENORMALIZE != 0u)
        for (uint rank = 0u; rank < n; rank++)
            sum += ranked[rank];
    else if (GATE != 0u)
        sum = 1.0;
    else
        for (uint i = 0u; i < WORKGROUP_SIZE; i++)
            sum += partial[i];
    for (uint rank = lane; rank < n; rank += WORKGROUP_SIZE)
        write_active(token, rank, ranked_ids[rank], ranked[rank] / sum * push.scale);
    if (reporting)
        for (uint rank = n + lane; rank < push.active_stride; rank += WORKGROUP_SIZE)
            write_unused(token, rank);
    if (lane == 0u)
        write_token(token, gap, eps, tied > 0u ? tied - 1u : 0u, n, push.eps > 0.0 && eps <= 0.0 ? SMOE_REPORT_FLAG_CAPPED : 0u);
    if ((push.flags & SMOE_FLAG_SCORES) != 0u)
        for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) // the logits were last read before a barrier
            control[push.logits_at + token * push.expert_count + e] = floatBitsToUint(scores[e]);
}
