/* What the files of src/device share. Names here begin with smoe_helper_: libsmoe's own internals begin otherwise, and
 * both may meet in one static link. Only what SConstruct lists for libsmoe-device of libsmoe's internals is
 * used here; the shared library has hidden copies of it. */
#ifndef SMOE_DEVICE_INTERNAL_H
#define SMOE_DEVICE_INTERNAL_H

#include "base/functions.h"
#include "base/host.h"
#include "smoe/device.h"

/* ---- loader.c: the system's Vulkan loader ------------------------------------------------------------------------ */

typedef struct smoe_helper_loader {
    void *library; /* NULL where the app gave its own entry */
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
} smoe_helper_loader;

/* False if there is none. Safe on many threads at once: the system counts the references. */
bool smoe_helper_loader_open(smoe_helper_loader *loader);
void smoe_helper_loader_close(smoe_helper_loader *loader);

/* ---- instance.c: instance, validation ---------------------------------------------------------------------------- */

#define SMOE_HELPER_INSTANCE_FUNCTIONS(FUNCTION)       \
    FUNCTION(vkDestroyInstance)                        \
    FUNCTION(vkEnumeratePhysicalDevices)               \
    FUNCTION(vkEnumerateDeviceExtensionProperties)     \
    FUNCTION(vkGetPhysicalDeviceFeatures2)             \
    FUNCTION(vkGetPhysicalDeviceMemoryProperties)      \
    FUNCTION(vkGetPhysicalDeviceQueueFamilyProperties) \
    FUNCTION(vkCreateDevice)                           \
    FUNCTION(vkGetDeviceProcAddr)

typedef struct smoe_helper_instance {
    smoe_host host;
    smoe_helper_loader loader;
    uint32_t api_version; /* VkApplicationInfo.apiVersion */
    VkInstance handle;
    VkDebugUtilsMessengerEXT messenger;
    PFN_vkDestroyDebugUtilsMessengerEXT destroy_messenger;
    /* only through the atomic operations of instance.c: the layers may call from threads of their own */
    uint32_t message_count;
    SMOE_HELPER_INSTANCE_FUNCTIONS(SMOE_FUNCTION_MEMBER)
} smoe_helper_instance;

/* On failure everything is undone. The struct must not move while it lives: the messenger points to it. A loader that
 * finds no driver gives SMOE_ERROR_NO_DEVICE, sets *no_driver and logs nothing. */
smoe_result smoe_helper_instance_create(smoe_helper_instance *instance, const smoe_host *host,
                                        PFN_vkGetInstanceProcAddr get_instance_proc_addr, bool validation,
                                        bool *no_driver);
void smoe_helper_instance_destroy(smoe_helper_instance *instance);
uint32_t smoe_helper_message_count(const smoe_helper_instance *instance);

/* Behind what says that there is no device. */
#define SMOE_HELPER_INSTALL "; a GPU needs its vendor's driver or Mesa's, and Mesa's lavapipe runs on any CPU"

/* ---- select.c: physical devices ---------------------------------------------------------------------------------- */

/* Finds the device of a selector (device.h) and describes it without the masked capabilities; the other devices are
 * looked at so too. */
smoe_result smoe_helper_select(const smoe_helper_instance *instance, const char *selector, uint32_t masked_capabilities,
                               VkPhysicalDevice *physical_device, smoe_device_info *info);

/* ---- extensions.c ------------------------------------------------------------------------------------------------ */

/* The extensions of a device, or for NULL those of the loader and its drivers, or of a layer; of_loader lists the
 * latter. *out: an array of *count elements, to be released by the caller; NULL and 0 for none and on failure. */
smoe_result smoe_helper_extensions_list(const smoe_helper_instance *instance,
                                        PFN_vkEnumerateInstanceExtensionProperties of_loader,
                                        VkPhysicalDevice physical_device, const char *layer, uint32_t *count,
                                        VkExtensionProperties **out);
bool smoe_helper_extension_listed(const VkExtensionProperties *extensions, uint32_t count, const char *name);

