/* A driver that tells of 32 lanes, runs fewer and lists no size control, as older ones of Intel do: the results are the
 * reference's. One that is believed and does so all the same gives other results, but nothing leads out of bounds. The
 * device at hand runs the lanes that it has; an app's own vkGetInstanceProcAddr describes it as such a driver. */
#include <stdlib.h>
#include <string.h>

#include "check_layer.h"
#include "common/cmocka_all.h"
#include "common/fixture.h"
#include "common/random.h"
#include "common/system.h"
#include "stage_view.h"

#define TOLD_LANES 32u

static VkDriverId told_driver;
static PFN_vkGetInstanceProcAddr real_get_instance_proc_addr;
static PFN_vkGetPhysicalDeviceProperties real_get_properties;
static PFN_vkGetPhysicalDeviceProperties2 real_get_properties2;
static PFN_vkEnumerateDeviceExtensionProperties real_enumerate_extensions;

/* The version before size control was core. */
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
            ((VkPhysicalDeviceDriverProperties *)link)->driverID = told_driver;
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
    REPLACED("vkGetPhysicalDeviceProperties2", PFN_vkGetPhysicalDeviceProperties2, real_get_properties2,
             get_properties2)
    REPLACED("vkEnumerateDeviceExtensionProperties", PFN_vkEnumerateDeviceExtensionProperties,
             real_enumerate_extensions, enumerate_extensions)
#undef REPLACED
    return real;
}

/* As many experts as make it count: 32 lanes with 2 each would leave 48 out where 8 live. */
static const layer_case cases[] = {
    {.name = "64 experts, k 2", .tokens = 21, .d_model = 32, .d_hidden = 12, .expert_count = 64, .top_k = 2,
     .max_active = 4, .eps = 0.05f, .activation = SMOE_ACTIVATION_RELU, .logits = LOGITS_EXACT},
    {.name = "64 experts, k 24", .tokens = 21, .d_model = 32, .d_hidden = 12, .expert_count = 64, .top_k = 24,
     .max_active = 30, .eps = 0.05f, .activation = SMOE_ACTIVATION_RELU, .logits = LOGITS_EXACT},
};

static smoe_device *open_told(VkDriverId driver, uint32_t masked_capabilities, const smoe_log *log)
{
    smoe_device *device = NULL;
    const smoe_device_desc desc = {.selector = getenv("SMOE_TEST_DEVICE"),
                                   .validation = test_validates(),
                                   .get_instance_proc_addr = get_instance_proc_addr,
                                   .masked_capabilities = masked_capabilities,
                                   .log = log};

    told_driver = driver;
    real_get_instance_proc_addr = (PFN_vkGetInstanceProcAddr)test_vulkan_function("vkGetInstanceProcAddr");
    assert_non_null(real_get_instance_proc_addr);
    assert_int_equal(smoe_device_create(&desc, &device), SMOE_SUCCESS);
    const smoe_device_info *info = smoe_context_device_info(smoe_device_context(device));
    assert_int_equal(info->subgroup_size, TOLD_LANES);
    assert_int_equal(info->capabilities & SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL, 0);
    return device;
}

static void close_told(smoe_device *device, test_record *record)
{
    smoe_device_destroy(device);
    if (test_record_problem_count(record) > 0)
        test_record_print(record);
    assert_int_equal(test_record_problem_count(record), 0);
}

static void test_fewer_lanes_than_told(void **state)
{
    test_record record;
    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_device *device = open_told(VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS, 0, &log);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(check_case(device, &cases[i], test_seed(), NULL));
    close_told(device, &record);
}

/* Every token's ids are experts, also in the report, and its rows are its own. */
static void expect_in_bounds(const stage_run *run)
{
    const layer_output output = stage_run_output(run);
    const uint32_t E = run->shape.desc.expert_count, rows = stage_row_count(run);

    for (uint32_t t = 0; t < run->data->shape->tokens; t++) {
        const uint32_t *words = output.report + (size_t)t * output.stride;
        assert_in_range(stage_active(run)[t], 1, stage_cap(run));
        for (uint32_t i = 0; i < stage_active(run)[t]; i++) {
            assert_true(stage_ids(run, t)[i] < E && words[SMOE_REPORT_IDS + i] < E);
            assert_true(stage_rows(run, t)[i] < rows);
            assert_int_equal(stage_row_tokens(run)[stage_rows(run, t)[i]], t);
        }
    }
}

/* The tiles' rows are all rows, one after the other. */
static void expect_rows_add_up(const stage_run *run)
{
    uint32_t rows = 0;

    for (uint32_t i = 0; i < stage_tile_count(run, 0); i++) {
        assert_true(stage_tile(run, i)[0] < run->shape.desc.expert_count);
        assert_int_equal(stage_tile(run, i)[1], rows);
        rows += stage_tile(run, i)[2];
    }
    assert_int_equal(rows, stage_row_count(run));
}

static void run_short(test_gpu *gpu, plan_keeper *keeper, const layer_case *shape)
{
    smoe_kernel_choice choices[SMOE_STAGE_COUNT];
    case_data data;
    stage_run run;

    assert_true(case_data_create(&data, shape, test_seed()));
    const smoe_device_info *info = smoe_context_device_info(keeper->context);
    assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){info, &data.plan, shape->tokens, 0}, choices, NULL),
                     SMOE_SUCCESS);
    assert_string_equal(choices[SMOE_STAGE_ROUTE_SELECT].name, "route_select_subgroup");
    assert_true(stage_run_create(&run, gpu, keeper, &data));
    expect_in_bounds(&run);
    expect_rows_add_up(&run);
    stage_run_destroy(&run, gpu);
    case_data_destroy(&data);
}

/* Believed: only the ranking has subgroup operations left, so that it gets the logits that there are. */
static void test_fewer_lanes_than_believed(void **state)
{
    test_record record;
    test_gpu gpu;
    (void)state;
    test_record_init(&record);
    const smoe_log log = test_record_log(&record);
    smoe_device *device =
        open_told(VK_DRIVER_ID_NVIDIA_PROPRIETARY, SMOE_CAPABILITY_ALL & ~SMOE_CAPABILITY_SUBGROUP_ARITHMETIC, &log);
    plan_keeper keeper = {.context = smoe_device_context(device)};
    assert_true(test_gpu_open(&gpu, device));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_short(&gpu, &keeper, &cases[i]);
    plan_keeper_clear(&keeper);
    test_gpu_close(&gpu);
    close_told(device, &record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fewer_lanes_than_told),
                                       cmocka_unit_test(test_fewer_lanes_than_believed)};

    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
