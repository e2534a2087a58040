/* A Vulkan on top of another API, as MoltenVK is on Metal: the real one, made to look like it. Its loader hides such
 * devices from instances that do not ask for them, the device lists VK_KHR_portability_subset, which must then be
 * enabled, and has no feature at all: of those that the extension lets a driver leave out, compute can meet only
 * events, whose functions are not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/record.h"
#include "common/system.h"
#include "device/device_internal.h"
#include "problem.h"

#define ENUMERATION "VK_KHR_portability_enumeration"
#define SUBSET "VK_KHR_portability_subset"
#define ENUMERATE_BIT 0x00000001u /* VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR, which old headers lack */

/* Vulkan's functions have no user pointer. */
static struct {
    bool old_loader;           /* older than the enumeration: hides nothing */
    bool conformant;           /* the device does not list the subset */
    bool asked, flag;          /* what vkCreateInstance was given: the extension, the flag */
    uint32_t created, enabled; /* devices created; of them those with the subset enabled */
    const char *hidden; /* a function that the device does not have */
} fake;

static PFN_vkGetInstanceProcAddr real_get;
static VkInstance real_instance;
static test_record record;

#define REAL(name) ((PFN_##name)real_get(real_instance, #name))
#define GLOBAL(name) ((PFN_##name)real_get(NULL, #name))

/* The real list without `name`, and with it at the end where it is `listed`. */
static VkResult change_list(VkExtensionProperties *all, uint32_t all_count, const char *name, bool listed,
                            uint32_t *count, VkExtensionProperties *out)
{
    uint32_t available = 0;

    for (uint32_t i = 0; i < all_count; i++)
        if (strcmp(all[i].extensionName, name) != 0)
            all[available++] = all[i];
    if (listed) {
        all[available] = (VkExtensionProperties){.specVersion = 1};
        snprintf(all[available++].extensionName, VK_MAX_EXTENSION_NAME_SIZE, "%s", name);
    }
    if (out && *count < available) {
        memcpy(out, all, *count * sizeof *out);
        free(all);
        return VK_INCOMPLETE;
    }
    if (out)
        memcpy(out, all, available * sizeof *out);
    *count = available;
    free(all);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_instance_extensions(const char *layer, uint32_t *count,
                                                                    VkExtensionProperties *out)
{
    const PFN_vkEnumerateInstanceExtensionProperties real = GLOBAL(vkEnumerateInstanceExtensionProperties);
    uint32_t all_count = 0;

    if (layer)
        return real(layer, count, out);
    assert_int_equal(real(NULL, &all_count, NULL), VK_SUCCESS);
    VkExtensionProperties *all = calloc(all_count + 1, sizeof *all);
    assert_non_null(all);
    assert_int_equal(real(NULL, &all_count, all), VK_SUCCESS);
    return change_list(all, all_count, ENUMERATION, !fake.old_loader, count, out);
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_device_extensions(VkPhysicalDevice device, const char *layer,
                                                                  uint32_t *count, VkExtensionProperties *out)
{
    const PFN_vkEnumerateDeviceExtensionProperties real = REAL(vkEnumerateDeviceExtensionProperties);
    uint32_t all_count = 0;

    if (layer)
        return real(device, layer, count, out);
    assert_int_equal(real(device, NULL, &all_count, NULL), VK_SUCCESS);
    VkExtensionProperties *all = calloc(all_count + 1, sizeof *all);
    assert_non_null(all);
    assert_int_equal(real(device, NULL, &all_count, all), VK_SUCCESS);
    return change_list(all, all_count, SUBSET, !fake.conformant, count, out);
}

/* Copies the names but `name`; whether that was among them. */
static bool take_out(const char *const *names, uint32_t *count, const char *name, const char **out)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) != 0)
            out[left++] = names[i];
    const bool found = left < *count;
    *count = left;
    return found;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks, VkInstance *out)
{
    VkInstanceCreateInfo real = *info;
    const char *names[16];

    assert_true(info->enabledExtensionCount <= 16);
    fake.asked = take_out(info->ppEnabledExtensionNames, &real.enabledExtensionCount, ENUMERATION, names);
    fake.flag = (info->flags & ENUMERATE_BIT) != 0;
    if (fake.asked && fake.old_loader)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    real.flags &= ~(VkInstanceCreateFlags)ENUMERATE_BIT;
    real.ppEnabledExtensionNames = names;
    const VkResult result = GLOBAL(vkCreateInstance)(&real, callbacks, out);
    if (result == VK_SUCCESS)
        real_instance = *out;
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_devices(VkInstance instance, uint32_t *count, VkPhysicalDevice *out)
{
    if (!fake.conformant && !fake.old_loader && !(fake.asked && fake.flag)) {
        *count = 0;
        return VK_SUCCESS;
    }
    return REAL(vkEnumeratePhysicalDevices)(instance, count, out);
}

static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *out)
{
    REAL(vkGetPhysicalDeviceFeatures2)(device, out);
    memset(&out->features, 0, sizeof out->features);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice device, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *callbacks, VkDevice *out)
{
    VkDeviceCreateInfo real = *info;
    const char *names[16];

    assert_true(info->enabledExtensionCount <= 16);
    const bool enabled = take_out(info->ppEnabledExtensionNames, &real.enabledExtensionCount, SUBSET, names);
    /* not enabled though listed (VUID-VkDeviceCreateInfo-pProperties-04451), or the other way round */
    if (enabled == fake.conformant)
        return VK_ERROR_EXTENSION_NOT_PRESENT;
    fake.created++;
    fake.enabled += enabled;
    real.ppEnabledExtensionNames = names;
    return REAL(vkCreateDevice)(device, &real, callbacks, out);
}

static PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    if (strstr(name, "Event") || (fake.hidden && strcmp(name, fake.hidden) == 0))
        return NULL;
    return REAL(vkGetDeviceProcAddr)(device, name);
}

static PFN_vkVoidFunction VKAPI_CALL get(VkInstance instance, const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkEnumerateInstanceExtensionProperties", (PFN_vkVoidFunction)enumerate_instance_extensions},
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)enumerate_device_extensions},
        {"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
        {"vkEnumeratePhysicalDevices", (PFN_vkVoidFunction)enumerate_devices},
        {"vkGetPhysicalDeviceFeatures2", (PFN_vkVoidFunction)get_features2},
        {"vkCreateDevice", (PFN_vkVoidFunction)create_device},
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)get_device},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(name, functions[i].name))
            return functions[i].function;
    return strstr(name, "Event") ? NULL : real_get(instance, name);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void check(bool asks, uint32_t enabled)
{
    static test_problem problem;
    const smoe_log log = test_record_log(&record);
    const smoe_device_desc desc = {.selector = getenv("SMOE_TEST_DEVICE"), .validation = test_validates(),
                                   .get_instance_proc_addr = get, .log = &log};
    smoe_device *device = NULL;
    uint32_t count = 0;

    test_record_clear(&record);
    assert_int_equal(smoe_device_list(get, &log, &count, NULL), SMOE_SUCCESS);
    assert_true(count > 0);
    fake.asked = fake.flag = false;
    fake.created = fake.enabled = 0;
    assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
    assert_true(fake.asked == asks && fake.flag == asks);
    assert_int_equal(fake.created, 1);
    assert_int_equal(fake.enabled, enabled);
    for (int kind = PROBLEM_LINEAR; kind <= PROBLEM_COSINE; kind++) {
        assert_true(problem_init(&problem, (problem_kind)kind));
        assert_true(problem_runs(&problem, device));
    }
    assert_int_equal(smoe_device_validation_count(device), 0);
    smoe_device_destroy(device);
    assert_int_equal(test_record_problem_count(&record), 0);
}

static void test_portable(void **state)
{
    (void)state;
    fake.old_loader = fake.conformant = false;
    check(true, 1);
}

static void test_old_loader(void **state)
{
    (void)state;
    fake.old_loader = true;
    fake.conformant = false;
    check(false, 1);
}

static void test_conformant(void **state)
{
    (void)state;
    fake.old_loader = false;
    fake.conformant = true;
    check(true, 0);
}

/* A device that lacks any function that the library calls is refused by its name, and destroyed. */
static void test_missing_functions(void **state)
{
    static const char *const names[] = {
#define NAME(function) #function,
        SMOE_HELPER_DEVICE_FUNCTIONS(NAME)
#undef NAME
    };
    const smoe_log log = test_record_log(&record);
    const smoe_device_desc desc = {.selector = getenv("SMOE_TEST_DEVICE"), .get_instance_proc_addr = get, .log = &log};
    (void)state;
    fake.old_loader = fake.conformant = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        smoe_device *device;
        if (strcmp(names[i], "vkDestroyDevice") == 0) /* nothing could destroy that one */
            continue;
        test_record_clear(&record);
        fake.hidden = names[i];
        assert_int_equal(smoe_device_create(&desc, &device), SMOE_ERROR_VULKAN);
        assert_null(device);
        assert_true(test_record_has_problem(&record, names[i]));
    }
    fake.hidden = NULL;
}

static int setup(void **state)
{
    (void)state;
    test_record_init(&record);
    real_get = (PFN_vkGetInstanceProcAddr)test_vulkan_function("vkGetInstanceProcAddr");
    return real_get ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_portable), cmocka_unit_test(test_old_loader),
                                       cmocka_unit_test(test_conformant), cmocka_unit_test(test_missing_functions)};
    return cmocka_run_group_tests_name("portability", tests, setup, NULL);
}
