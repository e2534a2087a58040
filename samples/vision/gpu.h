/* The Vulkan that the engine needs, on the device of a smoe_device: memory, pipelines, and one command buffer. */
#ifndef VISION_GPU_H
#define VISION_GPU_H

#include <volk.h>

#include "smoe/device.h"

#include "engine.h"
#include "fail.h"
#include "interface.h"

typedef struct gpu_kernel gpu_kernel;

struct gpu {
    smoe_device *owner;
    const smoe_device_info *info;
    VkDevice device;
    VkQueue queue;
    struct VolkDeviceTable vk;
    VkPhysicalDeviceMemoryProperties memory_properties;
    VkPhysicalDeviceLimits limits;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkCommandPool command_pool;
    VkCommandBuffer commands;
    VkFence fence;
    uint64_t timestamp_mask; /* 0: no timestamps */
    gpu_kernel *kernels;     /* all that gpu_pipeline has made */
};

/* Each function below that returns bool returns false after printing what failed. */

/* ---- memory: planned first, then allocated once -------------------------------------------------------------------- */

typedef enum gpu_memory_kind {
    GPU_MEMORY_DEVICE, /* the device's own; mapped too where all of it is visible to the host */
    GPU_MEMORY_HOST    /* mapped */
} gpu_memory_kind;

typedef struct gpu_arena {
    VkDeviceSize alignment, size;
    VkBuffer buffer;
    VkDeviceMemory memory;
    unsigned char *mapped; /* NULL where the host cannot see it */
} gpu_arena;

/* A part of an arena, which need not be allocated yet. */
typedef struct gpu_part {
    const gpu_arena *arena;
    VkDeviceSize offset, size;
} gpu_part;

void gpu_arena_begin(gpu_arena *arena, const gpu *g);
gpu_part gpu_arena_take(gpu_arena *arena, VkDeviceSize size);
bool gpu_arena_allocate(gpu *g, gpu_arena *arena, gpu_memory_kind kind, const char *what);
void gpu_arena_destroy(gpu *g, gpu_arena *arena);

/* For smoe, once the arena is allocated. A part of size 0 is an absent buffer. */
smoe_buffer gpu_buffer(const gpu_part *part);

/* Copies into parts of arenas that the host cannot see go through a staging arena, whose size limits one copy. */
bool gpu_upload(gpu *g, const gpu_arena *staging, const gpu_part *part, const void *data, size_t size);

/* ---- work ---------------------------------------------------------------------------------------------------------- */

typedef struct gpu_constants {
    uint32_t workgroup_size;
    VkBool32 half, transposed;
    uint32_t team; /* interface.h */
} gpu_constants;

/* size: bytes of the SPIR-V. The same pipeline for the same SPIR-V and constants; it is the gpu's. */
bool gpu_pipeline(gpu *g, const uint32_t *spirv, size_t size, const gpu_constants *constants, VkPipeline *out);

/* A part as a uniform texel buffer. */
bool gpu_view(gpu *g, const gpu_part *part, VkFormat format, VkBufferView *out);

/* Storage buffers; one that is absent becomes the output: a shader must not see none. texels: of input and weights, NULL for a shader that
 * does not use them. */
void gpu_write_set(gpu *g, VkDescriptorSet set, const gpu_part parts[VISION_BINDING_BUFFERS], const VkBufferView texels[2]);

bool gpu_begin(gpu *g);
/* Orders compute work after compute work. */
void gpu_barrier(gpu *g);
/* Makes everything visible to the host, submits, and waits. */
bool gpu_submit(gpu *g);

/* False, after printing, for a Vulkan result that is no success. */
bool gpu_check(VkResult result, const char *call);

#endif
