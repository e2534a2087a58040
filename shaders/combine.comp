#version 450
#extension GL_GOOGLE_include_directive : require
// y_t = sum over the active experts in rank order of weight * row, then the shared expert's row. Workgroup (x, y): columns
// x * WORKGROUP_SIZE * V and on of token y, V = 4 columns per invocation where D allows, else 1. Moves A * D + D floats per token: bound
// by memory.
// input: the experts' rows [R,D], then the shared expert's [T,D]; control in: ACTIVE [T], WEIGHTS [T,A], ROWS [T,A], SHARED_GATE [T];
// output: y [T,D].
#define CONTROL_ACCESS readonly
#include "kernel.glsl"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Rows { float rows[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Rows4 { vec4 rows4[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Y { float y[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Y4 { vec4 y4[]; };

void main() {
    const uint token = gl_WorkGroupID.y;
    const uint column = gl_WorkGroupID.x * WORKGROUP_SIZE + gl_LocalInvocationID.x; // of V columns
    const uint columns = ALIGNED != 0u ? D_MODEL / 4u : D_MODEL;
    if (column >= columns)
        return;
    const uint n = control[AT_ACTIVE + token];
    vec4 sum = vec4(n == 0u ? uintBitsToFloat(0x7fc00000u) : 0.0); // no active expert: a non-finite token
    for (uint i = token * MAX_ACTIVE; i < token * MAX_ACTIVE + n; i++) {
        const uint at = control[AT_ROWS + i] * columns + column;
        const float weight = uintBitsToFloat(control[AT_WEIGHTS + i]);
        if (ALIGNED != 0u)
            sum += weight * rows4[at];
        else
            sum.x += weight * rows[at];
    }
    if (SHARED_HIDDEN > 0u) {
        const uint start = SMOE_SHARED_START(PASS_TOKENS * MAX_ACTIVE, D_MODEL) / (ALIGNED != 0u ? 4u : 1u);
        const uint at = start + token * columns + column;
        const float weight = SHARED_GATE != 0u ? sigmoid(uintBitsToFloat(control[AT_SHARED_GATE + token])) : 1.0;
        if (ALIGNED != 0u)
            sum += weight * rows4[at];
        else
            sum.x += weight * rows[at];
    }
    if (ALIGNED != 0u)
        y4[token * columns + column] = sum;
    else
        y[token * columns + column] = sum.x;
}
