/* The failing Vulkan: its accounts, the calls that make no object, and its control. */
#include "faults_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/system.h"

faults_state faults;

PFN_vkVoidFunction faults_real_function(const char *name)
{
    return test_vulkan_function(name);
}

/* ---- accounts ---------------------------------------------------------------------------------------------------- */

bool faults_fails(const char *call)
{
    if (faults.calls++ != faults.fail_at)
        return false;
    faults.failed_call = call;
    return true;
}

faults_object *faults_find(const char *kind, const void *handle)
{
    for (uint32_t i = 0; i < faults.object_count; i++)
        if (faults.objects[i].handle == handle && !strcmp(faults.objects[i].kind, kind))
            return &faults.objects[i];
    return NULL;
}

VkResult faults_born(VkResult result, const char *kind, void *handle)
{
    if (result == VK_SUCCESS && faults.object_count < FAULTS_MAX_OBJECTS)
        faults.objects[faults.object_count++] = (faults_object){.kind = kind, .handle = handle};
    return result;
}

/* Whether the real destroy may be called. */
bool faults_dies(const char *kind, const void *handle)
{
    faults_object *found = faults_find(kind, handle);

    if (!handle)
        return true;
    if (!found) {
        fprintf(stderr, "    faults: %s %p is destroyed, but not alive\n", kind, handle);
        faults.misuse = true;
        return false;
    }
    free(found->shadow);
    *found = faults.objects[--faults.object_count];
    return true;
}

/* ---- calls without objects --------------------------------------------------------------------------------------- */

