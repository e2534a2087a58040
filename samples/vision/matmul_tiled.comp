#version 450
#extension GL_GOOGLE_include_directive : require
// Matrix multiplication for GPUs, and for any device: a workgroup of 64 computes TILE x TILE outputs through shared
// memory, an invocation THREAD x THREAD of them. Workgroup (x, y, z): tile x of the columns, y of the rows, image and
// head z.
#include "matmul.glsl"

layout(constant_id = VISION_ID_HALF) const bool HALF = false;

layout(set = 0, binding = VISION_BINDING_INPUT, std430) readonly buffer Input { vec4 data[]; } inputs;
layout(set = 0, binding = VISION_BINDING_WEIGHTS, std430) readonly buffer Weights { uvec4 data[]; } weights;
layout(set = 0, binding = VISION_BINDING_WEIGHTS, std430) readonly buffer Weights1 { float data[]; } weights1;

const uint TILE = 32, THREAD = 4, DEPTH = 16; // DEPTH: elements of k per round
const uint SIDE = TILE / THREAD;              // invocations along a side of the tile; WORKGROUP_SIZE is its square
const uint QUADS = DEPTH / 4;
const uint STRIDE = QUADS + 1; // odd in vec4s: rows begin in different banks
const uint LOAD = HALF ? 8 : 4; // weights in one 16-byte load
const uint STEPS = DEPTH / LOAD;

shared vec4 input_tile[TILE * STRIDE];
shared vec4 weights_tile[TILE * STRIDE];

// Four inputs of a row; zero past its end.
vec4 read_input(uint base, uint k) {
    return k < push.depth ? inputs.data[(base + k) / 4] : vec4(0);
}

// LOAD weights of a column as they are stored. Past the end of k the inputs are zero; the weights are the first or last
// ones again, or the zeros that fill up their rows.
uvec4 read_weights(uint base, uint k) {
    if (!TRANSPOSED)
        return weights.data[(base + (k < push.depth ? k : 0)) / LOAD];
    vec4 v;
    [[unroll]] for (uint i = 0; i < 4; i++)
        v[i] = weights1.data[base + min(k + i, push.depth - 1) * push.weights_stride];
    return floatBitsToUint(v);
}

void main() {
    const uint index = gl_LocalInvocationIndex, x = index % SIDE, y = index / SIDE;
    const uint row0 = gl_WorkGroupID.y * TILE, column0 = gl_WorkGroupID.x * TILE;
    float sum[THREAD * THREAD];
    [[unroll]] for (uint i = 0; i < THREAD * THREAD; i++)
        sum[i] = 0;

    for (uint k = 0; k < push.depth; k += DEPTH) {
        barrier(); // the last round has been read by all
        for (uint e = index; e < TILE * QUADS; e += WORKGROUP_SIZE)
            input_tile[e / QUADS * STRIDE + e % QUADS] = read_input(input_base(row0 + e / QUADS), k + e % QUADS * 4);
        for (uint e = index; e < TILE * STEPS; e += WORKGROUP_SIZE) {
            const uvec4 loaded = read_weights(weights_base(column0 + e / STEPS), k + e % STEPS * LOAD);
            const uint to = e / STEPS * STRIDE + e % STEPS * (LOAD / 4);
            if (HALF) {
                weights_tile[to] = vec4(unpackHalf2x16(loaded.x), unpackHalf2x16(loaded.y));
                weights_tile[to + 1] = vec4(unpackHalf2x16(loaded.z), unpackHalf2x16(loaded.w));
            } else {
                weights_tile[to] = uintBitsToFloat(loaded);
            }
        }
        barrier();
        [[unroll]] for (uint q = 0; q < QUADS; q++) {
            vec4 a[THREAD], w[THREAD];
            [[unroll]] for (uint i = 0; i < THREAD; i++) {
                a[i] = input_tile[(y + i * SIDE) * STRIDE + q];
                w[i] = weights_tile[(x + i * SIDE) * STRIDE + q];
            }
            [[unroll]] for (uint r = 0; r < THREAD; r++)
                [[unroll]] for (uint c = 0; c < THREAD; c++)
                    sum[r * THREAD + c] = multiply_add(a[r], w[c], sum[r * THREAD + c]);
        }
    }
    [[unroll]] for (uint c = 0; c < THREAD; c++) {
        const uint column = column0 + x + c * SIDE;
        if (column < push.columns) {
            const float column_bias = bias_of(column);
            [[unroll]] for (uint r = 0; r < THREAD; r++)
                store(row0 + y + r * SIDE, column, sum[r * THREAD + c], column_bias);
        }
    }
}
