/* What a context makes of the device that Vulkan reports, on one that is not there. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "common/record.h"
#include "fake_device.h"
#include "vulkan/device_table.h"
#include "vulkan/instance.h"
#include "vulkan/quirks.h"

#define SUBGROUPS                                                                                                      \
    (SMOE_CAPABILITY_SUBGROUP_ARITHMETIC | SMOE_CAPABILITY_SUBGROUP_BALLOT | SMOE_CAPABILITY_SUBGROUP_SHUFFLE)
#define BOTH_MATRICES (SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16)

#define AMD_OWN 1u /* VkDriverId */
#define RADV 3u
#define INTEL_OWN 5u
#define QUALCOMM 8u
#define LLVMPIPE 13u
#define MOLTENVK 14u
#define AMD 0x1002u

static test_record record;

static smoe_device_info described(uint32_t masked_capabilities)
{
    smoe_device_info info;
    assert_int_equal(smoe_physical_device_info(fake_get_instance_proc_addr, fake_instance(), VK_API_VERSION_1_3,
                                               fake_physical_device(), masked_capabilities, &info),
                     SMOE_SUCCESS);
    assert_true(info.usable);
    return info;
}

static smoe_device_info context_info(const smoe_context_desc *desc)
{
    const smoe_log log = test_record_log(&record);
    smoe_context_desc logged = *desc;
    smoe_context *context = NULL;
    logged.log = &log;
    test_record_clear(&record);
    assert_int_equal(smoe_context_create(&logged, &context), SMOE_SUCCESS);
    const smoe_device_info info = *smoe_context_device_info(context);
    smoe_context_destroy(context);
    assert_int_equal(test_record_problem_count(&record), 0);
    return info;
}

/* How many lines of the log, all of them news, begin so. */
static uint32_t told(const char *start)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < record.line_count && i < TEST_RECORD_LINES; i++)
        count += record.levels[i] == SMOE_LOG_INFO && strncmp(record.lines[i], start, strlen(start)) == 0;
    return count;
}

static void test_everything_is_there(void **state)
{
    (void)state;
    fake_reset();
    const smoe_context_desc desc = fake_context_desc();
    const smoe_device_info info = context_info(&desc);
    assert_int_equal(info.capabilities, SMOE_CAPABILITY_ALL);
    assert_int_equal(info.matrix_shape_count, 2);
    assert_int_equal(record.line_count, 0);
}

/* What the real driver gets wrong it gets wrong under any name: the quirks of both are applied, and each is told
 * once. */
