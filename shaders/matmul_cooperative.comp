#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
// Matrix multiplication by the device's matrix units (VK_KHR_cooperative_matrix): a workgroup computes TILE_ROWS x
// TILE_COLUMNS outputs, a subgroup THREAD_ROWS x THREAD_COLUMNS of them in matrices of MATRIX_ROWS x MATRIX_COLUMNS.
// The inputs are rounded to 16 bits on their way into shared memory, and so are weights with scales, after the scale;
// products are added up in float32. Both operands lie along K there, eight elements to a uvec4; the next depth's loads
// are in flight while this one is computed, weights as they are stored. The 16 bits are float16, or with -DBFLOAT16
// bfloat16: weights without scales are of that type. Needs subgroups of exactly SUBGROUP_SIZE lanes, all of them alive,
// MATRIX_DEPTH a multiple of 8 that divides TILE_DEPTH, and TILE_DEPTH a multiple of LOAD.
#ifdef BFLOAT16
#extension GL_EXT_bfloat16 : require
#define NARROW bfloat16_t
#else
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define NARROW float16_t
#endif
#include "matmul.glsl"

const uint SUBGROUPS_X = TILE_COLUMNS / THREAD_COLUMNS; // WORKGROUP_SIZE = SUBGROUPS_X * SUBGROUPS_Y * SUBGROUP_SIZE
const uint ROW_BLOCKS = THREAD_ROWS / MATRIX_ROWS;      // matrices of a subgroup
const uint COLUMN_BLOCKS = THREAD_COLUMNS / MATRIX_COLUMNS;
const uint BLOCKS = MATRICES * COLUMN_BLOCKS; // in a row
const uint WEIGHT_ROWS = MATRICES * TILE_COLUMNS;
const uint STEPS = TILE_DEPTH / 8; // uvec4s per row
const uint STRIDE = STEPS + 1;     // rows begin in different banks
const uint WEIGHT_STEPS = TILE_DEPTH / LOAD, WEIGHT_PARTS = LOAD / 8; // loads per row of weights, uvec4s of each
const uint MATRIX_TOTAL = TILE_COLUMNS * WEIGHT_STEPS;
const uint INPUT_TOTAL = TILE_ROWS * STEPS, WEIGHT_TOTAL = MATRICES * MATRIX_TOTAL;
const uint INPUT_LOADS = (INPUT_TOTAL + WORKGROUP_SIZE - 1) / WORKGROUP_SIZE;
const uint WEIGHT_LOADS = (WEIGHT_TOTAL + WORKGROUP_SIZE - 1) / WORKGROUP_SIZE;
const uint WEIGHT_START = TILE_ROWS * STRIDE;
// Afterwards the sums take their place, so that an invocation knows which outputs it holds: four to a uvec4, of both
// matrices in a row.
const uint SUM_STRIDE = WEIGHT_ROWS / 4 + 1;

// Matrices of 16 bits and of float32 alike: coopMatLoad and coopMatStore take an array's elements as bits, and strides
// in elements.
// SHARED_MEMORY_SIZE / 16: the larger of the tiles' (TILE_ROWS + WEIGHT_ROWS) * STRIDE and the sums' TILE_ROWS *
// SUM_STRIDE.
shared uvec4 tiles[SHARED_MEMORY_SIZE / 16];

#define InputMatrix coopmat<NARROW, gl_ScopeSubgroup, MATRIX_ROWS, MATRIX_DEPTH, gl_MatrixUseA>
#define WeightMatrix coopmat<NARROW, gl_ScopeSubgroup, MATRIX_DEPTH, MATRIX_COLUMNS, gl_MatrixUseB>
#define SumMatrix coopmat<float, gl_ScopeSubgroup, MATRIX_ROWS, MATRIX_COLUMNS, gl_MatrixUseAccumulator>

uint input_base[INPUT_LOADS];
WeightRow weight_base[WEIGHT_LOADS];
vec4 input_next[2 * INPUT_LOADS];
Weights weight_next[WEIGHT_LOADS];

