#version 450
#extension GL_GOOGLE_include_directive : require
// y_t = sum over the active experts in rank order of weight * row, then the shared expert's row. With LATENT: the row
// of latent_up, then the shared expert's. As latent_sum: the first sum only, of width L. Workgroup (x, y): columns x *
// WORKGROUP_SIZE * V and on of token y, V = 4 columns per invocation where the width allows, else 1. Moves A * D + D
// floats per token: bound by memory.
// input: the experts' rows [rows,L], those of latent_up [T,D], then the shared expert's [T,D]; control in: ACTIVE [T],
// WEIGHTS [T,A], ROWS [T,A], SHARED_GATE [T];
// output: y [T,D], or the latent sum [T,L].
// ZERO: the row of a zero expert is its input itself; weights: b = x [T,D], or latent x [T,L] as latent_sum, a set that
// the other variant does without.
#define PUSH_BLOCK SMOE_PUSH_COMBINE
#define CONTROL_ACCESS readonly
#include "kernel.glsl"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Rows { float rows[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Rows4 { vec4 rows4[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Y { float y[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Y4 { vec4 y4[]; };

#ifdef ZERO
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B, std430) readonly buffer X { float x[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B, std430) readonly buffer X4 { vec4 x4[]; };
#endif

void main() {
    const uint token = gl_WorkGroupID.y;
    const uint column = gl_WorkGroupID.x * WORKGROUP_SIZE + gl_LocalInvocationID.x; // of V columns
    const uint columns = INPUTS_ALIGNED != 0u ? push.width / 4u : push.width;
    if (column >= columns)
        return;
    const uint n = control[push.active_at + token];
    // Once: lavapipe would load push constants in every round.
    const uint rows_at = push.rows_at + token * push.active_stride,
               weights_at = push.weights_at + token * push.active_stride;
    vec4 sum = vec4(0.0);
    if (n == 0u) // a non-finite token, or one that the app gives no expert
        sum = vec4(uintBitsToFloat(GIVEN != 0u ? control[weights_at] : 0x7fc00000u));
    if (LATENT != 0u) {
        const uint at = push.lifted_start / (INPUTS_ALIGNED != 0u ? 4u : 1u) + token * columns + column;
        if (INPUTS_ALIGNED != 0u)
            sum += rows4[at];
        else
            sum.x += rows[at];
    }
    for (uint i = 0u; LATENT == 0u && i < n; i++) {
        const uint row = control[rows_at + i];
        const float weight = uintBitsToFloat(control[weights_at + i]);
#ifdef ZERO
        if (row == SMOE_NO_ROW) {
            if (INPUTS_ALIGNED != 0u)
                sum += weight * x4[token * columns + column];
            else
                sum.x += weight * x[token * columns + column];
            continue;
        }
#endif
        const uint at = row * columns + column;
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
