// Scores from logits: what routing ranks by. Shared by the kernels that rank, so that they agree to the bit.
// docs/routing.md, 2.1 and 2.3.
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B, std430) readonly buffer SelectionBias {
    float selection_bias[]; // [E]
};

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

// Before groups.
float raw_score(uint token, uint expert) {
    const float z = logit(token, expert);
    if (GATE == GATE_SOFTMAX)
        return z;
    precise float s = sigmoid(z);
    if ((push.flags & SMOE_FLAG_BIAS) != 0u)
        s += selection_bias[push.b_offset + expert];
    return is_finite(z) ? s : z;
}

// Whether expert e with score s ranks before expert f with score t: larger first, equal scores by lower index (2.3).
// The same for groups.
bool ranks_before(float s, uint e, float t, uint f) {
    return s > t || (s == t && e < f);
}
