#version 450
#extension GL_GOOGLE_include_directive : require
// What the first block sees: the class token and the patches of each image, with their positions.
// input: patches [images, tokens - 1, columns]; weights: class token [columns]; bias: positions [tokens, columns];
// output: [images, tokens, columns]; all float32. Workgroup y: row y, and on in steps of the workgroups' number.
#include "interface.h"

layout(local_size_x_id = VISION_ID_WORKGROUP_SIZE) in;
layout(constant_id = VISION_ID_WORKGROUP_SIZE) const uint WORKGROUP_SIZE = 64;

layout(set = 0, binding = VISION_BINDING_INPUT, std430) readonly buffer Input { vec4 data[]; } inputs;
layout(set = 0, binding = VISION_BINDING_WEIGHTS, std430) readonly buffer Weights { vec4 data[]; } weights;
layout(set = 0, binding = VISION_BINDING_BIAS, std430) readonly buffer Bias { vec4 data[]; } bias;
layout(set = 0, binding = VISION_BINDING_OUTPUT, std430) writeonly buffer Output { vec4 data[]; } outputs;

layout(push_constant) uniform Push { VISION_TOKENS_FIELDS(uint, float) } push;

void main() {
    const uint quads = push.columns / 4;
    for (uint row = gl_WorkGroupID.y; row < push.rows; row += gl_NumWorkGroups.y) {
        const uint image = row / push.tokens, token = row % push.tokens;
        for (uint i = gl_LocalInvocationIndex; i < quads; i += WORKGROUP_SIZE) {
            const vec4 own = token == 0 ? weights.data[i] : inputs.data[(row - image - 1) * quads + i];
            outputs.data[row * quads + i] = own + bias.data[token * quads + i];
        }
    }
}
