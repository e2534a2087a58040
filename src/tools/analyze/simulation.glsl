// What the simulations share: their samples, their parameters, their counters. One invocation takes every TOTAL-th
// sample.
#include "philox.glsl"

layout(local_size_x = 64) in;

layout(push_constant) uniform Push {
    uvec2 seed;   // Philox's key
    uvec2 first;  // the batch's first sample, low and high word
    uint samples; // of the batch, below 2^31
    uint stream;  // Philox's fourth counter word
} push;

layout(set = 0, binding = 0, std140) uniform Parameters { vec4 parameters[1024]; }; // as simulation.h orders them

layout(set = 0, binding = 1) buffer Counters { uint counters[]; }; // of the batch, zeroed before it

float parameter(uint i)
{
    return parameters[i >> 2][i & 3u];
}

// The counter of the batch's sample i, its block 0.
uvec4 sample_counter(uint i)
{
    uint carry;
    const uint low = uaddCarry(push.first.x, i, carry);
    return uvec4(low, push.first.y + carry, 0, push.stream);
}
