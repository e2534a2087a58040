#version 450
#extension GL_GOOGLE_include_directive : require
// Rows by expert, the tile list and the indirect arguments. One workgroup for the whole pass: T * A small integers are
// little work next to the experts' matrices, and one workgroup needs no second dispatch to see its own counts.
// control in: ACTIVE [T], IDS [T,A]; out: ROWS [T,A], ROW_TOKENS [rows], TILES, ARGUMENTS. With WEIGHTED_INPUT
// INPUT_WEIGHTS [T,A] become ROW_WEIGHTS [rows].
// The order of one expert's rows depends on the scheduling of the atomics; no result does, since each row is computed
// by itself.
#define PUSH_BLOCK SMOE_PUSH_SORT
#define CONTROL_ACCESS
#include "kernel.glsl"

shared uint counts[MOST_EXPERTS];          // rows of each expert
shared uint row_base[MOST_EXPERTS];        // its first row
shared uint tile_base[MOST_EXPERTS + 1u];  // its first tile; the last entry is the number of tiles
shared uvec2 sums[WORKGROUP_SIZE];

// Whether the expert of a place in IDS has a row: zero experts, the last ones, have none.
bool has_row(uint i) {
    return ZERO_EXPERTS == 0u || control[push.ids_at + i] < push.expert_count;
}

// The expert of a place in IDS. No bits there lead out of bounds.
uint expert_of(uint i) {
    return min(control[push.ids_at + i], push.expert_count - 1u);
}

// Exclusive sums over the experts of rows and tiles: each invocation adds up its consecutive experts, then a
// Hillis-Steele scan.
void scan_experts(uint lane) {
    const uint each = (push.expert_count + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    const uint first = min(lane * each, push.expert_count);
    const uint last = min(first + each, push.expert_count);
    uvec2 own = uvec2(0u);
    for (uint e = first; e < last; e++)
        own += uvec2(counts[e], (counts[e] + TILE_ROWS - 1u) / TILE_ROWS);
    sums[lane] = own;
    barrier();
    for (uint step = 1u; step < WORKGROUP_SIZE; step *= 2u) {
        const uvec2 below = lane >= step ? sums[lane - step] : uvec2(0u);
        barrier();
        sums[lane] += below;
        barrier();
    }
    uvec2 base = sums[lane] - own;
    for (uint e = first; e < last; e++) {
        row_base[e] = base.x;
        tile_base[e] = base.y;
        base += uvec2(counts[e], (counts[e] + TILE_ROWS - 1u) / TILE_ROWS);
    }
    if (lane == 0u)
        tile_base[push.expert_count] = sums[WORKGROUP_SIZE - 1u].y;
    barrier();
}

// The expert whose tiles include `tile`: the last one with rows whose first tile is not after it.
uint expert_of_tile(uint tile) {
    uint low = 0u, high = push.expert_count - 1u;
    while (low < high) {
        const uint middle = (low + high + 1u) / 2u;
        if (tile_base[middle] <= tile)
            low = middle;
        else
            high = middle - 1u;
    }
    return low;
}

// A piece's, of a range's `count` tiles from `first` on; earlier pieces have `done`.
void write_arguments(uint at, uint column_tiles, uint piece_tiles, uint first, uint done, uint count) {
    const uint begin = min(done, count);
    control[at] = column_tiles;
    control[at + 1u] = min(piece_tiles, count - begin);
    control[at + 2u] = 1u;
    control[at + 3u] = first + begin;
}

void main() {
    const uint lane = gl_LocalInvocationID.x;
    for (uint e = lane; e < push.expert_count; e += WORKGROUP_SIZE)
        counts[e] = 0u;
    barrier();
    for (uint t = lane; t < push.token_count; t += WORKGROUP_SIZE) {
        const uint n = control[push.active_at + t];
        for (uint i = t * push.active_stride; i < t * push.active_stride + n; i++)
            // the place among the expert's rows, for now
            if (has_row(i))
                control[push.rows_at + i] = atomicAdd(counts[expert_of(i)], 1u);
    }
    barrier();
    scan_experts(lane);
    for (uint t = lane; t < push.token_count; t += WORKGROUP_SIZE) {
        const uint n = control[push.active_at + t];
        for (uint i = t * push.active_stride; i < t * push.active_stride + n; i++) {
            if (!has_row(i)) {
                control[push.rows_at + i] = SMOE_NO_ROW;
                continue;
            }
            const uint row = control[push.rows_at + i] + row_base[expert_of(i)];
            control[push.rows_at + i] = row;
            control[push.row_tokens_at + row] = t;
            if (WEIGHTED_INPUT != 0u)
                control[push.row_weights_at + row] = control[push.input_weights_at + i];
        }
    }
    for (uint i = lane; i < tile_base[push.expert_count]; i += WORKGROUP_SIZE) {
        const uint e = expert_of_tile(i);
        const uint done = (i - tile_base[e]) * TILE_ROWS;
        const uint at = push.tiles_at + SMOE_TILE_WORDS * i;
        control[at] = e;
        control[at + 1u] = row_base[e] + done;
        control[at + 2u] = min(TILE_ROWS, counts[e] - done);
        control[at + 3u] = 0u;
    }
    for (uint i = lane; i < push.range_count * push.range_pieces; i += WORKGROUP_SIZE) {
        const uint range = i / push.range_pieces, piece = i % push.range_pieces;
        const uint first = tile_base[min(range * push.range_experts, push.expert_count)];
        const uint count = tile_base[min((range + 1u) * push.range_experts, push.expert_count)] - first;
        write_arguments(SMOE_ARGUMENTS_AT(i, SMOE_ARGUMENTS_UP), push.up_column_tiles, push.up_piece_tiles, first,
                        piece * push.up_piece_tiles, count);
        write_arguments(SMOE_ARGUMENTS_AT(i, SMOE_ARGUMENTS_DOWN), push.down_column_tiles, push.down_piece_tiles, first,
                        piece * push.down_piece_tiles, count);
    }
}
