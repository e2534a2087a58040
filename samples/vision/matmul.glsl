// What the two matrix multiplications share: output[r, n] = f(scale * sum over k of input[r, k] weights[n, k] +
// bias[n]) + residual[r, n] for the rows of all images, or, where z counts images and heads, for each head on its own.
// input [rows, depth] float32; weights [columns, depth] float32 or float16, or [depth, columns] float32 where
// TRANSPOSED; bias [columns];
// residual and output [rows, columns]. f: GELU, or nothing.
#extension GL_EXT_control_flow_attributes : require
#include "interface.h"

layout(local_size_x_id = VISION_ID_WORKGROUP_SIZE) in;
layout(constant_id = VISION_ID_WORKGROUP_SIZE) const uint WORKGROUP_SIZE = 64;
layout(constant_id = VISION_ID_TRANSPOSED) const bool TRANSPOSED = false;

layout(set = 0, binding = VISION_BINDING_BIAS, std430) readonly buffer Bias { float data[]; } bias;
layout(set = 0, binding = VISION_BINDING_RESIDUAL, std430) readonly buffer Residual { float data[]; } residual;
layout(set = 0, binding = VISION_BINDING_OUTPUT, std430) writeonly buffer Output { float data[]; } outputs;

layout(push_constant) uniform Push { VISION_MATMUL_FIELDS(uint, float) } push;

uint start_of(uint image_stride, uint head_stride) {
    return gl_WorkGroupID.z / push.heads * image_stride + gl_WorkGroupID.z % push.heads * head_stride;
}

// Rows and columns past the last are the last one again, and are not stored.
uint input_base(uint row) {
    return push.input_start + start_of(push.input_image, push.input_head) + min(row, push.rows - 1) * push.input_stride;
}

uint weights_base(uint column) {
    return push.weights_start + start_of(push.weights_image, push.weights_head) +
           min(column, push.columns - 1) * (TRANSPOSED ? 1 : push.weights_stride);
}

// In the order of k, and fused or not as one: a row's bits do not depend on its place in a tile.
float multiply_add(vec4 a, vec4 w, float sum) {
    sum = fma(a.x, w.x, sum);
    sum = fma(a.y, w.y, sum);
    sum = fma(a.z, w.z, sum);
    return fma(a.w, w.w, sum);
}

// Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: absolute error below 1.5e-7.
float erf_approximation(float x) {
    const float t = 1.0 / (1.0 + 0.3275911 * abs(x));
    const float p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    const float y = 1.0 - p * exp(-x * x);
    return x < 0.0 ? -y : y;
}

// column: below push.columns, here and in store().
float bias_of(uint column) {
    return (push.flags & VISION_MATMUL_BIAS) != 0 ? bias.data[column] : 0.0;
}

void store(uint row, uint column, float sum, float column_bias) {
    if (row >= push.rows)
        return;
    const uint at = start_of(push.output_image, push.output_head) + row * push.output_stride + column;
    float value = sum * push.scale + column_bias;
    if ((push.flags & VISION_MATMUL_GELU) != 0)
        value *= 0.5 + 0.5 * erf_approximation(value * 0.70710678118654752);
    if ((push.flags & VISION_MATMUL_RESIDUAL) != 0)
        value += residual.data[at];
    outputs.data[at] = value;
}
