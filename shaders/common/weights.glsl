// All that depends on the type of the weights: how many lie in 16 bytes, how a row is read, and how they become
// float32. The kernels and matmul.glsl ask nothing else. A type is a row of SMOE_WEIGHT_TYPES: an element, which
// elements_part decodes, and a form of scales, which read_scale and weights_part know.
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer WWords { uint w_words[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W, std430) readonly buffer WLoads { uvec4 w_loads[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W3, std430) readonly buffer W3Words { uint w3_words[]; };
layout(set = SMOE_SET_WEIGHTS, binding = SMOE_BINDING_W3, std430) readonly buffer W3Loads { uvec4 w3_loads[]; };

#define DECLARE_TYPE(NAME, number, element, columns, rows, form, second, factor, packs) const uint TYPE_##NAME = number;
SMOE_WEIGHT_TYPES(DECLARE_TYPE)
#define DECLARE_ELEMENT(NAME, number, bits) const uint ELEMENT_##NAME = number;
SMOE_ELEMENTS(DECLARE_ELEMENT)
#define DECLARE_SCALES(NAME, number, size, second_size) const uint SCALES_##NAME = number;
SMOE_SCALE_FORMS(DECLARE_SCALES)

#if STAGE == STAGE_LOGITS
const uint TYPE = TYPE_FLOAT32; // the router's, in every plan
#else
const uint TYPE = WEIGHT_TYPE;
#endif
// One choice of a row, whose columns it packs: a choice for each column would double the size of the kernels.
// src/domain/names.c checks that they fit.
#define PICK_ROW(NAME, number, element, columns, rows, form, second, factor, packs) \
    TYPE == number ? (ELEMENT_##element | SCALES_##form << 4 | factor << 8 | second / 32 << 9 | columns << 13 | \
                      rows << 21):
#define PICK_BITS(NAME, number, bits) ELEMENT == number ? bits:
#define PICK_SIZE(NAME, number, size, second_size) SCALES == number ? size:
#define PICK_SECOND_SIZE(NAME, number, size, second_size) SCALES == number ? second_size:
const uint ROW = SMOE_WEIGHT_TYPES(PICK_ROW) 0;
const uint ELEMENT = ROW & 15;
const uint BITS = SMOE_ELEMENTS(PICK_BITS) 32;
const uint LOAD = 128 / BITS; // weights in one load of 16 bytes
// A block's columns and rows; its weights share a scale of SCALE_SIZE bytes, 0: no scale. Several blocks of a row,
// SECOND_COLUMNS, share a second scale of SECOND_SIZE bytes, 0: there is none.
const uint SCALES = ROW >> 4 & 15;
const uint BLOCK_COLUMNS = ROW >> 13 & 255;
const uint BLOCK_ROWS = ROW >> 21;
const uint SCALE_SIZE = SMOE_SCALE_FORMS(PICK_SIZE) 0;
const uint SECOND_SIZE = SMOE_SCALE_FORMS(PICK_SECOND_SIZE) 0;
const uint SECOND_COLUMNS = (ROW >> 9 & 15) * 32;
const bool SCALED = SCALE_SIZE > 0;
const bool FACTOR = (ROW >> 8 & 1) == 1;                // 16 bytes behind each matrix: what multiplies its sums
const bool TWO_BLOCKS = SCALED && BLOCK_COLUMNS < LOAD;      // in a load: nvfp4's

// Where a row of weights lies: its first element, and with scales its first load, and the bytes of its first scale and
// second one.
struct WeightRow { uint at, scales, second; };

uint divide_up(uint a, uint b) {
    return (a + b - 1) / b;
}

// The parts of a matrix with scales, in bytes from its beginning; the first three: loads, scales and second ones of a
// row.
struct MatrixParts { uint row_loads, row_scales, row_seconds, scales_at, second_at, factor_at; };

MatrixParts matrix_parts() {
    MatrixParts p;
    p.row_loads = divide_up(push.depth, LOAD);
    p.row_scales = divide_up(push.depth, BLOCK_COLUMNS);
    p.row_seconds = push.depth / max(SECOND_COLUMNS, 1);
    p.scales_at = push.columns * p.row_loads * 16;
    const uint scales_end = p.scales_at + divide_up(push.columns, BLOCK_ROWS) * p.row_scales * SCALE_SIZE;
    p.second_at = divide_up(scales_end, 4) * 4;
    p.factor_at = divide_up(p.second_at + push.columns * p.row_seconds * SECOND_SIZE, 16) * 16;
    return p;
}

// The first load of a matrix with scales. matrix: 0 for w, 1 for w3.
uint matrix_at(uint matrix, uint expert, MatrixParts parts) {
    return (matrix == 0 ? push.w_offset : push.w3_offset) + expert * (parts.factor_at / 16 + (FACTOR ? 1 : 0));
}

WeightRow weight_row(uint matrix, uint expert, uint column) {
    if (!SCALED) {
        const uint offset = matrix == 0 ? push.w_offset : push.w3_offset;
        return WeightRow(offset + (expert * push.columns + column) * push.depth, 0, 0);
    }
    const MatrixParts parts = matrix_parts();
    const uint first = matrix_at(matrix, expert, parts);
    return WeightRow(first + column * parts.row_loads,
                     first * 16 + parts.scales_at + column / BLOCK_ROWS * parts.row_scales * SCALE_SIZE,
                     first * 16 + parts.second_at + column * parts.row_seconds * SECOND_SIZE);
}

// A load of weights as they are stored, and its scale as two numbers, which weights_part knows by the form of scales;
// with TWO_BLOCKS a scale of each block.
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

// What a matrix's sums are multiplied by, where FACTOR.
float read_factor(uint matrix, uint expert, MatrixParts parts) {
    return uintBitsToFloat(read_word(matrix, matrix_at(matrix, expert, parts) * 4 + parts.factor_at / 4));
}

// A number of `size` bytes that lies at byte `at`, a multiple of that, and what comes behind it in a word.
uint read_number(uint matrix, uint at, uint size) {
    const uint word = read_word(matrix, at / 4);
    return size == 4 ? word : word >> at % 4 * 8;
}

// Below 8 the exponent is 0, and the value (code) 2^-9; above, an exponent of bias 7. 127 is NaN.
vec4 e4m3(uvec4 code) {
    const uvec4 size = code & 127u;
    const vec4 value =
        mix(uintBitsToFloat((size << 20) + (120u << 23)), vec4(size) * 0.001953125, lessThan(size, uvec4(8)));
    const uvec4 bits = mix(floatBitsToUint(value), uvec4(0x7fc00000u), equal(size, uvec4(127)));
    return uintBitsToFloat(bits | (code & 128u) << 24);
}

// Two float16 of a word, exact on devices that take denormal numbers for 0 as well: second scales often are such.
// Infinity and NaN are as unpackHalf2x16 has them.
vec2 exact_halves(uint word) {
    const uvec2 bits = uvec2(word, word >> 16) & 0xffffu, size = bits & 0x7fffu;
    const vec2 small = vec2(size) * 5.9604644775390625e-8; // 2^-24
    const uvec2 exact = floatBitsToUint(small) | (bits & 0x8000u) << 16;
    return mix(unpackHalf2x16(word), uintBitsToFloat(exact), lessThan(size, uvec2(0x400u)));
}

float signed_byte(uint number) {
    return float(bitfieldExtract(int(number), 0, 8));
}

// What e2m1 multiplies its values by: twice a power of two whose exponent, with the bias, is a multiple of 4.
const float E2M1_UNIT = 4;
const float E2M1_UNIT_SMALL = 2.168404344971009e-19; // 2^-62

// E8M0 is 2^(code - 127): a factor, and the unit of the weights that are multiplied by it. Below 2^-119 it is a smaller
// unit and a larger factor, for a device may take a denormal number for 0.
vec2 e8m0_scale(uint code) {
    const bool small = code < 8;
    const float factor =
        code == 255 ? uintBitsToFloat(0x7fc00000u) : uintBitsToFloat((small ? code + 62 : code - 2) << 23);
    return vec2(factor, small ? E2M1_UNIT_SMALL : E2M1_UNIT);
}

// The scale of the block that has element k of a row, and with TWO_BLOCKS of the next one; zero past the row.
vec2 read_scale(uint matrix, WeightRow row, uint k) {
    if (DEPTH_ALIGNED == 0 && k >= push.depth)
        return vec2(0);
    const uint at = row.scales + k / BLOCK_COLUMNS * SCALE_SIZE;
    uint number = read_number(matrix, at, SCALE_SIZE);
    if (SCALES == SCALES_E8M0)
        return e8m0_scale(number & 255u);
    if (SCALES == SCALES_E4M3) { // of elements in E2M1_UNIT
        if (DEPTH_ALIGNED == 0) { // a row's scales may begin at an odd byte; behind the last one is another row's
            const uint next = k + BLOCK_COLUMNS < push.depth ? read_number(matrix, at + 1, SCALE_SIZE) : 0;
            number = number & 255u | next << 8;
        }
        return e4m3(uvec4(number, number >> 8, 0, 0)).xy * (1 / E2M1_UNIT);
    }
    if (SCALES == SCALES_FLOAT)
        return vec2(uintBitsToFloat(number), 0);
    const uint second =
        SECOND_SIZE > 0 ? read_number(matrix, row.second + k / max(SECOND_COLUMNS, 1) * SECOND_SIZE, SECOND_SIZE) : 0;
    if (SCALES == SCALES_BYTE_HALF)
        return vec2(exact_halves(second).x * signed_byte(number), 0);
    if (SCALES == SCALES_BYTES_HALVES)
        return exact_halves(second) * vec2(number & 255u, number >> 8 & 255u);
    const vec2 halves = unpackHalf2x16(number);
    if (SCALES == SCALES_HALF_MINIMUM)
        return halves;
    return vec2(halves.x, SCALES == SCALES_HALF_ZERO ? signed_byte(second) : 0);
}

// LOAD weights from element k of a row, without their scale; zero past the row.
uvec4 read_bits(uint matrix, WeightRow row, uint k) {
    uvec4 bits = uvec4(0);
    if (SCALED || WEIGHTS_ALIGNED != 0) {
        if (DEPTH_ALIGNED == 0 && k >= push.depth)
            return bits;
        const uint at = SCALED ? row.at + k / LOAD : (row.at + k) / LOAD;
        return matrix == 0 ? w_loads[at] : w3_loads[at];
    }
    if (BITS == 32) {
        [[unroll]] for (uint i = 0; i < 4; i++) bits[i] =
            read_word_of_row(matrix, row.at + k + i, row.at + push.depth - 1);
        return bits;
    }
    // A word is half another row's where a row begins or ends at an odd element.
    const uint first = row.at + k, end = row.at + push.depth;
    [[unroll]] for (uint i = 0; i < 5; i++)
    { // word by word: with two at hand Intel needs 1.4 times the registers
        const uint word = read_halves_of_row(matrix, first / 2 + i, end);
        if (i > 0 && first % 2 == 1)
            bits[i - 1] |= word << 16;
        if (i < 4)
            bits[i] = first % 2 == 0 ? word : word >> 16;
    }
    return bits;
}

// LOAD weights from element k of a row; zero past the row.
Weights read_weights(uint matrix, WeightRow row, uint k) {
    return Weights(read_bits(matrix, row, k), SCALED ? read_scale(matrix, row, k) : vec2(0));
}

// Four numbers of 4 bits, the lowest first.
uvec4 nibbles(uint word) {
    return uvec4(word, word >> 4, word >> 8, word >> 12) & 15u;
}

uint shift_left(uint word, int bits) {
    return bits < 0 ? word >> -bits : word << bits;
}

// Four E2M1 times `unit` (above), of nibbles `first` and on. The three lower bits of a code, as exponent and mantissa
// of a float32, are 1 1.5 2 3 4 6 8 12 halves; E2M1 has no leading 1 in the first two, which are 0 and 1: twice what
// they are, less 2.
vec4 e2m1(uint word, int first, float unit) {
    const int at = 4 * first;
    const uvec4 size = uvec4(shift_left(word, 22 - at), shift_left(word, 18 - at), shift_left(word, 14 - at),
                             shift_left(word, 10 - at)) & 0x1c00000u;
    const uvec4 sign = uvec4(word << 28 - at, word << 24 - at, word << 20 - at, word << 16 - at) & 0x80000000u;
    const uvec4 halves = size | floatBitsToUint(0.5 * unit);
    const vec4 doubled = fma(uintBitsToFloat(halves), vec4(2), vec4(-unit));
    return uintBitsToFloat(min(halves, floatBitsToUint(doubled)) | sign); // as integers: a min of floats asks for NaN
}

// IQ4's values, from a table of signed bytes: -127 -104 -83 -65, -49 -35 -22 -10, 1 13 25 38, 53 69 89 113.
vec4 iq4(uvec4 code) {
    const bvec4 odd = notEqual(code & 4u, uvec4(0));
    const uvec4 low = mix(uvec4(0xbfad9881u), uvec4(0xf6eaddcfu), odd),
                high = mix(uvec4(0x26190d01u), uvec4(0x71594535u), odd),
                bytes = mix(low, high, greaterThan(code, uvec4(7))) >> (code & 3u) * 8;
    return vec4(bitfieldExtract(ivec4(bytes), 0, 8));
}

// Four elements of what read_weights gave, those of part p, below LOAD / 4; E2M1's in units (above).
vec4 elements_part(Weights v, uint p) {
    if (ELEMENT == ELEMENT_FLOAT32)
        return uintBitsToFloat(v.bits);
    if (BITS == 16) {
        const uvec2 w = uvec2(v.bits[2 * p], v.bits[2 * p + 1]);
        if (ELEMENT == ELEMENT_BFLOAT16) // the upper half of a float32
            return uintBitsToFloat(uvec4(w.x << 16, w.x & 0xffff0000u, w.y << 16, w.y & 0xffff0000u));
        return vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y)); // ELEMENT_FLOAT16
    }
    if (BITS == 8) {
        const uint word = v.bits[p];
        const uvec4 q = uvec4(word, word >> 8, word >> 16, word >> 24) & 255u;
        if (ELEMENT == ELEMENT_E4M3)
            return e4m3(q);
        if (ELEMENT == ELEMENT_UINT8)
            return vec4(q);
        return vec4(ivec4(word << 24, word << 16, word << 8, word) >> 24); // ELEMENT_INT8
    }
    if (ELEMENT == ELEMENT_E2M1)
        return e2m1(v.bits[p / 2], int(p % 2 * 4), SCALES == SCALES_E8M0 ? v.scale.y : E2M1_UNIT);
    const uvec4 q = nibbles(v.bits[p / 2] >> p % 2 * 16);
    if (ELEMENT == ELEMENT_IQ4)
        return iq4(q);
    return ELEMENT == ELEMENT_OFFSET4 ? vec4(q) - 8.0 : vec4(q); // or ELEMENT_UINT4
}

// Four weights of what read_weights gave.
vec4 weights_part(Weights v, uint p) {
    const vec4 q = elements_part(v, p);
    if (!SCALED)
        return q;
    if (SCALES == SCALES_HALF_ZERO)
        return (q - v.scale.y) * v.scale.x;
    if (SCALES == SCALES_HALF_MINIMUM)
        return fma(q, vec4(v.scale.x), vec4(v.scale.y));
    if (SCALES == SCALES_BYTES_HALVES)
        return fma(q, vec4(v.scale.x), vec4(-v.scale.y));
    return q * (TWO_BLOCKS && p >= BLOCK_COLUMNS / 4 ? v.scale.y : v.scale.x);
}

// v with its words turned by `count`, so that what was its part p + count * LOAD / 16 is part p; word: how often they
// were turned by one before. With TWO_BLOCKS the second one begins at word 2.
Weights next_words(Weights v, uint word, uint count) {
    if (TWO_BLOCKS && word + count == 2)
        v.scale = v.scale.yx;
    v.bits = count == 1 ? v.bits.yzwx : v.bits.zwxy;
    return v;
}