/* The recommended extensions that the device lists (smoe requires none), and VK_KHR_portability_subset where listed.
 * *out: an array to be released, whose strings are static. */
smoe_result smoe_helper_extensions_find(const smoe_helper_instance *instance, VkPhysicalDevice physical_device,
                                        uint32_t *count, const char ***out);

/* ---- device.c ---------------------------------------------------------------------------------------------------- */

#define SMOE_HELPER_DEVICE_FUNCTIONS(FUNCTION) \
    FUNCTION(vkDestroyDevice)                  \
    FUNCTION(vkGetDeviceQueue)                 \
    FUNCTION(vkQueueSubmit)                    \
    FUNCTION(vkQueueWaitIdle)                  \
    FUNCTION(vkAllocateMemory)                 \
    FUNCTION(vkFreeMemory)                     \
    FUNCTION(vkMapMemory)                      \
    FUNCTION(vkFlushMappedMemoryRanges)        \
    FUNCTION(vkInvalidateMappedMemoryRanges)   \
    FUNCTION(vkBindBufferMemory)               \
    FUNCTION(vkGetBufferMemoryRequirements)    \
    FUNCTION(vkCreateFence)                    \
    FUNCTION(vkDestroyFence)                   \
    FUNCTION(vkResetFences)                    \
    FUNCTION(vkWaitForFences)                  \
    FUNCTION(vkCreateQueryPool)                \
    FUNCTION(vkDestroyQueryPool)               \
    FUNCTION(vkGetQueryPoolResults)            \
    FUNCTION(vkCreateBuffer)                   \
    FUNCTION(vkDestroyBuffer)                  \
    FUNCTION(vkCreateCommandPool)              \
    FUNCTION(vkDestroyCommandPool)             \
    FUNCTION(vkResetCommandPool)               \
    FUNCTION(vkAllocateCommandBuffers)         \
    FUNCTION(vkBeginCommandBuffer)             \
    FUNCTION(vkEndCommandBuffer)               \
    FUNCTION(vkCmdCopyBuffer)                  \
    FUNCTION(vkCmdFillBuffer)                  \
    FUNCTION(vkCmdPipelineBarrier)             \
    FUNCTION(vkCmdResetQueryPool)              \
    FUNCTION(vkCmdWriteTimestamp)

typedef struct smoe_helper_table {
    SMOE_HELPER_DEVICE_FUNCTIONS(SMOE_FUNCTION_MEMBER)
} smoe_helper_table;

/* Linear memory of the device. mapped: where the host may reach it, for as long as it lives. */
typedef struct smoe_helper_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    VkDeviceSize size;
    unsigned char *mapped;
    bool coherent; /* no flush, no invalidate */
} smoe_helper_buffer;

/* Commands that are recorded and submitted time and again, in one submission or several. */
typedef struct smoe_helper_commands {
    VkCommandPool pool;
    VkCommandBuffer buffer;   /* the one that is recorded: the last of these */
    VkCommandBuffer *buffers; /* of the pool, in the order of their submissions */
    uint32_t count, capacity; /* recorded and to be submitted; there */
    VkFence fence;            /* of the last submission */
    bool running;             /* submitted, and nobody has waited for their end */
} smoe_helper_commands;

/* A part of the staging buffer, and the copy from or to it. */
typedef struct smoe_helper_half {
    VkDeviceSize offset;
    unsigned char *mapped;
    smoe_helper_commands commands;
} smoe_helper_half;

/* Two halves in turn: the host works on one while the device copies the other. */
#define SMOE_HELPER_HALVES 2u

typedef struct smoe_helper_staging {
    smoe_helper_buffer buffer;
    smoe_helper_half halves[SMOE_HELPER_HALVES];
    uint32_t next; /* the half whose turn it is */
} smoe_helper_staging;

