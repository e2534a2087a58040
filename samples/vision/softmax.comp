#version 450
#extension GL_GOOGLE_include_directive : require
// Softmax of each row, in place, and zeros up to the next multiple of 4 columns. output: [rows, columns] float32.
#include "rows.glsl"

layout(set = 0, binding = VISION_BINDING_OUTPUT, std430) buffer Output { vec4 data[]; } outputs;

REDUCE(largest_of_row, max)
REDUCE(sum_of_row, ADD)

// Past the row's end there may be anything.
bvec4 is_within(uint quad) {
    return lessThan(uvec4(0, 1, 2, 3) + 4 * quad, uvec4(push.columns));
}

void main() {
    FOR_EACH_ROW(row) {
        const uint at = row * push.output_stride / 4;
        vec4 largest4 = vec4(-1e38), sum = vec4(0);
        FOR_EACH_QUAD(i)
            largest4 = max(largest4, mix(vec4(-1e38), outputs.data[at + i], is_within(i)));
        const float largest = largest_of_row(max(max(largest4.x, largest4.y), max(largest4.z, largest4.w)));
        FOR_EACH_QUAD(i) {
            const vec4 e = mix(vec4(0), exp(outputs.data[at + i] - largest), is_within(i));
            outputs.data[at + i] = e;
            sum += e;
        }
        const float factor = 1.0 / sum_of_row(sum.x + sum.y + sum.z + sum.w);
        FOR_EACH_QUAD(i)
            outputs.data[at + i] *= factor;
    }
}
