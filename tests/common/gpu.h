/* The app's side of the core API: buffers in host-visible memory and one command buffer, on a smoe_device's Vulkan
 * objects. */
#ifndef TEST_GPU_H
#define TEST_GPU_H

#include <pthread.h>

#include "smoe/device.h"

#define TEST_GPU_FUNCTIONS(X)                                                                                          \
    X(CreateBuffer)                                                                                                    \
    X(DestroyBuffer) X(GetBufferMemoryRequirements) X(AllocateMemory) X(FreeMemory) X(BindBufferMemory) X(MapMemory)   \
        X(CreateCommandPool) X(DestroyCommandPool) X(AllocateCommandBuffers) X(BeginCommandBuffer) X(EndCommandBuffer) \
            X(CmdPipelineBarrier) X(CreateFence) X(DestroyFence) X(ResetFences) X(WaitForFences) X(QueueSubmit)        \
                X(CreateQueryPool) X(DestroyQueryPool) X(CmdResetQueryPool) X(GetQueryPoolResults)

typedef struct test_gpu {
    smoe_device_handles handles;
    VkPhysicalDeviceMemoryProperties memory;
    VkDeviceSize alignment; /* minStorageBufferOffsetAlignment, as the context sees it */
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    pthread_mutex_t *queue_mutex; /* where threads share the queue, else NULL */
#define TEST_GPU_DECLARE(name) PFN_vk##name name;
    TEST_GPU_FUNCTIONS(TEST_GPU_DECLARE)
#undef TEST_GPU_DECLARE
} test_gpu;

/* Each returns false after printing what failed. */
bool test_gpu_open(test_gpu *gpu, const smoe_device *device);
void test_gpu_close(test_gpu *gpu);

/* A part of a VkBuffer, with guard bytes before and behind it. */
typedef struct test_buffer {
    smoe_buffer part;
    VkDeviceMemory memory;
    unsigned char *data; /* of the part, mapped for the buffer's life */
} test_buffer;

/* Storage and indirect usage. contents: copied in; NULL: filled with a pattern that is NaN as float32. */
bool test_buffer_create(test_gpu *gpu, VkDeviceSize size, const void *contents, test_buffer *buffer);
void test_buffer_destroy(test_gpu *gpu, test_buffer *buffer);
bool test_buffer_guards_intact(const test_gpu *gpu, const test_buffer *buffer);

/* Begins the command buffer. Everything the host has written is visible to compute shaders. */
bool test_gpu_begin(test_gpu *gpu);
/* Ends it without submitting it. */
bool test_gpu_end(test_gpu *gpu);
/* Ends it, submits it and waits. After that the host sees everything that was written. */
bool test_gpu_submit(test_gpu *gpu);

#endif
