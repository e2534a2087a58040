// What the matrix multiplications share: C[rows,N] = A[rows,K] B[N,K]^T of one expert, in three stages chosen by
// -DSTAGE=
//   STAGE_LOGITS  control.LOGITS = x W^T + b; rows are tokens, one "expert" with N = E, K = D, float32 weights;
//                 also control.PROJECTED with N = p, control.SHARED_GATE with N = 1
//   STAGE_UP      hidden = act(x W1^T + b1), gated with (x W3^T + b3), either within limits where LIMITED says so; rows
//                 of x, or of latent x, through ROW_TOKENS, N = H, K = L (D without latent experts).
//                 WEIGHTED_INPUT: w x for x, with the row's w of ROW_WEIGHTS
//   STAGE_DOWN    expert rows = hidden W2^T + b2; N = L, K = H
//   SHARED_EXPERT of the last two: the shared expert; rows are tokens, H is its hidden width, L is D. latent_down and
//                 latent_up are such a STAGE_DOWN: x [T,D] to [T,L], and the latent sum [T,L] to [T,D]
// N and K are push.columns and push.depth.
// io: input [.,K] float32, output [rows,N] float32; weights: w (of the router, W1 or W2) and w3 [experts of the
// range,N,K] in one of the types of weights.glsl; b and b3 [experts of the range,N] float32.
#extension GL_EXT_control_flow_attributes : require
#define STAGE_LOGITS 0
#define STAGE_UP 1
#define STAGE_DOWN 2
#define PUSH_BLOCK SMOE_PUSH_MATMUL
#if STAGE == STAGE_LOGITS
#define CONTROL_ACCESS
#else
#define CONTROL_ACCESS readonly
#endif
#include "kernel.glsl"

// Rows that are not aligned for 16-byte loads are read by words. A load past the row reads its last word again and
// drops it: no branches, so loads lie side by side, and drivers compile faster (docs/performance.md). matmul_vector
// defines BRANCH_PAST_ROW and branches instead: there loads side by side cost subgroups on Adreno, Maxwell and Pascal.
#ifndef BRANCH_PAST_ROW
#define BRANCH_PAST_ROW 0
#endif

#include "weights.glsl"

