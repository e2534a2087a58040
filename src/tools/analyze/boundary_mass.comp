// Two experts on inputs N(0, I): how many gaps |<v, x> + c| fall into each of BINS equal parts (arXiv 2605.02124:
// boundary mass).
// counters: [BINS].
#version 450
#extension GL_GOOGLE_include_directive : require

#include "simulation.glsl"

layout(constant_id = 0) const uint D = 8;
const uint BINS = 32;

// Parameters: v [CHUNKS] vec4, zeros behind it; c; the largest gap that is counted.
const uint CHUNKS = (D + 3) / 4;

shared uint histogram[BINS];

void main()
{
    for (uint i = gl_LocalInvocationIndex; i < BINS; i += gl_WorkGroupSize.x)
        histogram[i] = 0;
    barrier();
    const uint total = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < push.samples; i += total) {
        uvec4 counter = sample_counter(i);
        float margin = parameter(4 * CHUNKS);
        for (uint c = 0; c < CHUNKS; c++) {
            margin += dot(parameters[c], philox_normals(philox4x32(counter, push.seed)));
            counter.z++;
        }
        const float part = abs(margin) * (float(BINS) / parameter(4 * CHUNKS + 1));
        if (part < float(BINS))
            atomicAdd(histogram[uint(part)], 1);
    }
    barrier();
    for (uint i = gl_LocalInvocationIndex; i < BINS; i += gl_WorkGroupSize.x)
        if (histogram[i] > 0)
            atomicAdd(counters[i], histogram[i]);
}
