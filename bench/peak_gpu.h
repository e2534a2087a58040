/* The little Vulkan that the peak's own kernels need, on the device of a smoe_device. */
#ifndef SMOE_BENCH_PEAK_GPU_H
#define SMOE_BENCH_PEAK_GPU_H

#include "bench.h"

typedef struct peak_push {
    uint32_t count;
    float factor, step;
} peak_push;

typedef struct peak_gpu {
    VkDevice device;
    VkQueue queue;
    struct VolkDeviceTable vk;
    VkPhysicalDeviceMemoryProperties memory_properties;
    VkBuffer buffers[2]; /* read, written */
    VkDeviceMemory memory[2];
    VkDeviceSize size;   /* of each */
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorPool descriptor_pool;
    VkDescriptorSet set;
    VkCommandPool command_pool;
    VkCommandBuffer commands;
    VkFence fence;
    VkQueryPool query_pool; /* VK_NULL_HANDLE without timestamps */
    uint64_t timestamp_mask;
    double timestamp_period;
    const char *failed; /* the call that failed */
} peak_gpu;

/* Two buffers of `size` bytes, filled with 1.0f. False: `failed` says at what; destroy it all the same. */
bool peak_gpu_create(peak_gpu *gpu, smoe_device *device, VkDeviceSize size);
void peak_gpu_destroy(peak_gpu *gpu);

/* size: bytes of the SPIR-V. */
bool peak_gpu_pipeline(peak_gpu *gpu, const uint32_t *spirv, size_t size, VkPipeline *out);
void peak_gpu_destroy_pipeline(peak_gpu *gpu, VkPipeline pipeline);

/* Runs a pipeline, or a copy command for VK_NULL_HANDLE, and gives its nanoseconds on the device, or on the host where the device
 * has no timestamps. */
bool peak_gpu_time(peak_gpu *gpu, VkPipeline pipeline, const peak_push *push, uint32_t groups, double *nanoseconds);

#endif
