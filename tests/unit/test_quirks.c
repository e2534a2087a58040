/* The list of driver quirks: each applies to the drivers it names and to no others, and changes what is selected there. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "devices.h"
#include "vulkan/quirks.h"

#define QUALCOMM 8u  /* VkDriverId */
#define MOLTENVK 14u
#define TURNIP 18u
#define RADV 3u
#define AMD 0x1002u
#define INTEL 0x8086u
#define APPLE 0x106bu

/* Drivers as they report themselves. quirk: the one that must apply, NULL for none. */
static const struct {
    const char *device, *quirk;
    uint32_t driver_id, vendor_id, version;
} drivers[] = {
    {"Adreno (TM) 640", "qualcomm_subgroups", QUALCOMM, 0x5143, VK_MAKE_API_VERSION(0, 512, 502, 0)},
    {"Adreno (TM) 840", "qualcomm_subgroups", QUALCOMM, 0x5143, VK_MAKE_API_VERSION(0, 512, 842, 19)},
    {"Turnip Adreno (TM) 640", "turnip_a640_subgroups", TURNIP, 0x5143, VK_MAKE_API_VERSION(0, 26, 1, 2)},
    {"Turnip Adreno (TM) 830", NULL, TURNIP, 0x5143, VK_MAKE_API_VERSION(0, 26, 1, 2)},
    {"AMD Radeon Pro 5500M", "moltenvk_amd_subgroups", MOLTENVK, AMD, 10401},
    {"AMD Radeon RX 570", "moltenvk_amd_subgroups", MOLTENVK, AMD, 10402},
    {"AMD Radeon Pro 5500M", NULL, RADV, AMD, 10401},
    {"Intel(R) UHD Graphics 630", "moltenvk_intel_arithmetic", MOLTENVK, INTEL, 10401},
    {"Intel(R) UHD Graphics 630", "moltenvk_intel_arithmetic", MOLTENVK, INTEL, 10211},
    {"Intel(R) UHD Graphics 630", NULL, MOLTENVK, INTEL, 10402},
    {"Apple M2", NULL, MOLTENVK, APPLE, 10401},
    {"some device", NULL, 0, 0, 0},
};

static smoe_device_info made_device(size_t i)
{
    smoe_device_info info = test_device(7); /* a GPU with every capability */
    snprintf(info.name, sizeof info.name, "%s", drivers[i].device);
    info.driver_id = drivers[i].driver_id;
    info.vendor_id = drivers[i].vendor_id;
    info.driver_version = drivers[i].version;
    return info;
}

static void test_who_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        const smoe_device_info info = made_device(i);
        const smoe_quirk *quirk = smoe_device_quirk(&info, 0);
        if (!drivers[i].quirk != !quirk || (quirk && strcmp(quirk->name, drivers[i].quirk) != 0))
            fail_msg("%s with driver %u, 0x%x: quirk %s", info.name, info.driver_id, info.driver_version, quirk ? quirk->name : "none");
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
    for (uint32_t i = 0; i < SMOE_QUIRK_COUNT; i++) {
        const smoe_quirk_row *row = smoe_quirk_row_get(i);
        if (!tested(row->quirk.name))
            fail_msg("quirk %s: no driver of this test has it", row->quirk.name);
        assert_true(row->driver_id != 0 && row->first_version <= row->last_version);
        assert_true(strlen(row->quirk.text) > 20 && strstr(row->quirk.source, "github.com/"));
        assert_true(row->quirk.masked_capabilities != 0 && !(row->quirk.masked_capabilities & ~(uint32_t)SMOE_CAPABILITY_ALL));
    }
    smoe_device_info info = test_device(0);
    assert_null(smoe_device_quirk(NULL, 0));
    memset(info.name, 'A', sizeof info.name); /* without an end */
    assert_null(smoe_device_quirk(&info, 0));
}

/* What is selected for a device with a quirk is what is selected where the capabilities are really missing. */
static void test_selection(void **state)
{
    const smoe_plan_desc desc = {.d_model = 512, .d_hidden = 256, .expert_count = 64, .top_k = 2, .max_tokens = 1};
    uint32_t changed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        smoe_kernel_choice with[SMOE_STAGE_COUNT], without[SMOE_STAGE_COUNT], masked[SMOE_STAGE_COUNT];
        const smoe_device_info info = made_device(i), plain = test_device(7);
        const smoe_quirk *quirk = smoe_device_quirk(&info, 0);
        smoe_device_info less = plain;
        less.capabilities &= ~(quirk ? quirk->masked_capabilities : 0);
        assert_int_equal(smoe_select_kernels(&info, &desc, 1, with, NULL), SMOE_SUCCESS);
        assert_int_equal(smoe_select_kernels(&plain, &desc, 1, without, NULL), SMOE_SUCCESS);
        assert_int_equal(smoe_select_kernels(&less, &desc, 1, masked, NULL), SMOE_SUCCESS);
        bool differs = false;
        for (int stage = 0; stage < SMOE_STAGE_COUNT; stage++) {
            assert_string_equal(with[stage].name, masked[stage].name);
            differs = differs || strcmp(with[stage].name, without[stage].name) != 0;
        }
        assert_int_equal(differs, quirk != NULL);
        changed += differs;
    }
    assert_true(changed >= SMOE_QUIRK_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_has_them),
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_selection),
    };
    return cmocka_run_group_tests_name("quirks", tests, NULL, NULL);
}
