/* The list of driver quirks: each applies to the drivers it names and to no others, and changes what is selected
 * there. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "devices.h"
#include "vulkan/quirks.h"

#define AMD_OWN 1u /* VkDriverId */
#define QUALCOMM 8u
#define MOLTENVK 14u
#define TURNIP 18u
#define RADV 3u
#define LLVMPIPE 13u
#define AMD 0x1002u
#define INTEL 0x8086u
#define APPLE 0x106bu
#define INTEGRATED VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
#define DISCRETE VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU

/* Drivers as they report themselves. quirk: the one that must apply, NULL for none. */
static const struct {
    const char *device, *quirk;
    uint32_t driver_id, vendor_id, version, lanes; /* lanes 0: test_device's */
    VkPhysicalDeviceType type;                     /* 0: test_device's, discrete */
} drivers[] = {
    {"Adreno (TM) 640", "qualcomm_subgroups", QUALCOMM, 0x5143, VK_MAKE_API_VERSION(0, 512, 502, 0), 0, 0},
    {"Adreno (TM) 840", "qualcomm_subgroups", QUALCOMM, 0x5143, VK_MAKE_API_VERSION(0, 512, 842, 19), 0, 0},
    {"Turnip Adreno (TM) 640", "turnip_a640_subgroups", TURNIP, 0x5143, VK_MAKE_API_VERSION(0, 26, 1, 2), 0, 0},
    {"Turnip Adreno (TM) 830", NULL, TURNIP, 0x5143, VK_MAKE_API_VERSION(0, 26, 1, 2), 0, 0},
    {"AMD Radeon Pro 5500M", "moltenvk_amd_subgroups", MOLTENVK, AMD, 10401, 0, 0},
    {"AMD Radeon RX 570", "moltenvk_amd_subgroups", MOLTENVK, AMD, 10402, 0, 0},
    {"AMD Radeon Pro 5500M", NULL, RADV, AMD, 10401, 0, 0},
    {"Intel(R) UHD Graphics 630", "moltenvk_intel_arithmetic", MOLTENVK, INTEL, 10401, 0, 0},
    {"Intel(R) UHD Graphics 630", "moltenvk_intel_arithmetic", MOLTENVK, INTEL, 10211, 0, 0},
    {"Intel(R) UHD Graphics 630", NULL, MOLTENVK, INTEL, 10402, 0, 0},
    {"Apple M2", NULL, MOLTENVK, APPLE, 10401, 0, 0},
    {"llvmpipe (LLVM 19.1.7, 512 bits)", "lavapipe_matrices", LLVMPIPE, 0x10005, VK_MAKE_API_VERSION(0, 26, 1, 6), 16,
     0},
    {"llvmpipe (LLVM 19.1.7, 256 bits)", NULL, LLVMPIPE, 0x10005, VK_MAKE_API_VERSION(0, 26, 1, 6), 8, 0},
    {"Radeon 860M", "amd_integrated_matrices", AMD_OWN, AMD, VK_MAKE_API_VERSION(0, 2, 0, 388), 0, INTEGRATED},
    {"AMD Radeon RX 7900 XTX", NULL, AMD_OWN, AMD, VK_MAKE_API_VERSION(0, 2, 0, 388), 0, DISCRETE},
    {"Radeon 860M under RADV", NULL, RADV, AMD, VK_MAKE_API_VERSION(0, 26, 1, 6), 0, INTEGRATED},
    {"Intel(R) Graphics (LNL)", NULL, 6, INTEL, VK_MAKE_API_VERSION(0, 26, 1, 6), 16, 0},
    {"some device", NULL, 0, 0, 0, 0, 0},
};

static smoe_device_info made_device(size_t i)
{
    smoe_device_info info = test_device(7); /* a GPU with every capability */
    snprintf(info.name, sizeof info.name, "%s", drivers[i].device);
    info.driver_id = drivers[i].driver_id;
    info.vendor_id = drivers[i].vendor_id;
    info.driver_version = drivers[i].version;
    if (drivers[i].type)
        info.type = drivers[i].type;
    if (drivers[i].lanes)
        info.subgroup_size = info.subgroup_size_min = info.subgroup_size_max = drivers[i].lanes;
    return info;
}

static void test_who_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        const smoe_device_info info = made_device(i);
        const smoe_quirk *quirk = smoe_device_quirk(&info, 0);
        if (!drivers[i].quirk != !quirk || (quirk && strcmp(quirk->name, drivers[i].quirk) != 0))
            fail_msg("%s with driver %u, 0x%x: quirk %s", info.name, info.driver_id, info.driver_version,
                     quirk ? quirk->name : "none");
        assert_null(smoe_device_quirk(&info, 1));
        smoe_device_info mended = info;
        smoe_quirks_apply(&mended);
        assert_int_equal(mended.capabilities, info.capabilities & ~(quirk ? quirk->masked_capabilities : 0));
        smoe_quirks_apply(&mended);
        assert_int_equal(mended.capabilities, info.capabilities & ~(quirk ? quirk->masked_capabilities : 0));
    }
}