/* Whatever such a call writes, a failing one has left something else there. */
#define CALL(name, parameters, arguments)                                           \
    static VKAPI_ATTR VkResult VKAPI_CALL call_##name parameters                    \
    {                                                                               \
        return faults_fails("vk" #name) ? faults.result : REAL(vk##name) arguments; \
    }
#define CALLS(X)                                                                                                       \
    X(EnumerateInstanceVersion, (uint32_t * version), (version))                                                       \
    X(BindBufferMemory, (VkDevice device, VkBuffer buffer, VkDeviceMemory memory, VkDeviceSize offset),                \
      (device, buffer, memory, offset))                                                                                \
    X(AllocateCommandBuffers, (VkDevice device, const VkCommandBufferAllocateInfo *info, VkCommandBuffer *out),        \
      (device, info, out))                                                                                             \
    X(AllocateDescriptorSets, (VkDevice device, const VkDescriptorSetAllocateInfo *info, VkDescriptorSet *out),        \
      (device, info, out))                                                                                             \
    X(ResetCommandBuffer, (VkCommandBuffer commands, VkCommandBufferResetFlags flags), (commands, flags))              \
    X(ResetCommandPool, (VkDevice device, VkCommandPool pool, VkCommandPoolResetFlags flags), (device, pool, flags))   \
    X(BeginCommandBuffer, (VkCommandBuffer commands, const VkCommandBufferBeginInfo *info), (commands, info))          \
    X(EndCommandBuffer, (VkCommandBuffer commands), (commands))                                                        \
    X(ResetFences, (VkDevice device, uint32_t count, const VkFence *fences), (device, count, fences))                  \
    X(GetPipelineCacheData, (VkDevice device, VkPipelineCache cache, size_t * size, void *data),                       \
      (device, cache, size, data))
CALLS(CALL)

/* Lists. VK_INCOMPLETE is no failure there: the list has grown since its length was asked for. */
#define LIST(name, parameters, arguments)                                                                              \
    static VKAPI_ATTR VkResult VKAPI_CALL call_##name parameters                                                       \
    {                                                                                                                  \
        if (faults_fails("vk" #name)) {                                                                                \
            if (faults.result != VK_INCOMPLETE)                                                                        \
                return faults.result;                                                                                  \
            *count -= out && *count > 0;                                                                               \
        }                                                                                                              \
        return REAL(vk##name) arguments;                                                                               \
    }
#define LISTS(X)                                                                                                       \
    X(EnumerateInstanceLayerProperties, (uint32_t * count, VkLayerProperties * out), (count, out))                     \
    X(EnumerateInstanceExtensionProperties, (const char *layer, uint32_t *count, VkExtensionProperties *out),          \
      (layer, count, out))                                                                                             \
    X(EnumeratePhysicalDevices, (VkInstance instance, uint32_t * count, VkPhysicalDevice * out),                       \
      (instance, count, out))                                                                                          \
    X(EnumerateDeviceExtensionProperties,                                                                              \
      (VkPhysicalDevice device, const char *layer, uint32_t *count, VkExtensionProperties *out),                       \
      (device, layer, count, out))
LISTS(LIST)

/* Calls that tell of a lost device. */
#define WAIT(name, parameters, arguments)                                                                              \
    static VKAPI_ATTR VkResult VKAPI_CALL call_##name parameters                                                       \
    {                                                                                                                  \
        if (faults_fails("vk" #name))                                                                                  \
            return faults.result;                                                                                      \
        return faults.lost ? VK_ERROR_DEVICE_LOST : REAL(vk##name) arguments;                                          \
    }
#define WAITS(X)                                                                                                       \
    X(QueueWaitIdle, (VkQueue queue), (queue))                                                                         \
    X(DeviceWaitIdle, (VkDevice device), (device))                                                                     \
    X(WaitForFences, (VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all, uint64_t timeout),         \
      (device, count, fences, all, timeout))                                                                           \
    X(GetQueryPoolResults,                                                                                             \
      (VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count, size_t size, void *data,                     \
       VkDeviceSize stride, VkQueryResultFlags flags),                                                                 \
      (device, pool, first, count, size, data, stride, flags))
WAITS(WAIT)

/* A device that is lost runs nothing more, and what it has not finished never ends. */
static VKAPI_ATTR VkResult VKAPI_CALL queue_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *infos,
                                                   VkFence fence)
{
    if (faults_fails("vkQueueSubmit"))
        return faults.result;
    if (faults.submissions++ == faults.lose_at) {
        REAL(vkQueueWaitIdle)(queue); /* the real device knows of no loss, and may use no object that is destroyed */
        faults.lost = true;
    }
    return faults.lost ? VK_ERROR_DEVICE_LOST : REAL(vkQueueSubmit)(queue, count, infos, fence);
}

static VKAPI_ATTR void VKAPI_CALL get_queue_families(VkPhysicalDevice physical_device, uint32_t *count,
                                                     VkQueueFamilyProperties *out)
{
    REAL(vkGetPhysicalDeviceQueueFamilyProperties)(physical_device, count, out);
    for (uint32_t i = 0; out && faults.no_timestamps && i < *count; i++)
        out[i].timestampValidBits = 0;
}

static VKAPI_ATTR void VKAPI_CALL write_timestamp(VkCommandBuffer commands, VkPipelineStageFlagBits stage,
                                                  VkQueryPool pool, uint32_t query)
{
    if (faults.no_timestamps)
        fprintf(stderr, "    faults: a timestamp on a queue that has none\n");
    faults.misuse = faults.misuse || faults.no_timestamps;
    REAL(vkCmdWriteTimestamp)(commands, stage, pool, query);
}

/* An extension's: the loader's library has no entry of this name. */
static VKAPI_ATTR VkResult VKAPI_CALL get_cooperative_matrix_properties(VkPhysicalDevice device, uint32_t *count,
                                                                        VkCooperativeMatrixPropertiesKHR *out)
{
    if (faults_fails("vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR")) {
        if (faults.result != VK_INCOMPLETE)
            return faults.result;
        *count -= out && *count > 0;
    }
    return faults.real_get_matrices(device, count, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL unknown_call(void)
{
    fprintf(stderr, "    faults: a function was called that faults.c neither wraps nor passes on\n");
    faults.misuse = true;
    return VK_ERROR_UNKNOWN;
}

/* Functions that cannot fail. */
static bool is_passed_on(const char *name)
{
    static const char *const names[] = {
        "vkGetPhysicalDeviceProperties", "vkGetPhysicalDeviceFeatures", "vkGetPhysicalDeviceFeatures2",
        "vkGetDeviceQueue", "vkUpdateDescriptorSets", "vkUnmapMemory", "vkFreeCommandBuffers",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return true;
    return !strncmp(name, "vkCmd", 5);
}

static PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device, const char *name);

#define WRAPPED_CALL(name, parameters, arguments) {"vk" #name, (PFN_vkVoidFunction)call_##name},

PFN_vkVoidFunction faults_lookup(const faults_function *functions, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, functions[i].name))
            return functions[i].function;
    return NULL;
}

static PFN_vkVoidFunction wrapped(const char *name)
{
    static const faults_function functions[] = {
        CALLS(WRAPPED_CALL) LISTS(WRAPPED_CALL) WAITS(WRAPPED_CALL) /* clang-format off */
        {"vkQueueSubmit", (PFN_vkVoidFunction)queue_submit},
        {"vkCmdWriteTimestamp", (PFN_vkVoidFunction)write_timestamp},
        {"vkGetPhysicalDeviceQueueFamilyProperties", (PFN_vkVoidFunction)get_queue_families},
        {"vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR", (PFN_vkVoidFunction)get_cooperative_matrix_properties},
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)get_device_proc_addr},
        {"vkGetInstanceProcAddr", (PFN_vkVoidFunction)faults_get_instance_proc_addr}, /* clang-format on */
    };
    PFN_vkVoidFunction function = faults_lookup(functions, sizeof functions / sizeof *functions, name);

    function = function ? function : faults_wrapped_object(name);
    function = function ? function : faults_wrapped_memory(name);
    return function ? function : faults_wrapped_pipeline(name);
}

static PFN_vkVoidFunction substitute(PFN_vkVoidFunction real, const char *name)
{
    const PFN_vkVoidFunction function = wrapped(name);

    if (!real || function)
        return real ? function : NULL;
    return is_passed_on(name) ? faults_real_function(name) : (PFN_vkVoidFunction)unknown_call;
}

static PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device, const char *name)
{
    return substitute(REAL(vkGetDeviceProcAddr)(device, name), name);
}

PFN_vkVoidFunction VKAPI_CALL faults_get_instance_proc_addr(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction real = faults.real_get_instance_proc_addr(instance, name);

    if (!strcmp(name, "vkCreateDebugUtilsMessengerEXT"))
        faults.real_create_messenger = (PFN_vkCreateDebugUtilsMessengerEXT)real;
    if (!strcmp(name, "vkDestroyDebugUtilsMessengerEXT"))
        faults.real_destroy_messenger = (PFN_vkDestroyDebugUtilsMessengerEXT)real;
    if (!strcmp(name, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"))
        faults.real_get_matrices = (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)real;
    return substitute(real, name);
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

bool faults_reset(faults_memory memory)
{
    memset(&faults, 0, sizeof faults);
    faults.memory = memory;
    faults.fail_at = UINT32_MAX;
    faults.lose_at = UINT32_MAX;
    faults.real_get_instance_proc_addr = REAL(vkGetInstanceProcAddr);
    return faults.real_get_instance_proc_addr != NULL;
}

void faults_fail_call(uint32_t index, VkResult result)
{
    faults.calls = 0;
    faults.fail_at = index;
    faults.result = result;
    faults.failed_call = NULL;
}

void faults_fail_nothing(void)
{
    faults_fail_call(UINT32_MAX, VK_SUCCESS);
}

bool faults_has_failed(void)
{
    return faults.failed_call != NULL;
}

const char *faults_failed_call(void)
{
    return faults.failed_call ? faults.failed_call : "";
}

uint32_t faults_call_count(void)
{
    return faults.calls;
}

void faults_lose_device(uint32_t index)
{
    faults.submissions = 0;
    faults.lose_at = index;
    faults.lost = false;
}

void faults_hide_timestamps(void)
{
    faults.no_timestamps = true;
}

void faults_refuse_types(uint32_t types)
{
    faults.refused_types = types;
}

uint32_t faults_type_count(void)
{
    return faults.type_count;
}

void faults_limit_allocation(VkDeviceSize size)
{
    faults.allocation_limit = size;
}

uint32_t faults_alive_count(void)
{
    return faults.object_count;
}

uint32_t faults_alive_pipelines(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < faults.object_count; i++)
        count += strcmp(faults.objects[i].kind, "Pipeline") == 0;
    return count;
}

void faults_print_alive(uint32_t from)
{
    for (uint32_t i = from; i < faults.object_count; i++)
        fprintf(stderr, "    faults: still alive: %s %p\n", faults.objects[i].kind, faults.objects[i].handle);
}

bool faults_seen_misuse(void)
{
    return faults.misuse;
}

/* ---- host memory ------------------------------------------------------------------------------------------------- */

static void *heap_allocate(void *user, size_t size)
{
    faults_heap *heap = user;

    if (heap->calls++ == heap->fail_at) {
        heap->failed = true;
        return NULL;
    }
    void *memory = malloc(size);
    if (memory) {
        memset(memory, 0xa5, size); /* nobody may rely on zeros */
        heap->alive++;
    }
    return memory;
}

static void heap_release(void *user, void *memory)
{
    ((faults_heap *)user)->alive--;
    free(memory);
}

smoe_allocator faults_heap_allocator(faults_heap *heap)
{
    *heap = (faults_heap){.fail_at = UINT32_MAX};
    return (smoe_allocator){heap_allocate, heap_release, heap};
}

void faults_heap_fail(faults_heap *heap, uint32_t index)
{
    heap->calls = 0;
    heap->fail_at = index;
    heap->failed = false;
}
