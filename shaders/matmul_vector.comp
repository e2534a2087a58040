#version 450
#extension GL_GOOGLE_include_directive : require
// Matrix multiplication for a few rows: every weight is read once. A team of TILE_DEPTH / LOAD lanes (a power of two)
// runs along K over THREAD_COLUMNS columns at once and adds up its parts at the end.
// -DSHUFFLE=1: teams lie within a subgroup and add up by shuffles. -DSHUFFLE=0: through shared memory, on any device.
#if SHUFFLE
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#define BRANCH_PAST_ROW 1
#include "matmul.glsl"

const uint LANE_ROWS = MATRICES * THREAD_COLUMNS; // weight rows of one team
const uint SUMS = TILE_ROWS * LANE_ROWS;          // sums of one lane
const uint OUTPUTS = TILE_ROWS * THREAD_COLUMNS;
const uint TEAM = TILE_DEPTH / LOAD;
#if !SHUFFLE
const uint STRIDE = WORKGROUP_SIZE + 1; // odd: lanes that read different sums meet different banks
shared float parts[SUMS * STRIDE];
#endif

void main() {
    const Tile tile = tile_of_workgroup();
#if SHUFFLE
    // The lanes of a team share a subgroup. Live lanes are counted: fewer may live than gl_SubgroupSize says.
    const uint index = gl_SubgroupID * subgroupBallotBitCount(subgroupBallot(true)) + gl_SubgroupInvocationID;
#else
    const uint index = gl_LocalInvocationIndex;
#endif
    const uint lane = index % TEAM;
    const uint column0 = gl_WorkGroupID.x * TILE_COLUMNS + index / TEAM * THREAD_COLUMNS;
    uint input_base[TILE_ROWS];
    WeightRow weight_base[LANE_ROWS];
    [[unroll]] for (uint r = 0; r < TILE_ROWS; r++)
        input_base[r] = input_row(tile.first_row + min(r, tile.rows - 1));
    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++) {
        const uint column = min(column0 + i % THREAD_COLUMNS, push.columns - 1);
        weight_base[i] = weight_row(i / THREAD_COLUMNS, tile.expert, column);
    }
    float sum[SUMS];
    [[unroll]] for (uint i = 0; i < SUMS; i++)
        sum[i] = 0;

    // Unrolled, all loads of a row would come first: Adreno's compiler spills hundreds of registers for them.
    [[dont_unroll]] for (uint k0 = 0; k0 < push.depth; k0 += TILE_DEPTH) {
        const uint k = k0 + lane * LOAD;
        Weights loaded[LANE_ROWS];
        [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
            loaded[i] = read_weights(i / THREAD_COLUMNS, weight_base[i], k);
        // With scales a load has 16 or 32 weights: word by word, or Adreno 6xx spills hundreds of registers for inputs.
        // Without, the loop makes one turn, and drivers keep it all the same. For one aligned row a break leaves no
        // loop: so Maxwell holds 32 warps in place of 28. For four rows, or others, it would hold fewer.
        const uint ROUNDS = SCALED ? 4 : 1, PARTS = LOAD / 4 / ROUNDS;
        [[dont_unroll]] for (uint word = 0; word < ROUNDS; word++) {
            [[unroll]] for (uint p = 0; p < PARTS; p++) {
                // A row of inputs at a time: with all of them at hand before the first multiply-add, Volta holds a
                // fourth fewer subgroups.
                [[unroll]] for (uint r = 0; r < TILE_ROWS; r++) {
                    const vec4 a = read_input(input_base[r], k + 4 * (word * PARTS + p));
                    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                        sum[r * LANE_ROWS + i] = multiply_add(a, weights_part(loaded[i], p), sum[r * LANE_ROWS + i]);
                }
            }
            if (SCALED)
                [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                    loaded[i] = next_words(loaded[i], word, 1);
            if (!SCALED && TILE_ROWS == 1 && INPUTS_ALIGNED != 0)
                break;
        }
    }

    // Lane l of a team finishes outputs l, l + TEAM, ...
#if SHUFFLE
    [[unroll]] for (uint i = 0; i < SUMS; i++)
        [[unroll]] for (uint m = TEAM / 2; m > 0; m /= 2)
            sum[i] += subgroupShuffleXor(sum[i], m);
#else
    [[unroll]] for (uint i = 0; i < SUMS; i++)
        parts[i * STRIDE + index] = sum[i];
    barrier();
#endif
    const vec2 factors = factors_of(tile.expert);
    [[unroll]] for (uint first = 0; first < OUTPUTS; first += TEAM) {
        float s = 0, g = 0;
#if SHUFFLE
        [[unroll]] for (uint o = first; o < min(first + TEAM, OUTPUTS); o++)
            if (lane == o - first) {
                s = sum[o / THREAD_COLUMNS * LANE_ROWS + o % THREAD_COLUMNS];
                g = sum[o / THREAD_COLUMNS * LANE_ROWS + LANE_ROWS - THREAD_COLUMNS + o % THREAD_COLUMNS];
            }
#else
        const uint own = min(first + lane, OUTPUTS - 1);
        const uint at = (own / THREAD_COLUMNS * LANE_ROWS + own % THREAD_COLUMNS) * STRIDE + index - lane;
        for (uint t = 0; t < TEAM; t++) {
            s += parts[at + t];
            if (MATRICES == 2)
                g += parts[at + t + THREAD_COLUMNS * STRIDE];
        }
#endif
        // A tile of one row has r = 0 as a constant, so that its place stays scalar: Adreno 730 to 750 hold 12
        // subgroups, not 10.
        const uint o = first + lane, r = TILE_ROWS == 1 ? 0 : o / THREAD_COLUMNS,
                   column_index = column0 + o % THREAD_COLUMNS;
        if (o < OUTPUTS && r < tile.rows && column_index < push.columns)
            store(tile.first_row + r, column_of(column_index, tile.expert), factors, s, g);
    }
}