#ifdef BFLOAT16
uvec2 upper_halves(uvec4 bits) {
    return bits.xz >> 16 | bits.yw & 0xffff0000u;
}

// To nearest, ties to even, in integers: the same on every device. NaN keeps its upper bits and becomes a quiet one.
uvec2 narrow(vec4 v) {
    const uvec4 bits = floatBitsToUint(v);
    const uvec4 rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    return upper_halves(mix(rounded, bits | 0x400000u, greaterThan(bits & 0x7fffffffu, uvec4(0x7f800000u))));
}

// E2M1 times its scale, a power of two or E4M3, has 6 bits: nothing is rounded.
uvec2 narrow_weight(vec4 v) {
    return ELEMENT == ELEMENT_E2M1 ? upper_halves(floatBitsToUint(v)) : narrow(v);
}
#else
// As the device rounds (to nearest on all that are known; Vulkan allows towards zero), but what rounds to 65536 or more
// is infinite on every device: one that rounds towards zero would make it 65504.
uvec2 narrow(vec4 v) {
    const vec4 size = abs(v);
    if (max(max(size.x, size.y), max(size.z, size.w)) >= 65520.0)
        v = mix(v, sign(v) * uintBitsToFloat(0x7f800000u), greaterThanEqual(size, vec4(65520.0)));
    return uvec2(packFloat2x16(f16vec2(v.xy)), packFloat2x16(f16vec2(v.zw)));
}

#define narrow_weight narrow
#endif

// Eight weights of a load, those of part p, below WEIGHT_PARTS.
uvec4 narrow_weights(Weights v, uint p) {
    return SCALED ? uvec4(narrow_weight(weights_part(v, 2 * p)), narrow_weight(weights_part(v, 2 * p + 1))) : v.bits;
}

// Load e of a depth: row e / STEPS, step e % STEPS, and of weights WEIGHT_STEPS; past the last, the last one again.
void load(uint index, uint k0) {
    [[unroll]] for (uint j = 0; j < INPUT_LOADS; j++) {
        const uint k = k0 + min(index + j * WORKGROUP_SIZE, INPUT_TOTAL - 1) % STEPS * 8;
        input_next[2 * j] = read_input(input_base[j], k);
        input_next[2 * j + 1] = read_input(input_base[j], k + 4);
    }
    [[unroll]] for (uint j = 0; j < WEIGHT_LOADS; j++) {
        const uint e = min(index + j * WORKGROUP_SIZE, WEIGHT_TOTAL - 1);
        // Where all lanes load of one matrix, which one is a constant: no branches.
        const bool second = MATRIX_TOTAL % WORKGROUP_SIZE == 0 ? j * WORKGROUP_SIZE >= MATRIX_TOTAL : e >= MATRIX_TOTAL;
        const uint matrix = MATRICES == 2 && second ? 1 : 0;
        weight_next[j] = read_weights(matrix, weight_base[j], k0 + e % WEIGHT_STEPS * LOAD);
    }
}

