#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// route_select without subgroup operations. One workgroup per token ranks the experts in shared memory: lists of a few
// by counting, then lists merge by pairs, each expert finding its place by bisection. A list keeps A + 1 ranks, so that
// merges come to less and less;
// where A is E, they sort all with E log^2 E / (2 WORKGROUP_SIZE) comparisons for each invocation.
// control in: LOGITS [T,E], GROUPS [T,G+2] or [T,3G+3]; out: ACTIVE [T], IDS [T,A], WEIGHTS [T,A], NOTES [T,2] for
// totals, scores in LOGITS if asked for; weights: b = selection_bias [E], b3 = expert_scale [E]; output: report
// [T,stride] if asked for.
#define PUSH_BLOCK SMOE_PUSH_SELECT
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"
#include "workgroup_softmax.glsl"

shared float scores[MOST_EXPERTS];  // by expert
// By rank, list after list until the merges are done.
shared float ranked[MOST_EXPERTS];  // the score, later the unnormalised weight of the active ones
shared uint ranked_ids[MOST_EXPERTS];
shared uint nonfinite, tied, active_count;

// lists of 2^4 experts are ranked by counting: lavapipe does 2^3 as fast with a merge more, 2^5 slower
const uint COUNTED_BITS = 4u;
const uint OWN = (MOST_EXPERTS + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE; // places of an invocation at most
const uint DROPPED = 0xffffffffu;

// The expert of a rank. No bits there lead out of bounds.
uint expert_of(uint rank) {
    return min(ranked_ids[rank], push.expert_count - 1u);
}

// Ranks every expert among those of its list.
void count_lists(uint lane) {
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) {
        const uint first = e >> COUNTED_BITS << COUNTED_BITS;
        const uint end = min(first + (1u << COUNTED_BITS), push.expert_count);
        const float s = scores[e];
        uint place = first;
        for (uint f = first; f < end; f++)
            place += ranks_before(scores[f], f, s, e) ? 1u : 0u;
        ranked[place] = s;
        ranked_ids[place] = e;
    }
    barrier();
}

// How many of the first `count` of list `list`, which begins at `first`, rank before score s of list `own`. Lists stand
// in the order of their experts, so at equal scores the list decides.
uint count_before(uint list, uint first, uint count, float s, uint own) {
    uint low = 0u, high = count;
    while (low < high) {
        const uint middle = (low + high) / 2u;
        if (ranks_before(ranked[first + middle], list, s, own))
            low = middle + 1u;
        else
            high = middle;
    }
    return low;
}

// Where the expert at `from` goes as lists of 2^bits experts merge by pairs: past its own list's and the other's that
// rank before it.
uint merged_place(uint from, uint bits, uint kept) {
    const uint length = 1u << bits;
    const uint own = from >> bits, other = own ^ 1u;
    const uint place = from - (own << bits);
    const uint first = min(other << bits, push.expert_count);
    const uint count = min(min(length, kept - place), push.expert_count - first);
    const uint rank = place + count_before(other, first, count, ranked[from], own);
    return rank < kept ? (min(own, other) << bits) + rank : DROPPED;
}

// In place: all have read before one writes.
void merge_lists(uint lane, uint bits, uint kept) {
    float score[OWN];
    uint id[OWN], to[OWN];
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint from = lane + i * WORKGROUP_SIZE;
        to[i] = DROPPED;
        if (from < push.expert_count && (from & ((1u << bits) - 1u)) < kept) {
            score[i] = ranked[from];
            id[i] = ranked_ids[from];
            to[i] = merged_place(from, bits, kept);
        }
    }
    barrier();
    [[unroll]] for (uint i = 0u; i < OWN; i++)
        if (to[i] != DROPPED) {
            ranked[to[i]] = score[i];
            ranked_ids[to[i]] = id[i];
        }
    barrier();
}

