// All that depends on the type of the weights: how many lie in 16 bytes, how a row is read, and how they become
// float32. The kernels and matmul.glsl ask nothing else. A type is a row of SMOE_WEIGHT_TYPES and of `types` in
// src/domain/names.c, and a branch each in read_scale and weights_part here.
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer WWords { uint w_words[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer WLoads { uvec4 w_loads[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W3, std430) readonly buffer W3Words { uint w3_words[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W3, std430) readonly buffer W3Loads { uvec4 w3_loads[]; };

#if STAGE == STAGE_LOGITS
const uint TYPE = TYPE_FLOAT32; // the router's, in every plan
#else
const uint TYPE = WEIGHT_TYPE;
#endif
#define PICK_BITS(NAME, number, bits, columns, rows, scale) TYPE == number ? bits:
#define PICK_COLUMNS(NAME, number, bits, columns, rows, scale) TYPE == number ? columns:
#define PICK_ROWS(NAME, number, bits, columns, rows, scale) TYPE == number ? rows:
#define PICK_SCALE(NAME, number, bits, columns, rows, scale) TYPE == number ? scale:
const uint BITS = SMOE_WEIGHT_TYPES(PICK_BITS) 32;
const uint LOAD = 128 / BITS; // weights in one load of 16 bytes
// A block's columns and rows; its weights share a scale of SCALE_SIZE bytes, 0: no scale.
const uint BLOCK_COLUMNS = SMOE_WEIGHT_TYPES(PICK_COLUMNS) 1;
const uint BLOCK_ROWS = SMOE_WEIGHT_TYPES(PICK_ROWS) 1;
const uint SCALE_SIZE = SMOE_WEIGHT_TYPES(PICK_SCALE) 0;
const bool SCALED = SCALE_SIZE > 0;

// Where a row of weights lies: its first element, and with scales its first load and the first of its scales, counted
// in bytes, halves or words as they are long.
struct WeightRow { uint at, scales; };

// matrix: 0 for w, 1 for w3.
WeightRow weight_row(uint matrix, uint expert, uint column) {
    const uint offset = matrix == 0 ? push.w_offset : push.w3_offset;
    if (!SCALED)
        return WeightRow(offset + (expert * push.columns + column) * push.depth, 0);
    const uint row_loads = (push.depth + LOAD - 1) / LOAD,
               row_scales = (push.depth + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    const uint scales = (push.columns + BLOCK_ROWS - 1) / BLOCK_ROWS * row_scales;
    const uint payload = push.columns * row_loads, loads = payload + (scales * SCALE_SIZE + 15) / 16;
    const uint first = offset + expert * loads;
    return WeightRow(first + column * row_loads,
                     (first + payload) * (16 / max(SCALE_SIZE, 1)) + column / BLOCK_ROWS * row_scales);
}

// A load of weights as they are stored, and the factors of each; of one scale two factors where it is too small for
// one.
struct Weights { uvec4 bits; vec2 scale; };

uint read_word(uint matrix, uint i) {
    return matrix == 0 ? w_words[i] : w3_words[i];
}

// Word i of the weights; zero past `last`, the last word of the row.
uint read_word_of_row(uint matrix, uint i, uint last) {
    if (BRANCH_PAST_ROW != 0 && i > last)
        return 0;
    const uint word = read_word(matrix, BRANCH_PAST_ROW != 0 ? i : min(i, last));
    return i <= last ? word : 0;
}

// Word i of 16-bit weights, without what lies past the row; the row ends before element `end`.
uint read_halves_of_row(uint matrix, uint i, uint end) {
    const uint word = read_word_of_row(matrix, i, (end - 1) / 2);
    return 2 * i + 1 < end ? word : word & 0xffffu;
}

// The factors of a block's weights. E8M0 is 2^(code - 127), and the weights here are E2M1 doubled; below 2^-120 it is
// the product of two, one of them 2^-64, for a device may take a denormal number for 0.
vec2 read_scale(uint matrix, uint i) {
    if (TYPE == TYPE_MXFP4) {
        const uint code = read_word(matrix, i / 4) >> i % 4 * 8 & 0xffu;
        const bool small = code < 8;
        const float factor =
            code == 255 ? uintBitsToFloat(0x7fc00000u) : uintBitsToFloat((small ? code + 63 : code - 1) << 23);
        return vec2(factor, small ? 5.421010862427522e-20 : 1);
    }
    if (TYPE == TYPE_FP8)
        return vec2(uintBitsToFloat(read_word(matrix, i)), 1);
    const uint word = read_word(matrix, i / 2);
    return vec2(unpackHalf2x16(i % 2 == 0 ? word : word >> 16).x, 1);
}

// LOAD weights from element k of a row; zero past the row.
Weights read_weights(uint matrix, WeightRow row, uint k) {
    Weights v = Weights(uvec4(0), vec2(0));
    if (SCALED || WEIGHTS_ALIGNED != 0) {
        if (DEPTH_ALIGNED == 0 && k >= push.depth)
            return v;
        const uint at = SCALED ? row.at + k / LOAD : (row.at + k) / LOAD;
        v.bits = matrix == 0 ? w_loads[at] : w3_loads[at];
        if (SCALED)
            v.scale = read_scale(matrix, row.scales + k / BLOCK_COLUMNS);
        return v;
    }
    if (BITS == 32) {
        [[unroll]] for (uint i = 0; i < 4; i++) v.bits[i] =
            read_word_of_row(matrix, row.at + k + i, row.at + push.depth - 1);
        return v;
    }
    // A word is half another row's where a row begins or ends at an odd element.
    const uint first = row.at + k, end = row.at + push.depth;
    [[unroll]] for (uint i = 0; i < 5; i++)
    { // word by word: with two at hand Intel needs 1.4 times the registers
        const uint word = read_halves_of_row(matrix, first / 2 + i, end);
        if (i > 0 && first % 2 == 1)
            v.bits[i - 1] |= word << 16;
        if (i < 4)
            v.bits[i] = first % 2 == 0 ? word : word >> 16;
    }
    return v;
}

// Four numbers of 4 bits, the lowest first.
uvec4 nibbles(uint word) {
    return uvec4(word, word >> 4, word >> 8, word >> 12) & 15u;
}

// Twice E2M1's value, from a table of 0 1 2 3 4 6 8 12.
float e2m1(uint code) {
    const float size = float(bitfieldExtract(0xc8643210u, int((code & 7u) * 4), 4));
    return uintBitsToFloat(floatBitsToUint(size) | (code & 8u) << 28);
}

// Below 8 the exponent is 0, and the value (code) 2^-9; above, an exponent of bias 7. 127 is NaN.
float e4m3(uint code) {
    const uint size = code & 127u;
    const float value = size < 8 ? float(size) * 0.001953125 : uintBitsToFloat((size << 20) + (120u << 23));
    return uintBitsToFloat((size == 127 ? 0x7fc00000u : floatBitsToUint(value)) | (code & 128u) << 24);
}

// Four weights of what read_weights gave: those of part p, below LOAD / 4.
vec4 weights_part(Weights v, uint p) {
    if (TYPE == TYPE_FLOAT32)
        return uintBitsToFloat(v.bits);
    if (BITS == 16) {
        const uvec2 w = uvec2(v.bits[2 * p], v.bits[2 * p + 1]);
        if (TYPE == TYPE_BFLOAT16) // the upper half of a float32
            return uintBitsToFloat(uvec4(w.x << 16, w.x & 0xffff0000u, w.y << 16, w.y & 0xffff0000u));
        return vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y)); // TYPE_FLOAT16
    }
    if (BITS == 8) {
        const uint word = v.bits[p];
        if (TYPE == TYPE_FP8)
            return vec4(e4m3(word & 255u), e4m3(word >> 8 & 255u), e4m3(word >> 16 & 255u), e4m3(word >> 24)) *
                   v.scale.x;
        const ivec4 q = ivec4(word << 24, word << 16, word << 8, word) >> 24; // TYPE_Q8
        return vec4(q) * v.scale.x;
    }
    const uvec4 q = nibbles(v.bits[p / 2] >> p % 2 * 16);
    if (TYPE == TYPE_MXFP4)
        return vec4(e2m1(q.x), e2m1(q.y), e2m1(q.z), e2m1(q.w)) * v.scale.y * v.scale.x;
    return (vec4(q) - 8.0) * v.scale.x; // TYPE_Q4
}
