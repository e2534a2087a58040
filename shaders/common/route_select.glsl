// The part of route_select that follows from the ranks, shared by its algorithms. docs/routing.md, 2.4 to 2.6 and 3.
#include "score.glsl"
#include "smoe/report.h"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Report {
    uint report[]; // [T, stride]
};
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B3, std430) readonly buffer ExpertScale {
    float expert_scale[]; // [E]
};

const bool SOME_GROUPS = GROUPED == SMOE_GROUPED_LIMITED;
const bool BALANCED = GROUPED == SMOE_GROUPED_BALANCED;
// Holds for the experts that run, and without balanced groups for all.
const bool SCORES_ARE_LOGITS = GATE == GATE_SOFTMAX && !SOME_GROUPS;
const float LEFT_OUT = -3.402823466e38; // the score of an expert whose group may not be chosen from

// An expert's place in its balanced group.
struct Place {
    bool chosen;    // among the best
    float distance; // below the last one chosen
    float eps;      // the group's band
};

Place place_of(uint token, uint expert, float s) {
    const uint at = balance_of_group(token, expert / push.group_size);
    const float last = uintBitsToFloat(control[at]);
    return Place(!ranks_before(last, control[at + 1u], s, expert), last - s, uintBitsToFloat(control[at + 2u]));
}

// From the score before groups. Balanced groups: who does not run ranks last.
float score(uint token, uint expert, float raw) {
    if (GROUPED == SMOE_GROUPED_NONE)
        return raw;
    if (BALANCED) {
        const Place place = place_of(token, expert, raw);
        return place.chosen || (place.eps > 0.0 && place.distance < place.eps) ? raw : -INFINITY;
    }
    const float taken = uintBitsToFloat(control[groups_of(token) + expert / push.group_size]);
    return taken < 0.0 ? LEFT_OUT : max(raw - taken, LEFT_OUT);
}

float gap_between(float s_k, float s_next) {
    return SOME_GROUPS && s_next == LEFT_OUT ? INFINITY : distance_below(s_k, s_next);
}

bool is_tied(float s, float s_k) {
    return apart(s, s_k) <= push.tie_tolerance && !(SOME_GROUPS && s == LEFT_OUT);
}

float group_gap(uint token) {
    return SOME_GROUPS ? uintBitsToFloat(control[groups_of(token) + push.group_count]) : INFINITY;
}

uint groups_taking_part(uint token) {
    return SOME_GROUPS ? control[groups_of(token) + push.group_count + 1u] : 0u;
}

// What a token's experts that run have in common. Of balanced groups, what route_group has found; there s_k is not
// asked for.
struct Boundary {
    float s_k;
    float gap;
    float eps;
    uint order; // of balanced groups only
};

Boundary balanced_boundary(uint token) {
    const uint at = balance_of_group(token, push.group_count);
    return Boundary(0.0, uintBitsToFloat(control[at]), uintBitsToFloat(control[at + 2u]), control[at + 1u]);
}

// mantissa * 2^exponent with mantissa in [1,2): a product of many factors that neither underflows nor loses bits on the
// way.
struct Scaled {
    float mantissa;
    int exponent;
};

// x: positive and normal.
Scaled scaled(float x) {
    const uint bits = floatBitsToUint(x);
    return Scaled(uintBitsToFloat((bits & 0x007fffffu) | 0x3f800000u), int(bits >> 23) - 127);
}

Scaled times(Scaled x, Scaled y) {
    const Scaled product = scaled(x.mantissa * y.mantissa);
    return Scaled(product.mantissa, product.exponent + x.exponent + y.exponent);
}

// x^y for x in (0,1] and normal, y in (0,1024]. Whole powers by squaring: their relative error stays near y * 2^-24,
// while exp2(y * log2(x)) with Vulkan's precision of log2 (2^-21 absolute) would miss the mask by y times that.
// Exponents stay below 2^18.
Scaled power(float x, float y) {
    const float whole = floor(y);
    Scaled square = scaled(x);
    Scaled result = Scaled(1.0, 0);
    if (y > whole)
        result = scaled(exp2((y - whole) * log2(square.mantissa) + fract((y - whole) * float(square.exponent))));
    result.exponent += int(floor((y - whole) * float(square.exponent)));
    for (uint n = uint(whole); n != 0u; n >>= 1) {
        if ((n & 1u) != 0u)
            result = times(result, square);
        square = times(square, square);
    }
    return result;
}

