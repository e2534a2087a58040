#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// route_select with subgroup operations. One subgroup per token, TOKENS per workgroup: rounds of arg-max find the ranks
// one by one and stop where the band ends, so the cost follows the experts that run: at most A + 1 rounds over E /
// subgroup size scores.
// Right for any subgroup size of SUBGROUP_SIZE or more, also where fewer lanes live than gl_SubgroupSize says (Intel
// without size control reports 32 and may run 8 or 16): lanes are counted, and subgroups stride over the tokens by
// gl_NumSubgroups.
// control in: LOGITS [T,E], GROUPS [T,G+2] or [T,3G+3]; out: ACTIVE [T], IDS [T,A], WEIGHTS [T,A], NOTES [T,2] for
// totals, scores in LOGITS if asked for; weights: b = selection_bias [E], b3 = expert_scale [E]; output: report
// [T,stride] if asked for.
#define PUSH_BLOCK SMOE_PUSH_SELECT
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"

const uint TOKENS = WORKGROUP_SIZE / SUBGROUP_SIZE;
// experts of a lane at most; 32 at most, the bits of `ranked`
const uint OWN = (MOST_EXPERTS + SUBGROUP_SIZE - 1u) / SUBGROUP_SIZE;
const uint SLOTS = (MOST_ACTIVE + SUBGROUP_SIZE - 1u) / SUBGROUP_SIZE;  // ranks of a lane at most
const uint NONE = 0xffffffffu;

uint lanes; // live ones of this subgroup

// Experts lane, lane + lanes, ... are this lane's own, and likewise ranks.
float own_score[OWN];
uint ranked; // bit i: own expert i has its rank, or there is none
float slot_score[SLOTS];
uint slot_id[SLOTS];

// The best expert that has no rank yet gets this one. Its score to every lane.
float next_rank(uint rank) {
    float best = -INFINITY;
    uint best_own = NONE;
    [[unroll]] for (uint i = 0u; i < OWN; i++)
        // Ascending: among equal scores the first seen has the lowest index.
        if ((ranked >> i & 1u) == 0u && (own_score[i] > best || best_own == NONE)) {
            best = own_score[i];
            best_own = i;
        }
    const uint best_id = best_own == NONE ? NONE : gl_SubgroupInvocationID + best_own * lanes;
    const float score = subgroupMax(best);
    const uint id = subgroupMin(best == score ? best_id : NONE);
    if (id == best_id)
        ranked |= 1u << best_own;
    [[unroll]] for (uint i = 0u; i < SLOTS; i++)
        if (gl_SubgroupInvocationID + i * lanes == rank) {
            slot_score[i] = score;
            slot_id[i] = min(id, push.expert_count - 1u); // no bits lead out of bounds
        }
    return score;
}

// By slots: with a loop over the ranks Volta holds 16 subgroups where it can hold 20.
void write_unused_from(uint token, uint rank) {
    if ((push.flags & SMOE_FLAG_REPORT) == 0u)
        return;
    [[unroll]] for (uint i = 0u; i < SLOTS; i++) {
        const uint own = gl_SubgroupInvocationID + i * lanes;
        if (own >= rank && own < push.active_stride)
            write_unused(token, own);
    }
}

Softmax softmax_of(uint token) {
    if (GATE != GATE_SOFTMAX_BIAS)
        return NO_SOFTMAX;
    const uint expert_count = push.expert_count;
    float largest = -INFINITY;
    for (uint e = gl_SubgroupInvocationID; e < expert_count; e += lanes)
        largest = max(largest, logit(token, e));
    largest = subgroupMax(largest);
    uvec2 terms = uvec2(0u);
    for (uint e = gl_SubgroupInvocationID; e < expert_count; e += lanes)
        terms += whole_term(softmax_term(logit(token, e), largest));
    return Softmax(largest, sum_of_whole_terms(subgroupAdd(terms.x), subgroupAdd(terms.y)));
}

// The largest logit of those whose gates are added up. n experts run.
float reference_logit(uint token, uint n, float s_first) {
    if (SCORES_ARE_LOGITS)
        return s_first;
    if (GATE != GATE_SOFTMAX)
        return 0.0; // the others need none
    float largest = LEFT_OUT;
    if (RENORMALIZE != 0u) {
        [[unroll]] for (uint i = 0u; i < SLOTS; i++)
            if (gl_SubgroupInvocationID + i * lanes < n)
                largest = max(largest, logit(token, slot_id[i]));
    } else {
        for (uint e = gl_SubgroupInvocationID; e < push.expert_count; e += lanes)
            largest = max(largest, logit(token, e));
    }
    return subgroupMax(largest);
}

struct Ranks {
    uint found;    // experts that have their rank
    float s_first; // the best score
    Boundary boundary;
};

// Ranks 1 .. k, then on while the band reaches, to A + 1 at most: that one is only looked at.
Ranks rank_all() {
    // lavapipe would load them in every round
    const uint expert_count = push.expert_count, top_k = push.top_k, most = push.max_active;
    const float widest = push.eps;
    float s_first = 0.0, s_k = 0.0, gap = INFINITY, eps = widest;
    uint found = 0u;
    [[dont_unroll]] for (uint rank = 0u; rank < expert_count; rank++) { // Mali's compiler would, and spill
        const float score = next_rank(rank);
        found = rank + 1u;
        if (rank == 0u)
            s_first = score;
        if (rank < top_k) {
            s_k = score;
            continue;
        }
        if (rank == top_k)
            gap = gap_between(s_k, score);
        if (rank == most)
            eps = band(widest, s_k, score);
        if (rank >= most || s_k - score >= widest)
            break;
    }
    return Ranks(found, s_first, Boundary(s_k, gap, eps, 0u));
}

