// Numbers of all invocations of a workgroup that has one token, and its softmax. Shared by kernels with a workgroup for
// each token.
shared float partial[WORKGROUP_SIZE];

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

// The sum of whole numbers that are each at most 2^24, which a float holds.
uint sum_of_all(uint value) {
    partial[gl_LocalInvocationID.x] = float(value);
    barrier();
    uint sum = 0u;
    for (uint i = 0u; i < WORKGROUP_SIZE; i++)
        sum += uint(partial[i]);
    barrier(); // partial is used again
    return sum;
}

// An invocation has 8 experts at most, whose terms come to 2^23.
Softmax softmax_of(uint token) {
    if (GATE != GATE_SOFTMAX_BIAS)
        return NO_SOFTMAX;
    float largest = -INFINITY;
    for (uint e = gl_LocalInvocationID.x; e < push.expert_count; e += WORKGROUP_SIZE)
        largest = max(largest, logit(token, e));
    largest = largest_of_all(largest);
    uvec2 terms = uvec2(0u);
    for (uint e = gl_LocalInvocationID.x; e < push.expert_count; e += WORKGROUP_SIZE)
        terms += whole_term(softmax_term(logit(token, e), largest));
    const uint high = sum_of_all(terms.x);
    return Softmax(largest, sum_of_whole_terms(high, sum_of_all(terms.y)));
}
