/* Which device device.h chooses, and what it enables there, on machines that this one is not: several physical devices
 * that all are the first real one, each with a name, a type, a version and extensions of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <volk.h>

#include "common/cmocka_all.h"
#include "common/record.h"
#include "common/system.h"
#include "vulkan/cooperative_matrix.h"
#include "smoe/device.h"

#define MAX_DEVICES 4
#define SIZE_CONTROL VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME
#define PORTABILITY "VK_KHR_portability_subset"
#define MATRICES VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME

typedef struct fake_device {
    const char *name; /* NULL ends the list */
    VkPhysicalDeviceType type;
    uint32_t version;
    uint32_t storage_buffers;  /* per stage; below 8 smoe cannot use it */
    /* that it lists. The first MATRICES: it has their features, too, and then lists no shape */
    const char *extensions[3];
    bool no_features;
    bool no_compute;
    bool no_lanes; /* reports subgroups of 0, as a Mali-G72 was seen to: github.com/Tencent/ncnn/issues/6457 */
} fake_device;

/* Vulkan's functions have no user pointer. */
static struct {
    const fake_device *devices;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    VkInstance instance;
    VkPhysicalDevice real;
    uint32_t created;            /* the device that vkCreateDevice was called for */
    char extensions[256];        /* what it enabled, each followed by a space */
    bool size_control, features; /* whether its chain held the struct, and any struct */
    bool no_gpu;                 /* a driver is installed, and finds none */
    uint32_t matrix_queries;     /* for the shapes of a device's matrices */
} fake;

static test_record record;

#define REAL(name) ((PFN_##name)fake.get_instance_proc_addr(fake.instance, #name))

/* Handles of fake devices: the addresses of their descriptions. */
static const fake_device *fake_of(VkPhysicalDevice device)
{
    return (const fake_device *)(const void *)device;
}

static bool has_matrices(const fake_device *device)
{
    return device->extensions[0] && !strcmp(device->extensions[0], MATRICES);
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_devices(VkInstance instance, uint32_t *count, VkPhysicalDevice *out)
{
    uint32_t available = 0, one = 1;

    fake.instance = instance;
    if (fake.no_gpu || REAL(vkEnumeratePhysicalDevices)(instance, &one, &fake.real) < 0)
        return VK_ERROR_INITIALIZATION_FAILED;
    while (available < MAX_DEVICES && fake.devices[available].name)
        available++;
    for (uint32_t i = 0; out && i < available && i < *count; i++)
        out[i] = (VkPhysicalDevice)(uintptr_t)(const void *)&fake.devices[i];
    if (!out || available < *count)
        *count = available;
    return out && available > *count ? VK_INCOMPLETE : VK_SUCCESS;
}

static void change_properties(const fake_device *device, VkPhysicalDeviceProperties *out)
{
    snprintf(out->deviceName, sizeof out->deviceName, "%s", device->name);
    out->deviceType = device->type;
    out->apiVersion = device->version;
    out->limits.maxPerStageDescriptorStorageBuffers = device->storage_buffers;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out)
{
    REAL(vkGetPhysicalDeviceProperties)(fake.real, out);
    change_properties(fake_of(device), out);
}

/* The struct of a type, out of its chain while the real device fills the others: layers may be older than it. */
typedef struct hidden {
    VkBaseOutStructure *before, *link; /* NULL where the chain has none */
} hidden;

static hidden hide(void *chain, VkStructureType type)
{
    hidden found = {chain, NULL};
    while (found.before->pNext && found.before->pNext->sType != type)
        found.before = found.before->pNext;
    found.link = found.before->pNext;
    if (found.link)
        found.before->pNext = found.link->pNext;
    return found;
}

static void show(hidden again)
{
    if (again.link)
        again.before->pNext = again.link;
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *out)
{
    const hidden matrices = hide(out, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR);
    REAL(vkGetPhysicalDeviceProperties2)(fake.real, out);
    show(matrices);
    change_properties(fake_of(device), &out->properties);
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES)
            memset(((VkPhysicalDeviceIDProperties *)(void *)link)->deviceUUID,
                   (int)(0xa0 + (fake_of(device) - fake.devices)), VK_UUID_SIZE);
        else if (fake_of(device)->no_lanes && link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES)
            ((VkPhysicalDeviceSubgroupProperties *)(void *)link)->subgroupSize = 0;
        else if (has_matrices(fake_of(device)) && link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES)
            ((VkPhysicalDeviceDriverProperties *)(void *)link)->driverID = (VkDriverId)0; /* none with a quirk */
        else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR)
            ((VkPhysicalDeviceCooperativeMatrixPropertiesKHR *)(void *)link)->cooperativeMatrixSupportedStages =
                VK_SHADER_STAGE_COMPUTE_BIT;
}