static void test_act_as_keeps_quirks(void **state)
{
    static const struct {
        uint32_t driver_id, vendor_id, lanes, as_driver, lost;
        const char *told[2];
    } cases[] = {
        {MOLTENVK, AMD, 32, RADV, SUBGROUPS, {"quirk moltenvk_amd_subgroups:", NULL}},
        {LLVMPIPE, 0x10005, 16, RADV, BOTH_MATRICES, {"quirk lavapipe_matrices:", NULL}},
        {RADV, AMD, 32, QUALCOMM, BOTH_MATRICES | SUBGROUPS, {"quirk qualcomm_subgroups:", NULL}},
        {LLVMPIPE, 0x10005, 16, QUALCOMM, BOTH_MATRICES | SUBGROUPS,
         {"quirk lavapipe_matrices:", "quirk qualcomm_subgroups:"}},
        {MOLTENVK, AMD, 32, MOLTENVK, SUBGROUPS, {"quirk moltenvk_amd_subgroups:", NULL}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_reset();
        smoe_device_info as = described(0); /* of a driver without a quirk, so with every capability */
        as.driver_id = cases[i].as_driver;
        as.vendor_id = AMD;
        fake.driver_id = cases[i].driver_id;
        fake.vendor_id = cases[i].vendor_id;
        fake.lanes = cases[i].lanes;
        smoe_context_desc desc = fake_context_desc();
        desc.act_as = &as;
        const smoe_device_info info = context_info(&desc);
        if (info.capabilities != (SMOE_CAPABILITY_ALL & ~cases[i].lost))
            fail_msg("driver %u as driver %u: capabilities 0x%x", cases[i].driver_id, cases[i].as_driver,
                     info.capabilities);
        assert_int_equal(info.driver_id, cases[i].as_driver);
        assert_int_equal(told(cases[i].told[0]), 1);
        assert_int_equal(cases[i].told[1] ? told(cases[i].told[1]) : 1, 1);
        assert_int_equal(told("quirk "), cases[i].told[1] ? 2 : 1);
    }
}

/* What the app has enabled is judged by the real device: size control, core in 1.3, wants no extension there, whatever
 * version the other one has. */
static void test_act_as_keeps_enabled(void **state)
{
    static const uint32_t versions[] = {VK_API_VERSION_1_1, VK_API_VERSION_1_2, VK_API_VERSION_1_3};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        fake_reset();
        smoe_device_info as = described(0);
        as.api_version = versions[i];
        smoe_context_desc desc = fake_context_desc();
        desc.act_as = &as;
        smoe_device_info info = context_info(&desc);
        assert_int_equal(info.api_version, versions[i]);
        assert_int_equal(info.capabilities, SMOE_CAPABILITY_ALL);
        as.capabilities &= ~(uint32_t)SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL;
        info = context_info(&desc);
        assert_int_equal(info.capabilities, SMOE_CAPABILITY_ALL & ~SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL);
        as.capabilities = SMOE_CAPABILITY_ALL;
        desc.enabled_features = smoe_capability_features(BOTH_MATRICES);
        info = context_info(&desc);
        assert_int_equal(info.capabilities, SMOE_CAPABILITY_ALL & ~SMOE_CAPABILITY_SUBGROUP_SIZE_CONTROL);
    }
}

/* Where cooperative matrices cannot be used the driver is not asked for their shapes: AMD's crashes at that on
 * integrated GPUs. */
