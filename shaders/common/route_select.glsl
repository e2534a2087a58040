// The part of route_select that follows from the ranks, shared by its algorithms. Spec: routing, sections 2.4 to 2.6 and 3.
#include "smoe/report.h"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Report { uint report[]; }; // [T, stride]

#define INFINITY uintBitsToFloat(0x7f800000u)
#define NAN uintBitsToFloat(0x7fc00000u)

// Bit tests, because a driver may assume that no NaN exists.
bool is_finite(float z) {
    return (floatBitsToUint(z) & 0x7f800000u) != 0x7f800000u;
}

float  logit(uint token, uint expert) {
    return uintBitsToFloat(control[AT_LOGITS + token * EXPERT_COUNT + expert]);
}

// Whether expert e with score s ranks before expert f with score t: larger first, equal scores by lower index (2.3).
bool ranks_before(float s, uint e, float t, uint f) {
    return s > t || (s == t && e < f);
}

// mantissa * 2^exponent with mantissa in [1,2): a product of many factors that neither underflows nor loses bits on the way.
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

// x^y for x in (0,1] and normal, y in (0,1024]. Whole powers by squaring: their relative error stays near y * 2^-24, while
// exp2(y * log2(x)) with Vulkan's precision of log2 (2^-21 absolute) would miss the mask by y times that. Exponents stay below 2^18.
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

// Mask of an expert whose score lies `distance` >= 0 below s[k], for a band of width eps > 0 (2.4), with u = 1 - distance / eps
// and v = 1 - u: u^a / (u^a + v^b) = 1 / (1 + v^b / u^a).
float  mask(float distance, float eps) {
    const float smallest = 1.17549435e-38; // the smallest normal number; below it u or v counts as 0
    const float u = (eps - distance) / eps;
    const float v = distance / eps;
    if (distance >= eps || u < smallest)
        return 0.0;
    if (v < smallest)
        return 1.0;
    const Scaled rise = power(u, push.a);
    const Scaled fall = power(v, push.b);
    const int exponent = clamp(fall.exponent - rise.exponent, -126, 126);
    return 1.0 / (1.0 + fall.mantissa / rise.mantissa * uintBitsToFloat(uint(exponent + 127) << 23));
}

// The band of this token (2.5): s_next is the score of rank A+1, -inf where there is none.
float  band(float s_k, float s_next) {
    return min(push.eps, s_k - s_next);
}

// The gate g (2.1) for a score, relative to the token's largest: at most 1.
float  gate_value(float s, float s_first) {
    return exp((s - s_first) / push.temperature);
}

void write_active(uint token, uint rank, uint expert, float weight) {
    const uint at = token * MAX_ACTIVE + rank;
    control[AT_IDS + at] = expert;
    control[AT_WEIGHTS + at] = floatBitsToUint(weight);
    if ((push.flags & SMOE_PUSH_REPORT) != 0u) {
        const uint to = token * SMOE_REPORT_STRIDE(MAX_ACTIVE);
        report[to + SMOE_REPORT_IDS + rank] = expert;
        report[to + SMOE_REPORT_WEIGHTS(MAX_ACTIVE) + rank] = floatBitsToUint(weight);
    }
}

void write_unused(uint token, uint rank) {
    const uint to = token * SMOE_REPORT_STRIDE(MAX_ACTIVE);
    report[to + SMOE_REPORT_IDS + rank] = SMOE_REPORT_UNUSED;
    report[to + SMOE_REPORT_WEIGHTS(MAX_ACTIVE) + rank] = 0u;
}

void write_report(uint token, float gap, float eps, uint order, uint active_count, uint flags) {
    const uint to = token * SMOE_REPORT_STRIDE(MAX_ACTIVE);
    report[to + SMOE_REPORT_GAP] = floatBitsToUint(gap);
    report[to + SMOE_REPORT_EPS] = floatBitsToUint(eps);
    report[to + SMOE_REPORT_ORDER] = order;
    report[to + SMOE_REPORT_ACTIVE] = active_count;
    report[to + SMOE_REPORT_FLAGS] = flags;
    for (uint i = SMOE_REPORT_FLAGS + 1u; i < SMOE_REPORT_IDS; i++)
        report[to + i] = 0u;
}
// x
