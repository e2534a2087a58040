/* The Vulkan that programs need for compute shaders of their own, on the device of a smoe_device or their own: buffers,
 * pipelines, one command buffer, timestamps. samples/embed does without, and shows all of it.
 *
 * Functions that return bool give false once `error` says what failed. What is zeros, or was made in part, may be
 * destroyed too. */
#ifndef PROGRAM_COMPUTE_H
#define PROGRAM_COMPUTE_H

#include <volk.h>

#include <smoe/device.h>

/* For a program whose other threads use the queue meanwhile: called around each use of it. */
typedef struct compute_lock {
    void (*lock)(void *user); /* NULL: no other thread does */
    void (*unlock)(void *user);
    void *user;
} compute_lock;

typedef struct compute {
    const smoe_device_info *info;
    VkDevice device;
    VkQueue queue;
    compute_lock lock; /* to be set once the compute is created, as the program likes */
    struct VolkDeviceTable vk;
    VkPhysicalDeviceMemoryProperties memory;
    VkPhysicalDeviceLimits limits;
    /* Queue families that use the buffers; none: only the queue's, to which they belong. To be set before there are
     * any */
    uint32_t sharing[2], sharing_count;
    VkCommandPool command_pool;
    VkCommandBuffer commands; /* of compute_begin and compute_submit */
    VkFence fence;
    uint64_t timestamp_mask; /* 0: no timestamps */
    char error[256];         /* one line, of the first failure; may be emptied once it is printed */
} compute;

/* Where these fail, compute_destroy all the same. compute_create_on is for a VkDevice of the program's own; info
 * describes the physical device and must live as long. It makes volk's functions of instances those of the instance,
 * where they are not yet: then no other thread may use volk meanwhile. */
bool compute_create(compute *c, smoe_device *device);
bool compute_create_on(compute *c, const smoe_device_handles *handles, const smoe_device_info *info);
void compute_destroy(compute *c);

/* False, with the error noted, for a result that is no success. */
bool compute_check(compute *c, VkResult result, const char *call);

/* ---- memory ------------------------------------------------------------------------------------------------------ */

typedef enum compute_memory {
    COMPUTE_LOCAL,  /* the device's own, not mapped */
    COMPUTE_VISIBLE, /* the device's own; mapped too where all of it is visible to the host */
    COMPUTE_UPLOAD, /* mapped; the device's own where it can be */
    COMPUTE_HOST    /* mapped, and quick to read for the host */
} compute_memory;

typedef struct compute_buffer {
    VkBuffer buffer; /* storage, uniform, uniform texels, indirect, copies from and to */
    VkDeviceMemory memory;
    VkDeviceSize size;
    void *mapped; /* NULL where the host cannot see it */
} compute_buffer;

bool compute_create_buffer(compute *c, VkDeviceSize size, compute_memory kind, const char *what, compute_buffer *out);
void compute_destroy_buffer(compute *c, compute_buffer *buffer);

/* ---- pipelines --------------------------------------------------------------------------------------------------- */

enum { COMPUTE_MAX_BINDINGS = 8, COMPUTE_MAX_CONSTANTS = 8, COMPUTE_PUSH_SIZE = 128 /* Vulkan's floor */ };

/* One descriptor set, of one descriptor of each of the types, and push constants. */
typedef struct compute_layout {
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorType types[COMPUTE_MAX_BINDINGS];
    uint32_t count;
} compute_layout;

bool compute_create_layout(compute *c, const VkDescriptorType *types, uint32_t count, compute_layout *out);
void compute_destroy_layout(compute *c, compute_layout *layout);

/* Sets: a pool for `count` of them, destroyed by the caller; and one. */
bool compute_create_pool(compute *c, const compute_layout *layout, uint32_t count, VkDescriptorPool *out);
bool compute_create_set(compute *c, const compute_layout *layout, VkDescriptorPool pool, VkDescriptorSet *out);
/* All of a buffer for each binding. */
void compute_write_set(compute *c, const compute_layout *layout, VkDescriptorSet set, const compute_buffer *buffers);

/* size: bytes of the SPIR-V; constants: of the specialization constants 0, 1, ...; lanes: of each subgroup, all of them
 * there, for devices with size control; 0: as the driver likes. */
bool compute_create_pipeline(compute *c, const compute_layout *layout, const uint32_t *spirv, size_t size,
                             const uint32_t *constants, uint32_t constant_count, uint32_t lanes, VkPipeline *out);

/* ---- work -------------------------------------------------------------------------------------------------------- */

bool compute_begin(compute *c);
/* Makes what was written visible to the host and to later work, submits, and waits. */
bool compute_submit(compute *c);

/* Into any command buffer of the queue's family that is recording. */
void compute_dispatch(const compute *c, VkCommandBuffer commands, const compute_layout *layout, VkPipeline pipeline,
                      VkDescriptorSet set, const void *push, uint32_t push_size, uint32_t x, uint32_t y, uint32_t z);
void compute_barrier(const compute *c, VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags written,
                     VkPipelineStageFlags to, VkAccessFlags used);

/* Timestamps. A pool for `count` of them; VK_NULL_HANDLE, with which the calls do nothing, where the device has
 * none. */
bool compute_create_stamps(compute *c, uint32_t count, VkQueryPool *out);
/* The `count` stamps from `first` on begin anew, and `first` is taken. */
void compute_first_stamp(const compute *c, VkCommandBuffer commands, VkQueryPool pool, uint32_t first, uint32_t count);
/* What was recorded so far has ended. */
void compute_stamp(const compute *c, VkCommandBuffer commands, VkQueryPool pool, uint32_t index);
/* Nanoseconds from the first of those stamps to each, itself too. Waits for nothing: VK_NOT_READY where the work has
 * not ended. No error is noted. */
VkResult compute_read_stamps(const compute *c, VkQueryPool pool, uint32_t first, uint32_t count, double *nanoseconds);

#endif
