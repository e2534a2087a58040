#version 450
#extension GL_GOOGLE_include_directive : require
// Matrix multiplication through shared memory: a workgroup computes TILE_ROWS x TILE_COLUMNS outputs, an invocation
// THREAD_ROWS x THREAD_COLUMNS of them. Both operands lie along K in memory and in shared memory, four elements to a
// vec4, so nothing is transposed; the next depth's loads are in flight while this one is computed.
#include "matmul.glsl"

const uint THREADS_X = TILE_COLUMNS / THREAD_COLUMNS; // WORKGROUP_SIZE = THREADS_X * THREADS_Y
const uint THREADS_Y = TILE_ROWS / THREAD_ROWS;
const uint LANE_ROWS = MATRICES * THREAD_COLUMNS;
const uint WEIGHT_ROWS = MATRICES * TILE_COLUMNS;
const uint QUADS = TILE_DEPTH / 4;
const uint STRIDE = QUADS | 1; // odd in vec4s: rows begin in different banks
const uint INPUT_STEPS = QUADS, WEIGHT_STEPS = TILE_DEPTH / LOAD; // loads per row
const uint INPUT_TOTAL = TILE_ROWS * INPUT_STEPS, WEIGHT_TOTAL = WEIGHT_ROWS * WEIGHT_STEPS;
const uint INPUT_LOADS = (INPUT_TOTAL + WORKGROUP_SIZE - 1) / WORKGROUP_SIZE;
const uint WEIGHT_LOADS = (WEIGHT_TOTAL + WORKGROUP_SIZE - 1) / WORKGROUP_SIZE;

shared vec4 input_tile[TILE_ROWS * STRIDE];
shared vec4 weight_tile[WEIGHT_ROWS * STRIDE];

uint input_base[INPUT_LOADS];
WeightRow weight_base[WEIGHT_LOADS];
vec4 input_next[INPUT_LOADS];
Weights weight_next[WEIGHT_LOADS];

// Load e of a depth: row e / STEPS, step e % STEPS; past the last, the last one again.
void load(uint index, uint k0) {
    [[unroll]] for (uint j = 0; j < INPUT_LOADS; j++) {
        const uint e = min(index + j * WORKGROUP_SIZE, INPUT_TOTAL - 1);
        input_next[j] = read_input(input_base[j], k0 + e % INPUT_STEPS * 4);
    }
    [[unroll]] for (uint j = 0; j < WEIGHT_LOADS; j++) {
        const uint e = min(index + j * WORKGROUP_SIZE, WEIGHT_TOTAL - 1);
        const uint matrix = MATRICES == 2 && e >= TILE_COLUMNS * WEIGHT_STEPS ? 1 : 0;
        weight_next[j] = read_weights(matrix, weight_base[j], k0 + e % WEIGHT_STEPS * LOAD);
    }
}

void main() {
    const Tile tile = tile_of_workgroup();
    const uint index = gl_LocalInvocationIndex;
    const uint x = index % THREADS_X, y = index / THREADS_X;
    const uint tile_column = gl_WorkGroupID.x * TILE_COLUMNS;
    [[unroll]] for (uint j = 0; j < INPUT_LOADS; j++) {
        const uint row = min(index + j * WORKGROUP_SIZE, INPUT_TOTAL - 1) / INPUT_STEPS;
        input_base[j] = input_row(tile.first_row + min(row, tile.rows - 1));
    }
    [[unroll]] for (uint j = 0; j < WEIGHT_LOADS; j++) {
        const uint row = min(index + j * WORKGROUP_SIZE, WEIGHT_TOTAL - 1) / WEIGHT_STEPS;
        const uint column = min(tile_column + row % TILE_COLUMNS, push.columns - 1);
        weight_base[j] = weight_row(row / TILE_COLUMNS, tile.expert, column);
    }
    float sum[THREAD_ROWS * LANE_ROWS];
    [[unroll]] for (uint i = 0; i < THREAD_ROWS * LANE_ROWS; i++)
        sum[i] = 0;

    load(index, 0);
    for (uint k0 = 0; k0 < push.depth; k0 += TILE_DEPTH) {
        barrier(); // the last depth has been read by all
        [[unroll]] for (uint j = 0; j < INPUT_LOADS; j++) {
            const uint e = index + j * WORKGROUP_SIZE;
            if (INPUT_TOTAL % WORKGROUP_SIZE == 0 || e < INPUT_TOTAL)
                input_tile[e / INPUT_STEPS * STRIDE + e % INPUT_STEPS] = input_next[j];
        }
        [[unroll]] for (uint j = 0; j < WEIGHT_LOADS; j++) {
            const uint e = index + j * WORKGROUP_SIZE;
            if (WEIGHT_TOTAL % WORKGROUP_SIZE == 0 || e < WEIGHT_TOTAL)
                [[unroll]] for (uint p = 0; p < LOAD / 4; p++)
                    weight_tile[e / WEIGHT_STEPS * STRIDE + e % WEIGHT_STEPS * (LOAD / 4) + p] =
                        weights_part(weight_next[j], p);
        }
        barrier();
        if (k0 + TILE_DEPTH < push.depth)
            load(index, k0 + TILE_DEPTH);
        [[unroll]] for (uint q = 0; q < QUADS; q++) {
            vec4 a[THREAD_ROWS], w[LANE_ROWS];
            [[unroll]] for (uint r = 0; r < THREAD_ROWS; r++)
                a[r] = input_tile[(y + r * THREADS_Y) * STRIDE + q];
            [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                w[i] =
                    weight_tile[(i / THREAD_COLUMNS * TILE_COLUMNS + x + i % THREAD_COLUMNS * THREADS_X) * STRIDE + q];
            [[unroll]] for (uint r = 0; r < THREAD_ROWS; r++)
                [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                    sum[r * LANE_ROWS + i] = multiply_add(a[r], w[i], sum[r * LANE_ROWS + i]);
        }
    }

    const vec2 factors = factors_of(tile.expert);
    [[unroll]] for (uint i = 0; i < THREAD_COLUMNS; i++) {
        const uint column_index = tile_column + x + i * THREADS_X;
        if (column_index < push.columns) {
            const Column column = column_of(column_index, tile.expert);
            [[unroll]] for (uint j = 0; j < THREAD_ROWS; j++) {
                const uint r = y + j * THREADS_Y;
                if (r < tile.rows)
                    store(tile.first_row + r, column, factors, sum[j * LANE_ROWS + i],
                          sum[j * LANE_ROWS + LANE_ROWS - THREAD_COLUMNS + i]);
            }
        }
    }
}