static bool tested(const char *name)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (drivers[i].quirk && strcmp(name, drivers[i].quirk) == 0)
            return true;
    return false;
}

static void test_every_row(void **state)
{
    (void)state;
    const smoe_quirk_row *row;
    for (uint32_t i = 0; (row = smoe_quirk_row_get(i)) != NULL; i++) {
        if (!tested(row->quirk.name))
            fail_msg("quirk %s: no driver of this test has it", row->quirk.name);
        assert_true(row->driver_id != 0 && row->first_version <= row->last_version);
        assert_true(strlen(row->quirk.text) > 20 &&
                    (strstr(row->quirk.source, "github.com/") || strstr(row->quirk.source, "Mesa 26.1.6")));
        assert_true(row->quirk.masked_capabilities != 0 &&
                    !(row->quirk.masked_capabilities & ~(uint32_t)SMOE_CAPABILITY_ALL));
    }
    smoe_device_info info = test_device(0);
    assert_null(smoe_device_quirk(NULL, 0));
    memset(info.name, 'A', sizeof info.name); /* without an end */
    assert_null(smoe_device_quirk(&info, 0));
}

/* The drivers that run the lanes they report. The floor of a row: an id, and where it is known from. */
static void test_one_size(void **state)
{
    static const uint32_t others[] = {0, AMD_OWN, RADV, 5 /* Intel's own */, 6 /* ANV */, QUALCOMM, MOLTENVK, TURNIP};
    (void)state;
    for (uint32_t i = 0; smoe_one_size_row_get(i); i++) {
        const smoe_device_info info = {.driver_id = smoe_one_size_row_get(i)->driver_id};
        assert_true(info.driver_id != 0 && strlen(smoe_one_size_row_get(i)->source) > 20);
        assert_true(smoe_driver_has_one_size(&info));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(smoe_driver_has_one_size(&(smoe_device_info){.driver_id = others[i]}));
}

static void test_matrices(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        const char *quirk = drivers[i].quirk ? drivers[i].quirk : "";
        const uint32_t matrices = SMOE_CAPABILITY_COOPERATIVE_MATRIX | SMOE_CAPABILITY_COOPERATIVE_MATRIX_BFLOAT16;
        smoe_device_info info = made_device(i);
        smoe_quirks_apply(&info);
        assert_int_equal(!(info.capabilities & matrices),
                         !strcmp(quirk, "qualcomm_subgroups") || strstr(quirk, "_matrices"));
    }
}

/* What is selected for a device with a quirk is what is selected where the capabilities are really missing. */
static void test_selection(void **state)
{
    const smoe_plan_desc desc = {.d_model = 512, .d_hidden = 256, .expert_count = 64, .top_k = 2, .max_tokens = 1};
    uint32_t changed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        smoe_kernel_choice with[SMOE_STAGE_COUNT], without[SMOE_STAGE_COUNT], masked[SMOE_STAGE_COUNT];
        const smoe_device_info info = made_device(i);
        smoe_device_info plain = test_device(7);
        plain.subgroup_size = info.subgroup_size;
        plain.subgroup_size_min = info.subgroup_size_min;
        plain.subgroup_size_max = info.subgroup_size_max;
        const smoe_quirk *quirk = smoe_device_quirk(&info, 0);
        smoe_device_info less = plain;
        less.capabilities &= ~(quirk ? quirk->masked_capabilities : 0);
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&info, &desc, 1, 0}, with, NULL), SMOE_SUCCESS);
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&plain, &desc, 1, 0}, without, NULL), SMOE_SUCCESS);
        assert_int_equal(smoe_select_kernels(&(smoe_selection_desc){&less, &desc, 1, 0}, masked, NULL), SMOE_SUCCESS);
        bool differs = false;
        for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
            assert_string_equal(with[stage].name, masked[stage].name);
            differs = differs || strcmp(with[stage].name, without[stage].name) != 0;
        }
        /* Only plans with mixed precision use matrices, and not every build has their kernels. */
        const bool seen = quirk && (quirk->masked_capabilities & SMOE_CAPABILITY_SUBGROUP_ARITHMETIC);
        assert_int_equal(differs, seen);
        changed += quirk != NULL;
    }
    assert_true(changed > 0 && !smoe_quirk_row_get(changed)); /* as many as there are rows, or more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_has_them),
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_one_size),
        cmocka_unit_test(test_matrices),
        cmocka_unit_test(test_selection),
    };
    return cmocka_run_group_tests_name("quirks", tests, NULL, NULL);
}
