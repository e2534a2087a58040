#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// Logits of the cosine router from the projected tokens: z_e = exp(min(log_scale, ln 100)) <v, S_e> / (max(|v|, 1e-12)
// max(|S_e|, 1e-12)).
// Invocation: one expert (consecutive invocations, consecutive experts: the reads of S are coalesced) of THREAD_ROWS
// tokens, so that an element of S is read once for all of them. Workgroup: EXPERTS experts x TOKENS tokens.
// control in: PROJECTED [T,p]; out: LOGITS [T,E]; weights: w = S [p,E], b = log_scale [1], all float32.
#define PUSH_BLOCK SMOE_PUSH_COSINE
#define CONTROL_ACCESS
#include "kernel.glsl"

layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer Similarity { float similarity[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B, std430) readonly buffer Scale { float log_scale[]; };

const uint EXPERTS = TILE_COLUMNS;
const uint TOKENS = TILE_ROWS; // WORKGROUP_SIZE / EXPERTS * THREAD_ROWS
const float LOG_100 = 4.605170186;
const float LEAST_NORM = 1e-12;

// Whether the square of a norm is one that float32 cannot hold: the direction is lost, and a quotient of 0 would hide
// it.
bool is_lost(float square) {
    return (floatBitsToUint(square) & 0x7f800000u) == 0x7f800000u;
}

void main() {
    const uint expert = gl_WorkGroupID.x * EXPERTS + gl_LocalInvocationID.x % EXPERTS;
    const uint first = gl_WorkGroupID.y * TOKENS + gl_LocalInvocationID.x / EXPERTS * THREAD_ROWS;
    if (expert >= push.expert_count || first >= push.token_count)
        return;
    uint base[THREAD_ROWS];
    float product[THREAD_ROWS], square[THREAD_ROWS];
    [[unroll]] for (uint r = 0; r < THREAD_ROWS; r++) {
        base[r] = push.projected_at + min(first + r, push.token_count - 1) * push.projection_width;
        product[r] = 0.0;
        square[r] = 0.0;
    }
    float square_s = 0.0;
    for (uint i = 0; i < push.projection_width; i++) {
        const float s = similarity[push.w_offset + i * push.expert_count + expert];
        square_s = fma(s, s, square_s);
        [[unroll]] for (uint r = 0; r < THREAD_ROWS; r++) {
            const float v = uintBitsToFloat(control[base[r] + i]);
            product[r] = fma(v, s, product[r]);
            square[r] = fma(v, v, square[r]);
        }
    }
    const float given = log_scale[push.b_offset];
    const bool no_scale = (floatBitsToUint(given) & 0x7fffffffu) > 0x7f800000u; // a NaN, which min may hide
    const float scale = exp(min(given, LOG_100));
    const float norm_s = max(sqrt(square_s), LEAST_NORM);
    [[unroll]] for (uint r = 0; r < THREAD_ROWS; r++)
        if (first + r < push.token_count) {
            const float cosine = product[r] / max(sqrt(square[r]), LEAST_NORM) / norm_s;
            // NaN
            const uint z =
                no_scale || is_lost(square[r]) || is_lost(square_s) ? 0x7fc00000u : floatBitsToUint(scale * cosine);
            control[push.logits_at + (first + r) * push.expert_count + expert] = z;
        }
}