struct smoe_device {
    smoe_helper_instance instance;
    VkPhysicalDevice physical_device;
    smoe_device_info info;
    VkPhysicalDeviceMemoryProperties memory;
    VkDevice handle;
    smoe_helper_table table;
    VkQueue queue;
    uint32_t queue_family;
    uint32_t timestamp_bits; /* valid bits of a timestamp on the queue, 0 = none */
    smoe_context *context;
    smoe_helper_commands commands; /* of all but the copies */
    VkQueryPool query_pool;        /* VK_NULL_HANDLE without timestamps */
    smoe_helper_staging staging;   /* made at the first copy that needs it */
    uint32_t thread_count;         /* that convert weights, the caller's among them */
};

/* The stages' timestamps, then one before and one after the whole forward: a forward may take several passes, of which
 * the stages' cover the first. */
#define SMOE_HELPER_QUERY_BEGIN (SMOE_STAGE_COUNT + 1)
#define SMOE_HELPER_QUERY_END (SMOE_STAGE_COUNT + 2)
#define SMOE_HELPER_QUERY_COUNT (SMOE_STAGE_COUNT + 3)

/* ---- submit.c ---------------------------------------------------------------------------------------------------- */

/* Whatever has been made goes with smoe_helper_commands_destroy, after a failure too. */
smoe_result smoe_helper_commands_create(smoe_device *device, smoe_helper_commands *commands);
void smoe_helper_commands_destroy(smoe_device *device, smoe_helper_commands *commands);

/* Starts commands over that do not run. What comes after smoe_helper_next has a submission of its own. */
smoe_result smoe_helper_begin(smoe_device *device, smoe_helper_commands *commands);
smoe_result smoe_helper_next(smoe_device *device, smoe_helper_commands *commands);
smoe_result smoe_helper_end(smoe_device *device, smoe_helper_commands *commands);

/* Submits. After a failure nothing runs. */
smoe_result smoe_helper_start(smoe_device *device, smoe_helper_commands *commands);

/* Waits until the commands are done, if they run at all. After a failure nothing is left running. */
smoe_result smoe_helper_wait(smoe_device *device, smoe_helper_commands *commands);

/* Submits the device's commands and waits for them. */
smoe_result smoe_helper_submit(smoe_device *device);

/* Waits for every copy that an upload has left running. */
smoe_result smoe_helper_drain(smoe_device *device);

/* ---- memory.c ---------------------------------------------------------------------------------------------------- */

typedef enum smoe_helper_access {
    SMOE_HELPER_ACCESS_NONE,   /* only the device's */
    SMOE_HELPER_ACCESS_WRITE,  /* the host writes it */
    SMOE_HELPER_ACCESS_READ,   /* the host reads it */
    SMOE_HELPER_ACCESS_STAGING /* memory of the host, that it writes and reads */
} smoe_helper_access;

/* `name` is for the log. A memory type without room is passed over for the next best, with a warning in the log. On
 * failure the buffer is all zero. No copy from or to a buffer may run when it is destroyed. */
smoe_result smoe_helper_buffer_create(smoe_device *device, const char *name, VkDeviceSize size,
                                      VkBufferUsageFlags usage, smoe_helper_access access, smoe_helper_buffer *out);
void smoe_helper_buffer_destroy(smoe_device *device, smoe_helper_buffer *buffer);

/* The mapped bytes after the host has written them; before it reads what the device has written. */
smoe_result smoe_helper_buffer_flush(smoe_device *device, const smoe_helper_buffer *buffer);
smoe_result smoe_helper_buffer_invalidate(smoe_device *device, const smoe_helper_buffer *buffer);

/* ---- staging.c --------------------------------------------------------------------------------------------------- */

void smoe_helper_staging_destroy(smoe_device *device);

/* Copies, through the staging buffer where the host cannot reach the buffer, to `offset` on. An upload is visible to
 * shader reads of later submissions, once smoe_helper_buffer_flush has followed the last one of the buffer. `from` is
 * not needed after the call, yet copies may still run: smoe_helper_drain has their end and their errors. */
smoe_result smoe_helper_upload(smoe_device *device, smoe_helper_buffer *buffer, VkDeviceSize offset, const void *from,
                               size_t size);

/* Copies from `offset` on, blocking. */
smoe_result smoe_helper_download(smoe_device *device, smoe_helper_buffer *buffer, VkDeviceSize offset, void *to,
                                 size_t size);

#endif
