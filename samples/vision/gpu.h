/* The Vulkan that the engine needs, on anybody's device: memory, pipelines, and one command buffer of its own. */
#ifndef VISION_GPU_H
#define VISION_GPU_H

#include "program/compute.h"

#include "engine.h"
#include "error.h"
#include "interface.h"

typedef struct gpu_kernel gpu_kernel;

struct gpu {
    const smoe_context *context;
    const smoe_log *log;
    compute compute;
    compute_layout layout;
    gpu_kernel *kernels; /* all that gpu_pipeline has made */
};

/* Each function below that returns bool returns false after a line of the log that says what failed. */

/* ---- memory: planned first, then allocated once ------------------------------------------------------------------ */

typedef struct gpu_arena {
    VkDeviceSize alignment, size;
    compute_buffer buffer;
    unsigned char *mapped; /* NULL where the host cannot see it */
} gpu_arena;

/* A part of an arena, which need not be allocated yet. */
typedef struct gpu_part {
    const gpu_arena *arena;
    VkDeviceSize offset, size;
} gpu_part;

void gpu_arena_begin(gpu_arena *arena, const gpu *g);
gpu_part gpu_arena_take(gpu_arena *arena, VkDeviceSize size);
bool gpu_arena_allocate(gpu *g, gpu_arena *arena, compute_memory kind, const char *what);
void gpu_arena_destroy(gpu *g, gpu_arena *arena);

/* For smoe, once the arena is allocated. A part of size 0 is an absent buffer. */
smoe_buffer gpu_buffer(const gpu_part *part);

/* Copies into parts of arenas that the host cannot see go through a staging arena, whose size limits one copy. */
bool gpu_upload(gpu *g, const gpu_arena *staging, const gpu_part *part, const void *data, size_t size);

/* ---- work -------------------------------------------------------------------------------------------------------- */

/* Specialization constants 0, 1, ...: VISION_ID_* of interface.h. */
typedef struct gpu_constants {
    uint32_t workgroup_size;
    VkBool32 half, transposed;
    uint32_t team;
} gpu_constants;
_Static_assert(offsetof(gpu_constants, half) == VISION_ID_HALF * sizeof(uint32_t) &&
                   offsetof(gpu_constants, transposed) == VISION_ID_TRANSPOSED * sizeof(uint32_t) &&
                   offsetof(gpu_constants, team) == VISION_ID_TEAM * sizeof(uint32_t),
               "constants in the order of their ids");

/* size: bytes of the SPIR-V. The same pipeline for the same SPIR-V and constants; it is the gpu's. */
bool gpu_pipeline(gpu *g, const uint32_t *spirv, size_t size, const gpu_constants *constants, VkPipeline *out);

/* A part as a uniform texel buffer. */
bool gpu_view(gpu *g, const gpu_part *part, VkFormat format, VkBufferView *out);

/* Storage buffers; one that is absent becomes the output: a shader must not see none. texels: of input and weights,
 * NULL for a shader that does not use them. */
void gpu_write_set(gpu *g, VkDescriptorSet set, const gpu_part parts[VISION_BINDING_BUFFERS],
                   const VkBufferView texels[2]);

bool gpu_begin(gpu *g);
bool gpu_submit(gpu *g);

/* Gives what it is given; false is logged, as what the gpu's compute says. */
bool gpu_good(gpu *g, bool good);
bool gpu_check(gpu *g, VkResult result, const char *call);

#endif
