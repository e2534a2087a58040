// Scores from logits: what routing ranks by. Shared by the kernels that rank, so that they agree to the bit.
// docs/routing.md, 2.1 and 2.3.
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B, std430) readonly buffer SelectionBias {
    float selection_bias[]; // [E]
};

// 2^-126: smaller gaps and bands, and smaller places in one, count as 0, as they do where a device flushes them.
const float SMALLEST_NORMAL = 1.17549435e-38;

#define INFINITY uintBitsToFloat(0x7f800000u)
#define NAN uintBitsToFloat(0x7fc00000u)

// Bit tests, because a driver may assume that no NaN exists.
bool is_finite(float z) {
    return (floatBitsToUint(z) & 0x7f800000u) != 0x7f800000u;
}

float logit(uint token, uint expert) {
    return uintBitsToFloat(control[push.logits_at + token * push.expert_count + expert]);
}

// The first word of a token's groups.
uint groups_of(uint token) {
    return push.groups_at + token * SMOE_GROUP_WORDS(push.group_count);
}

// The same of balanced groups, and of one of them.
uint balance_of(uint token) {
    return push.groups_at + token * SMOE_BALANCE_WORDS(push.group_count);
}

uint balance_of_group(uint token, uint group) {
    return balance_of(token) + SMOE_BALANCE_GROUP_WORDS * group;
}

// How far a score lies below a larger one.
float distance_below(float s_k, float s) {
    const float distance = s_k - s;
    return distance < SMALLEST_NORMAL ? 0.0 : distance;
}

float apart(float s, float t) {
    return distance_below(max(s, t), min(s, t));
}

// The band (2.5) of experts of which s_next is the score of the first past the cap, -inf where there is none. eps: 0 or
// normal.
float band(float eps, float s_k, float s_next) {
    return min(eps, distance_below(s_k, s_next));
}

// ln(1 + t) / t for t in [0,1]: 2 atanh(y) / t with y = t / (2 + t), whose series is off by y^14 / 15 < 2e-8. log(1 +
// t) would lose the bits of a small t.
float log_ratio(float t) {
    precise float y = t / (2.0 + t);
    precise float q = y * y;
    precise float series = q * (1.0 / 11.0 + q * (1.0 / 13.0));
    series = q * (1.0 / 7.0 + q * (1.0 / 9.0 + series));
    series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + series));
    precise float ratio = 2.0 / (2.0 + t) * series;
    return ratio;
}

// sqrt(ln(1 + e^z)). Below 0 it is e^(z/2) times a number near 1: e^z would vanish long before its root does.
float sqrt_softplus(float z) {
    precise float t = exp(-abs(z));
    precise float ratio = log_ratio(t);
    precise float above = sqrt(max(z, 0.0) + t * ratio);
    precise float below = exp(0.5 * min(z, 0.0)) * sqrt(ratio);
    return z < 0.0 ? below : above;
}

// What the scores of a token have in common: of softmax_bias gates the largest logit, and the sum of exp(z - largest)
// over all experts.
struct Softmax {
    float largest;
    float sum;
};

const Softmax NO_SOFTMAX = Softmax(0.0, 1.0); // for gates that need none

// exp(z - largest), where the difference may be infinite.
float softmax_term(float z, float largest) {
    precise float term = exp(max(z - largest, -200.0));
    return term;
}

// A term in two whole numbers, of units of 2^-20 and of 2^-40; what lies below is cut off. Whole numbers add up to the
// same in every order: so the sum has the same bits in every kernel, at every subgroup size. Up to 1024 terms fit.
uvec2 whole_term(float term) {
    precise float scaled = term * 1048576.0;
    const uint high = uint(scaled);
    precise float rest = (scaled - float(high)) * 1048576.0;
    return uvec2(high, uint(rest));
}

float sum_of_whole_terms(uint high, uint low) {
    precise float sum = float(high) / 1048576.0 + float(low) / 1099511627776.0;
    return sum;
}

float probability(float z, Softmax softmax) {
    precise float p = softmax_term(z, softmax.largest) / softmax.sum;
    return p;
}

// The gate g (2.1) of a logit, for every gate but softmax.
float gate_of(float z, Softmax softmax) {
    if (GATE == GATE_SIGMOID)
        return sigmoid(z);
    if (GATE == GATE_SQRT_SOFTPLUS)
        return sqrt_softplus(z);
    return probability(z, softmax);
}

// Before groups.
float raw_score(uint token, uint expert, Softmax softmax) {
    const float z = logit(token, expert);
    if (GATE == GATE_SOFTMAX)
        return z;
    precise float s = gate_of(z, softmax);
    if ((push.flags & SMOE_FLAG_BIAS) != 0u)
        s += selection_bias[push.b_offset + expert];
    return is_finite(z) ? s : z;
}

// Whether expert e with score s ranks before expert f with score t: larger first, equal scores by lower index (2.3).
// The same for groups.
bool ranks_before(float s, uint e, float t, uint f) {
    return s > t || (s == t && e < f);
}
