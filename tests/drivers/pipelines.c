#include "pipelines.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/kernel_table.h"
#include "domain/stage.h"
#include "pipeline_key.h"
#include "statistics.h"
#include "tile.h"

#define MAX_KEYS 8192u
#define MAX_EXTENSIONS 64u

static struct {
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    PFN_vkGetDeviceProcAddr get_device_proc_addr;
    VkInstance instance;
    bool has_statistics;
    const char *shape;
    tile_candidate tile; /* rows > 0: for the tiled kernels, and nothing else is looked at */
    uint64_t known[MAX_KEYS]; /* need no compiling: from the file, and what was compiled since */
    uint32_t known_count;
    uint64_t listed[MAX_KEYS];
    uint32_t listed_count;
    VkShaderModuleCreateInfo module; /* the last one: the library makes a module, a pipeline, and drops the module */
} state;

/* A function of the driver's, or of the loader's. */
#define INSTANCE(name) ((PFN_##name)state.get_instance_proc_addr(state.instance, #name))
#define DEVICE(device, name) ((PFN_##name)state.get_device_proc_addr(device, #name))

static bool is_in(const uint64_t *keys, uint32_t count, uint64_t key)
{
    for (uint32_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

static void add(uint64_t *keys, uint32_t *count, uint64_t key)
{
    if (*count == MAX_KEYS) {
        fprintf(stderr, "more than %u pipelines\n", MAX_KEYS);
        exit(2);
    }
    keys[(*count)++] = key;
}

static const char *kernel_name(void)
{
    for (int i = 0; i < SMOE_KERNEL_COUNT; i++)
        if (smoe_kernel_row_get((smoe_kernel)i)->spirv == state.module.pCode)
            return smoe_kernel_row_get((smoe_kernel)i)->name;
    return state.shape; /* a shader of others: the file's name */
}

_Static_assert(SMOE_ID_TILE_DEPTH == SMOE_ID_TILE_ROWS + 2 && SMOE_ID_THREAD_COLUMNS == SMOE_ID_THREAD_ROWS + 1,
               "printed in a row");

/* `count` constants from `first` on, as a list. */
static void print_constants(const VkComputePipelineCreateInfo *info, const char *name, int first, uint32_t count)
{
    printf(", \"%s\": [", name);
    for (uint32_t i = 0; i < count; i++)
        printf(i ? ", %u" : "%u", pipeline_constant(info, (uint32_t)first + i));
    printf("]");
}

static void list(uint64_t key, const VkComputePipelineCreateInfo *info)
{
    printf("{\"key\": \"%016" PRIx64 "\", \"kernel\": \"%s\", \"shape\": ", key, kernel_name());
    print_json_string(state.shape);
    printf(", \"required_subgroup\": %u", pipeline_subgroup_size(info));
    print_constants(info, "workgroup", SMOE_ID_WORKGROUP_SIZE, 1);
    print_constants(info, "gated", SMOE_ID_GATED, 1);
    print_constants(info, "weight_type", SMOE_ID_WEIGHT_TYPE, 1);
    print_constants(info, "tile", SMOE_ID_TILE_ROWS, 3);
    print_constants(info, "thread", SMOE_ID_THREAD_ROWS, 2);
    printf(", \"shared\": %u}\n", pipeline_constant(info, SMOE_ID_SHARED_MEMORY_SIZE));
    fflush(stdout);
}

/* ---- functions in place of the driver's -------------------------------------------------------------------------- */

static VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkShaderModule *out)
{
    state.module = *info;
    return DEVICE(device, vkCreateShaderModule)(device, info, callbacks, out);
}

static VkResult compile(VkDevice device, const VkComputePipelineCreateInfo *asked, uint64_t key)
{
    VkComputePipelineCreateInfo info = *asked;
    VkPipeline pipeline = VK_NULL_HANDLE;
    const bool with_code = state.has_statistics && strstr(kernel_name(), "_cooperative") != NULL;
    uint32_t matrix_instructions = 0;

    if (state.has_statistics)
        info.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
    if (with_code)
        info.flags |= VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    const VkResult result = DEVICE(device, vkCreateComputePipelines)(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline);
    printf("{\"compiled\": \"%016" PRIx64 "\", \"result\": %d, \"executables\": [", key, (int)result);
    if (result == VK_SUCCESS) {
        if (state.has_statistics)
            print_executables(state.get_device_proc_addr, device, pipeline);
        if (with_code)
            matrix_instructions = count_matrix_instructions(state.get_device_proc_addr, device, pipeline);
        DEVICE(device, vkDestroyPipeline)(device, pipeline, NULL);
    }
    printf(with_code ? "], \"matrix_instructions\": %u}\n" : "]}\n", matrix_instructions);
    fflush(stdout);
    return result;
}

static void see(VkDevice device, const VkComputePipelineCreateInfo *info)
{
    const uint64_t key = pipeline_key(info, &state.module);
    if (is_in(state.listed, state.listed_count, key))
        return;
    add(state.listed, &state.listed_count, key);
    list(key, info);
    if (!is_in(state.known, state.known_count, key))
        compile(device, info, key);
}

/* A pipeline of a tiled kernel with the tile to be tried. */
static void see_tiled(VkDevice device, const VkComputePipelineCreateInfo *asked)
{
    uint32_t values[SMOE_CONSTANT_COUNT];
    VkSpecializationMapEntry entries[SMOE_CONSTANT_COUNT];
    const VkSpecializationInfo constants = {SMOE_CONSTANT_COUNT, entries, sizeof values, values};
    VkComputePipelineCreateInfo info = *asked;
    const char *name = kernel_name();

    if (!strstr(name, "_tiled"))
        return;
    for (uint32_t i = 0; i < SMOE_CONSTANT_COUNT; i++) {
        entries[i] = (VkSpecializationMapEntry){i, 4 * i, 4};
        values[i] = pipeline_constant(asked, i);
    }
    tile_apply(&state.tile, strstr(name, "_up") && values[SMOE_ID_GATED] ? 2 : 1, values);
    info.stage.pSpecializationInfo = &constants;
    see(device, &info);
}

/* Says that all is well even where it is not: the others are to be seen too. */
static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                                       const VkComputePipelineCreateInfo *infos,
                                                       const VkAllocationCallbacks *callbacks, VkPipeline *out)
{
    static uintptr_t stand_in;
    (void)cache;
    (void)callbacks;
    for (uint32_t i = 0; i < count; i++) {
        if (state.tile.rows)
            see_tiled(device, &infos[i]);
        else
            see(device, &infos[i]);
        out[i] = (VkPipeline)(uintptr_t)&stand_in;
    }
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pipeline(VkDevice device, VkPipeline pipeline,
                                                   const VkAllocationCallbacks *callbacks)
{
    (void)device;
    (void)pipeline;
    (void)callbacks;
}

/* There may be no GPU to run it. */
static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo *infos, VkFence fence)
{
    (void)queue;
    (void)count;
    (void)infos;
    (void)fence;
    fprintf(stderr, "something was submitted\n");
    exit(2);
}

