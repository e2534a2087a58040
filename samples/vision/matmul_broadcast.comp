#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
// Matrix multiplication for drivers that run a lane of the shader in a lane of the processor's vector registers
// (lavapipe): a workgroup is one subgroup, and its tile of ROWS x (WORKGROUP_SIZE * COLUMNS) sums stays in registers.
// Each lane loads its own weights; the inputs are loaded once between all lanes and handed round by shuffles. Both come
// through texel buffers: there lavapipe gathers with one instruction, and converts float16 on the way, where a storage
// buffer costs it a loop over the lanes.
// Needs shuffles, and subgroups of exactly WORKGROUP_SIZE lanes, which divides ROWS * DEPTH / 4. Workgroup (x, y, z):
// tile x of the columns, y of the rows, image and head z.
#include "matmul.glsl"

layout(set = 0, binding = VISION_BINDING_INPUT_TEXELS) uniform samplerBuffer inputs;
layout(set = 0, binding = VISION_BINDING_WEIGHTS_TEXELS) uniform samplerBuffer weights;

const uint ROWS = 16, COLUMNS = 4, DEPTH = 8; // DEPTH: elements of k per round
const uint LOADS = ROWS * DEPTH / 4 / WORKGROUP_SIZE; // of inputs, per lane and round

// Four inputs of a row; zero past its end.
vec4 read_input(uint base, uint k) {
    return k < push.depth ? texelFetch(inputs, int((base + k) / 4)) : vec4(0);
}

// Which of the tile's columns is a lane's column i: transposed weights lie along the columns, so there a load brings
// four of them.
uint column_of(uint i) {
    const uint lane = gl_SubgroupInvocationID;
    return gl_WorkGroupID.x * WORKGROUP_SIZE * COLUMNS + (TRANSPOSED ? lane * COLUMNS + i : i * WORKGROUP_SIZE + lane);
}

void main() {
    const uint lane = gl_SubgroupInvocationID;
    const uint row0 = gl_WorkGroupID.y * ROWS;
    uint w_base[COLUMNS];
    [[unroll]] for (uint i = 0; i < COLUMNS; i++)
        w_base[i] = TRANSPOSED ? weights_base(min(column_of(0), push.columns - 4)) : weights_base(column_of(i));
    // vec4 number e of a round's inputs: row e % ROWS, elements 4 * (e / ROWS) and on
    uint in_base[LOADS];
    [[unroll]] for (uint j = 0; j < LOADS; j++)
        in_base[j] = input_base(row0 + (j * WORKGROUP_SIZE + lane) % ROWS);
    float sum[ROWS * COLUMNS];
    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++)
        sum[i] = 0;

    for (uint k0 = 0; k0 < push.depth; k0 += DEPTH) {
        vec4 a[LOADS];
        [[unroll]] for (uint j = 0; j < LOADS; j++)
            a[j] = read_input(in_base[j], k0 + (j * WORKGROUP_SIZE + lane) / ROWS * 4);
        [[unroll]] for (uint s = 0; s < DEPTH / 4; s++) {
            // Past the end of k the inputs are zero; the weights are the last ones again, or the zeros that fill up
            // their rows.
            const uint k = min(k0 + 4 * s, push.depth - 1);
            mat4 w; // [column][k]
            [[unroll]] for (uint i = 0; i < COLUMNS; i++)
                w[i] = TRANSPOSED ? texelFetch(weights,
                                               int((w_base[i] + min(k + i, push.depth - 1) * push.weights_stride) / 4))
                                  : texelFetch(weights, int((w_base[i] + k) / 4));
            if (TRANSPOSED)
                w = transpose(w);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                const uint e = s * ROWS + r;
                const vec4 v = subgroupShuffle(a[e / WORKGROUP_SIZE], e % WORKGROUP_SIZE);
                [[unroll]] for (uint i = 0; i < COLUMNS; i++)
                    sum[r * COLUMNS + i] = multiply_add(v, w[i], sum[r * COLUMNS + i]);
            }
        }
    }
    [[unroll]] for (uint i = 0; i < COLUMNS; i++)
        if (column_of(i) < push.columns) {
            const float column_bias = bias_of(column_of(i));
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                store(row0 + r, column_of(i), sum[r * COLUMNS + i], column_bias);
        }
}
