// All that depends on the type of the weights: how many lie in 16 bytes, how a row is read, and how they become
// float32. The kernels and matmul.glsl ask nothing else. A type is a row of `types` in src/domain/names.c, its number
// in SMOE_ENUMERATORS, and a branch
// each in WORD_WEIGHTS and weights_part here.
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer WWords { uint w_words[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer WLoads { uvec4 w_loads[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W3, std430) readonly buffer W3Words { uint w3_words[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W3, std430) readonly buffer W3Loads { uvec4 w3_loads[]; };

#if STAGE == STAGE_LOGITS
const uint TYPE = TYPE_FLOAT32; // the router's, in every plan
#else
const uint TYPE = WEIGHT_TYPE;
#endif
const uint WORD_WEIGHTS = TYPE == TYPE_FLOAT32 ? 1 : 2; // weights in a word of 32 bits
const uint LOAD = 4 * WORD_WEIGHTS;                     // in one 16-byte load

// Word i of the weights; zero past `last`, the last word of the row. matrix: 0 for w, 1 for w3.
uint read_word_of_row(uint matrix, uint i, uint last) {
    if (BRANCH_PAST_ROW != 0 && i > last)
        return 0;
    const uint at = BRANCH_PAST_ROW != 0 ? i : min(i, last);
    const uint word = matrix == 0 ? w_words[at] : w3_words[at];
    return i <= last ? word : 0;
}

// Word i of 16-bit weights, without what lies past the row; the row ends before element `end`.
uint read_halves_of_row(uint matrix, uint i, uint end) {
    const uint word = read_word_of_row(matrix, i, (end - 1) / 2);
    return 2 * i + 1 < end ? word : word & 0xffffu;
}

// LOAD weights from element k of the row that begins at `base`, as they are stored; zero past the row.
uvec4 read_weights(uint matrix, uint base, uint k) {
    if (WEIGHTS_ALIGNED != 0) {
        if (DEPTH_ALIGNED == 0 && k >= push.depth)
            return uvec4(0);
        return matrix == 0 ? w_loads[(base + k) / LOAD] : w3_loads[(base + k) / LOAD];
    }
    uvec4 v;
    if (WORD_WEIGHTS == 1) {
        [[unroll]] for (uint i = 0; i < 4; i++)
            v[i] = read_word_of_row(matrix, base + k + i, base + push.depth - 1);
        return v;
    }
    // A word is half another row's where a row begins or ends at an odd element.
    const uint first = base + k, end = base + push.depth;
    [[unroll]] for (uint i = 0; i < 5; i++) { // word by word: with two at hand Intel needs 1.4 times the registers
        const uint word = read_halves_of_row(matrix, first / 2 + i, end);
        if (i > 0 && first % 2 == 1)
            v[i - 1] |= word << 16;
        if (i < 4)
            v[i] = first % 2 == 0 ? word : word >> 16;
    }
    return v;
}

// Four weights of what read_weights gave: those of part p, below LOAD / 4.
vec4 weights_part(uvec4 v, uint p) {
    if (TYPE == TYPE_FLOAT32)
        return uintBitsToFloat(v);
    const uvec2 w = uvec2(v[2 * p], v[2 * p + 1]);
    if (TYPE == TYPE_BFLOAT16) // the upper half of a float32
        return uintBitsToFloat(uvec4(w.x << 16, w.x & 0xffff0000u, w.y << 16, w.y & 0xffff0000u));
    return vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y)); // TYPE_FLOAT16
}