static bool lists_statistics(VkPhysicalDevice physical_device)
{
    static VkExtensionProperties extensions[512];
    uint32_t count = sizeof extensions / sizeof *extensions;
    if (INSTANCE(vkEnumerateDeviceExtensionProperties)(physical_device, NULL, &count, extensions) < 0)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(extensions[i].extensionName, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME))
            return true;
    return false;
}

/* What the caller asks for, and the statistics. */
static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical_device, const VkDeviceCreateInfo *asked,
                                                    const VkAllocationCallbacks *callbacks, VkDevice *out)
{
    const char *extensions[MAX_EXTENSIONS];
    VkDeviceCreateInfo info = *asked;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pNext = (void *)asked->pNext,
        .pipelineExecutableInfo = VK_TRUE,
    };

    state.has_statistics = asked->enabledExtensionCount < MAX_EXTENSIONS && lists_statistics(physical_device);
    if (state.has_statistics) {
        for (uint32_t i = 0; i < asked->enabledExtensionCount; i++)
            extensions[i] = asked->ppEnabledExtensionNames[i];
        extensions[info.enabledExtensionCount++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
        info.ppEnabledExtensionNames = extensions;
        info.pNext = &features;
    }
    return INSTANCE(vkCreateDevice)(physical_device, &info, callbacks, out);
}

static PFN_vkVoidFunction replacement(const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
        {"vkCreateShaderModule", (PFN_vkVoidFunction)create_module},
        {"vkCreateComputePipelines", (PFN_vkVoidFunction)create_pipelines},
        {"vkDestroyPipeline", (PFN_vkVoidFunction)destroy_pipeline},
        {"vkQueueSubmit", (PFN_vkVoidFunction)submit},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(name, functions[i].name))
            return functions[i].function;
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL get_device_proc_addr(VkDevice device, const char *name)
{
    const PFN_vkVoidFunction function = replacement(name);
    return function ? function : state.get_device_proc_addr(device, name);
}

PFN_vkVoidFunction VKAPI_CALL pipelines_get_instance_proc_addr(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction function = replacement(name);
    if (instance && instance != state.instance) {
        state.instance = instance;
        state.get_device_proc_addr = INSTANCE(vkGetDeviceProcAddr);
    }
    if (!strcmp(name, "vkGetDeviceProcAddr"))
        return (PFN_vkVoidFunction)get_device_proc_addr;
    return function ? function : state.get_instance_proc_addr(instance, name);
}

void pipelines_name_shape(const char *shape)
{
    state.shape = shape;
}

bool pipelines_set_tile(const char *text)
{
    return tile_parse(text, &state.tile);
}

bool pipelines_open(const char *known)
{
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    FILE *file = known ? fopen(known, "r") : NULL;
    uint64_t key;

    if (!library || (known && !file)) {
        fprintf(stderr, "%s\n", library ? "cannot open the file of known keys" : dlerror());
        return false;
    }
    void *symbol = dlsym(library, "vkGetInstanceProcAddr");
    memcpy(&state.get_instance_proc_addr, &symbol, sizeof symbol); /* ISO C has no such cast */
    while (file && fscanf(file, "%" SCNx64, &key) == 1)
        add(state.known, &state.known_count, key);
    if (file)
        fclose(file);
    return state.get_instance_proc_addr != NULL;
}
