/* A driver that tells of 32 lanes, runs fewer and lists no size control, as older ones of Intel do: the results are the reference's. The
 * device at hand runs the lanes that it has; an app's own vkGetInstanceProcAddr describes it as such a driver. */
#include <stdlib.h>
#include <string.h>

#include "check_layer.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "common/system.h"

#define TOLD_LANES 32u

static PFN_vkGetInstanceProcAddr real_get_instance_proc_addr;
static PFN_vkGetPhysicalDeviceProperties real_get_properties;
static PFN_vkGetPhysicalDeviceProperties2 real_get_properties2;
static PFN_vkEnumerateDeviceExtensionProperties real_enumerate_extensions;

/* The version before size control was core, and no driver that is known. */
static void change_properties(VkPhysicalDeviceProperties *properties)
{
    if (properties->apiVersion >= VK_API_VERSION_1_3)
        properties->apiVersion = VK_API_VERSION_1_2;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out)
{
    real_get_properties(device, out);
    change_properties(out);
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *out)
{
    real_get_properties2(device, out);
    change_properties(&out->properties);
    for (VkBaseOutStructure *link = out->pNext; link; link = link->pNext)
        if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES)
            ((VkPhysicalDeviceSubgroupProperties *)link)->subgroupSize = TOLD_LANES;
        else if (link->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES)
            ((VkPhysicalDeviceDriverProperties *)link)->driverID = VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS;
}

/* All but size control. */
static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device, const char *layer, uint32_t *count,
                                                           VkExtensionProperties *out)
{
    const VkResult result = real_enumerate_extensions(device, layer, count, out);
    for (uint32_t i = 0; out && result >= 0 && i < *count; i++)
        if (strcmp(out[i].extensionName, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME) == 0)
            out[i--] = out[--*count];
    return result;
}

static PFN_vkVoidFunction VKAPI_CALL get_instance_proc_addr(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction real = real_get_instance_proc_addr(instance, name);
#define REPLACED(name_, type, keep, function)          \
    if (real && strcmp(name, name_) == 0) {            \
        keep = (type)real;                             \
        return (PFN_vkVoidFunction)function;           \
    }
    REPLACED("vkGetPhysicalDeviceProperties", PFN_vkGetPhysicalDeviceProperties, real_get_properties, get_properties)
    REPLACED("vkGetPhysicalDeviceProperties2", PFN_vkGetPhysicalDeviceProperties2, real_get_properties2, get_properties2)
    REPLACED("vkEnumerateDeviceExtensionProperties", PFN_vkEnumerateDeviceExtensionProperties, real_enumerate_extensions,
             enumerate_extensions)
#undef REPLACED
    return real;
}

/* As many experts as make it count: 32 lanes with 2 each would leave 48 out where 8 live. */
static const layer_case cases[] = {
    {.name = "64 experts, k 2", .tokens = 21, .d_model = 32, .d_hidden = 12, .expert_count = 64, .top_k = 2, .max_active = 4, .eps = 0.05f,
     .activation = SMOE_ACTIVATION_RELU, .logits = LOGITS_EXACT},
    {.name = "64 experts, k 24", .tokens = 21, .d_model = 32, .d_hidden = 12, .expert_count = 64, .top_k = 24, .max_active = 30,
     .eps = 0.05f, .activation = SMOE_ACTIVATION_RELU, .logits = LOGITS_EXACT},
};

static void test_fewer_lanes_than_told(void **state)
{
    test_record record;
    smoe_device *device = NULL;
    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    const smoe_device_desc desc = {.selector = getenv("SMOE_TEST_DEVICE"),
                                   .validation = test_validates(),
                                   .get_instance_proc_addr = get_instance_proc_addr,
                                   .log = &log};
    real_get_instance_proc_addr = (PFN_vkGetInstanceProcAddr)test_vulkan_function("vkGetInstanceProcAddr");
    assert_non_null(real_get_instance_proc_addr);
    assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device));
    assert_int_equal(info->subgroup_size, TOLD_LANES);
    assert_int_equal(info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(check_case(device, &cases[i], test_seed(), NULL));
    smoe_device_destroy(device);
    if (test_record_problem_count(&record) > 0)
        test_record_print(&record);
    assert_int_equal(test_record_problem_count(&record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fewer_lanes_than_told)};

    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
