#version 450
#extension GL_GOOGLE_include_directive : require
// y_t = sum over the active experts in rank order of weight * row, then the shared expert's row. Workgroup (x, y):
// columns x * WORKGROUP_SIZE * V and on of token y, V = 4 columns per invocation where D allows, else 1. Moves A * D +
// D floats per token: bound by memory.
// input: the experts' rows [R,D], then the shared expert's [T,D]; control in: ACTIVE [T], WEIGHTS [T,A], ROWS [T,A],
// SHARED_GATE [T];
// output: y [T,D].
#define PUSH_BLOCK SMOE_PUSH_COMBINE
#define CONTROL_ACCESS readonly
#include "kernel.glsl"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Rows { float rows[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Rows4 { vec4 rows4[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Y { float y[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Y4 { vec4 y4[]; };

void main() {
    const uint token = gl_WorkGroupID.y;
    const uint column = gl_WorkGroupID.x * WORKGROUP_SIZE + gl_LocalInvocationID.x; // of V columns
    const uint columns = INPUTS_ALIGNED != 0u ? push.d_model / 4u : push.d_model;
    if (column >= columns)
        return;
    const uint n = control[push.active_at + token];
    vec4 sum = vec4(n == 0u ? uintBitsToFloat(0x7fc00000u) : 0.0); // no active expert: a non-finite token
    // Once: lavapipe would load push constants in every round.
    const uint rows_at = push.rows_at + token * push.active_stride,
               weights_at = push.weights_at + token * push.active_stride;
    for (uint i = 0u; i < n; i++) {
        const uint at = control[rows_at + i] * columns + column;
        const float weight = uintBitsToFloat(control[weights_at + i]);
        if (INPUTS_ALIGNED != 0u)
            sum += weight * rows4[at];
        else
            sum.x += weight * rows[at];
    }
    if (SHARED_EXPERT != 0u) {
        const uint start = push.shared_start / (INPUTS_ALIGNED != 0u ? 4u : 1u);
        const uint at = start + token * columns + column;
        const float weight = SHARED_GATE != 0u ? sigmoid(uintBitsToFloat(control[push.shared_gate_at + token])) : 1.0;
        if (INPUTS_ALIGNED != 0u)
            sum += weight * rows4[at];
        else
            sum.x += weight * rows[at];
    }
    if (INPUTS_ALIGNED != 0u)
        y4[token * columns + column] = sum;
    else
        y[token * columns + column] = sum.x;
}
