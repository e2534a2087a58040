// A function of matmul_broadcast.comp for one height of tile, since its arrays' places follow from constants. Define
// before the include MULTIPLY, its name, and ROWS, the first rows of the tile that it computes.

// sum += products over K up to `end`.
void MULTIPLY(Tile tile, uint end) {
    const uint lane = gl_SubgroupInvocationID;
    const uint LOADS = ROWS * TILE_DEPTH / 4 / SUBGROUP_SIZE;
    // vec4 number e of a round's inputs: row e % ROWS, elements 4 * (e / ROWS) and on
    uint input_base[INPUT_LOADS], input_k[INPUT_LOADS];
    [[unroll]] for (uint j = 0; j < LOADS; j++) {
        const uint e = j * SUBGROUP_SIZE + lane;
        input_base[j] = input_row(tile.first_row + min(e % ROWS, tile.rows - 1));
        input_k[j] = e / ROWS * 4;
    }
    for (uint k = 0; k < end; k += TILE_DEPTH) {
        vec4 a[INPUT_LOADS];
        [[unroll]] for (uint j = 0; j < LOADS; j++)
            a[j] = read_input(input_base[j], k + input_k[j]);
        [[unroll]] for (uint s = 0; s < STEPS; s++) {
            Weights loaded[LANE_ROWS];
            [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                loaded[i] = read_weights(i / THREAD_COLUMNS, weight_base[i], k + s * LOAD);
            [[unroll]] for (uint p = 0; p < PARTS; p++) {
                vec4 w[LANE_ROWS];
                [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                    w[i] = weights_part(loaded[i], p);
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    const uint e = (s * PARTS + p) * ROWS + r;
                    const vec4 v = subgroupShuffle(a[e / SUBGROUP_SIZE], e % SUBGROUP_SIZE);
                    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
                        sum[r * LANE_ROWS + i] = multiply_add(v, w[i], sum[r * LANE_ROWS + i]);
                }
            }
        }
    }
}