// v^b / u^a for an expert whose score lies `distance` >= 0 below s[k], for a band of width eps > 0 (2.4), with u = 1 -
// distance / eps and v = 1 - u; its mask is u^a / (u^a + v^b) = 1 / (1 + v^b / u^a). Exponents past 2^18 stand for 0
// and infinity.
Scaled fall_over_rise(float distance, float eps) {
    const float u = (eps - distance) / eps;
    const float v = distance / eps;
    if (distance >= eps || u < SMALLEST_NORMAL)
        return Scaled(1.0, 1 << 20);
    if (v < SMALLEST_NORMAL)
        return Scaled(1.0, -(1 << 20));
    const Scaled rise = power(u, push.a);
    const Scaled fall = power(v, push.b);
    return Scaled(fall.mantissa / rise.mantissa, fall.exponent - rise.exponent);
}

float mask(float distance, float eps) {
    const Scaled ratio = fall_over_rise(distance, eps);
    if (ratio.exponent > 126)
        return 0.0;
    return 1.0 / (1.0 + ratio.mantissa * uintBitsToFloat(uint(max(ratio.exponent, -126) + 127) << 23));
}

// Its logarithm, for masks that float32 does not hold.
float log_mask(float distance, float eps) {
    const Scaled ratio = fall_over_rise(distance, eps);
    if (ratio.exponent > 60) // 1 is lost beside the ratio
        return -(log(ratio.mantissa) + 0.69314718056 * float(ratio.exponent));
    return -log(1.0 + ratio.mantissa * uintBitsToFloat(uint(max(ratio.exponent, -126) + 127) << 23));
}

// Where scores are not logits, an expert that is masked to almost nothing may have a gate that all others are lost
// beside. So weights that are divided by their sum are made from logarithms: log g + log m, less the largest of them.
const bool BY_LOGARITHM = RENORMALIZE != 0u && !SCORES_ARE_LOGITS;

// The logarithm that all others are taken relative to is the largest: of the weights, or of the floor or addend.
float least_reference() {
    return RENORMALIZE >= SMOE_RENORMALIZE_FLOOR ? push.log_divisor : LEFT_OUT;
}

// What relative weights are divided by, given their sum.
float divisor(float sum, float reference) {
    if (RENORMALIZE == SMOE_RENORMALIZE_FLOOR)
        return max(sum, exp(push.log_divisor - reference));
    if (RENORMALIZE == SMOE_RENORMALIZE_ADDEND)
        return sum + exp(push.log_divisor - reference);
    return sum;
}

// The gate g (2.1) of a logit; of a softmax gate divided by that of `reference`, the largest logit added up, so that it
// does not overflow.
float gate_value(float z, float reference, Softmax softmax) {
    return GATE == GATE_SOFTMAX ? exp((z - reference) / push.temperature) : gate_of(z, softmax);
}

// sqrt_softplus below 0: half of z + ln(ln(1 + t) / t), with t = e^z.
float log_gate(float z, float reference, Softmax softmax) {
    if (GATE == GATE_SOFTMAX)
        return (z - reference) / push.temperature;
    if (GATE == GATE_SQRT_SOFTPLUS) {
        const float t = exp(-abs(z)), ratio = log_ratio(t);
        return 0.5 * (min(z, 0.0) + log(z < 0.0 ? ratio : z + t * ratio));
    }
    if (GATE == GATE_SOFTMAX_BIAS)
        return z - softmax.largest - log(softmax.sum);
    return min(z, 0.0) - log(1.0 + exp(-abs(z)));
}

// The weight of an expert; its logarithm where BY_LOGARITHM. With WEIGHTED_INPUT its mask: docs/routing.md, 2.6.
float unnormalised_weight(Place place, float z, float reference, Softmax softmax) {
    if (BY_LOGARITHM)
        return log_gate(z, reference, softmax) +
               (place.chosen ? 0.0 : max(log_mask(place.distance, place.eps), LEFT_OUT));
    const float m = place.chosen ? 1.0 : mask(place.distance, place.eps);
    if (WEIGHTED_INPUT != 0u) // z is finite; turnip of Mesa 26.1.6 crashes, for Adreno 618 and 630, where z is not used
        return is_finite(z) ? m : 0.0;
    return gate_value(z, reference, softmax) * m;
}

