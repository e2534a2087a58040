// Functions of matmul_broadcast.comp for one height of tile, since its arrays' places follow from constants. Define
// before the include ROWS, the first rows of the tile that they compute, and HEIGHT(name), a name's form at this
// height. A loop whose condition is false by constants makes one turn, and drivers leave no loop of it.

// Elements of K in a round, which is unrolled: the lanes read its inputs at once, each the same number of vec4s.
const uint HEIGHT(ROUND) = ROWS * TILE_DEPTH > ROUND_SIZE ? ROUND_SIZE / ROWS : TILE_DEPTH;
const uint HEIGHT(PARTS) = (HEIGHT(ROUND) < LOAD ? HEIGHT(ROUND) : LOAD) / 4; // vec4s of a weight load in a round
const uint HEIGHT(STEP) = HEIGHT(ROUND) < LOAD ? LOAD : HEIGHT(ROUND);

void HEIGHT(place_inputs)(Tile tile) {
    // vec4 number e of a round's inputs: row e % ROWS, elements 4 * (e / ROWS) and on
    [[unroll]] for (uint j = 0; j < ROWS * HEIGHT(ROUND) / 4 / SUBGROUP_SIZE; j++) {
        const uint e = j * SUBGROUP_SIZE + gl_SubgroupInvocationID;
        input_base[j] = input_row(tile.first_row + min(e % ROWS, tile.rows - 1));
        input_k[j] = e / ROWS * 4;
    }
}

void HEIGHT(read_inputs)(uint k) {
    [[unroll]] for (uint j = 0; j < ROWS * HEIGHT(ROUND) / 4 / SUBGROUP_SIZE; j++)
        inputs[j] = read_input(input_base[j], k + input_k[j]);
}

// sum += products with part p of the loads at hand; quad: which four elements of the round those are.
void HEIGHT(multiply_part)(uint p, uint quad) {
    vec4 w[LANE_ROWS];
    [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
        w[i] = weights_part(loaded[i], p);
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        const uint e = quad * ROWS + r;
        const vec4 v = subgroupShuffle(inputs[e / SUBGROUP_SIZE], e % SUBGROUP_SIZE);
        [[unroll]] for (uint i = 0; i < LANE_ROWS; i++)
            sum[r * LANE_ROWS + i] = multiply_add(v, w[i], sum[r * LANE_ROWS + i]);
    }
}

// sum += products with the loads at hand, which begin at element k: all of a round, or round after round.
void HEIGHT(multiply_load)(uint k, uint quad) {
    const uint WORDS = HEIGHT(PARTS) * 16 / LOAD; // of a load in a round
    uint word = 0;
    do {
        if (WORDS < 4)
            HEIGHT(read_inputs)(k + word * (LOAD / 4));
        [[unroll]] for (uint p = 0; p < HEIGHT(PARTS); p++)
            HEIGHT(multiply_part)(p, quad + p);
        turn_loads(word, WORDS);
        word += WORDS;
    } while (WORDS < 4 && word < 4);
}

// sum += products of a round or of a load, whichever is longer.
void HEIGHT(multiply_step)(uint k) {
    if (HEIGHT(ROUND) >= LOAD)
        HEIGHT(read_inputs)(k);
    [[unroll]] for (uint s = 0; s < HEIGHT(STEP); s += LOAD) {
        read_loads(k + s);
        if (SCALED && BLOCK_COLUMNS <= HEIGHT(STEP) && s % BLOCK_COLUMNS == 0)
            read_scales(k + s);
        HEIGHT(multiply_load)(k + s, s / 4);
    }
}

// sum += products over K up to `end`, block by block, where a block has several steps: its scale is read once.
void HEIGHT(multiply)(uint end) {
    const bool BLOCKS = BLOCK_COLUMNS > HEIGHT(STEP);
    uint k = 0;
    while (k < end) {
        const uint block_end = min(k + BLOCK_COLUMNS, end);
        if (BLOCKS)
            read_scales(k);
        do {
            HEIGHT(multiply_step)(k);
            k += HEIGHT(STEP);
        } while (BLOCKS && k < block_end);
    }
}