// The experts that run rank before all others.
Ranks rank_balanced(uint token, uint running) {
    float s_first = 0.0;
    [[dont_unroll]] for (uint rank = 0u; rank < running; rank++) {
        const float score = next_rank(rank);
        if (rank == 0u)
            s_first = score;
    }
    return Ranks(running, s_first, balanced_boundary(token));
}

// How many experts run: distances grow with the rank, so all before the last one do.
uint count_active(Ranks ranks) {
    uint active_count = 0u;
    [[unroll]] for (uint i = 0u; i < SLOTS; i++) {
        const uint rank = gl_SubgroupInvocationID + i * lanes;
        // u > 0 (docs/routing.md, 2.4); a mask may underflow
        const bool in_band = ranks.boundary.eps > 0.0 && ranks.boundary.s_k - slot_score[i] < ranks.boundary.eps;
        if (rank < min(ranks.found, push.max_active) && (rank < push.top_k || in_band))
            active_count = rank + 1u;
    }
    return subgroupMax(active_count);
}

void select_token(uint token) {
    const uint lane = gl_SubgroupInvocationID;
    uint nonfinite = SOME_GROUPS && groups_taking_part(token) == 0u ? 1u : 0u;
    uint running = 0u; // of balanced groups
    const Softmax softmax = softmax_of(token);
    ranked = 0u;
    [[unroll]] for (uint i = 0u; i < OWN; i++) {
        const uint e = lane + i * lanes;
        own_score[i] = 0.0;
        if (e < push.expert_count) {
            const float raw = raw_score(token, e, softmax);
            nonfinite |= is_finite(raw) ? 0u : 1u;
            own_score[i] = score(token, e, raw);
            running += BALANCED && is_finite(own_score[i]) ? 1u : 0u;
        } else {
            ranked |= 1u << i;
        }
    }
    if (subgroupMax(nonfinite) != 0u) {
        write_unused_from(token, 0u);
        if (lane == 0u)
            write_nonfinite(token);
        return;
    }

    Ranks ranks;
    if (BALANCED)
        ranks = rank_balanced(token, min(subgroupAdd(running), push.max_active));
    else
        ranks = rank_all();
    lanes = subgroupAdd(1u); // again, so that what follows from it need not live through the rounds
    const uint n = BALANCED ? ranks.found : count_active(ranks);
    const Boundary boundary = ranks.boundary;
    const float reference = reference_logit(token, n, ranks.s_first);
    float largest = least_reference();
    [[unroll]] for (uint i = 0u; i < SLOTS; i++) {
        const uint rank = lane + i * lanes;
        if (rank < n) {
            const float z = SCORES_ARE_LOGITS ? slot_score[i] : logit(token, slot_id[i]);
            const Place place = place_of_rank(token, rank, slot_id[i], slot_score[i], boundary);
            slot_score[i] = unnormalised_weight(place, z, reference, softmax); // from here on
            largest = max(largest, slot_score[i]);
        }
    }
    if (BY_LOGARITHM)
        largest = subgroupMax(largest);
    float total = 0.0;
    [[unroll]] for (uint i = 0u; i < SLOTS; i++)
        if (lane + i * lanes < n) {
            if (BY_LOGARITHM)
                slot_score[i] = exp(slot_score[i] - largest);
            if (RENORMALIZE != 0u)
                total += slot_score[i];
        }
    uint tied = 0u;
    [[unroll]] for (uint i = 0u; i < OWN; i++)
        if (lane + i * lanes < push.expert_count) {
            if (RENORMALIZE == 0u && GATE == GATE_SOFTMAX)
                total += gate_value(SCORES_ARE_LOGITS && !BALANCED ? own_score[i] : logit(token, lane + i * lanes),
                                    reference, softmax);
            if (!BALANCED && boundary.gap <= push.tie_tolerance && is_tied(own_score[i], boundary.s_k))
                tied++;
        }
    const float sum = RENORMALIZE == 0u && GATE != GATE_SOFTMAX ? 1.0 : divisor(subgroupAdd(total), largest);
    [[unroll]] for (uint i = 0u; i < SLOTS; i++)
        if (lane + i * lanes < n)
            write_active(token, lane + i * lanes, slot_id[i], finished_weight(slot_score[i], sum));
    write_unused_from(token, n);
    if ((push.flags & (SMOE_FLAG_REPORT | SMOE_FLAG_TOTALS)) != 0u)
        tied = subgroupAdd(tied);
    if (lane == 0u)
        write_selected(token, boundary, tied, n);
    if ((push.flags & SMOE_FLAG_SCORES) != 0u) {
        subgroupBarrier(); // the logits have been read
        [[unroll]] for (uint i = 0u; i < OWN; i++)
            if (lane + i * lanes < push.expert_count)
                control[push.logits_at + token * push.expert_count + lane + i * lanes] =
                    floatBitsToUint(BALANCED ? raw_score(token, lane + i * lanes, softmax) : own_score[i]);
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