static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *out)
{
    const hidden matrices = hide(out, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR);
    if (!fake_of(device)->no_features)
        REAL(vkGetPhysicalDeviceFeatures2)(fake.real, out);
    show(matrices);
    for (VkBaseOutStructure *link = out->pNext; has_matrices(fake_of(device)) && link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES) {
            ((VkPhysicalDeviceShaderFloat16Int8Features *)(void *)link)->shaderFloat16 = VK_TRUE;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES) {
            VkPhysicalDeviceVulkanMemoryModelFeatures *model =
                (VkPhysicalDeviceVulkanMemoryModelFeatures *)(void *)link;
            model->vulkanMemoryModel = model->vulkanMemoryModelDeviceScope = VK_TRUE;
        } else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR) {
            ((VkPhysicalDeviceCooperativeMatrixFeaturesKHR *)(void *)link)->cooperativeMatrix = VK_TRUE;
        }
}

static VKAPI_ATTR VkResult VKAPI_CALL get_matrices(VkPhysicalDevice device, uint32_t *count,
                                                   VkCooperativeMatrixPropertiesKHR *out)
{
    (void)device;
    (void)out;
    fake.matrix_queries++;
    *count = 0;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties *out)
{
    (void)device;
    REAL(vkGetPhysicalDeviceMemoryProperties)(fake.real, out);
}

static VKAPI_ATTR void VKAPI_CALL get_families(VkPhysicalDevice device, uint32_t *count, VkQueueFamilyProperties *out)
{
    REAL(vkGetPhysicalDeviceQueueFamilyProperties)(fake.real, count, out);
    for (uint32_t i = 0; out && i < *count; i++)
        if (fake_of(device)->no_compute)
            out[i].queueFlags = VK_QUEUE_TRANSFER_BIT;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device, const char *layer, uint32_t *count,
                                                           VkExtensionProperties *out)
{
    uint32_t available = 0;

    (void)layer;
    for (; available < 3 && fake_of(device)->extensions[available]; available++)
        if (out && available < *count)
            out[available] = (VkExtensionProperties){.specVersion = 1};
    for (uint32_t i = 0; out && i < available && i < *count; i++)
        snprintf(out[i].extensionName, sizeof out[i].extensionName, "%s", fake_of(device)->extensions[i]);
    *count = available;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice device, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkDevice *out)
{
    VkDeviceCreateInfo real = *info;

    fake.created = (uint32_t)(fake_of(device) - fake.devices);
    fake.extensions[0] = 0;
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        strcat(fake.extensions, info->ppEnabledExtensionNames[i]);
        strcat(fake.extensions, " ");
    }
    fake.size_control = fake.features = false;
    for (const VkBaseInStructure *link = info->pNext; link; link = link->pNext) {
        fake.size_control =
            fake.size_control || link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
        fake.features = fake.features || link->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    }
    real.enabledExtensionCount = 0; /* the real device has extensions of its own */
    return REAL(vkCreateDevice)(fake.real, &real, callbacks, out);
}

static PFN_vkVoidFunction VKAPI_CALL get_instance_proc_addr(VkInstance instance, const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkEnumeratePhysicalDevices", (PFN_vkVoidFunction)enumerate_devices},
        {"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)get_properties},
        {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)get_properties2},
        {"vkGetPhysicalDeviceFeatures2", (PFN_vkVoidFunction)get_features2},
        {"vkGetPhysicalDeviceMemoryProperties", (PFN_vkVoidFunction)get_memory},
        {"vkGetPhysicalDeviceQueueFamilyProperties", (PFN_vkVoidFunction)get_families},
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)enumerate_extensions},
        {"vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR", (PFN_vkVoidFunction)get_matrices},
        {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(name, functions[i].name))
            return functions[i].function;
    return fake.get_instance_proc_addr(instance, name);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void check(const fake_device *devices, const char *selector, smoe_result wanted, uint32_t chosen,
                  const char *text)
{
    const smoe_log log = test_record_log(&record);
    const smoe_device_desc desc = {.selector = selector, .get_instance_proc_addr = get_instance_proc_addr, .log = &log};
    smoe_device *device = NULL;

    fake.devices = devices;
    fake.created = UINT32_MAX;
    test_record_clear(&record);
    const smoe_result result = smoe_device_create(&desc, &device);
    smoe_device_destroy(device);
    if (result != wanted || fake.created != chosen || (*text && !test_record_has_problem(&record, text))) {
        print_error("selector %s: \"%s\", device %u, and the log says:\n", selector ? selector : "NULL",
                    smoe_result_text(result), fake.created);
        test_record_print(&record);
    }
    assert_int_equal(result, wanted);
    assert_int_equal(fake.created, chosen);
    assert_true(!*text || test_record_has_problem(&record, text));
}

