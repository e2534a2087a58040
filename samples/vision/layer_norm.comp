#version 450
#extension GL_GOOGLE_include_directive : require
// output = (x - mean) / sqrt(variance + eps) * weights + bias, for each row x of the input; the variance over all
// columns, as timm has it.
// input, output: [rows, columns] float32 with strides of their own; weights, bias: [columns].
#include "rows.glsl"

layout(set = 0, binding = VISION_BINDING_INPUT, std430) readonly buffer Input { vec4 data[]; } inputs;
layout(set = 0, binding = VISION_BINDING_WEIGHTS, std430) readonly buffer Weights { vec4 data[]; } weights;
layout(set = 0, binding = VISION_BINDING_BIAS, std430) readonly buffer Bias { vec4 data[]; } bias;
layout(set = 0, binding = VISION_BINDING_OUTPUT, std430) writeonly buffer Output { vec4 data[]; } outputs;

REDUCE(sum_of_row, ADD)

void main() {
    FOR_EACH_ROW(row) {
        const uint from = row * push.input_stride / 4, to = row * push.output_stride / 4;
        vec4 sum = vec4(0), squares = vec4(0);
        FOR_EACH_QUAD(i)
            sum += inputs.data[from + i];
        const float mean = sum_of_row(sum.x + sum.y + sum.z + sum.w) / float(push.columns);
        FOR_EACH_QUAD(i) {
            const vec4 d = inputs.data[from + i] - mean;
            squares += d * d;
        }
        const float variance = sum_of_row(squares.x + squares.y + squares.z + squares.w) / float(push.columns);
        const float factor = inversesqrt(variance + push.eps);
        FOR_EACH_QUAD(i)
            outputs.data[to + i] = (inputs.data[from + i] - mean) * factor * weights.data[i] + bias.data[i];
    }
}
