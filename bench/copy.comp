// Copies a buffer: each invocation sixteen vec4, a workgroup's width apart. The dispatch covers the buffer exactly.
#version 450

layout(local_size_x = 64) in;

layout(set = 0, binding = 0) readonly buffer In { vec4 from[]; };
layout(set = 0, binding = 1) writeonly buffer Out { vec4 to[]; };

void main()
{
    const uint begin = gl_WorkGroupID.x * 1024 + gl_LocalInvocationID.x;
    for (uint i = begin; i < begin + 1024; i += 256) {
        const vec4 a = from[i], b = from[i + 64], c = from[i + 128], d = from[i + 192];
        to[i] = a;
        to[i + 64] = b;
        to[i + 128] = c;
        to[i + 192] = d;
    }
}
