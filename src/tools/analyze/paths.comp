// Brownian paths from inside a cell of top-k routing: when each first leaves it, and through how many faces at once
// (arXiv 2606.19036: dx = sigma dB; hitting times, order of the first switch). One invocation walks whole paths.
//
// The cell's K experts are the first K of the router, so its faces are s[i] = s[j] for i < K <= j. counters: hits
// [TIMES], the paths that hit a face in each part of the time; orders [ORDERS], the paths whose first switch was of
// order 1, 2, ..., the last for higher ones;
// the steps walked.
//
// Hits. A path seen at steps only would miss excursions through a face between them. Between two points at distances a
// and b before a plane the Brownian bridge crosses it with probability exp(-2 a b / (sigma^2 h)), so with one uniform
// number u per step "u <= that" makes each single face's hitting time exact at whatever step. All faces share u: a path
// hits where the most likely face is hit. So both bounds hold for what is simulated with no error from the step:
// hitting the cell's boundary is no less than hitting the nearest face, and no more than the sum over all.
//
// Orders. A switch is what an app sees: the chosen set at a step's end differs. Its order is the number of experts in
// the faces crossed in that step, less one; more than one face in a step is what vanishes with the step.
#version 450
#extension GL_GOOGLE_include_directive : require

#include "simulation.glsl"

layout(constant_id = 0) const uint D = 8;
layout(constant_id = 1) const uint E = 8;
layout(constant_id = 2) const uint K = 2;
layout(constant_id = 3) const uint STEPS = 64; // a multiple of TIMES
const uint TIMES = 32;
const uint ORDERS = 4;
const uint COUNTERS = TIMES + ORDERS + 1;
const uint FACES = K * (E - K);
const uint BLOCKS = (D + 3) / 4 + 1; // of random words per step

// Parameters: the router's weights times sigma sqrt(h) [E, CHUNKS] vec4, zeros behind a row; the scores at the start
// [E]; for each face 1 / its normal's length, scaled likewise: distances are in units of sigma sqrt(h).
const uint CHUNKS = D / 4 + 1;
const uint SCORES = 4 * E * CHUNKS;
const uint LENGTHS = SCORES + E;

shared uint local[COUNTERS];

float score[E];
// the scores at the step's begin; the distances, of which there are more, are computed anew: kept, they spill
float last[E];

void start()
{
    for (uint e = 0; e < E; e++)
        score[e] = parameter(SCORES + e);
}

void move(uvec4 counter)
{
    for (uint e = 0; e < E; e++)
        last[e] = score[e];
    for (uint c = 0; c < BLOCKS - 1; c++) {
        const vec4 normals = philox_normals(philox4x32(counter, push.seed));
        counter.z++;
        for (uint e = 0; e < E; e++)
            score[e] += dot(parameters[e * CHUNKS + c], normals);
    }
}

// Gives the order of the switch in this step, 0 for none. product: the least of before and after multiplied.
uint cross(out float product)
{
    uint leaving = 0;
    uvec2 entering = uvec2(0);

    product = 3e38;
    for (uint i = 0; i < K; i++) {
        bool leaves = false;
        for (uint j = 0; j < E - K; j++) {
            const uint f = i * (E - K) + j;
            const float after = (score[i] - score[K + j]) * parameter(LENGTHS + f);
            const float before = (last[i] - last[K + j]) * parameter(LENGTHS + f);
            product = min(product, before * after);
            if (after <= 0) {
                leaves = true;
                entering[j >> 5] |= 1u << (j & 31u);
            }
        }
        leaving += leaves ? 1u : 0u;
    }
    return leaving > 0 ? leaving + bitCount(entering.x) + bitCount(entering.y) - 1 : 0;
}

void main()
{
    for (uint i = gl_LocalInvocationIndex; i < COUNTERS; i += gl_WorkGroupSize.x)
        local[i] = 0;
    barrier();
    const uint total = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    uint path = gl_GlobalInvocationID.x, t = 0;
    bool hit = false;
    start();
    // One loop over the steps of all paths: an invocation whose path has ended begins the next while its neighbours
    // walk on.
    while (path < push.samples) {
        uvec4 counter = sample_counter(path);
        float product;
        counter.z = t * BLOCKS;
        move(counter);
        const uint order = cross(product);
        if (!hit && product < 20) { // exp(-40) never happens
            counter.z += BLOCKS - 1;
            hit = product <= 0 || philox_uniform(philox4x32(counter, push.seed).x) <= exp(-2 * product);
            if (hit)
                atomicAdd(local[t / (STEPS / TIMES)], 1);
        }
        t++;
        if (order > 0 || t == STEPS) {
            if (order > 0)
                atomicAdd(local[TIMES + min(order, ORDERS) - 1], 1);
            atomicAdd(local[TIMES + ORDERS], t);
            path += total;
            t = 0;
            hit = false;
            start();
        }
    }
    barrier();
    for (uint i = gl_LocalInvocationIndex; i < COUNTERS; i += gl_WorkGroupSize.x)
        if (local[i] > 0)
            atomicAdd(counters[i], local[i]);
}