#define NOTHING UINT32_MAX
#define CPU VK_PHYSICAL_DEVICE_TYPE_CPU
#define VIRTUAL VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU
#define INTEGRATED VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
#define DISCRETE VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
#define OTHER VK_PHYSICAL_DEVICE_TYPE_OTHER
#define FAKE(name, type, buffers) {name, type, VK_API_VERSION_1_3, buffers, {NULL, NULL, NULL}, false, false, false}

static void test_best(void **state)
{
    static const fake_device all[MAX_DEVICES] = {FAKE("a", CPU, 32), FAKE("b", VIRTUAL, 32), FAKE("c", INTEGRATED, 32),
                                                 FAKE("d", DISCRETE, 32)};
    static const fake_device no_discrete[MAX_DEVICES] = {FAKE("a", CPU, 32), FAKE("b", OTHER, 32),
                                                         FAKE("c", INTEGRATED, 32)};
    static const fake_device no_gpu[MAX_DEVICES] = {FAKE("a", CPU, 32), FAKE("b", VIRTUAL, 32)};
    static const fake_device twins[MAX_DEVICES] = {FAKE("a", CPU, 32), FAKE("b", DISCRETE, 32),
                                                   FAKE("c", DISCRETE, 32)};
    static const fake_device best_unusable[MAX_DEVICES] = {FAKE("a", DISCRETE, 4), FAKE("b", CPU, 32)};
    static const fake_device all_unusable[MAX_DEVICES] = {FAKE("a", DISCRETE, 4), FAKE("b", CPU, 7)};

    (void)state;
    check(all, NULL, SMOE_SUCCESS, 3, "");
    check(all, "best", SMOE_SUCCESS, 3, "");
    check(no_discrete, NULL, SMOE_SUCCESS, 2, "");
    check(no_gpu, NULL, SMOE_SUCCESS, 1, "");
    check(twins, NULL, SMOE_SUCCESS, 1, "");
    check(best_unusable, NULL, SMOE_SUCCESS, 1, "");
    check(all_unusable, NULL, SMOE_ERROR_NO_DEVICE, NOTHING, "usable");
}

static void test_others(void **state)
{
    static const fake_device devices[MAX_DEVICES] = {
        FAKE("Soft Rasterizer", CPU, 4), FAKE("Vendor Chip 7", INTEGRATED, 32), FAKE("Vendor Board 12", DISCRETE, 32),
        FAKE("best of all", CPU, 32)};
    static const fake_device none[MAX_DEVICES] = {{.name = NULL}};

    (void)state;
    check(devices, "0", SMOE_ERROR_NO_DEVICE, NOTHING, "storage buffers");
    check(devices, "1", SMOE_SUCCESS, 1, "");
    check(devices, "2", SMOE_SUCCESS, 2, "");
    check(devices, "4", SMOE_ERROR_NO_DEVICE, NOTHING, "\"4\"");
    check(devices, "vendor", SMOE_SUCCESS, 1, "");
    check(devices, "VENDOR b", SMOE_SUCCESS, 2, "");
    check(devices, " 12", SMOE_SUCCESS, 2, "");
    check(devices, "rasterizer", SMOE_ERROR_NO_DEVICE, NOTHING, "Soft Rasterizer");
    check(devices, "best of", SMOE_SUCCESS, 3, "");
    check(devices, "best", SMOE_SUCCESS, 2, "");
    check(devices, "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2", SMOE_SUCCESS, 2, "");
    check(devices, "A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1", SMOE_SUCCESS, 1, "");
    check(devices, "a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9", SMOE_ERROR_NO_DEVICE, NOTHING, "a9a9");
    check(none, NULL, SMOE_ERROR_NO_DEVICE, NOTHING, "no Vulkan driver of this system finds a device; a GPU needs");
}