#if STAGE == STAGE_UP
// A sum and no ?: operator. Adreno 840 gets a shared array wrong if a choice between constants gives its length (ncnn
// pull request 6972).
const uint MATRICES = 1 + GATED;
#else
const uint MATRICES = 1;
#endif

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Input { float input1[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_INPUT, std430) readonly buffer Input4 { vec4 input4[]; };
layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) writeonly buffer Output { float output1[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B, std430) readonly buffer Bias { float bias[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_B3, std430) readonly buffer Bias3 { float bias3[]; };

struct Tile { uint expert, first_row, rows; }; // expert: of the range

// The tile of this workgroup: a dispatch is a piece of the tile list, and has a workgroup along y for each tile.
Tile tile_of_workgroup() {
    if (STAGE == STAGE_LOGITS || SHARED_EXPERT != 0) {
        const uint first = (push.first_tile + gl_WorkGroupID.y) * TILE_ROWS;
        return Tile(0, first, min(TILE_ROWS, push.token_count - first));
    }
#if STAGE != STAGE_LOGITS
    const uint at = push.tiles_at + SMOE_TILE_WORDS * (control[push.arguments_at + 3] + gl_WorkGroupID.y);
    return Tile(control[at] - push.first_expert, control[at + 1], control[at + 2]);
#endif
}

// First element of the input row that belongs to a row of the tile list.
uint input_row(uint row) {
#if STAGE == STAGE_UP
    if (SHARED_EXPERT == 0)
        return control[push.row_tokens_at + row] * push.depth;
#endif
    return row * push.depth;
}

// Four inputs from element k of the row that begins at `base`, zero past the row. k is below K rounded up to
// TILE_DEPTH.
vec4 read_input(uint base, uint k) {
    if (INPUTS_ALIGNED != 0) {
        if (DEPTH_ALIGNED == 0 && k >= push.depth)
            return vec4(0);
        return input4[(base + k) / 4];
    }
    vec4 v = vec4(0);
    [[unroll]] for (uint i = 0; i < 4; i++)
        if (BRANCH_PAST_ROW == 0) {
            const float x = input1[base + min(k + i, push.depth - 1)];
            v[i] = k + i < push.depth ? x : 0;
        } else if (k + i < push.depth)
            v[i] = input1[base + k + i];
    return v;
}

// sum + a.w in the order of K. fma, so that no compiler fuses some rows of a tile and not others.
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

float activation(float x) {
    if (ACTIVATION == ACTIVATION_RELU)
        return max(x, 0.0);
    if (ACTIVATION == ACTIVATION_GELU)
        return 0.5 * x * (1.0 + erf_approximation(x * 0.70710678118654752));
    if (ACTIVATION == ACTIVATION_GELU_TANH) { // x/2 (1 + tanh u) = x (1 - 1 / (exp(2u) + 1)): no overflow into inf/inf
        const float u = 0.79788456080286536 * (x + 0.044715 * x * x * x);
        return x * (1.0 - 1.0 / (exp(2.0 * u) + 1.0));
    }
    if (ACTIVATION == ACTIVATION_SILU)
        return x / (1.0 + exp(LIMITED == 0 ? -x : -push.gate_alpha * x));
    if (ACTIVATION == ACTIVATION_RELU_SQUARED)
        return max(x, 0.0) * max(x, 0.0);
    return x;
}

// A bit test, because a driver may assume that no NaN exists. min and clamp may give the limit for one: here it stays.
bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u;
}

float at_most(float x, float limit) {
    return is_nan(x) ? x : min(x, limit);
}

float within(float x, float limit) {
    return is_nan(x) ? x : clamp(x, -limit, limit);
}

// Takes the sums with W1 and with W3, both with their biases.
float gated_activation(float sum, float sum3) {
    if (LIMITED == 0)
        return activation(sum) * sum3;
    const float act = at_most(activation(at_most(sum, push.gate_max)), push.gate_limit_after);
    return act * (within(sum3, push.up_limit) + push.up_offset);
}

// What the sums of an expert are multiplied by, those with w and those with w3. A factor is one of a whole matrix: read
// once, before the outputs.
vec2 factors_of(uint expert) {
    vec2 factors = vec2(1);
    if (FACTOR) {
        const MatrixParts parts = matrix_parts();
        factors.x = read_factor(0, expert, parts);
        if (MATRICES == 2)
            factors.y = read_factor(1, expert, parts);
    }
    return factors;
}

// A column of an expert's outputs: its element of row 0, and its biases. Where there is no bias it is -0, the neutral
// element of addition.
struct Column { uint first; float bias, bias3; };

// index: below push.columns. Callers with several rows call it once: lavapipe's compiler does not see that the loads
// are the same in each row, and takes twice as long over a tile of 32 rows.
Column column_of(uint index, uint expert) {
    Column column = Column(index, -0.0, -0.0);
    if ((push.flags & SMOE_FLAG_BIAS) != 0)
        column.bias = bias[push.b_offset + expert * push.columns + index];
#if STAGE == STAGE_UP
    if (MATRICES == 2 && (push.flags & SMOE_FLAG_BIAS3) != 0)
        column.bias3 = bias3[push.b3_offset + expert * push.columns + index];
#endif
#if STAGE == STAGE_LOGITS
    column.first += push.output_at;
#endif
    return column;
}

// fma, so that no compiler fuses what another does not.
float add_bias(float sum, float factor, float bias) {
    return FACTOR || WEIGHTED_INPUT != 0 ? fma(sum, factor, bias) : sum + bias;
}

// W (w x) = w (W x): the weight of a row's input multiplies its sums.
float weight_of_input(uint row) {
    return uintBitsToFloat(control[push.row_weights_at + row]);
}

// Factors, biases, activation, product with the sum of W3, and the store of one output.
void store(uint row, Column column, vec2 factors, float sum, float sum3) {
#if STAGE == STAGE_UP
    if (WEIGHTED_INPUT != 0)
        factors *= weight_of_input(row);
#endif
    sum = add_bias(sum, factors.x, column.bias);
#if STAGE == STAGE_UP
    sum = MATRICES == 2 ? gated_activation(sum, add_bias(sum3, factors.y, column.bias3)) : activation(sum);
#endif
#if STAGE == STAGE_LOGITS
    control[column.first + row * push.columns] = floatBitsToUint(sum);
#else
    output1[column.first + row * push.columns] = sum;
#endif
}
