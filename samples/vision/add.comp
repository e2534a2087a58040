#version 450
#extension GL_GOOGLE_include_directive : require
// output = input + residual, [rows, columns] float32. Workgroup y: row y, and on in steps of the workgroups' number.
#include "interface.h"

layout(local_size_x_id = VISION_ID_WORKGROUP_SIZE) in;
layout(constant_id = VISION_ID_WORKGROUP_SIZE) const uint WORKGROUP_SIZE = 64;

layout(set = 0, binding = VISION_BINDING_INPUT, std430) readonly buffer Input { vec4 data[]; } inputs;
layout(set = 0, binding = VISION_BINDING_RESIDUAL, std430) readonly buffer Residual { vec4 data[]; } residual;
layout(set = 0, binding = VISION_BINDING_OUTPUT, std430) writeonly buffer Output { vec4 data[]; } outputs;

layout(push_constant) uniform Push { VISION_TOKENS_FIELDS(uint, float) } push;

void main() {
    const uint quads = push.columns / 4;
    for (uint row = gl_WorkGroupID.y; row < push.rows; row += gl_NumWorkGroups.y)
        for (uint i = gl_LocalInvocationIndex; i < quads; i += WORKGROUP_SIZE)
            outputs.data[row * quads + i] = inputs.data[row * quads + i] + residual.data[row * quads + i];
}