void main() {
    const Tile tile = tile_of_workgroup();
    const uint index = gl_LocalInvocationIndex;
    const uint first_row = gl_SubgroupID / SUBGROUPS_X * THREAD_ROWS,
               first_column = gl_SubgroupID % SUBGROUPS_X * THREAD_COLUMNS;
    const uint tile_column = gl_WorkGroupID.x * TILE_COLUMNS;
    [[unroll]] for (uint j = 0; j < INPUT_LOADS; j++) {
        const uint row = min(index + j * WORKGROUP_SIZE, INPUT_TOTAL - 1) / STEPS;
        input_base[j] = input_row(tile.first_row + min(row, tile.rows - 1));
    }
    [[unroll]] for (uint j = 0; j < WEIGHT_LOADS; j++) {
        const uint row = min(index + j * WORKGROUP_SIZE, WEIGHT_TOTAL - 1) / WEIGHT_STEPS;
        const uint column = min(tile_column + row % TILE_COLUMNS, push.columns - 1);
        weight_base[j] = weight_row(row / TILE_COLUMNS, tile.expert, column);
    }
    SumMatrix sums[ROW_BLOCKS * BLOCKS];
    [[unroll]] for (uint i = 0; i < ROW_BLOCKS * BLOCKS; i++)
        sums[i] = SumMatrix(0.0);

    load(index, 0);
    for (uint k0 = 0; k0 < push.depth; k0 += TILE_DEPTH) {
        barrier(); // the last depth has been read by all
        [[unroll]] for (uint j = 0; j < INPUT_LOADS; j++) {
            const uint e = index + j * WORKGROUP_SIZE;
            if (INPUT_TOTAL % WORKGROUP_SIZE == 0 || e < INPUT_TOTAL)
                tiles[e / STEPS * STRIDE + e % STEPS] = uvec4(narrow(input_next[2 * j]), narrow(input_next[2 * j + 1]));
        }
        [[unroll]] for (uint j = 0; j < WEIGHT_LOADS; j++) {
            const uint e = index + j * WORKGROUP_SIZE;
            if (WEIGHT_TOTAL % WORKGROUP_SIZE == 0 || e < WEIGHT_TOTAL)
                [[unroll]] for (uint p = 0; p < WEIGHT_PARTS; p++)
                    tiles[WEIGHT_START + e / WEIGHT_STEPS * STRIDE + e % WEIGHT_STEPS * WEIGHT_PARTS + p] =
                        narrow_weights(weight_next[j], p);
        }
        barrier();
        if (k0 + TILE_DEPTH < push.depth)
            load(index, k0 + TILE_DEPTH);
        [[unroll]] for (uint s = 0; s < TILE_DEPTH; s += MATRIX_DEPTH) {
            InputMatrix a[ROW_BLOCKS];
            [[unroll]] for (uint r = 0; r < ROW_BLOCKS; r++)
                coopMatLoad(a[r], tiles, (first_row + r * MATRIX_ROWS) * STRIDE + s / 8, STRIDE,
                            gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint i = 0; i < BLOCKS; i++) {
                const uint row = i / COLUMN_BLOCKS * TILE_COLUMNS + first_column + i % COLUMN_BLOCKS * MATRIX_COLUMNS;
                WeightMatrix w;
                coopMatLoad(w, tiles, WEIGHT_START + row * STRIDE + s / 8, STRIDE,
                            gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint r = 0; r < ROW_BLOCKS; r++)
                    sums[r * BLOCKS + i] = coopMatMulAdd(a[r], w, sums[r * BLOCKS + i]);
            }
        }
    }

    barrier(); // the tiles have been read by all
    [[unroll]] for (uint i = 0; i < ROW_BLOCKS * BLOCKS; i++) {
        const uint row = first_row + i / BLOCKS * MATRIX_ROWS;
        const uint column =
            i % BLOCKS / COLUMN_BLOCKS * TILE_COLUMNS + first_column + i % COLUMN_BLOCKS * MATRIX_COLUMNS;
        coopMatStore(sums[i], tiles, row * SUM_STRIDE + column / 4, SUM_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    }
    barrier();
    const vec2 factors = factors_of(tile.expert);
    [[dont_unroll]] for (uint e = index; e < TILE_ROWS * TILE_COLUMNS; e += WORKGROUP_SIZE) {
        const uint x = e % TILE_COLUMNS, y = e / TILE_COLUMNS, at = y * SUM_STRIDE + x / 4;
        if (y < tile.rows && tile_column + x < push.columns)
            store(tile.first_row + y, column_of(tile_column + x, tile.expert), factors,
                  uintBitsToFloat(tiles[at][x % 4]),
                  uintBitsToFloat(tiles[at + (MATRICES - 1) * TILE_COLUMNS / 4][x % 4]));
    }
}
