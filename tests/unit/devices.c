#include "devices.h"

#include <string.h>

#define SHUFFLE                                                                                                        \
    (SMOE_CAPABILITY_SUBGROUP_ARITHMETIC | SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE)

#define MATRICES SMOE_CAPABILITY_COOPERATIVE_MATRIX
#define BOTH_MATRICES (SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16)
#define NO_MATRICES (SMOE_CAPABILITY_ALL & ~BOTH_MATRICES)
#define HALF(M, N, K) {SMOE_TYPE_FLOAT16, M, N, K}
#define BFLOAT(M, N, K) {SMOE_TYPE_BFLOAT16, M, N, K}

typedef struct corner {
    const char *name;
    VkPhysicalDeviceType type;
    uint32_t capabilities, subgroup_min, subgroup_max, invocations, shared;
    uint64_t range, alignment;
    smoe_matrix_shape matrices[4]; /* up to the first without rows */
    uint32_t vendor; /* as the tuning table knows them; 0: one that it does not */
} corner;

/* Subgroup sizes, ranges and limits as real drivers report them. */
static const corner corners[TEST_DEVICE_COUNT] = {
    {"the floor", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, 0, 1, 1, 128, 16384, 1ull << 27, 256, {{0}}, 0},
    {"lavapipe, 4 lanes", VK_PHYSICAL_DEVICE_TYPE_CPU, NO_MATRICES | MATRICES, 4, 4, 1024, 32768, 1ull << 27, 16,
     {HALF(8, 8, 8)}, 0},
    {"lavapipe, 8 lanes", VK_PHYSICAL_DEVICE_TYPE_CPU, NO_MATRICES | MATRICES, 8, 8, 1024, 32768, 1ull << 27, 16,
     {HALF(8, 8, 8)}, 0},
    {"lavapipe, 16 lanes", VK_PHYSICAL_DEVICE_TYPE_CPU, NO_MATRICES | MATRICES, 16, 16, 1024, 32768, 1ull << 27, 16,
     {HALF(8, 8, 8)}, 0},
    {"SwiftShader", VK_PHYSICAL_DEVICE_TYPE_CPU, SHUFFLE, 4, 4, 256, 16384, 1ull << 30, 256, {{0}}, 0},
    {"Intel", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, SMOE_CAPABILITY_ALL, 8, 32, 1024, 65536, 1ull << 30, 64,
     {HALF(8, 8, 16), BFLOAT(8, 8, 16)}, 0},
    {"NVIDIA", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, NO_MATRICES | MATRICES, 32, 32, 1024, 49152, 0xffffffffull, 16,
     {HALF(16, 8, 8), HALF(16, 16, 16), HALF(16, 8, 16)}, 0x10de},
    {"AMD, RDNA", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, SMOE_CAPABILITY_ALL, 32, 64, 1024, 65536, 0xffffffffull, 4,
     {HALF(16, 16, 16), BFLOAT(16, 16, 16)}, 0x1002},
    {"AMD, GCN", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, SHUFFLE, 64, 64, 1024, 65536, 0xffffffffull, 4, {{0}}, 0x1002},
    {"Mali", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, NO_MATRICES, 16, 16, 1024, 32768, 0xffffffffull, 16, {{0}},
     0x13b5},
    {"Adreno", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, SHUFFLE, 64, 128, 1024, 32768, 1ull << 27, 64, {{0}}, 0},
    {"Xe2", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, SMOE_CAPABILITY_ALL, 16, 32, 1024, 49152, 0xffffffffull, 64,
     {HALF(8, 16, 16), BFLOAT(8, 16, 16)}, 0},
    {"NVIDIA, no size control, 16x8x16 alone", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, SHUFFLE | MATRICES, 32, 32, 1024,
     49152, 0xffffffffull, 16, {HALF(16, 8, 16)}, 0},
    {"several subgroup sizes, no size control", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, SHUFFLE | BOTH_MATRICES, 32, 64,
     1024, 65536, 0xffffffffull, 16, {HALF(16, 16, 16), BFLOAT(16, 16, 16)}, 0},
    {"odd matrices", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, SMOE_CAPABILITY_ALL, 32, 32, 1024, 49152, 0xffffffffull, 16,
     {HALF(7, 5, 3), HALF(16, 16, 4), HALF(64, 64, 16), BFLOAT(12, 16, 16)}, 0},
    {"128 lanes, long matrices", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, SHUFFLE | MATRICES, 128, 128, 1024, 32768,
     1ull << 27, 64, {HALF(32, 8, 32), HALF(16, 16, 8)}, 0},
    {"few invocations", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, SMOE_CAPABILITY_ALL, 64, 64, 256, 32768, 1ull << 27, 64,
     {HALF(8, 32, 16), BFLOAT(16, 16, 32)}, 0},
    {"matrices on the floor", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, SMOE_CAPABILITY_ALL, 16, 16, 128, 16384,
     1ull << 27, 64, {HALF(16, 16, 16), BFLOAT(16, 16, 16)}, 0},
    {"Mali with matrices", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, NO_MATRICES | MATRICES, 16, 16, 1024, 32768,
     0xffffffffull, 16, {HALF(16, 16, 16)}, 0x13b5},
    {"more than 256 outputs", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, NO_MATRICES | MATRICES, 32, 32, 1024, 49152,
     0xffffffffull, 16, {HALF(32, 16, 16), HALF(32, 32, 16)}, 0},
};

smoe_device_info test_device(uint32_t i)
{
    const corner *c = &corners[i];
    smoe_device_info info = {
        .type = c->type,
        .vendor_id = c->vendor,
        .api_version = VK_API_VERSION_1_1,
        .capabilities = c->capabilities,
        .subgroup_size = c->subgroup_max,
        .subgroup_size_min = c->subgroup_min,
        .subgroup_size_max = c->subgroup_max,
        .max_workgroup_invocations = c->invocations,
        .max_workgroup_size_x = c->invocations,
        .max_workgroup_count = {65535, 65535, 65535},
        .max_shared_memory_size = c->shared,
        .max_stage_storage_buffers = 8,
        .max_storage_buffer_range = c->range,
        .min_storage_buffer_offset_alignment = c->alignment,
        .usable = true,
    };
    while (info.matrix_shape_count < 4 && c->matrices[info.matrix_shape_count].rows > 0) {
        info.matrix_shapes[info.matrix_shape_count] = c->matrices[info.matrix_shape_count];
        info.matrix_shape_count++;
    }
    strcpy(info.name, c->name);
    return info;
}
