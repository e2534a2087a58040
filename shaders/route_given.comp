#version 450
#extension GL_GOOGLE_include_directive : require
// The routing that the app gives in place of what route_select has chosen; gap, order and groups stay the router's own
// (docs/routing.md, 2.9). One workgroup per token.
// input: ids [T,R]; control in: LOGITS [T,E], ACTIVE [T]; out: ACTIVE, IDS [T,A], WEIGHTS [T,A], of tokens that are not
// finite NOTES [T,2]; weights: b3 = expert_scale [E], or where weights are given w = those [T,R]; output: report
// [T,stride] if asked for.
#define PUSH_BLOCK SMOE_PUSH_GIVEN
#define CONTROL_ACCESS
#include "kernel.glsl"
#include "route_select.glsl"
#include "workgroup_softmax.glsl"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer GivenIds { uint given_ids[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer GivenWeights {
    float given_weights[];
};

const bool WEIGHTS_GIVEN = GIVEN == SMOE_GIVEN_WEIGHTS;
const Place CHOSEN = Place(true, 0.0, 0.0);

// By place in the list, skipped ones too.
shared uint ids[MOST_ACTIVE];
shared float weights[MOST_ACTIVE];
shared uint nonfinite;

bool is_skipped(uint place) {
    return ids[place] == SMOE_REPORT_UNUSED;
}

// An id that no expert has, or a weight that is not finite, makes the token so.
void read_given(uint token, uint lane) {
    const uint first = token * push.given_count;
    for (uint i = lane; i < push.given_count; i += WORKGROUP_SIZE) {
        ids[i] = given_ids[first + i];
        weights[i] = WEIGHTS_GIVEN ? given_weights[first + i] : 0.0;
        if (!is_skipped(i) && (ids[i] >= push.expert_count || !is_finite(weights[i])))
            atomicOr(nonfinite, 1u);
    }
    barrier();
}

// The largest logit of those whose gates are added up.
float reference_logit(uint token, uint lane) {
    if (GATE != GATE_SOFTMAX)
        return 0.0; // the others need none
    float largest = LEFT_OUT;
    if (RENORMALIZE != 0u) {
        for (uint i = lane; i < push.given_count; i += WORKGROUP_SIZE)
            if (!is_skipped(i))
                largest = max(largest, logit(token, ids[i]));
    } else {
        for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
            largest = max(largest, logit(token, e));
    }
    return largest_of_all(largest);
}

// The sum over all experts of a softmax that is not renormalised.
float sum_over_experts(uint token, uint lane, float reference) {
    float total = 0.0;
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
        total += gate_value(logit(token, e), reference, NO_SOFTMAX);
    partial[lane] = total;
    barrier();
    float sum = 0.0;
    for (uint i = 0u; i < WORKGROUP_SIZE; i++)
        sum += partial[i];
    return sum;
}

// Weights as if the router had chosen these experts: 2.6 with masks of 1. A repeated one is in the sum each time.
void find_weights(uint token, uint lane) {
    const Softmax softmax = softmax_of(token);
    const float reference = reference_logit(token, lane);
    float largest = least_reference();
    for (uint i = lane; i < push.given_count; i += WORKGROUP_SIZE)
        if (!is_skipped(i)) {
            weights[i] = unnormalised_weight(CHOSEN, logit(token, ids[i]), reference, softmax);
            largest = max(largest, weights[i]);
        }
    if (BY_LOGARITHM) {
        largest = largest_of_all(largest);
        for (uint i = lane; i < push.given_count; i += WORKGROUP_SIZE)
            weights[i] = is_skipped(i) ? 0.0 : exp(weights[i] - largest);
    }
    barrier();
    float sum = 1.0;
    if (RENORMALIZE != 0u) {
        sum = 0.0;
        for (uint i = 0u; i < push.given_count; i++)
            sum += weights[i];
        sum = divisor(sum, largest);
    } else if (GATE == GATE_SOFTMAX) {
        sum = sum_over_experts(token, lane, reference);
    }
    barrier(); // all have added up the weights
    for (uint i = lane; i < push.given_count; i += WORKGROUP_SIZE)
        weights[i] = weights[i] / sum;
}

// Those that are not skipped, in the order given. How many there are.
uint write_given(uint token, uint lane) {
    uint before = 0u;
    for (uint i = 0u; i < push.given_count; i++) {
        if (is_skipped(i))
            continue;
        if (i % WORKGROUP_SIZE == lane) {
            if (WEIGHTS_GIVEN && WEIGHTED_INPUT != 0u)
                write_weight(token, before, ids[i], 1.0, weights[i] * push.scale);
            else
                write_active(token, before, ids[i], finished_weight(weights[i], 1.0));
        }
        before++;
    }
    return before;
}

void write_rest(uint token, uint lane, uint n) {
    if ((push.flags & SMOE_FLAG_REPORT) != 0u)
        for (uint rank = n + lane; rank < push.active_stride; rank += WORKGROUP_SIZE)
            write_unused(token, rank);
}

// For combine, of a token that runs no expert: what y begins with.
void write_empty(uint token, float start) {
    control[push.weights_at + token * push.active_stride] = floatBitsToUint(start);
}

void main() {
    const uint token = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    if (lane == 0u) // route_select lets finite tokens run at least one expert
        nonfinite = control[push.active_at + token] == 0u ? 1u : 0u;
    barrier();
    read_given(token, lane);
    if (nonfinite != 0u) {
        write_rest(token, lane, 0u);
        if (lane == 0u) {
            write_nonfinite(token);
            write_empty(token, NAN);
        }
        return;
    }
    if (!WEIGHTS_GIVEN)
        find_weights(token, lane);
    barrier();
    const uint n = write_given(token, lane);
    write_rest(token, lane, n);
    if (lane != 0u)
        return;
    if (n == 0u)
        write_empty(token, 0.0);
    control[push.active_at + token] = n;
    if ((push.flags & SMOE_FLAG_REPORT) != 0u)
        report[token * SMOE_REPORT_STRIDE(push.active_stride) + SMOE_REPORT_ACTIVE] = n;
}
