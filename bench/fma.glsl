// The most multiply-adds a device does: eight independent chains per invocation, in registers. Nothing can be folded:
// factor, step and the number of rounds are known only when it runs, and floats are not reassociated. The chains run to
// a fixed point near 1. FLOAT is the type, VECTOR four of them.
layout(local_size_x = 64) in;

layout(set = 0, binding = 1) writeonly buffer Out { float sums[]; };

layout(push_constant) uniform Push {
    uint count;  // rounds of 16 multiply-adds per chain
    float factor;
    float step_;
};

#define ONCE a = fma(a, f, s); b = fma(b, f, s);
#define FOUR ONCE ONCE ONCE ONCE

void main()
{
    const VECTOR f = VECTOR(factor), s = VECTOR(step_);
    VECTOR a = VECTOR(vec4(0.1, 0.2, 0.3, 0.4) + float(gl_GlobalInvocationID.x) * 1e-6);
    VECTOR b = a + FLOAT(0.5);
    for (uint i = 0; i < count; i++) {
        FOUR FOUR FOUR FOUR
    }
    a += b;
    sums[gl_GlobalInvocationID.x] = float(a.x + a.y + a.z + a.w);
}