// The largest logit of those whose gates are added up. n experts run.
float reference_logit(uint token, uint n, float s_first) {
    if (SCORES_ARE_LOGITS)
        return s_first;
    if (GATE != GATE_SOFTMAX)
        return 0.0; // the others need none
    float largest = LEFT_OUT;
    if (RENORMALIZE != 0u) {
        for (uint rank = gl_LocalInvocationID.x; rank < n; rank += WORKGROUP_SIZE)
            largest = max(largest, logit(token, expert_of(rank)));
    } else {
        for (uint e = gl_LocalInvocationID.x; e < push.expert_count; e += WORKGROUP_SIZE)
            largest = max(largest, logit(token, e));
    }
    return largest_of_all(largest);
}

// Counts the experts that tie, and those that run.
Boundary find_boundary(uint lane) {
    const float s_k = ranked[push.top_k - 1u];
    const float eps = push.max_active < push.expert_count
                          ? band(push.eps, s_k, ranked[min(push.max_active, push.expert_count - 1u)])
                          : push.eps;
    const float gap =
        push.top_k < push.expert_count ? gap_between(s_k, ranked[min(push.top_k, push.expert_count - 1u)]) : INFINITY;
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
        if (gap <= push.tie_tolerance && is_tied(scores[e], s_k))
            atomicAdd(tied, 1u);
    // The distance decides who is active: that is u > 0 (docs/routing.md, 2.4). A mask may underflow.
    for (uint rank = lane; rank < push.max_active; rank += WORKGROUP_SIZE)
        if (rank < push.top_k || (eps > 0.0 && s_k - ranked[rank] < eps))
            atomicMax(active_count, rank + 1u);
    return Boundary(s_k, gap, eps, 0u);
}

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    const bool reporting = (push.flags & SMOE_FLAG_REPORT) != 0u;
    if (lane == 0u) {
        nonfinite = SOME_GROUPS && groups_taking_part(token) == 0u ? 1u : 0u;
        tied = 0u;
        active_count = 0u;
    }
    const Softmax softmax = softmax_of(token);
    barrier();
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) {
        const float raw = raw_score(token, e, softmax);
        scores[e] = score(token, e, raw);
        if (!is_finite(raw))
            atomicOr(nonfinite, 1u);
        if (BALANCED && is_finite(scores[e]))
            atomicAdd(active_count, 1u);
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
    count_lists(lane);
    for (uint bits = COUNTED_BITS; 1u << bits < push.expert_count; bits++)
        merge_lists(lane, bits, push.max_active + 1u); // rank A is looked at
    const float s_first = ranked[0];
    const Boundary boundary = BALANCED ? balanced_boundary(token) : find_boundary(lane);
    barrier();
    // distances grow with the rank: all before n run
    const uint n = BALANCED ? min(active_count, push.max_active) : active_count;
    const float reference = reference_logit(token, n, s_first);
    float total = 0.0;
    if (RENORMALIZE == 0u && GATE == GATE_SOFTMAX)
        for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
            total += gate_value(SCORES_ARE_LOGITS && !BALANCED ? scores[e] : logit(token, e), reference, softmax);
    partial[lane] = total;
    float largest = least_reference();
    for (uint rank = lane; rank < n; rank += WORKGROUP_SIZE) {
        const float z = SCORES_ARE_LOGITS ? ranked[rank] : logit(token, expert_of(rank));
        const Place place = place_of_rank(token, rank, expert_of(rank), ranked[rank], boundary);
        ranked[rank] = unnormalised_weight(place, z, reference, softmax);
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
    else if (GATE != GATE_SOFTMAX)
        sum = 1.0;
    else
        for (uint i = 0u; i < WORKGROUP_SIZE; i++)
            sum += partial[i];
    sum = divisor(sum, largest);
    for (uint rank = lane; rank < n; rank += WORKGROUP_SIZE)
        write_active(token, rank, expert_of(rank), finished_weight(ranked[rank], sum));
    if (reporting)
        for (uint rank = n + lane; rank < push.active_stride; rank += WORKGROUP_SIZE)
            write_unused(token, rank);
    if (lane == 0u)
        write_selected(token, boundary, tied, n);
    if ((push.flags & SMOE_FLAG_SCORES) != 0u)
        for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE) // the logits were last read before a barrier
            control[push.logits_at + token * push.expert_count + e] =
                floatBitsToUint(BALANCED ? raw_score(token, e, softmax) : scores[e]);
}
