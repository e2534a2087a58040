// Brownian paths, not stopped: at how many of their steps they are in each band (arXiv 2606.19036: occupation times).
// One invocation walks whole paths. counters: [ORDERS, BINS].
//
// A path is looked at once in each step, at a place in the step that is uniform and the path's own: then the mean of
// (steps in the band) h is the mean time in the band whatever h is.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

#include "simulation.glsl"
#include "band.glsl"

layout(constant_id = 3) const uint STEPS = 128;

// After the edges: sigma sqrt(h). The biases are the scores at the start, so that x is the way from there.
const uint SPREAD = EDGES + BINS + 1;
const uint BLOCKS = (D + 3) / 4;

void main()
{
    clear_histogram();
    const uint total = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < push.samples; i += total) {
        uvec4 counter = sample_counter(i);
        vec4 x[CHUNKS];
        for (uint c = 0; c < CHUNKS; c++)
            x[c] = vec4(0);
        for (uint t = 0; t < STEPS; t++) {
            float spread = parameter(SPREAD);
            if (t == 0) { // in the loop: drawn before it, it crashes the compiler of RADV in Mesa 26.1.6
                const uvec4 last = uvec4(counter.xy, STEPS * BLOCKS, counter.w);
                spread *= sqrt(philox_uniform(philox4x32(last, push.seed).x));
            }
            for (uint c = 0; c < BLOCKS; c++) {
                x[c] += spread * philox_normals(philox4x32(counter, push.seed));
                counter.z++;
            }
            count_bands(x);
        }
    }
    add_histogram();
}
