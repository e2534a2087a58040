#version 450
#extension GL_GOOGLE_include_directive : require
// Adds a pass's tokens to the totals (report.h). Workgroup: tokens TILE_ROWS * x and on, counted in shared memory
// first, so that the atomics in global memory are one per count and workgroup. Integers only: the same totals whatever
// the scheduling.
// control in: ACTIVE [T], IDS [T,A], NOTES [T,2]; output: totals.
#define PUSH_BLOCK SMOE_PUSH_TOTALS
#define CONTROL_ACCESS readonly
#include "kernel.glsl"
#include "smoe/report.h"

layout(set = SMOE_SET_IO, binding = SMOE_BINDING_OUTPUT, std430) buffer Totals { uint totals[]; };

// Counts of this workgroup, in the order of the totals from SMOE_TOTALS_TOKENS on; MAX_ACTIVE keeps its place.
shared uint counts[SMOE_TOTALS_WORDS(MOST_EXPERTS) / 2];

// Bins of a quarter of a power of two by the bits only, so that every driver sorts alike: the exponent, then the
// mantissa against the float32 nearest to 2^(1/4), 2^(1/2) and 2^(3/4).
uint gap_bin(float gap) {
    const uint bits = floatBitsToUint(gap);
    const int exponent = int(bits >> 23) - 127;
    if (exponent < -24)
        return 0u;
    if (exponent >= 8)
        return SMOE_TOTALS_GAP_COUNT - 1u;
    const uint mantissa = bits & 0x007fffffu;
    const uint quarter =
        (mantissa >= 0x1837f0u ? 1u : 0u) + (mantissa >= 0x3504f3u ? 1u : 0u) + (mantissa >= 0x5744fdu ? 1u : 0u);
    return uint(exponent + 24) * 4u + quarter + 1u;
}

// at: the count's place in the totals' words.
void add(uint at, uint value) {
    atomicAdd(counts[at / 2u], value);
}

void count_token(uint token) {
    const uint active_count = control[push.active_at + token];
    const uint note = control[push.notes_at + 2u * token + 1u];
    const uint flags = note >> 16;
    uint at_max = SMOE_TOTALS_MAX_ACTIVE / 2; // glslang takes the array for shorter than a constant index
    add(SMOE_TOTALS_TOKENS, 1u);
    if ((flags & SMOE_REPORT_FLAG_NONFINITE) != 0u) {
        add(SMOE_TOTALS_NONFINITE, 1u);
        return;
    }
    if ((flags & SMOE_REPORT_FLAG_CAPPED) != 0u)
        add(SMOE_TOTALS_CAPPED, 1u);
    if ((flags & SMOE_REPORT_FLAG_GROUP_TIE) != 0u)
        add(SMOE_TOTALS_GROUP_TIES, 1u);
    add(SMOE_TOTALS_ACTIVE, active_count);
    atomicMax(counts[at_max], active_count);
    add(SMOE_TOTALS_ORDER + 2u * min(note & 0xffffu, SMOE_TOTALS_ORDER_COUNT - 1u), 1u);
    add(SMOE_TOTALS_GAP + 2u * gap_bin(uintBitsToFloat(control[push.notes_at + 2u * token])), 1u);
    for (uint i = token * push.active_stride; i < token * push.active_stride + active_count; i++)
        add(SMOE_TOTALS_EXPERTS + 2u * min(control[push.ids_at + i], push.expert_count - 1u), 1u);
}

void main() {
    const uint lane = gl_LocalInvocationID.x;
    const uint count_of_counts = SMOE_TOTALS_WORDS(push.expert_count) / 2u;
    for (uint i = lane; i < count_of_counts; i += WORKGROUP_SIZE)
        counts[i] = 0u;
    barrier();
    const uint first = gl_WorkGroupID.x * TILE_ROWS;
    const uint last = min(first + TILE_ROWS, push.token_count);
    for (uint t = first + lane; t < last; t += WORKGROUP_SIZE)
        count_token(t);
    barrier();
    for (uint i = lane; i < count_of_counts; i += WORKGROUP_SIZE) {
        const uint count = counts[i];
        if (count == 0u)
            continue;
        if (i == SMOE_TOTALS_MAX_ACTIVE / 2) {
            atomicMax(totals[SMOE_TOTALS_MAX_ACTIVE], count);
            continue;
        }
        const uint before = atomicAdd(totals[2u * i], count);
        if (before + count < before)
            atomicAdd(totals[2u * i + 1u], 1u);
    }
}
