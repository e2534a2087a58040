// Inputs drawn from a ball or a Gaussian: how many lie in each band. counters: [ORDERS, BINS].
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

#include "simulation.glsl"
#include "band.glsl"

layout(constant_id = 3) const bool GAUSSIAN = false;

// After the edges: the ball's radius, or the Gaussian's standard deviation.
const uint RADIUS = EDGES + BINS + 1;

// The first D coordinates of a point that is uniform on the sphere in D + 2 dimensions are uniform in the ball
// (Archimedes): no root of a uniform number is needed.
const uint NORMALS = GAUSSIAN ? D : D + 2;
const uint BLOCKS = (NORMALS + 3) / 4;

void main()
{
    clear_histogram();
    const uint total = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < push.samples; i += total) {
        uvec4 counter = sample_counter(i);
        vec4 x[CHUNKS];
        for (uint c = 0; c < CHUNKS; c++)
            x[c] = vec4(0); // GAUSSIAN with D a multiple of 4: no block for the last one
        float square = 0;
        for (uint c = 0; c < BLOCKS; c++) {
            vec4 normals = philox_normals(philox4x32(counter, push.seed));
            counter.z++;
            if (c < CHUNKS)
                x[c] = normals;
            if (4 * c + 4 > NORMALS) // the last block: not all of it
                normals *= vec4(lessThan(uvec4(4 * c, 4 * c + 1, 4 * c + 2, 4 * c + 3), uvec4(NORMALS)));
            square += dot(normals, normals);
        }
        const float factor = GAUSSIAN ? parameter(RADIUS) : parameter(RADIUS) * inversesqrt(square);
        for (uint c = 0; c < CHUNKS; c++)
            x[c] *= factor;
        count_bands(x);
    }
    add_histogram();
}