// From that and what it is divided by.
float finished_weight(float weight, float sum) {
    return WEIGHTED_INPUT != 0u ? weight : weight / sum * push.scale;
}

// The place of the expert of that rank, whose score is s.
Place place_of_rank(uint token, uint rank, uint expert, float s, Boundary boundary) {
    if (BALANCED)
        return place_of(token, expert, s);
    return Place(rank < push.top_k, boundary.s_k - s, boundary.eps);
}

float factor_of(uint expert) {
    return EXPERT_SCALE != 0u ? expert_scale[push.expert_scale_offset + expert] : 1.0;
}

// With WEIGHTED_INPUT WEIGHTS gets the mask, `weight`, and the report the mask times the input's weight.
void write_weight(uint token, uint rank, uint expert, float weight, float of_input) {
    const uint at = token * push.active_stride + rank;
    control[push.ids_at + at] = expert;
    control[push.weights_at + at] = floatBitsToUint(weight);
    if (WEIGHTED_INPUT != 0u) {
        control[push.input_weights_at + at] = floatBitsToUint(of_input);
        weight *= of_input;
    }
    if ((push.flags & SMOE_FLAG_REPORT) != 0u) {
        const uint to = token * SMOE_REPORT_STRIDE(push.active_stride);
        report[to + SMOE_REPORT_IDS + rank] = expert;
        report[to + SMOE_REPORT_WEIGHTS(push.active_stride) + rank] = floatBitsToUint(weight);
    }
}

// weight: a finished one.
void write_active(uint token, uint rank, uint expert, float weight) {
    if (WEIGHTED_INPUT != 0u)
        write_weight(token, rank, expert, weight, sigmoid(logit(token, expert)) * push.scale * factor_of(expert));
    else
        write_weight(token, rank, expert, EXPERT_SCALE != 0u ? weight * factor_of(expert) : weight, 1.0);
}

void write_unused(uint token, uint rank) {
    const uint to = token * SMOE_REPORT_STRIDE(push.active_stride);
    report[to + SMOE_REPORT_IDS + rank] = SMOE_REPORT_UNUSED;
    report[to + SMOE_REPORT_WEIGHTS(push.active_stride) + rank] = 0u;
}

// All but the ranks: ACTIVE, the report's head and the notes for the totals.
void write_token(uint token, float gap, float eps, uint order, uint active_count, uint flags) {
    const bool nonfinite = (flags & SMOE_REPORT_FLAG_NONFINITE) != 0u;
    const float between = nonfinite ? NAN : group_gap(token);
    if (SOME_GROUPS && !nonfinite && between <= push.tie_tolerance)
        flags |= SMOE_REPORT_FLAG_GROUP_TIE;
    control[push.active_at + token] = active_count;
    if ((push.flags & SMOE_FLAG_TOTALS) != 0u) {
        control[push.notes_at + 2u * token] = floatBitsToUint(gap);
        control[push.notes_at + 2u * token + 1u] = order | flags << 16;
    }
    if ((push.flags & SMOE_FLAG_REPORT) != 0u) {
        const uint to = token * SMOE_REPORT_STRIDE(push.active_stride);
        report[to + SMOE_REPORT_GAP] = floatBitsToUint(gap);
        report[to + SMOE_REPORT_EPS] = floatBitsToUint(eps);
        report[to + SMOE_REPORT_ORDER] = order;
        report[to + SMOE_REPORT_ACTIVE] = active_count;
        report[to + SMOE_REPORT_FLAGS] = flags;
        report[to + SMOE_REPORT_GROUP_GAP] = floatBitsToUint(between);
        report[to + SMOE_REPORT_GROUPS] = nonfinite ? 0u : groups_taking_part(token);
        report[to + SMOE_REPORT_IDS - 1u] = 0u;
    }
}

void write_nonfinite(uint token) {
    write_token(token, NAN, 0.0, 0u, 0u, SMOE_REPORT_FLAG_NONFINITE);
}

// For a token whose experts run, n of them. tied: how many scores are within the tolerance of s[k], that one too.
void write_selected(uint token, Boundary boundary, uint tied, uint n) {
    write_token(token, boundary.gap, boundary.eps, BALANCED ? boundary.order : max(tied, 1u) - 1u, n,
                push.eps > 0.0 && boundary.eps <= 0.0 ? SMOE_REPORT_FLAG_CAPPED : 0u);
}