/* As an app asks that has marked what does not suit it: the best one is the best that is left, a name is found all the
 * same, and the app sees that it does not suit. */
static void test_find(void **state)
{
    smoe_device_info infos[3] = {{.name = "Soft", .type = CPU, .usable = true},
                                 {.name = "Chip", .type = INTEGRATED, .usable = true},
                                 {.name = "Board", .type = DISCRETE, .usable = false}};

    (void)state;
    assert_int_equal(smoe_device_find(infos, 3, NULL), 1);
    assert_int_equal(smoe_device_find(infos, 3, "board"), 2);
    assert_int_equal(smoe_device_find(infos, 3, "none"), 3);
    infos[0].usable = infos[1].usable = false;
    assert_int_equal(smoe_device_find(infos, 3, "best"), 3);
    assert_int_equal(smoe_device_find(infos, 0, NULL), 0);
    assert_int_equal(smoe_device_find(NULL, 3, "0"), 3);
}

/* Recommended where listed, core or not; and what a device demands where listed. smoe requires nothing. */
static void test_enabled(void **state)
{
    static const fake_device core[MAX_DEVICES] = {
        {"a", CPU, VK_API_VERSION_1_3, 32, {SIZE_CONTROL, "VK_KHR_unknown", NULL}, false, false, false}};
    static const fake_device extension[MAX_DEVICES] = {
        {"a", CPU, VK_API_VERSION_1_2, 32, {"VK_KHR_unknown", SIZE_CONTROL, PORTABILITY}, false, false, false}};
    static const fake_device missing[MAX_DEVICES] = {
        {"a", CPU, VK_API_VERSION_1_1, 32, {NULL, NULL, NULL}, true, false, false}};
    static const fake_device no_compute[MAX_DEVICES] = {
        {"a", CPU, VK_API_VERSION_1_3, 32, {NULL, NULL, NULL}, false, true, false}};

    (void)state;
    const VkPhysicalDeviceFeatures2 *recommended = smoe_recommended_features();
    const VkPhysicalDeviceFeatures2 plain = {.sType = recommended->sType, .pNext = recommended->pNext};
    const VkBaseInStructure *link = recommended->pNext;
    assert_memory_equal(recommended, &plain, sizeof plain);
    assert_int_equal(link->sType, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES);

    check(core, NULL, SMOE_SUCCESS, 0, "");
    assert_string_equal(fake.extensions, SIZE_CONTROL " ");
    assert_true(fake.size_control);
    check(extension, NULL, SMOE_SUCCESS, 0, "");
    assert_string_equal(fake.extensions, SIZE_CONTROL " " PORTABILITY " ");
    assert_true(fake.size_control);
    check(missing, NULL, SMOE_SUCCESS, 0, "");
    assert_string_equal(fake.extensions, "");
    assert_false(fake.features);
    check(no_compute, "0", SMOE_ERROR_NO_DEVICE, NOTHING, "compute");
}

static void test_too_old(void **state)
{
    static const fake_device old[MAX_DEVICES] = {
        {"a", DISCRETE, VK_API_VERSION_1_0, 32, {NULL, NULL, NULL}, false, false, false}, FAKE("b", CPU, 32)};
    smoe_device_info infos[2];
    uint32_t count = 2;

    (void)state;
    check(old, NULL, SMOE_SUCCESS, 1, "");
    check(old, "a", SMOE_ERROR_NO_DEVICE, NOTHING, "1.1");
    fake.devices = old;
    assert_int_equal(smoe_device_list(get_instance_proc_addr, NULL, &count, infos), SMOE_SUCCESS);
    assert_int_equal(count, 2);
    assert_false(infos[0].usable);
    assert_non_null(strstr(infos[0].reason, "1.1"));
    assert_true(infos[1].usable);
}

/* Subgroups that cannot be are none: everything runs without them. */
static void test_no_lanes(void **state)
{
    static const fake_device devices[MAX_DEVICES] = {
        {"a", INTEGRATED, VK_API_VERSION_1_3, 32, {NULL, NULL, NULL}, false, false, true}};
    const smoe_plan_desc plan = {.d_model = 8, .d_hidden = 8, .expert_count = 4, .top_k = 2, .max_tokens = 9};
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    smoe_device_info info;
    uint32_t count = 1;

    (void)state;
    check(devices, NULL, SMOE_SUCCESS, 0, "");
    assert_int_equal(smoe_device_list(get_instance_proc_addr, NULL, &count, &info), SMOE_SUCCESS);
    assert_true(info.usable);
    assert_int_equal(info.capabilities, 0);
    assert_int_equal(info.subgroup_size, 1);
    assert_int_equal(info.subgroup_size_max, 1);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &plan, 9, 0}, choices, NULL), SMOE_SUCCESS);
    assert_string_equal(choices[SMOE_STAGE_ROUTE_SELECT].name, "route_select_rank");
}

