#version 450
#extension GL_GOOGLE_include_directive : require
// Rows by expert, the tile list and the indirect arguments. One workgroup for the whole pass: T * A small integers are little work
// next to the experts' matrices, and one workgroup needs no second dispatch to see its own counts.
// control in: ACTIVE [T], IDS [T,A]; out: ROWS [T,A], ROW_TOKENS [R], TILES, TILE_COUNTS, ARGUMENTS.
// The order of one expert's rows depends on the scheduling of the atomics; no result does, since each row is computed by itself.
#define CONTROL_ACCESS
#include "kernel.glsl"

shared uint counts[EXPERT_COUNT];          // rows of each expert
shared uint row_base[EXPERT_COUNT];        // its first row
shared uint tile_base[EXPERT_COUNT + 1u];  // its first tile; the last entry is the number of tiles
shared uvec2 sums[WORKGROUP_SIZE];

// Exclusive sums over the experts of rows and tiles: each invocation adds up its consecutive experts, then a Hillis-Steele scan.
void scan_experts(uint lane) {
    const uint each = (EXPERT_COUNT + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    const uint first = min(lane * each, EXPERT_COUNT);
    const uint last = min(first + each, EXPERT_COUNT);
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
        tile_base[EXPERT_COUNT] = sums[WORKGROUP_SIZE - 1u].y;
    barrier();
}

// The expert whose tiles include `tile`: the last one with rows whose first tile is not after it.
uint expert_of_tile(uint tile) {
    uint low = 0u, high = EXPERT_COUNT - 1u;
    while (low < high) {
        const uint middle = (low + high + 1u) / 2u;
        if (tile_base[middle] <= tile)
            low = middle;
        else
            high = middle - 1u;
    }
    return low;
}

void write_arguments(uint at, uint column_tiles, uint first, uint count) {
    const uint y = min(count, SMOE_MAX_GROUPS_Y);
    control[at] = column_tiles;
    control[at + 1u] = y;
    control[at + 2u] = y > 0u ? (count + y - 1u) / y : 0u;
    control[at + 3u] = first;
}

void main() {
    const uint lane = gl_LocalInvocationID.x;
    for (uint e = lane; e < EXPERT_COUNT; e += WORKGROUP_SIZE)
        counts[e] = 0u;
    barrier();
    for (uint t = lane; t < push.token_count; t += WORKGROUP_SIZE) {
        const uint n = control[AT_ACTIVE + t];
        for (uint i = t * MAX_ACTIVE; i < t * MAX_ACTIVE + n; i++)
            control[AT_ROWS + i] = atomicAdd(counts[control[AT_IDS + i]], 1u); // the place among the expert's rows, for now
    }
    barrier();
    scan_experts(lane);
    for (uint t = lane; t < push.token_count; t += WORKGROUP_SIZE) {
        const uint n = control[AT_ACTIVE + t];
        for (uint i = t * MAX_ACTIVE; i < t * MAX_ACTIVE + n; i++) {
            const uint row = control[AT_ROWS + i] + row_base[control[AT_IDS + i]];
            control[AT_ROWS + i] = row;
            control[AT_ROW_TOKENS + row] = t;
        }
    }
    for (uint i = lane; i < tile_base[EXPERT_COUNT]; i += WORKGROUP_SIZE) {
        const uint e = expert_of_tile(i);
        const uint done = (i - tile_base[e]) * TILE_ROWS;
        const uint at = AT_TILES + SMOE_TILE_WORDS * i;
        control[at] = e;
        control[at + 1u] = row_base[e] + done;
        control[at + 2u] = min(TILE_ROWS, counts[e] - done);
        control[at + 3u] = 0u;
    }
    for (uint r = lane; r < RANGE_COUNT; r += WORKGROUP_SIZE) {
        const uint first = tile_base[min(r * RANGE_EXPERTS, EXPERT_COUNT)];
        const uint count = tile_base[min((r + 1u) * RANGE_EXPERTS, EXPERT_COUNT)] - first;
        control[AT_TILE_COUNTS + r] = count;
        write_arguments(SMOE_CONTROL_ARGUMENTS(r), UP_COLUMN_TILES, first, count);
        write_arguments(SMOE_CONTROL_ARGUMENTS(r) + 4u, DOWN_COLUMN_TILES, first, count);
    }
}