static void test_matrices_unasked(void **state)
{
    static const struct {
        const char *what;
        uint32_t driver_id, masked, extension_count, features;
        VkPhysicalDeviceType type;
        bool described, asked; /* by smoe_physical_device_info, by smoe_context_create */
    } cases[] = {
        {"enabled", 0, 0, 2, SMOE_CAPABILITY_ALL, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, true, true},
        {"bfloat16 masked", 0, SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16, 2, SMOE_CAPABILITY_ALL,
         VK_PHYSICAL_DEVICE_TYPE_CPU, true, true},
        {"masked", 0, SMOE_CAPABILITY_COOPERATIVE_MATRIX, 2, SMOE_CAPABILITY_ALL, VK_PHYSICAL_DEVICE_TYPE_CPU, true,
         false},
        {"no extension", 0, 0, 0, SMOE_CAPABILITY_ALL, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, true, false},
        {"no feature", 0, 0, 2, SMOE_CAPABILITY_ALL & ~BOTH_MATRICES, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, true,
         false},
        {"AMD, discrete", AMD_OWN, 0, 2, SMOE_CAPABILITY_ALL, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, true, true},
        {"AMD, integrated", AMD_OWN, 0, 2, SMOE_CAPABILITY_ALL, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_reset();
        fake.driver_id = cases[i].driver_id;
        fake.vendor_id = AMD;
        fake.type = cases[i].type;
        smoe_device_info info = described(0);
        if ((fake.queries > 0) != cases[i].described)
            fail_msg("%s: %u queries for smoe_physical_device_info", cases[i].what, fake.queries);
        assert_int_equal(info.capabilities,
                         cases[i].described ? SMOE_CAPABILITY_ALL : SMOE_CAPABILITY_ALL & ~BOTH_MATRICES);
        assert_int_equal(info.matrix_shape_count, cases[i].described ? 2 : 0);
        fake.queries = 0;
        info = described(cases[i].masked);
        const bool masked = (cases[i].masked & SMOE_CAPABILITY_COOPERATIVE_MATRIX) != 0,
                   matrices = cases[i].described && !masked;
        if ((fake.queries > 0) != matrices)
            fail_msg("%s: %u queries for smoe_physical_device_info with the mask", cases[i].what, fake.queries);
        assert_int_equal(info.capabilities,
                         (matrices ? SMOE_CAPABILITY_ALL : SMOE_CAPABILITY_ALL & ~BOTH_MATRICES) & ~cases[i].masked);
        fake.queries = 0;
        smoe_context_desc desc = fake_context_desc();
        desc.masked_capabilities = cases[i].masked;
        desc.enabled_extension_count = cases[i].extension_count;
        desc.enabled_features = smoe_capability_features(cases[i].features);
        info = context_info(&desc);
        if ((fake.queries > 0) != cases[i].asked)
            fail_msg("%s: %u queries for smoe_context_create", cases[i].what, fake.queries);
        assert_int_equal(info.capabilities,
                         (cases[i].asked ? SMOE_CAPABILITY_ALL : SMOE_CAPABILITY_ALL & ~BOTH_MATRICES) &
                             ~cases[i].masked);
        assert_int_equal(told("quirk amd_integrated_matrices:"), !cases[i].described);
    }
}

/* What is known of the lanes: what size control tells, whether the app enables it or not. Without it nothing is, unless
 * the driver is known to run one size. */
static void check_lanes(const char *what, bool enabled, uint32_t least)
{
    smoe_context_desc desc = fake_context_desc();
    if (!enabled)
        desc.enabled_features = NULL;
    const smoe_device_info infos[] = {described(0), context_info(&desc)};
    for (int i = 0; i < 2; i++)
        if (infos[i].subgroup_size != 32 || infos[i].subgroup_size_min != least || infos[i].subgroup_size_max != 32)
            fail_msg("%s: %u lanes, from %u to %u", what, infos[i].subgroup_size, infos[i].subgroup_size_min,
                     infos[i].subgroup_size_max);
}

static void test_lanes(void **state)
{
    (void)state;
    fake_reset();
    fake.least_lanes = 8;
    check_lanes("8 to 32", true, 8);
    check_lanes("8 to 32, not enabled", false, 8);
    fake.least_lanes = 0;
    check_lanes("32", false, 32);
    fake.api_version = VK_API_VERSION_1_2; /* no size control, and no extension for it */
    check_lanes("an unknown driver", true, 1);
    fake.driver_id = INTEL_OWN;
    check_lanes("Intel's driver", true, 1);
    for (uint32_t i = 0; smoe_one_size_row_get(i); i++) {
        fake.driver_id = smoe_one_size_row_get(i)->driver_id;
        check_lanes(smoe_one_size_row_get(i)->source, true, 32);
    }
    fake.api_version = VK_API_VERSION_1_3;
    fake.least_lanes = 16; /* a driver that tells otherwise is believed */
    check_lanes("one of them with several sizes", true, 16);
}

/* An instance or a device that lacks any function that smoe calls is refused by its name, and what a smaller table
 * would not have is not asked for. */
static void test_missing_functions(void **state)
{
    static const char *const names[] = {
#define NAME(function) #function,
        SMOE_INSTANCE_FUNCTIONS(NAME)
        SMOE_DEVICE_FUNCTIONS(NAME)
#undef NAME
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fake_reset();
        fake.hidden = names[i];
        const smoe_log log = test_record_log(&record);
        smoe_context_desc desc = fake_context_desc();
        smoe_context *context;
        desc.log = &log;
        test_record_clear(&record);
        assert_int_equal(smoe_context_create(&desc, &context), SMOE_ERROR_INVALID_ARGUMENT);
        assert_null(context);
        assert_int_equal(test_record_problem_count(&record), 1);
        assert_true(test_record_has_problem(&record, names[i]));
    }
    fake_reset();
    fake.hidden = "vkCmdDraw";
    const smoe_context_desc desc = fake_context_desc();
    assert_true(context_info(&desc).usable);
}

static int setup(void **state)
{
    (void)state;
    test_record_init(&record);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_there),
        cmocka_unit_test(test_act_as_keeps_quirks),
        cmocka_unit_test(test_act_as_keeps_enabled),
        cmocka_unit_test(test_matrices_unasked),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_missing_functions),
    };
    return cmocka_run_group_tests_name("context", tests, setup, NULL);
}
