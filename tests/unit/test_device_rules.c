/* Descriptions of devices as numbers: what another device's description leaves of one, and subgroups that cannot be. */
#include <stdio.h>
#include <string.h>

#include "common/cmocka_all.h"
#include "devices.h"
#include "vulkan/device_info.h"

static void test_act_as_is_never_more(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TEST_DEVICE_COUNT; i++)
        for (uint32_t k = 0; k < TEST_DEVICE_COUNT; k++) {
            const smoe_device_info real = test_device(i), as = test_device(k);
            smoe_device_info info = real;
            char reason[SMOE_REASON_SIZE];
            smoe_device_info_act_as(&info, &as);
#define LESSER(field) assert_true(info.field == (real.field < as.field ? real.field : as.field))
            LESSER(max_workgroup_invocations);
            LESSER(max_workgroup_size_x);
            LESSER(max_workgroup_count[0]);
            LESSER(max_workgroup_count[2]);
            LESSER(max_shared_memory_size);
            LESSER(max_stage_storage_buffers);
            LESSER(max_storage_buffer_range);
            LESSER(api_version);
#undef LESSER
            assert_int_equal(info.capabilities, real.capabilities & as.capabilities);
            assert_true(info.min_storage_buffer_offset_alignment >= real.min_storage_buffer_offset_alignment);
            assert_true(info.min_storage_buffer_offset_alignment >= as.min_storage_buffer_offset_alignment);
            assert_int_equal(info.subgroup_size_min, real.subgroup_size_min);
            assert_int_equal(info.subgroup_size_max, real.subgroup_size_max);
            assert_int_equal(info.type, as.type);
            assert_string_equal(info.name, as.name);
            assert_true(smoe_device_info_is_consistent(&info, reason) && smoe_device_info_reaches_floor(&info, reason));
        }
}

static void test_mended_subgroups(void **state)
{
    static const struct {
        uint32_t size, min, max;
        bool possible;
    } cases[] = {
        {32, 32, 32, true}, {32, 8, 32, true},  {64, 32, 64, true},   {128, 64, 128, true},
        {1, 1, 1, true},    {0, 0, 0, false},   {0, 8, 32, false},    {32, 0, 32, false},
        {48, 8, 64, false}, {8, 16, 32, false}, {256, 8, 256, false}, {32, 64, 16, false},
    };
    char reason[SMOE_REASON_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        smoe_device_info info = test_device(5);
        info.subgroup_size = cases[i].size;
        info.subgroup_size_min = cases[i].min;
        info.subgroup_size_max = cases[i].max;
        assert_int_equal(smoe_device_info_is_consistent(&info, reason), cases[i].possible);
        smoe_device_info_mend_subgroups(&info);
        assert_true(smoe_device_info_is_consistent(&info, reason));
        assert_int_equal(info.subgroup_size, cases[i].possible ? cases[i].size : 1);
        assert_int_equal(info.capabilities, cases[i].possible ? SMOE_CAPABILITY_ALL : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_act_as_is_never_more),
                                       cmocka_unit_test(test_mended_subgroups)};
    return cmocka_run_group_tests_name("device rules", tests, NULL, NULL);
}
