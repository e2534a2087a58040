// Kernels that reduce rows of `columns` numbers, four at a time. TEAM invocations share a row: one where lanes are
// cheap and synchronisation is not (a processor), the whole workgroup elsewhere. Their parts are added up in a fixed
// order. Workgroup y takes WORKGROUP_SIZE / TEAM rows at once, and goes on in steps of all workgroups' rows.
#include "interface.h"

layout(local_size_x_id = VISION_ID_WORKGROUP_SIZE) in;
layout(constant_id = VISION_ID_WORKGROUP_SIZE) const uint WORKGROUP_SIZE = 64;
layout(constant_id = VISION_ID_TEAM) const uint TEAM = 64; // 1 or WORKGROUP_SIZE, which then is a power of two

const uint ROWS_AT_ONCE = WORKGROUP_SIZE / TEAM;

layout(push_constant) uniform Push { VISION_ROWS_FIELDS(uint, float) } push;

shared float parts[WORKGROUP_SIZE];

#define REDUCE(NAME, OPERATION)                                                    \
    float NAME(float value) {                                                      \
        const uint index = gl_LocalInvocationIndex;                                \
        if (TEAM == 1)                                                             \
            return value;                                                          \
        barrier(); /* the last result has been read by all */                      \
        parts[index] = value;                                                      \
        for (uint size = TEAM / 2; size > 0; size /= 2) {                          \
            barrier();                                                             \
            if (index < size)                                                      \
                parts[index] = OPERATION(parts[index], parts[index + size]);       \
        }                                                                          \
        barrier();                                                                 \
        return parts[0];                                                           \
    }

#define ADD(a, b) ((a) + (b))

// `row` takes this invocation's rows one after another; `quad`, within one, its quads of numbers.
#define FOR_EACH_ROW(row)                                                                                  \
    for (uint row = gl_WorkGroupID.y * ROWS_AT_ONCE + gl_LocalInvocationIndex / TEAM; row < push.rows;      \
         row += gl_NumWorkGroups.y * ROWS_AT_ONCE)
#define FOR_EACH_QUAD(quad) \
    for (uint quad = gl_LocalInvocationIndex % TEAM; quad < (push.columns + 3) / 4; quad += TEAM)
