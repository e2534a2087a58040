// The generator's own words, for comparing with what is published: sample i gives counters[4 i .. 4 i + 3] the block of
// its counter.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "simulation.glsl"

// Parameters: the counter's third word, its halves as floats.
void main()
{
    const uint total = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < push.samples; i += total) {
        uvec4 counter = sample_counter(i);
        counter.z = uint(parameter(0)) | uint(parameter(1)) << 16;
        const uvec4 words = philox4x32(counter, push.seed);
        for (uint j = 0; j < 4; j++)
            counters[4 * i + j] = words[j];
    }
}