/* An installed driver whose GPU is not there is no error, and no message but at the creation of a device. */
static void test_no_gpu(void **state)
{
    static const fake_device none[] = {{.name = NULL}};
    const smoe_log log = test_record_log(&record);
    smoe_device_info info;
    uint32_t count = 1;
    (void)state;
    fake.no_gpu = true;
    test_record_clear(&record);
    assert_int_equal(smoe_device_list(get_instance_proc_addr, &log, &count, &info), SMOE_SUCCESS);
    assert_true(count == 0 && test_record_problem_count(&record) == 0);
    check(none, NULL, SMOE_ERROR_NO_DEVICE, NOTHING, "no Vulkan driver of this system finds a device; a GPU needs");
    assert_int_equal(test_record_problem_count(&record), 1);
    fake.no_gpu = false;
}

/* What a driver says reaches terminals and JSON: no byte that a terminal obeys, none that is not UTF-8, and an end. */
static void test_names(void **state)
{
    static const fake_device devices[] = {
        {"Evil \"GPU\" \\ \374\033[31m\n<b> \303\251\302\205", VK_PHYSICAL_DEVICE_TYPE_CPU, VK_API_VERSION_1_2,
         .storage_buffers = 64},
        {.name = NULL},
    };
    smoe_device_info info;
    uint32_t count = 1;
    (void)state;
    fake.devices = devices;
    assert_int_equal(smoe_device_list(get_instance_proc_addr, NULL, &count, &info), SMOE_SUCCESS);
    assert_int_equal(count, 1);
    assert_string_equal(info.name, "Evil \"GPU\" \\   [31m <b> \303\251  ");
}

/* Drivers crash at that question: with a mask no device of the system is asked, be it the one chosen or not. */
static void test_matrices_unasked(void **state)
{
    static const fake_device devices[MAX_DEVICES] = {
        {"a", DISCRETE, VK_API_VERSION_1_3, 32, {MATRICES, NULL, NULL}, false, false, false},
        FAKE("b", CPU, 32),
        {"c", INTEGRATED, VK_API_VERSION_1_3, 32, {MATRICES, NULL, NULL}, false, false, false}};
    static const uint32_t masks[] = {0, SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16, SMOE_CAPABILITY_COOPERATIVE_MATRIX,
                                     SMOE_CAPABILITY_ALL};
    smoe_device_info infos[3];
    uint32_t count = 0;

    (void)state;
    fake.devices = devices;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++)
        for (int chosen = 0; chosen < 2; chosen++) {
            const smoe_device_desc desc = {.selector = chosen ? "1" : "0",
                                           .masked_capabilities = masks[i],
                                           .get_instance_proc_addr = get_instance_proc_addr};
            smoe_device *device = NULL;
            fake.matrix_queries = 0;
            assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
            smoe_device_destroy(device);
            assert_int_equal(fake.matrix_queries, masks[i] & SMOE_CAPABILITY_COOPERATIVE_MATRIX ? 0 : 2);
        }
    fake.matrix_queries = 0;
    assert_int_equal(smoe_device_list(get_instance_proc_addr, NULL, &count, NULL), SMOE_SUCCESS);
    assert_int_equal(fake.matrix_queries, 0);
    assert_int_equal(smoe_device_list(get_instance_proc_addr, NULL, &count, infos), SMOE_SUCCESS);
    assert_int_equal(count, 3);
    assert_int_equal(fake.matrix_queries, 2);
}

static int setup(void **state)
{
    (void)state;
    test_record_init(&record);
    fake.get_instance_proc_addr = (PFN_vkGetInstanceProcAddr)test_vulkan_function("vkGetInstanceProcAddr");
    return fake.get_instance_proc_addr ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_enabled),
        cmocka_unit_test(test_too_old),
        cmocka_unit_test(test_no_lanes),
        cmocka_unit_test(test_matrices_unasked),
        cmocka_unit_test(test_no_gpu),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("select", tests, setup, NULL);
}
