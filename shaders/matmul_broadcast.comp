#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
// Matrix multiplication with the tile in registers: a subgroup computes TILE_ROWS rows x (SUBGROUP_SIZE *
// THREAD_COLUMNS) columns.
// Each lane reads 16 bytes of its own THREAD_COLUMNS weight rows; the lanes read the inputs between them, each element
// once, and a shuffle with a literal lane hands it to all. No shared memory and no barrier: for devices whose shared
// memory is no faster than their caches. Needs subgroups of exactly SUBGROUP_SIZE lanes, and TILE_ROWS * TILE_DEPTH / 4
// a multiple of it.
#include "matmul.glsl"

const uint LANE_ROWS = MATRICES * THREAD_COLUMNS; // weight rows of one lane
// With scales a round has as many elements of inputs as float16's has at 32 rows. Two loads of 4-bit weights, unrolled,
// would be four times as many, and so would be the time that drivers compile.
const uint ROUND_SIZE = SCALED ? 512 : 65536;
const uint INPUT_LOADS = TILE_ROWS * TILE_DEPTH / 4 / SUBGROUP_SIZE;
// The last tile of an expert is often low: up to half the rows it costs about half, where the loads of half a tile come
// out even.
const bool HALVES = TILE_ROWS >= 16 && TILE_ROWS / 2 * TILE_DEPTH / 4 % SUBGROUP_SIZE == 0;

float sum[TILE_ROWS * LANE_ROWS];
WeightRow weight_base[LANE_ROWS];
Weights loaded[LANE_ROWS];
uint input_base[INPUT_LOADS], input_k[INPUT_LOADS];
vec4 inputs[INPUT_LOADS];

// A load of each weight row; its scale stays as it is. Past the row the scale becomes 0, since the last one may be
// infinite.
void read_loads(uint k) {
    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++) {
        loaded[i].bits = read_bits(i / THREAD_COLUMNS, weight_base[i], k);
        if (DEPTH_ALIGNED == 0 && k >= push.depth)
            loaded[i].scale = vec2(0);
    }
}

void read_scales(uint k) {
    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
        loaded[i].scale = read_scale(i / THREAD_COLUMNS, weight_base[i], k);
}

void turn_loads(uint word, uint count) {
    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
        loaded[i] = next_words(loaded[i], word, count);
}

#define ROWS TILE_ROWS
#define HEIGHT(name) name##_tile
#include "broadcast_rows.glsl"
#undef ROWS
#undef HEIGHT
#define ROWS ((TILE_ROWS + 1) / 2) // of one row too: nothing is divided by 0
#define HEIGHT(name) name##_half_tile
#include "broadcast_rows.glsl"

void main() {
    const Tile tile = tile_of_workgroup();
    const uint column0 =
        gl_WorkGroupID.x * TILE_COLUMNS + gl_SubgroupID * SUBGROUP_SIZE * THREAD_COLUMNS + gl_SubgroupInvocationID;
    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++) {
        const uint column = min(column0 + i % THREAD_COLUMNS * SUBGROUP_SIZE, push.columns - 1);
        weight_base[i] = weight_row(i / THREAD_COLUMNS, tile.expert, column);
    }
    [[unroll]] for (uint i = 0; i < TILE_ROWS * LANE_ROWS; i++)
        sum[i] = 0;
    if (HALVES) {
        const bool low = tile.rows <= TILE_ROWS / 2;
        place_inputs_half_tile(tile);
        multiply_half_tile(low ? push.depth : 0); // no branch: one of the two makes no round
        place_inputs_tile(tile);
        multiply_tile(low ? 0 : push.depth);
    } else {
        place_inputs_tile(tile);
        multiply_tile(push.depth);
    }

    const vec2 factors = factors_of(tile.expert);
    [[unroll]] for (uint i = 0; i < THREAD_COLUMNS; i++) {
        const uint column_index = column0 + i * SUBGROUP_SIZE;
        if (column_index < push.columns) {
            const Column column = column_of(column_index, tile.expert);
            [[unroll]] for (uint r = 0; r < TILE_ROWS; r++)
                if (r < tile.rows)
                    store(tile.first_row + r, column, factors, sum[r * LANE_ROWS + i],
                          sum[r * LANE_ROWS + LANE_ROWS - THREAD_COLUMNS + i]);
        }
    }
}
