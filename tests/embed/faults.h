/* Things going wrong on purpose: a Vulkan whose calls fail one after another, whose memory looks like another device's,
 * and which keeps account of every object; and an allocator of the same kind. State is global: Vulkan's functions have
 * no user pointer. */
#ifndef EMBED_FAULTS_H
#define EMBED_FAULTS_H

#include <volk.h>

#include "smoe/smoe.h"

/* How the device's memory looks. The device itself is one whose first memory type is all of local, visible, coherent,
 * cached. */
typedef enum faults_memory {
    FAULTS_MEMORY_AS_IS,
    /* local memory that the host cannot reach, visible memory elsewhere, uncached and cached, and a type of AMD's that
     * nobody may use */
    FAULTS_MEMORY_DISCRETE,
    /* local and visible, yet writes need a flush and reads an invalidate: without, they are lost */
    FAULTS_MEMORY_INCOHERENT,
    /* local and visible memory, and a visible type of local memory in a heap of a few KiB, as older GPUs have */
    FAULTS_MEMORY_SMALL_WINDOW
} faults_memory;

/* Starts over: no failure, memory as it is, no objects. False without a Vulkan loader. */
bool faults_reset(faults_memory memory);

/* The failing Vulkan: to be given wherever smoe wants a vkGetInstanceProcAddr. Objects that the app made with its own
 * functions may be used through it; only those made through it are accounted for. */
PFN_vkVoidFunction VKAPI_CALL faults_get_instance_proc_addr(VkInstance instance, const char *name);

/* The index-th call from now on (0 = the next) that can fail does, with this result. VK_INCOMPLETE from a call that
 * lists something: there is more than when it was asked how much. */
void faults_fail_call(uint32_t index, VkResult result);
void faults_fail_nothing(void);
bool faults_has_failed(void);
const char *faults_failed_call(void); /* "" if none */
uint32_t faults_call_count(void);     /* since the last faults_fail_*: of calls that can fail */

/* The device is lost at the index-th submission from now on, and stays lost; UINT32_MAX: never. */
void faults_lose_device(uint32_t index);

void faults_hide_timestamps(void); /* of every queue; for devices that are made from then on */

/* Memory types, by bits of their indices, whose allocations all give VK_ERROR_OUT_OF_DEVICE_MEMORY. */
void faults_refuse_types(uint32_t types);
uint32_t faults_type_count(void); /* as last reported */

void faults_limit_allocation(VkDeviceSize size); /* maxMemoryAllocationSize as the device reports it; 0 = as it is */

/* Objects alive that were made through it; prints those from the from-th on. */
uint32_t faults_alive_count(void);
uint32_t faults_alive_pipelines(void); /* those among them that are pipelines */
void faults_print_alive(uint32_t from);

/* Whether something was destroyed that is not alive, or a function called that should be in the list of faults.c and is
 * not; what it was has been printed. */
bool faults_seen_misuse(void);

/* Destroys what is kept of a device that the app made itself; for others vkDestroyDevice does it. See
 * faults_pipelines.c. */
void faults_drop_pipelines(VkDevice device);

/* Whether a device's memory is such that it can be made to look otherwise. */
bool faults_can_change_memory(VkPhysicalDevice physical_device);

/* ---- host memory ------------------------------------------------------------------------------------------------- */

typedef struct faults_heap {
    uint32_t calls, alive; /* allocations tried since the last faults_heap_fail, blocks alive */
    uint32_t fail_at;      /* the call that fails, UINT32_MAX for none */
    bool failed;
} faults_heap;

smoe_allocator faults_heap_allocator(faults_heap *heap);
void faults_heap_fail(faults_heap *heap, uint32_t index);

#endif
