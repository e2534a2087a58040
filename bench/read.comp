// Reads a buffer: each invocation sixteen vec4, a workgroup's width apart; the dispatch covers the buffer exactly. The
// sum is written only if it is negative, which the buffer's contents never make it and no compiler can know.
#version 450

layout(local_size_x = 64) in;

layout(set = 0, binding = 0) readonly buffer In { vec4 from[]; };
layout(set = 0, binding = 1) writeonly buffer Out { float sums[]; };

void main()
{
    const uint begin = gl_WorkGroupID.x * 1024 + gl_LocalInvocationID.x;
    vec4 a = vec4(0), b = vec4(0), c = vec4(0), d = vec4(0);
    for (uint i = begin; i < begin + 1024; i += 256) {
        a += from[i];
        b += from[i + 64];
        c += from[i + 128];
        d += from[i + 192];
    }
    a += b + c + d;
    const float sum = a.x + a.y + a.z + a.w;
    if (sum < 0)
        sums[gl_GlobalInvocationID.x] = sum;
}
